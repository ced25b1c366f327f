-- name: hold_close_out
-- Ingest runs beside ingest, but not beside the closing of a pool.
select pg_advisory_xact_lock_shared(hashtext('close'), 0)

-- name: wait_shortly
-- Who waits for a person whom others hold must not hold a connection of the pool for long.
select set_config('lock_timeout', %(milliseconds)s::text, true)

-- name: plan_by_index
-- The neighbourhood is found by index probes; the first plans on an empty table would scan for ever.
select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)

-- name: find_reporter
select c.client_id, c.issuer, coalesce(jsonb_object_agg(e.event_type, e.tier) filter (where e.tier is not null), '{}')
from client c left join evidence_ceiling e using (client_id)
where c.client_id = %(client_id)s
group by c.client_id

-- name: find_people
select l.subject, coalesce(a.person_id, l.person_id)
from link l left join person_alias a on a.alias_id = l.person_id
where l.client_id = %(client_id)s and l.subject = any(%(subjects)s) and l.ended_at is null

-- name: lock_people
select pg_advisory_xact_lock(1, (p %% 2147483647)::int) from (select distinct unnest(%(people)s::bigint[]) as p order by p) as sorted

-- name: find_merged
select alias_id from person_alias where alias_id = any(%(people)s::bigint[])

-- name: find_consents
select p, c.given_at, c.withdrawn_at
from unnest(%(people)s::bigint[]) as p, same_person(p) as member join consent c on c.person_id = member
where c.purpose = 'points'

-- name: take_ids
select nextval('event_id_seq') from generate_series(1, %(n)s)

-- name: find_claims
select id_digest, content_digest, event_id, started_at
from claim where client_id = %(client_id)s and id_digest = any(%(digests)b::bytea[])

-- name: find_events
-- Events by id with their current verdict: the last reverdict, else their own.
select e.event_id, e.event_ref, e.event_type, e.client_id, e.person_id, e.pack_code, e.pack_version, e.region, e.day,
       e.started_at, e.received_at, e.verdict as first_verdict, e.code as first_code, e.deed_id as first_deed_id,
       e.reduction_mg as first_reduction_mg, e.points as first_points, e.field as first_field,
       x.kind as claim_kind, x.mechanism as claim_mechanism,
       case when r.event_id is null then e.field else '' end as field,
       coalesce(r.verdict, e.verdict) as verdict, coalesce(r.code, e.code) as code,
       case when r.event_id is null then e.deed_id else r.deed_id end as deed_id,
       coalesce(r.reduction_mg, e.reduction_mg) as reduction_mg, coalesce(r.points, e.points) as points
from unnest(%(ids)s::bigint[], %(starts)s::timestamptz[]) as k (event_id, started_at)
join event e on e.event_id = k.event_id and e.started_at = k.started_at
left join external_claim x on x.claim_id = e.claim_id
left join lateral (
  select * from reverdict r where r.event_id = e.event_id order by r.version desc limit 1
) r on true

-- name: find_act_claims
-- `live`: the event that claimed the number, or what stands in its place, still carries it.
select a.issuer, a.act_digest, a.own, coalesce(l.person_id, a.person_id), a.class, a.event_id, a.started_at,
       last.root_id is null or coalesce(
         n.class is not null
         and (a.issuer, a.act_digest) in ((n.act_issuer, n.act_digest), (n.prior_issuer, n.prior_digest)), false)
from act_claim a
join unnest(%(issuers)s::text[], %(digests)b::bytea[]) as k (issuer, act_digest) using (issuer, act_digest)
left join person_alias l on l.alias_id = a.person_id
left join lateral (
  select c2.root_id, c2.new_event_id, c2.new_started_at from correction c join correction c2 using (root_id)
  where c.old_event_id = a.event_id order by c2.seq desc limit 1
) last on true
left join event n on n.event_id = last.new_event_id and n.started_at = last.new_started_at

-- name: find_aliases
select a.person_id, a.alias_id from person_alias a where a.person_id = any(%(people)s::bigint[])

-- name: find_act_events
-- An issuer's number may stand on records of any day. (`offset 0`: one index probe a row, whatever the statistics say.)
select k.person_id, k.class, e.started_at
from unnest(%(people)s::bigint[], %(accounts)s::bigint[], %(classes)s::text[], %(issuers)s::text[],
            %(digests)b::bytea[]) as k (person_id, account, class, issuer, digest)
