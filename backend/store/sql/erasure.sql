-- Erasing an account, and what is asked of erased ones.

-- name: allow
-- For this transaction, what is append-only lets go of a person's rows.
select set_config('tanpuhui.erasing', 'on', true)

-- name: hold_imports_out
-- People are imported beside no erasure: a link or a consent would be left over.
select pg_advisory_xact_lock_shared(hashtext('people'), 0)

-- name: hold_scans_out
-- Nor are the deeds looked for that a list of claims names.
lock table claim_conflict in share row exclusive mode

-- name: lock_accounts
-- The rows of all accounts that are this person's. Who makes a row that refers to them is waited for.
select person_id from person where person_id in (select same_person(%(person_id)s)) order by person_id for update

-- name: hold_person
-- Somebody makes a row that refers to the person: an erasure waits, or is waited for, and then there is nobody.
select person_id from person where person_id = %(person_id)s for key share

-- name: lock_payouts
-- The withdrawals that can still fail. What becomes of them afterwards finds the person erased.
select amount_fen, state from payout
where account = 'person' and account_id = any(%(people)s::bigint[]) and state <> 'done'
order by payout_id for update

-- name: members
-- The batches that hold deeds of the person, and how many.
select m.batch_id, count(*) from (select distinct deed_id from deed where person_id = any(%(people)s::bigint[])) d
join batch_member m using (deed_id)
group by m.batch_id

-- name: open_deeds
-- Deeds that stand and are in no batch.
select d.deed_id, d.person_id, d.reduction_mg from current_deed d
where d.person_id = any(%(people)s::bigint[]) and not exists (select from batch_member m where m.deed_id = d.deed_id)
order by d.deed_id

-- name: balances
-- Points and money, by account.
select book, person_id, sum(case when credit = 'person' then amount else -amount end)::bigint
from transfer where person_id = any(%(people)s::bigint[]) and book in ('points', 'money_fen')
group by book, person_id order by book, person_id

-- name: count_leaves
-- The leaves of the log whose row and salt go: in their place, or waiting for it.
with mine as (
  select 'deed' as kind, deed_id as ref_id, version as ref_no from deed where person_id = any(%(people)s::bigint[])
  union all
  select 'correction', c.old_event_id, 0 from correction c join event e on e.event_id = c.old_event_id
  where e.person_id = any(%(people)s::bigint[])
)
select (select count(*) from mine join log_leaf using (kind, ref_id, ref_no))
       + (select count(*) filter (where (kind, ref_id, ref_no) in (select kind, ref_id, ref_no from mine)) from log_pending)

-- name: find_refs
-- The person's message ids by partner, and whether the partner was told of a change of them.
select e.client_id, e.event_ref, bool_or(exists (select from reverdict r where r.event_id = e.event_id))
from event e where e.person_id = any(%(people)s::bigint[])
group by e.client_id, e.event_ref

-- name: keep_ids
with gone as (
  delete from claim c using unnest(%(clients)s::text[], %(digests)b::bytea[]) as k (client_id, id_digest)
  where c.client_id = k.client_id and c.id_digest = k.id_digest
)
insert into erased_id select * from unnest(%(clients)s::text[], %(digests)b::bytea[]) on conflict do nothing

-- name: keep_numbers
-- The numbers of what counts stay in use, as their issuer's own word for nobody: whoever comes with one is looked into.
insert into act_claim (issuer, act_digest, own, person_id, class, event_id, started_at)
select distinct n.issuer, n.digest, true, 0, '', 0, timestamptz 'epoch'
from current_event e, lateral (values (e.act_issuer, e.act_digest), (e.prior_issuer, e.prior_digest)) as n (issuer, digest)
where e.person_id = any(%(people)s::bigint[]) and e.verdict in ('credited', 'duplicate_of') and n.digest is not null
on conflict (issuer, act_digest, own) do update
set person_id = 0, class = '', event_id = 0, started_at = excluded.started_at, sealed = null

