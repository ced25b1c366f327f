-- name: hold_ingest_out
select pg_advisory_xact_lock(hashtext('close'), 0)

-- name: find_mechanisms
-- Mechanisms with a list in force; whether some of it is digests under the exchange key, and a key they gave us.
select l.mechanism, bool_or(l.by_exchange), k.sealed
from claim_list l left join exchange_key k using (mechanism)
where not exists (select from claim_withdrawal w where w.list_id = l.list_id)
group by l.mechanism, k.sealed

-- name: find_claims
-- The claims in force that may meet a batch: by number, by asset, by operator and activity in its span of days.
select c.claim_id, c.mechanism, c.kind, c.act_digest, c.exchange_digest, c.client_id, c.asset_digest, c.event_type,
       c.region_prefix, c.from_on, c.to_on
from (
  select * from external_claim where act_digest = any(%(acts)b::bytea[])
  union all
  select * from external_claim where exchange_digest = any(%(exchanged)b::bytea[])
  union all
  select * from external_claim
  where asset_digest = any(%(assets)b::bytea[]) and from_on <= %(last_on)s and to_on >= %(first_on)s
  union all
  select * from external_claim
  where asset_digest is null and to_on >= %(first_on)s and from_on <= %(last_on)s
    and (client_id is null or client_id = %(client_id)s) and (event_type is null or event_type = any(%(types)s))
) c
where not exists (select from claim_withdrawal w where w.list_id = c.list_id)

-- name: find_known
-- Deeds of these persons that were credited before these claims came.
select c.claim_id, coalesce(a.person_id, c.person_id), c.started_at, c.ended_at
from claim_conflict c left join person_alias a on a.alias_id = c.person_id
where c.claim_id = any(%(claims)s::bigint[]) and coalesce(a.person_id, c.person_id) = any(%(people)s::bigint[])

-- name: find_rows
-- Which of these rows are in force.
select c.row_digest from external_claim c
where c.row_digest = any(%(digests)b::bytea[])
  and not exists (select from claim_withdrawal w where w.list_id = c.list_id)

-- name: find_operators
-- Partners by client id and by the name of their numbers.
select client_id, issuer from client where role = 'partner'

-- name: add_list
insert into claim_list (mechanism, source, by_exchange, imported_by, imported_at)
values (%(mechanism)s, %(source)s, %(by_exchange)s, %(imported_by)s, %(now)s)
returning list_id

-- name: add_claims
copy external_claim (list_id, line, mechanism, kind, row_digest, act_issuer, act_digest, exchange_digest, client_id,
                     asset_digest, event_type, region_prefix, from_on, to_on, document) from stdin

-- name: find_unscanned
select l.list_id, l.mechanism, l.by_exchange from claim_list l
where not exists (select from claim_scan s where s.list_id = l.list_id)
order by l.list_id

-- name: take_time
select set_config('statement_timeout', '15min', true)

-- name: find_by_number
-- Claims of a list and the numbers they name.
select claim_id, act_issuer, act_digest from external_claim where list_id = %(list_id)s and act_digest is not null

-- name: find_by_exchange
select exchange_digest, claim_id from external_claim where list_id = %(list_id)s and exchange_digest is not null

-- name: stream_sealed
select issuer, act_digest, sealed from act_claim where sealed is not null

-- name: find_events_by_number
select distinct k.claim_id, e.event_id, e.started_at
from unnest(%(claims)s::bigint[], %(issuers)s::text[], %(digests)b::bytea[]) as k (claim_id, issuer, act_digest)
join act_claim a using (issuer, act_digest)
cross join lateral same_person(a.person_id) as member
join current_event e on e.person_id = member and e.class = a.class
     and (k.issuer, k.act_digest) in ((e.act_issuer, e.act_digest), (e.prior_issuer, e.prior_digest))
where e.verdict in ('credited', 'duplicate_of')

-- name: find_spans
select claim_id, mechanism, kind, client_id, asset_digest, event_type, region_prefix, from_on, to_on
from external_claim where list_id = %(list_id)s and from_on is not null

-- name: stream_events
-- Events that count, or repeat one that counts, of these days; null: of any client, type, asset.
select event_id, started_at, client_id, event_type, region, day, asset_digest from current_event
where started_at >= %(first_on)s::date - 1 and started_at < %(last_on)s::date + 2
  and (%(clients)s::text[] is null or client_id = any(%(clients)s))
  and (%(types)s::text[] is null or event_type = any(%(types)s))
  and (%(assets)b::bytea[] is null or asset_digest = any(%(assets)b))
  and verdict in ('credited', 'duplicate_of')

