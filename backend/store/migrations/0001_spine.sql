-- The spine: who may come in, the people, the events, the deeds, the books.
-- Append-only: event, reverdict, deed, transfer, claim, act_claim. Big tables are partitioned by month.
-- The person's id is in every key of a person's rows, so that one person's rows can live on one node.

create table client (
  client_id   text primary key,
  role        text not null check (role in ('partner', 'company', 'verifier', 'regulator', 'operator')),
  name        text not null,
  issuer      text unique,                      -- whose act_refs this partner may sign as `order`
  created_at  timestamptz not null default now()
);

create table client_key (
  client_id   text not null references client,
  kid         text not null,
  jwk         jsonb not null,                   -- public part only
  added_at    timestamptz not null default now(),
  revoked_at  timestamptz,
  primary key (client_id, kid)
);

create table evidence_ceiling (                 -- the best tier a client may claim for a type; absent: 'order'
  client_id   text not null references client,
  event_type  text not null,
  tier        text not null,
  primary key (client_id, event_type)
);

create table partner_waiver (                   -- the partner gives up its own claim to what is pooled
  client_id   text not null references client,
  waived_from timestamptz not null,
  document    text not null,
  recorded_at timestamptz not null default now(),
  primary key (client_id, waived_from)
);

create table used_assertion (                   -- a client assertion opens one token, once
  digest      bytea primary key,
  expires_at  timestamptz not null
);
create index on used_assertion (expires_at);

create table person (
  person_id   bigint generated always as identity primary key,
  created_at  timestamptz not null default now()
);

create table person_key (                       -- HMAC of a login or an imported id; many may lead to one person
  key_digest  bytea primary key,
  person_id   bigint not null references person,
  added_at    timestamptz not null default now()
);
create index on person_key (person_id);

create table link (                             -- pairwise: each partner knows a person by another subject
  subject             text primary key,
  client_id           text not null references client,
  partner_ref_digest  bytea not null,
  person_id           bigint not null references person,
  linked_at           timestamptz not null default now(),
  ended_at            timestamptz,
  unique (client_id, partner_ref_digest)
);
create index on link (person_id);

create table consent (
  person_id        bigint not null references person,
  purpose          text not null check (purpose in ('points', 'pool', 'budget', 'statistics')),
  given_at         timestamptz not null,
  withdrawn_at     timestamptz,
  text_version     text not null,
  source           text not null,               -- 'person' or the partner that brought it
  evidence_digest  text not null,
  primary key (person_id, purpose, given_at)
);

create table pack_version (                     -- what judged: the canonical pack, kept under its hash
  content_sha256  text primary key,
  pack_code       text not null,
  pack_version    text not null,
  pack_json       text not null,
  first_used_at   timestamptz not null default now()
);

create table claim (                            -- narrow, permanent: a message id is used once
  client_id       text not null,
  id_digest       bytea not null,
  content_digest  bytea not null,
  event_id        bigint not null,
  started_at      timestamptz not null,
  primary key (client_id, id_digest)
);

create table act_claim (                        -- narrow, permanent: an issuer's number names one deed
  issuer      text not null,
  act_digest  bytea not null,
  own         boolean not null,                 -- claimed by the issuer itself: goes before any forwarder's claim
  person_id   bigint not null,
  class       text not null,
  event_id    bigint not null,
  started_at  timestamptz not null,
  primary key (issuer, act_digest, own)
);

create sequence event_id_seq;

