-- What other mechanisms have claimed: imported lists, keyed digests only. All appended; a list is withdrawn by a row.

create table claim_list (
  list_id      bigint generated always as identity primary key,
  mechanism    text not null,
  source       text not null,                   -- the document the list came as
  by_exchange  boolean not null,                -- some rows hold digests made with the exchange key
  imported_by  text not null,                   -- a client id, or 'terminal'
  imported_at  timestamptz not null
);

create table external_claim (                   -- by number, or by operator or asset, activity, region and days
  claim_id         bigint generated always as identity primary key,
  list_id          bigint not null references claim_list,
  line             integer not null,
  mechanism        text not null,
  kind             text not null check (kind in ('issued', 'used', 'counted')),
  row_digest       bytea not null,              -- the same row twice is one
  act_issuer       text,
  act_digest       bytea,                       -- under our own secret, as in act_claim
  exchange_digest  bytea,                       -- under the key shared with the mechanism
  client_id        text references client,      -- null: every operator
  asset_digest     bytea,
  event_type       text,                        -- null: every activity
  region_prefix    text,                        -- '' the nation, '44' a province, '4403' a city
  from_on          date,
  to_on            date,                        -- inclusive
  document         text not null,
  check (num_nonnulls(act_digest, exchange_digest, from_on) = 1),
  check ((from_on is null) = (to_on is null) and (from_on is null) = (region_prefix is null))
);
create index on external_claim (list_id);
create index on external_claim (row_digest);
create index on external_claim (act_digest) where act_digest is not null;
create index on external_claim (exchange_digest) where exchange_digest is not null;
create index on external_claim (to_on) where to_on is not null and asset_digest is null;
create index on external_claim (asset_digest) where asset_digest is not null;

create table claim_withdrawal (                 -- from then on the list blocks nothing
  list_id       bigint primary key references claim_list,
  reason        text not null,
  withdrawn_by  text not null,
  withdrawn_at  timestamptz not null
);

create table claim_scan (                       -- the deeds credited before the list came have been looked for
  list_id     bigint primary key references claim_list,
  scanned_at  timestamptz not null
);

create table claim_conflict (                   -- a deed that was credited before it was found to be claimed
  conflict_id  bigint generated always as identity primary key,
  claim_id     bigint not null references external_claim,
  root_id      bigint not null,                 -- the event as first sent
  person_id    bigint not null,
  started_at   timestamptz not null,
  ended_at     timestamptz not null,
  found_at     timestamptz not null,
  unique (claim_id, root_id)
);
create index on claim_conflict (root_id);

create table exchange_key (                     -- a key that a mechanism gave us, sealed; without a row ours is derived
  mechanism    text primary key,
  sealed       bytea not null,
  accepted_at  timestamptz not null
);

create trigger append_only before update or delete or truncate on claim_list execute function refuse_change();
create trigger append_only before update or delete or truncate on external_claim execute function refuse_change();
create trigger append_only before update or delete or truncate on claim_withdrawal execute function refuse_change();
create trigger append_only before update or delete or truncate on claim_scan execute function refuse_change();
create trigger append_only before update or delete or truncate on claim_conflict execute function refuse_change();
create trigger append_only before update or delete or truncate on exchange_key execute function refuse_change();

alter table event add column claim_id bigint;   -- the claim that refused it by itself
alter table act_claim add column sealed bytea;  -- the number's plain digest, sealed: see ARCHITECTURE.md

alter table review drop constraint review_kind_check;
alter table review add constraint review_kind_check check (kind in ('held', 'appeal', 'claimed'));
create index on review (root_id, case_id);

create view current_event as                    -- events that no correction has replaced, with the verdict that holds
select e.event_id, e.root_id, e.started_at, e.ended_at, e.day, e.person_id, e.client_id, e.event_ref, e.event_type,
       e.class, e.region, e.act_issuer, e.act_digest, e.prior_issuer, e.prior_digest, e.asset_digest,
       coalesce(r.verdict, e.verdict) as verdict, coalesce(r.code, e.code) as code,
       case when r.event_id is null then e.stands_event else r.stands_event end as stands,
       case when r.event_id is null then e.deed_id else r.deed_id end as deed_id,
       coalesce(r.reduction_mg, e.reduction_mg) as reduction_mg
from event e
left join lateral (select * from reverdict r where r.event_id = e.event_id order by r.version desc limit 1) r on true
where not exists (select from correction c where c.old_event_id = e.event_id);