cross join lateral (
  select e.event_id, e.started_at from event e
  where e.person_id = k.account and e.class = k.class
    and (k.issuer, k.digest) in ((e.act_issuer, e.act_digest), (e.prior_issuer, e.prior_digest))
  offset 0
) e
where not exists (select from correction c where c.old_event_id = e.event_id)

-- name: find_neighbours
-- Everything settled of these persons and classes in these windows, with what the books say of it now.
select e.event_id, w.person_id, e.person_id, e.class, e.evidence, e.client_id, e.event_ref, e.started_at, e.ended_at,
       e.day, e.pack_code, e.pack_version, e.region, e.act_issuer, e.act_digest, e.prior_issuer, e.prior_digest,
       e.asset_digest, e.facts::text, e.refusal, e.measured_mg, e.points_micro, e.cap_mg, e.cap_points, e.root_id, e.apart_roots,
       coalesce(r.verdict, e.verdict), coalesce(r.code, e.code),
       case when r.event_id is null then e.stands_event else r.stands_event end,
       case when r.event_id is null then e.deed_id else r.deed_id end,
       coalesce(r.reduction_mg, e.reduction_mg), coalesce(r.points, e.points), coalesce(r.version, 0), m.batch_id,
       encode(e.pack_sha256, 'hex'), greatest(e.received_at, r.changed_at)
from unnest(%(people)s::bigint[], %(accounts)s::bigint[], %(classes)s::text[], %(froms)s::timestamptz[],
            %(untils)s::timestamptz[]) as w (person_id, account, class, from_at, until_at)
cross join lateral (
  select * from event e
  where e.person_id = w.account and e.class = w.class and e.started_at >= w.from_at and e.started_at < w.until_at
    and e.started_at >= %(first)s and e.started_at < %(last)s
  offset 0
) e
left join lateral (
  select * from reverdict r where r.event_id = e.event_id order by r.version desc limit 1
) r on true
left join batch_member m on m.deed_id = case when coalesce(r.verdict, e.verdict) = 'credited'
                                             then coalesce(r.deed_id, e.deed_id) end
where not exists (select from correction c where c.old_event_id = e.event_id)

-- name: find_deed_versions
select deed_id, max(version), max(made_at) from deed where deed_id = any(%(deeds)s::bigint[]) group by deed_id

-- name: add_pack_version
insert into pack_version (content_sha256, pack_code, pack_version, pack_json)
values (%(sha256)s, %(code)s, %(version)s, %(json)s) on conflict do nothing

-- name: add_claims
insert into claim (client_id, id_digest, content_digest, event_id, started_at)
select %(client_id)s, k.* from unnest(%(digests)b::bytea[], %(contents)b::bytea[], %(ids)s::bigint[],
                                      %(starts)s::timestamptz[]) as k (d, c, i, s)
order by k.d
on conflict do nothing

-- name: add_act_claims
insert into act_claim (issuer, act_digest, own, person_id, class, event_id, started_at, sealed)
select k.* from unnest(%(issuers)s::text[], %(digests)b::bytea[], %(owns)s::boolean[], %(people)s::bigint[],
                       %(classes)s::text[], %(ids)s::bigint[], %(starts)s::timestamptz[],
                       %(sealed)b::bytea[]) as k (i, d, o, p, c, e, s, x)
order by k.i, k.d
on conflict do nothing

-- name: add_events
copy event (event_id, started_at, ended_at, received_at, client_id, event_ref, event_type, person_id, class, pack_code,
            pack_version, region, day, evidence, act_issuer, act_digest, prior_issuer, prior_digest, asset_digest,
            facts, refusal, measured_mg, points_micro, cap_mg, verdict, code, stands_event, deed_id, reduction_mg, points, field, root_id,
            apart_roots, claim_id, pack_sha256, cap_points) from stdin

-- name: add_reverdicts
copy reverdict (event_id, version, person_id, verdict, code, stands_event, deed_id, reduction_mg, points,
                changed_at) from stdin

-- name: add_deeds
copy deed (deed_id, version, person_id, started_at, ended_at, class, pack_code, pack_version, gas_basis, region,
           vintage_month, evidence, event_id, client_id, reduction_mg, points, stands, made_at) from stdin

-- name: add_transfers
copy transfer (posted_at, book, debit, debit_id, credit, credit_id, amount, reason, ref_id, person_id) from stdin

-- name: find_claim
select event_id, started_at from claim where client_id = %(client_id)s and id_digest = %(digest)s
