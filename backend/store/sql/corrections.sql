-- name: find_latest
-- What holds of events as first sent: the row that counts now (or counted last), and the last correction.
select k.root_id, e.event_id, e.started_at, e.ended_at, e.received_at, e.event_ref, e.event_type, e.client_id,
       e.person_id, coalesce(a.person_id, e.person_id) as holder_id, e.class as klass, e.region, e.day, e.evidence,
       e.pack_code, e.pack_version, e.act_issuer, e.act_digest, e.prior_issuer, e.prior_digest, e.asset_digest,
       e.facts, e.refusal, e.measured_mg, e.points_micro, e.cap_mg, e.cap_points, e.apart_roots,
       coalesce(r.verdict, e.verdict) as verdict, coalesce(r.code, e.code) as code,
       case when r.event_id is null then e.stands_event else r.stands_event end as stands,
       coalesce(r.version, 0) as version, coalesce(c.seq, 0) as seq, c.content_digest,
       c.root_id is not null and c.new_event_id is null as withdrawn
from unnest(%(roots)s::bigint[]) as k (root_id)
left join lateral (
  select * from correction c where c.root_id = k.root_id order by c.seq desc limit 1
) c on true
join event e on e.event_id = coalesce(c.new_event_id, c.old_event_id, k.root_id)
left join person_alias a on a.alias_id = e.person_id
left join lateral (
  select * from reverdict r where r.event_id = e.event_id order by r.version desc limit 1
) r on true

-- name: find_standing
-- The verdict that holds of events as first sent.
select k.root_id, e.pack_code, e.pack_version, e.region, e.day, e.started_at, e.received_at,
       coalesce(r.verdict, e.verdict) as verdict,
       coalesce(r.code, e.code) as code, case when r.event_id is null then e.deed_id else r.deed_id end as deed_id,
       coalesce(r.reduction_mg, e.reduction_mg) as reduction_mg, coalesce(r.points, e.points) as points,
       case when r.event_id is null then e.field else '' end as field,
       x.kind as claim_kind, x.mechanism as claim_mechanism
from unnest(%(roots)s::bigint[]) as k (root_id)
left join lateral (
  select * from correction c where c.root_id = k.root_id order by c.seq desc limit 1
) c on true
join event e on e.event_id = coalesce(c.new_event_id, c.old_event_id, k.root_id)
left join external_claim x on x.claim_id = e.claim_id
left join lateral (
  select * from reverdict r where r.event_id = e.event_id order by r.version desc limit 1
) r on true

-- name: find_persons
select p, coalesce(a.person_id, p) from unnest(%(accounts)s::bigint[]) as p
left join person_alias a on a.alias_id = p

-- name: add_corrections
copy correction (old_event_id, root_id, seq, new_event_id, new_started_at, kind, by_client, reason, charged_to,
                 content_digest, made_at) from stdin

-- name: find_person
select person_id from person where person_id = %(person_id)s

-- name: add_aliases
insert into person_alias (alias_id, person_id, merged_at, merged_by, reason)
select p, %(person_id)s, %(now)s, %(by_client)s, %(reason)s from same_person(%(merged_id)s) as p
on conflict (alias_id) do update set person_id = excluded.person_id

-- name: find_classes
select distinct e.class from same_person(%(person_id)s) as member join event e on e.person_id = member
where e.class is not null

-- name: find_root
select root_id from event where event_id = %(event_id)s