-- name: free_numbers
delete from act_claim a
using event e, lateral (values (e.act_issuer, e.act_digest), (e.prior_issuer, e.prior_digest)) as n (issuer, digest)
where e.person_id = any(%(people)s::bigint[]) and a.issuer = n.issuer and a.act_digest = n.digest
  and a.person_id = any(%(people)s::bigint[])

-- name: redact_notices
-- What a partner was told of changed verdicts no longer names these messages.
update notice n set body = jsonb_set(n.body::jsonb, '{events}', (
  select coalesce(jsonb_agg(x), '[]') from jsonb_array_elements(n.body::jsonb -> 'events') x
  where x ->> 'id' <> all(%(refs)s::text[])))::json
where n.client_id = %(client_id)s and n.kind = 'verdicts'
  and exists (select from jsonb_array_elements(n.body::jsonb -> 'events') x where x ->> 'id' = any(%(refs)s::text[]))

-- name: redact_messages
update message m set body = jsonb_set(m.body::jsonb, '{events}', (
  select coalesce(jsonb_agg(x), '[]') from jsonb_array_elements(m.body::jsonb -> 'events') x
  where x ->> 'id' <> all(%(refs)s::text[])))::json
where m.client_id = %(client_id)s and m.kind = 'verdicts.changed'
  and exists (select from jsonb_array_elements(m.body::jsonb -> 'events') x where x ->> 'id' = any(%(refs)s::text[]))

-- name: coarsen_members
-- Of a deed in a batch no more is told than the batch tells: its month.
update batch_member m set started_at = b.vintage_month::timestamp at time zone 'Asia/Shanghai'
from (select distinct deed_id from deed where person_id = any(%(people)s::bigint[])) d, batch b
where m.deed_id = d.deed_id and b.batch_id = m.batch_id

-- name: remove_records
-- Events with all that hangs on them, other content that came under their ids, and deeds.
with mine as materialized (
  select event_id, root_id, client_id, event_ref from event where person_id = any(%(people)s::bigint[])
), verdicts as (
  delete from reverdict r using mine where r.event_id = mine.event_id
), corrections as (
  delete from correction c using mine where c.old_event_id = mine.event_id
), cases as (
  delete from review v using mine where v.root_id = mine.root_id
), conflicts as (
  delete from claim_conflict x using mine where x.root_id = mine.root_id
), others as (
  delete from event e using mine where e.person_id is null and (e.client_id, e.event_ref) = (mine.client_id, mine.event_ref)
), deeds as (
  delete from deed where person_id = any(%(people)s::bigint[])
)
delete from event where person_id = any(%(people)s::bigint[])

-- name: remove_accounts
-- The accounts with their keys, links, consents and sessions. The keys stay as digests that lead to nobody.
with keys as (
  delete from person_key where person_id = any(%(people)s::bigint[]) returning key_digest
), links as (
  delete from link where person_id = any(%(people)s::bigint[]) returning partner_ref_digest
), kept as (
  insert into erased_key select key_digest from keys union select partner_ref_digest from links on conflict do nothing
), consents as (
  delete from consent where person_id = any(%(people)s::bigint[])
), sessions as (
  delete from refresh_token where person_id = any(%(people)s::bigint[])
), aliases as (
  delete from person_alias where alias_id = any(%(people)s::bigint[])
), openings as (
  delete from reopened where person_id = any(%(people)s::bigint[])
), calls as (
  delete from idempotency where client_id in (select 'person:' || p from unnest(%(people)s::bigint[]) as p)
), numbers as (
  insert into erased_person select unnest(%(people)s::bigint[])
)
delete from person where person_id = any(%(people)s::bigint[])

-- name: find_erased
-- Three kinds of rows: a message id that was erased; a number whose person was; a person's account that was opened again.
select id_digest, null::bigint as person_id, null::timestamptz as opened_at
from erased_id where client_id = %(client_id)s and id_digest = any(%(digests)b::bytea[])
union all
select null, person_id, null from erased_person where person_id = any(%(people)s::bigint[])
union all
select null, person_id, opened_at from reopened where person_id = any(%(people)s::bigint[])
union all
select null, a.person_id, r.opened_at from person_alias a join reopened r on r.person_id = a.alias_id
where a.person_id = any(%(people)s::bigint[])
