-- What a person sees of their own rows. Every statement is bound to one person_id.

-- name: totals
-- The person's two balances: credits less debits of their own accounts.
select coalesce(sum(signed) filter (where book = 'reductions_mg'), 0)::bigint as reduction_mg,
       coalesce(sum(signed) filter (where book = 'points'), 0)::bigint as points
from transfer, lateral (select case when (credit, credit_id) = ('person', %(person_id)s) then amount
                                    when (debit, debit_id) = ('person', %(person_id)s) then -amount end as signed) s
where person_id = %(person_id)s and book in ('reductions_mg', 'points')

-- name: days
-- The lines of the person's account by day: a deed counts on its own civil day, anything else on the day it was posted.
with deed_day as (
  select distinct on (d.deed_id) d.deed_id, e.day
  from deed d join event e on e.event_id = d.event_id and e.started_at = d.started_at
  where d.person_id = %(person_id)s
  order by d.deed_id, d.version desc
), moved as (
  select t.book, t.ref_id, coalesce(d.day, (t.posted_at at time zone 'Asia/Shanghai')::date) as day,
         case when (t.credit, t.credit_id) = ('person', %(person_id)s) then t.amount
              when (t.debit, t.debit_id) = ('person', %(person_id)s) then -t.amount end as signed
  from transfer t left join deed_day d on t.reason = any(%(deed_reasons)s) and d.deed_id = t.ref_id
  where t.person_id = %(person_id)s and t.book in ('reductions_mg', 'points')
)
select day as on_day, coalesce(sum(signed) filter (where book = 'points'), 0)::bigint as points,
       coalesce(sum(signed) filter (where book = 'reductions_mg'), 0)::bigint as reduction_mg
from moved
where day < %(before)s and signed is not null
group by day
order by day desc
limit %(limit)s

-- name: deeds
-- The person's events, newest first, with their current verdict: the last reverdict, else their own.
-- `stands` is joined only when it is the person's own record too.
with page as (
  select e.* from event e
  where e.person_id = %(person_id)s and e.started_at <= %(started_at)s
    and (e.started_at, e.event_id) < (%(started_at)s, %(event_id)s)
  order by e.started_at desc, e.event_id desc
  limit %(limit)s
)
select p.event_id, p.event_type, p.started_at, p.ended_at, p.region, p.evidence, p.pack_code, p.pack_version, p.facts,
       p.day, p.received_at, c.name as partner, s.name as counted_by,
       x.kind as claim_kind, x.mechanism as claim_mechanism,
       exists (select from review v where v.root_id = p.root_id and v.decision is null) as in_case,
       coalesce(r.verdict, p.verdict) as verdict, coalesce(r.code, p.code) as code,
       case when r.event_id is null then p.deed_id else r.deed_id end as deed_id,
       coalesce(r.reduction_mg, p.reduction_mg) as reduction_mg, coalesce(r.points, p.points) as points
from page p
join client c using (client_id)
left join external_claim x on x.claim_id = p.claim_id
left join lateral (
  select * from reverdict r
  where r.event_id = p.event_id and r.person_id = p.person_id
  order by r.version desc limit 1
) r on true
left join lateral (
  select o.name from event e join client o using (client_id)
  where e.event_id = case when r.event_id is null then p.stands_event else r.stands_event end
    and e.person_id = p.person_id and e.event_id <> p.event_id
) s on true
order by p.started_at desc, p.event_id desc

-- name: deed_version
-- Of a standing deed of the person the version that counts, the batch's where it is in one, and the batch.
select d.deed_id, coalesce(m.version, d.version) as version, m.batch_id
from current_deed d left join batch_member m using (deed_id)
where d.deed_id = %(deed_id)s and d.person_id in (select same_person(%(person_id)s))

-- name: pack_json
select pack_json from pack_version where content_sha256 = %(sha256)s
