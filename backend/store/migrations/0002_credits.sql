-- From pools to certificates. A batch, its members, its attestation and its issue are each written once.
-- Credits have no balance row: a live block (superseded_at is null) says where its grams are, transfers say how they came.

create view current_deed as                     -- the version that holds, of deeds that stand
select d.* from deed d
where d.stands and not exists (select from deed n where n.deed_id = d.deed_id and n.version > d.version);

create table batch (
  batch_id       bigint generated always as identity primary key,
  region         text not null,
  pack_code      text not null,
  pack_version   text not null,
  gas_basis      text not null,
  vintage_month  date not null,
  ordinal        integer not null,              -- the n-th batch of its pool
  demonstration  boolean not null,
  provisional    boolean not null,
  approval       text not null,                 -- body and document that let it be pooled
  deeds          bigint not null,
  people         bigint not null,
  reduction_mg   bigint not null,
  closed_at      timestamptz not null,
  closed_by      text not null references client,
  unique (region, pack_code, pack_version, vintage_month, ordinal)
);

create table batch_member (                     -- a deed is in one batch at most, for ever
  deed_id       bigint primary key,
  version       integer not null,
  batch_id      bigint not null references batch,
  person_id     bigint not null,
  reduction_mg  bigint not null,
  points        bigint not null,
  started_at    timestamptz not null
);
create index on batch_member (batch_id);

create view open_deed as                        -- what a pool is made of, and whether closing may take it now
select d.*,
       d.evidence in ('order', 'device')
       and exists (select from consent c where c.person_id = d.person_id and c.purpose = 'pool'
                     and c.given_at <= d.started_at and coalesce(c.withdrawn_at, 'infinity') > d.started_at)
       and exists (select from consent c where c.person_id = d.person_id and c.purpose = 'pool'
                     and c.given_at <= now() and coalesce(c.withdrawn_at, 'infinity') > now())
       and exists (select from partner_waiver w where w.client_id = d.client_id and w.waived_from <= d.started_at)
       as poolable
from current_deed d
where d.reduction_mg <> 0 and not exists (select from batch_member m where m.deed_id = d.deed_id);

create table attestation (                      -- 核查: a verifier's statement; after a rejection another may follow
  attestation_id   bigint generated always as identity primary key,
  batch_id         bigint not null references batch,
  verifier         text not null references client,
  decision         text not null check (decision in ('attested', 'rejected')),
  assurance        text not null check (assurance in ('limited', 'reasonable')),
  materiality_ppm  integer not null check (materiality_ppm between 0 and 1000000),
  sample           json not null,
  findings         text not null,
  independence     text not null,
  adjustment_mg    bigint not null check (adjustment_mg >= 0),
  attested_at      timestamptz not null
);
create unique index on attestation (batch_id) where decision = 'attested';

create table issue (                            -- 签发: 1000 x issued + remainder = attested - adjustments + carried
  batch_id             bigint primary key references batch,
  issued_g             bigint not null check (issued_g >= 0),
  reserve_g            bigint not null check (reserve_g between 0 and issued_g),
  remainder_mg         bigint not null check (remainder_mg < 1000),
  carried_from         bigint unique references issue,      -- the batch of the series whose remainder came in
  carried_mg           bigint not null,
  price_fen_per_tonne  bigint not null check (price_fen_per_tonne > 0),
  issued_at            timestamptz not null,
  issued_by            text not null references client
);

create table credit_block (
  block_id       bigint generated always as identity primary key,
  batch_id       bigint not null references issue,
  serials        int8range not null check (not isempty(serials) and lower(serials) >= 1),
  account        text not null check (account in ('available', 'reserve', 'reserved', 'held', 'retired', 'cancelled')),
  owner          text not null default '',      -- an order's number, a company's client id, a certificate's number
  parent_block   bigint references credit_block,
  made_at        timestamptz not null,
  superseded_at  timestamptz,
  exclude using gist (int8range(batch_id, batch_id, '[]') with &&, serials with &&) where (superseded_at is null)
);
create index on credit_block (account, owner, batch_id) where superseded_at is null;
create index on credit_block (batch_id) where superseded_at is null;

