-- What was said again, taken back, looked into, or found to be one person: all appended, nothing rewritten.

create table correction (                       -- an event's content is replaced (a new event row) or taken back
  old_event_id    bigint primary key,
  root_id         bigint not null,              -- the event as first sent
  seq             integer not null,             -- 1, 2, ... for one root
  new_event_id    bigint,                       -- null: taken back
  new_started_at  timestamptz,
  kind            text not null check (kind in ('replace', 'withdraw', 'release', 'refuse', 'count', 'apart')),
  by_client       text not null references client,
  reason          text not null,
  charged_to      text not null check (charged_to in ('partner', 'platform', 'person')),
  content_digest  bytea,                        -- the same correction twice is one
  made_at         timestamptz not null,
  unique (root_id, seq)
);
create trigger append_only before update or delete or truncate on correction execute function refuse_change();

create table person_alias (                     -- accounts found to be one person; person_id is the one that stays
  alias_id    bigint primary key references person,
  person_id   bigint not null references person,
  merged_at   timestamptz not null,
  merged_by   text not null references client,
  reason      text not null,
  check (alias_id <> person_id)
);
create index on person_alias (person_id);

create function same_person(p bigint) returns setof bigint language sql stable as $$
  with one as (select coalesce((select a.person_id from person_alias a where a.alias_id = p), p) as person_id)
  select person_id from one union all select a.alias_id from person_alias a join one using (person_id)
$$;

create table review (                           -- an event that waits for a person's eye, or a verdict appealed
  case_id     bigint generated always as identity primary key,
  root_id     bigint not null,
  kind        text not null check (kind in ('held', 'appeal')),
  opened_by   text not null,                    -- a client id, 'person' or 'platform'
  words       text not null,
  opened_at   timestamptz not null,
  decision    text check (decision in ('release', 'refuse', 'count', 'apart', 'uphold')),
  decided_by  text references client,
  decided_at  timestamptz,
  note        text,
  check ((decision is null) = (decided_at is null))
);
create unique index on review (root_id) where decision is null;
create index on review (opened_at) where decision is null;
