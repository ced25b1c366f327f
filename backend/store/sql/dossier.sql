-- What a verifier is shown of a batch: figures out of its members as they were at close, and a sample of them.

-- name: tiers
select d.evidence, count(*) as deeds, sum(m.reduction_mg)::bigint as reduction_mg
from batch_member m join deed d using (deed_id, version, started_at)
where m.batch_id = %(batch_id)s group by d.evidence order by d.evidence

-- name: partners
select p.client_id as partner, c.name, p.deeds, p.people, p.reduction_mg, p.collected_mg
from batch_partner p join client c using (client_id) where p.batch_id = %(batch_id)s order by p.reduction_mg desc, c.name

-- name: spread
-- Of single deeds, in milligrams; the percentiles are deeds that exist.
select min(reduction_mg) as least_mg, percentile_disc(0.5) within group (order by reduction_mg) as median_mg,
       percentile_disc(0.95) within group (order by reduction_mg) as p95_mg,
       percentile_disc(0.99) within group (order by reduction_mg) as p99_mg, max(reduction_mg) as most_mg,
       count(*) filter (where reduction_mg < 0) as negative_deeds,
       coalesce(sum(reduction_mg) filter (where reduction_mg < 0), 0)::bigint as negative_mg,
       min(started_at) as first_at, max(started_at) as last_at
from batch_member where batch_id = %(batch_id)s

-- name: people
-- How much single people have of it, and how often they were counted.
with one as (
  select person_id, count(*) as deeds, sum(reduction_mg) as mg from batch_member where batch_id = %(batch_id)s group by person_id
), ranked as (
  select *, row_number() over (order by mg desc, person_id) as place from one
)
select max(deeds) as most_deeds, percentile_disc(0.5) within group (order by deeds) as median_deeds,
       coalesce(max(mg), 0)::bigint as largest_mg, coalesce(sum(mg) filter (where place <= 10), 0)::bigint as top_ten_mg
from ranked

-- name: quality
-- How the records behind the members came: late, corrected, cut by a day's cap, and now in a case.
select count(*) filter (where e.received_at - e.ended_at > interval '48 hours') as late_deeds,
       count(*) filter (where exists (select from correction c where c.root_id = e.root_id)) as corrected_deeds,
       count(*) filter (where m.reduction_mg < e.measured_mg) as capped_deeds,
       count(*) filter (where exists (select from review v where v.root_id = e.root_id and v.decision is null)) as deeds_in_cases
from batch_member m
join deed d using (deed_id, version, started_at)
join event e on e.event_id = d.event_id and e.started_at = d.started_at
where m.batch_id = %(batch_id)s

-- name: verdicts
-- What became of every record that was measured by the methodology in that region and month: what the batch was made from.
select coalesce(r.verdict, e.verdict) as verdict, coalesce(r.code, e.code) as code, count(*) as events
from batch b
join event e on e.pack_code = b.pack_code and e.pack_version = b.pack_version and e.region = b.region
  and e.started_at >= b.vintage_month - interval '2 days' and e.started_at < b.vintage_month + interval '1 month 2 days'
  and date_trunc('month', e.day)::date = b.vintage_month
left join lateral (select * from reverdict r where r.event_id = e.event_id order by r.version desc limit 1) r on true
where b.batch_id = %(batch_id)s
group by 1, 2 order by 3 desc

-- name: outliers
-- Deeds far beyond the others.
select count(*) as deeds, coalesce(sum(reduction_mg), 0)::bigint as reduction_mg
from batch_member where batch_id = %(batch_id)s and reduction_mg > %(beyond_mg)s

-- name: repeats
-- Deeds of one person with the same facts and the same length to the second, five times and more: a machine rather than a person.
select count(*) as people, coalesce(sum(deeds), 0)::bigint as deeds, coalesce(sum(mg), 0)::bigint as reduction_mg from (
  select m.person_id, count(*) as deeds, sum(m.reduction_mg) as mg
  from batch_member m
  join deed d using (deed_id, version, started_at)
  join event e on e.event_id = d.event_id and e.started_at = d.started_at
  where m.batch_id = %(batch_id)s and e.facts is not null
  group by m.person_id, e.facts, d.ended_at - d.started_at
  having count(*) >= 5
) x

-- name: busy
-- People counted very often on one civil day; of those who were erased no day is known.
select count(*) as people, coalesce(sum(deeds), 0)::bigint as deeds, coalesce(sum(mg), 0)::bigint as reduction_mg from (
  select m.person_id, count(*) as deeds, sum(m.reduction_mg) as mg from batch_member m
  where m.batch_id = %(batch_id)s and not exists (select from erased_person e where e.person_id = m.person_id)
  group by m.person_id, (m.started_at at time zone 'Asia/Shanghai')::date having count(*) > %(a_day)s
) x

-- name: sample
-- Deeds drawn by a seed: the same ones whoever draws, but for those that were erased since.
select deed_id, version, person_id, reduction_mg from batch_member m
where m.batch_id = %(batch_id)s and not exists (select from erased_person e where e.person_id = m.person_id)
order by md5(%(seed)s || ':' || deed_id) limit %(size)s