create table quote (
  quote_id       bigint generated always as identity primary key,
  client_id      text not null references client,
  quantity_g     bigint not null check (quantity_g > 0),
  region         text,
  pack_code      text,
  vintage_month  date,
  demonstration  boolean not null,
  amount_fen     bigint not null check (amount_fen > 0),
  made_at        timestamptz not null,
  expires_at     timestamptz not null
);

create table purchase_order (
  order_id    bigint generated always as identity primary key,
  client_id   text not null references client,
  quote_id    bigint not null unique references quote,
  quantity_g  bigint not null check (quantity_g > 0),
  amount_fen  bigint not null check (amount_fen > 0),
  state       text not null check (state in ('reserved', 'declared', 'paid', 'cancelled', 'expired')),
  made_at     timestamptz not null,
  expires_at  timestamptz not null
);
create index on purchase_order (expires_at) where state in ('reserved', 'declared');

create table order_line (
  order_id             bigint not null references purchase_order,
  batch_id             bigint not null references issue,
  quantity_g           bigint not null check (quantity_g > 0),
  price_fen_per_tonne  bigint not null,
  amount_fen           bigint not null check (amount_fen >= 0),
  primary key (order_id, batch_id)
);

create table order_step (                       -- who did what to an order
  order_id  bigint not null references purchase_order,
  state     text not null,                      -- the state it led to
  made_at   timestamptz not null,
  made_by   text not null default '',           -- a client id; '' for the clock
  detail    json,
  primary key (order_id, state)
);

create sequence retirement_id_seq;

create table retirement (
  retirement_id  bigint primary key,
  number         text not null unique,
  client_id      text not null references client,
  quantity_g     bigint not null check (quantity_g > 0),
  request        json not null,
  retired_at     timestamptz not null
);

create table certificate (                      -- the bytes that were signed, kept as they were
  number     text primary key references retirement (number),
  canonical  text not null,
  kid        text not null,
  algorithm  text not null,
  signature  text not null
);

create table certificate_pdf (                  -- a rendering; can be made again
  number   text primary key references certificate,
  pdf      bytea not null,
  made_at  timestamptz not null
);

create table idempotency (                      -- the answer to a keyed request, in the transaction of its effect
  client_id       text not null references client,
  key             text not null,
  route           text not null,
  request_digest  bytea not null,
  answer          json,
  made_at         timestamptz not null,
  primary key (client_id, key)
);

create trigger append_only before update or delete or truncate on batch execute function refuse_change();
create trigger append_only before update or delete or truncate on batch_member execute function refuse_change();
create trigger append_only before update or delete or truncate on attestation execute function refuse_change();
create trigger append_only before update or delete or truncate on issue execute function refuse_change();
create trigger append_only before update or delete or truncate on quote execute function refuse_change();
create trigger append_only before update or delete or truncate on order_line execute function refuse_change();
create trigger append_only before update or delete or truncate on order_step execute function refuse_change();
create trigger append_only before update or delete or truncate on retirement execute function refuse_change();
create trigger append_only before update or delete or truncate on certificate execute function refuse_change();
create trigger no_removal before delete or truncate on credit_block execute function refuse_change();

create function refuse_late_member() returns trigger language plpgsql as $$
begin
  if exists (select from batch b
             where b.batch_id in (select batch_id from added)
               and b.deeds <> (select count(*) from batch_member m where m.batch_id = b.batch_id)) then
    raise exception 'a closed batch takes no more members';
  end if;
  return null;
end $$;
create trigger closed after insert on batch_member
referencing new table as added for each statement execute function refuse_late_member();

create function refuse_block_change() returns trigger language plpgsql as $$
begin
  if old.superseded_at is not null or old.account in ('retired', 'cancelled')
     or (new.block_id, new.batch_id, new.serials, new.account, new.owner, new.parent_block, new.made_at)
        is distinct from
        (old.block_id, old.batch_id, old.serials, old.account, old.owner, old.parent_block, old.made_at) then
    raise exception 'a block is only ever superseded, and a retired one not even that';
  end if;
  return new;
end $$;
create trigger only_superseded before update on credit_block for each row execute function refuse_block_change();
