-- name: open_cases
insert into review (root_id, kind, opened_by, words, opened_at)
select r, %(kind)s, %(opened_by)s, %(words)s, %(now)s from unnest(%(roots)s::bigint[]) as r
on conflict (root_id) where decision is null do nothing

-- name: list_cases
select c.case_id, c.root_id, c.kind, c.opened_by, c.words, c.opened_at, e.event_ref, e.event_type, e.client_id,
       p.name as partner, e.person_id, e.started_at, e.ended_at, e.region, e.evidence, e.facts,
       coalesce(r.verdict, e.verdict) as verdict, coalesce(r.code, e.code) as code
from review c
left join lateral (
  select * from correction x where x.root_id = c.root_id order by x.seq desc limit 1
) x on true
join event e on e.event_id = coalesce(x.new_event_id, x.old_event_id, c.root_id)
join client p on p.client_id = e.client_id
left join lateral (
  select * from reverdict r where r.event_id = e.event_id order by r.version desc limit 1
) r on true
where c.decision is null and c.case_id > %(after)s
order by c.case_id limit %(limit)s

-- name: lock_case
select case_id, root_id, kind, decision from review where case_id = %(case_id)s for update

-- name: decide_case
update review set decision = %(decision)s, decided_by = %(decided_by)s, decided_at = %(now)s, note = %(note)s
where case_id = %(case_id)s

-- name: find_own_event
select root_id from event
where event_id = %(event_id)s and person_id in (select same_person(%(person_id)s))