-- name: add_conflicts
-- A duplicate that is claimed is a claim on the record that stands.
with met as (
  select k.claim_id, e.* from unnest(%(claims)s::bigint[], %(events)s::bigint[], %(starts)s::timestamptz[])
                              as k (claim_id, event_id, started_at)
  join current_event e using (event_id, started_at)
), standing as (
  select claim_id, root_id, person_id, started_at, ended_at from met where verdict = 'credited'
  union
  select m.claim_id, t.root_id, t.person_id, t.started_at, t.ended_at
  from met m join current_event t on t.event_id = m.stands
  where m.verdict = 'duplicate_of' and t.verdict = 'credited'
)
insert into claim_conflict (claim_id, root_id, person_id, started_at, ended_at, found_at)
select s.*, %(now)s::timestamptz from standing s
on conflict do nothing
returning claim_id, root_id

-- name: find_kinds
select claim_id, kind from external_claim where claim_id = any(%(claims)s::bigint[])

-- name: add_scan
insert into claim_scan (list_id, scanned_at) values (%(list_id)s, %(now)s) on conflict do nothing

-- name: list_conflicts
-- Deeds that were credited before they were found to be claimed, what holds of them now, and the latest case.
select x.conflict_id, x.found_at, c.claim_id, c.mechanism, c.kind, c.document, c.list_id, c.line,
       w.list_id is not null as withdrawn, e.event_ref, e.event_type, e.client_id, p.name as partner, e.person_id,
       e.started_at, e.region, e.verdict, e.code, e.reduction_mg, e.deed_id, m.batch_id, v.case_id, v.decision
from claim_conflict x
join external_claim c using (claim_id)
left join claim_withdrawal w using (list_id)
left join lateral (select * from correction n where n.root_id = x.root_id order by n.seq desc limit 1) n on true
left join current_event e on e.event_id = coalesce(n.new_event_id, x.root_id)
                         and e.started_at = coalesce(n.new_started_at, x.started_at)
left join client p on p.client_id = e.client_id
left join batch_member m on m.deed_id = e.deed_id
left join lateral (select * from review v where v.root_id = x.root_id order by v.case_id desc limit 1) v on true
where x.conflict_id > %(after)s and (%(list_id)s::bigint is null or c.list_id = %(list_id)s)
order by x.conflict_id limit %(limit)s

-- name: find_claim_on
-- The oldest claim that met a credited event (as first sent).
select c.claim_id, c.mechanism, c.kind from claim_conflict x join external_claim c using (claim_id)
where x.root_id = %(root_id)s order by x.conflict_id limit 1

-- name: list_lists
select l.list_id, l.mechanism, l.source, l.imported_by, l.imported_at, w.withdrawn_at, w.reason,
       (select count(*) from external_claim c where c.list_id = l.list_id) as claims,
       (select count(*) from external_claim c join claim_conflict x using (claim_id)
        where c.list_id = l.list_id) as conflicts
from claim_list l left join claim_withdrawal w using (list_id)
where l.list_id > %(after)s order by l.list_id limit %(limit)s

-- name: find_list
select list_id from claim_list where list_id = %(list_id)s

-- name: add_withdrawal
insert into claim_withdrawal (list_id, reason, withdrawn_by, withdrawn_at)
values (%(list_id)s, %(reason)s, %(withdrawn_by)s, %(now)s) on conflict do nothing

-- name: find_key
select sealed from exchange_key where mechanism = %(mechanism)s

-- name: has_exchanged
select 1 as found from claim_list where mechanism = %(mechanism)s and by_exchange limit 1

-- name: add_key
insert into exchange_key (mechanism, sealed, accepted_at) values (%(mechanism)s, %(sealed)s, %(now)s)
on conflict do nothing

-- name: list_deeds
-- Deeds of a region and month that stand for something, with the sealed numbers of all their records.
with page as (
  select deed_id, person_id, class, started_at, ended_at from current_deed
  where vintage_month = %(month)s and starts_with(region, %(prefix)s) and reduction_mg > 0 and deed_id > %(after)s
  order by deed_id limit %(limit)s
)
select d.deed_id, m.batch_id, i.batch_id is not null as issued,
       array(select distinct a.sealed
             from same_person(d.person_id) as member
             join current_event e on e.person_id = member and e.class = d.class and e.deed_id = d.deed_id
                  and e.started_at between d.started_at - interval '7 days' and d.ended_at + interval '7 days'
             join act_claim a on (a.issuer, a.act_digest) in
                  ((e.act_issuer, e.act_digest), (e.prior_issuer, e.prior_digest))
             where a.sealed is not null) as sealed
from page d
left join batch_member m using (deed_id)
left join issue i on i.batch_id = m.batch_id
order by d.deed_id
