-- The public registry: what a retirement is found by, newest first. All of it is derived, and can be made again from the
-- retirements. Each table carries the moment, so that every list is read in order from its own index, a page at a time.

create table registry_entry (                   -- a retirement
  retirement_id  bigint primary key references retirement,
  retired_at     timestamptz not null,
  purpose        text not null
);
create index on registry_entry (retired_at, retirement_id);
create index on registry_entry (purpose, retired_at, retirement_id);

create table registry_line (                    -- a batch that gave grams to it
  retirement_id  bigint not null references registry_entry,
  batch_id       bigint not null references issue,
  retired_at     timestamptz not null,
  region         text not null,
  pack_code      text not null,
  vintage_month  date not null,
  primary key (retirement_id, batch_id)
);
create index on registry_line (batch_id, retired_at, retirement_id);
create index on registry_line (region, retired_at, retirement_id);
create index on registry_line (pack_code, retired_at, retirement_id);
create index on registry_line (vintage_month, retired_at, retirement_id);

create table registry_beneficiary (             -- for whom it was
  retirement_id  bigint not null references registry_entry,
  uscc           text not null,
  retired_at     timestamptz not null,
  primary key (retirement_id, uscc)
);
create index on registry_beneficiary (uscc, retired_at, retirement_id);

create table registry_period (                  -- the years and months that it is claimed for
  node           integer not null,              -- YYYY00: the whole year; YYYY13: a part of it; YYYYMM: that month of the part
  retired_at     timestamptz not null,
  retirement_id  bigint not null references registry_entry,
  primary key (node, retired_at, retirement_id)
);

create table registry_name (                    -- every name, Chinese or English, that a beneficiary was ever written with
  form   text not null,                         -- without what differs by keyboard alone
  uscc   text not null,
  grams  text[] not null,                       -- its pairs of neighbouring signs
  primary key (form, uscc)
);
create index on registry_name using gin (grams);

create function name_form(name text) returns text language sql immutable parallel safe as $$
  select lower(regexp_replace(normalize(name, NFKC), '[\s·•・.,，。''’]+', '', 'g'))
$$;
create function name_grams(form text) returns text[] language sql immutable parallel safe as $$
  select array(select distinct substr(form, n, 2) from generate_series(1, length(form) - 1) n)
$$;

create view retired_line as                     -- what `registry_line` is made of
select r.retirement_id, c.batch_id, r.retired_at, b.region, b.pack_code, b.vintage_month
from retirement r
join credit_block c on c.account = 'retired' and c.owner = r.number and c.superseded_at is null
join batch b on b.batch_id = c.batch_id
group by r.retirement_id, c.batch_id, r.retired_at, b.region, b.pack_code, b.vintage_month;

create view retired_for as                      -- what `registry_beneficiary` and `registry_name` are made of
select r.retirement_id, r.retired_at, e.entity ->> 'uscc' as uscc, e.entity ->> 'name' as name, e.entity ->> 'name_en' as name_en
from retirement r cross join lateral json_array_elements(
  case when json_array_length(coalesce(r.request -> 'beneficiaries', '[]')) > 0 then r.request -> 'beneficiaries'
       else json_build_array(r.request -> 'beneficiary') end
) e (entity);

create view retired_period as                   -- what `registry_period` is made of; years of this century only
select y.year * 100 + n.month as node, r.retired_at, r.retirement_id
from (
  select retirement_id, retired_at, (request ->> 'period_from')::date as first, (request ->> 'period_to')::date as last from retirement
) r
cross join lateral generate_series(
  greatest(extract(year from r.first)::integer, 2000), least(extract(year from r.last)::integer, 2099)
) y (year)
cross join lateral (
  select r.first <= make_date(y.year, 1, 1) and r.last >= make_date(y.year, 12, 31) as is_whole
) w
cross join lateral (
  select case when w.is_whole then 0 else 13 end
  union all
  select generate_series(case when r.first < make_date(y.year, 1, 1) then 1 else extract(month from r.first)::integer end,
                         case when r.last > make_date(y.year, 12, 31) then 12 else extract(month from r.last)::integer end)
  where not w.is_whole
) n (month);

insert into registry_entry select retirement_id, retired_at, request ->> 'purpose' from retirement;
insert into registry_line select * from retired_line;
insert into registry_beneficiary select distinct retirement_id, uscc, retired_at from retired_for;
insert into registry_period select * from retired_period;
insert into registry_name
select form, uscc, name_grams(form)
from (select distinct name_form(n.name) as form, f.uscc from retired_for f, unnest(array[f.name, f.name_en]) n (name)) d
where length(form) >= 2;

-- A batch's record adds up its blocks by place, and exports read them in pages, both out of the index alone.
create index credit_block_of_batch on credit_block (batch_id, block_id) include (account, serials) where superseded_at is null;
drop index credit_block_batch_id_idx;
create index on batch (pack_code, vintage_month);