create table event (                            -- a message, how it was measured, and its first verdict
  event_id      bigint not null,
  started_at    timestamptz not null,
  ended_at      timestamptz not null,
  received_at   timestamptz not null,
  client_id     text not null,
  event_ref     text not null,
  event_type    text not null,
  person_id     bigint,
  class         text,                           -- null: never reached settling
  pack_code     text,
  pack_version  text,
  region        text,
  day           date,                           -- civil day of the start in the region
  evidence      text,
  act_issuer    text,
  act_digest    bytea,
  prior_issuer  text,                           -- an earlier number of the same load
  prior_digest  bytea,
  asset_digest  bytea,
  facts         jsonb,
  refusal       text not null default '',       -- what the record was refused for by itself
  measured_mg   bigint not null default 0,
  points_micro  bigint not null default 0,
  cap_mg        bigint,
  verdict       text not null,
  code          text not null,
  stands_event  bigint,
  deed_id       bigint,
  reduction_mg  bigint not null default 0,
  points        bigint not null default 0,
  field         text not null default '',       -- the offending field, where one is at fault
  root_id       bigint not null,                -- the event as first sent; a correction is a new row of the same root
  apart_roots   bigint[],                       -- a ruling says that these tell of other deeds
  primary key (event_id, started_at)
) partition by range (started_at);
create index on event (person_id, class, started_at);
create table event_default partition of event default;

create table reverdict (                        -- a verdict that a later event changed
  event_id      bigint not null,
  version       integer not null,
  person_id     bigint not null,
  verdict       text not null,
  code          text not null,
  stands_event  bigint,
  deed_id       bigint,
  reduction_mg  bigint not null,
  points        bigint not null,
  cause_event   bigint,
  changed_at    timestamptz not null,
  primary key (event_id, version)
);

create table deed (                             -- the act itself; the highest version holds
  deed_id        bigint not null,
  version        integer not null,
  person_id      bigint not null,
  started_at     timestamptz not null,
  ended_at       timestamptz not null,
  class          text not null,
  pack_code      text not null,
  pack_version   text not null,
  gas_basis      text not null,
  region         text not null,
  vintage_month  date not null,
  evidence       text not null,
  event_id       bigint not null,               -- the record that stands
  client_id      text not null,
  reduction_mg   bigint not null,
  points         bigint not null,
  stands         boolean not null,              -- false: another deed took its place
  made_at        timestamptz not null,
  primary key (deed_id, version, started_at)
) partition by range (started_at);
create index on deed (person_id, started_at);
create index on deed (vintage_month, pack_code, region);
create table deed_default partition of deed default;

create table transfer (                         -- double entry: one row moves one amount from debit to credit
  transfer_id  bigint generated always as identity,
  posted_at    timestamptz not null,
  book         text not null check (book in ('reductions_mg', 'points', 'credits_g', 'money_fen')),
  debit        text not null,
  debit_id     bigint not null default 0,
  credit       text not null,
  credit_id    bigint not null default 0,
  amount       bigint not null check (amount > 0),
  reason       text not null,
  ref_id       bigint,                          -- the deed, batch, order or retirement it is for, by reason
  person_id    bigint,
  check ((debit, debit_id) <> (credit, credit_id)),
  primary key (transfer_id, posted_at)
) partition by range (posted_at);
create index on transfer (person_id, book) where person_id is not null;
create index on transfer (book, reason, ref_id) where person_id is null;
create table transfer_default partition of transfer default;

create function refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and tg_level = 'ROW' and current_setting('tanpuhui.moving_rows', true) = 'on' then
    return old;                                 -- into the partition of their month, see make_partition
  end if;
  raise exception '% is append-only: a correction is a new row', tg_table_name;
end $$;

create trigger append_only before update or delete or truncate on claim execute function refuse_change();
create trigger append_only before update or delete or truncate on act_claim execute function refuse_change();
create trigger append_only before update or delete or truncate on reverdict execute function refuse_change();
create trigger append_only before update or delete on event for each row execute function refuse_change();
create trigger append_only before update or delete on deed for each row execute function refuse_change();
create trigger append_only before update or delete on transfer for each row execute function refuse_change();
create trigger no_truncate before truncate on event execute function refuse_change();
create trigger no_truncate before truncate on deed execute function refuse_change();
create trigger no_truncate before truncate on transfer execute function refuse_change();
