-- What regulators and operators read. No table is kept for it: each answer is counted out of the events.

-- name: list_partners
select client_id, name from client
where role = 'partner' and client_id > %(after)s and (%(client_id)s::text is null or client_id = %(client_id)s)
order by client_id limit %(limit)s

-- name: partner_figures
-- By partner, type and span of a year (month, quarter, all of it) and figure: how many events, of how many people, how
-- many of them are one person's, and how many are anybody's at all. An event counts once, as it was first sent, in the
-- civil month of its deed (of its reception, where it has none), with the verdict that holds now.
-- A figure is 'received', a verdict, a verdict with its code, or something else that is true of the event.
with changed as (
  select root_id, bool_or(kind = 'replace') as corrected, max(seq) as seq from correction group by root_id
), root as (
  select e.event_id, e.client_id, coalesce(a.person_id, e.person_id) as person_id, e.verdict, e.code,
         case when e.event_type = any(%(types)s::text[]) then e.event_type else '' end as event_type,
         date_trunc('month', coalesce(e.day, (e.received_at at time zone 'Asia/Shanghai')::date))::date as month,
         e.received_at - e.ended_at as waited, h.corrected, h.seq
  from event e
  left join person_alias a on a.alias_id = e.person_id
  left join changed h on h.root_id = e.event_id
  where e.event_id = e.root_id and e.client_id = any(%(clients)s::text[])
    and coalesce(e.day, (e.received_at at time zone 'Asia/Shanghai')::date) between %(first_on)s and %(last_on)s
), said as (
  select r.client_id, r.event_type, r.month, r.person_id, s.verdict, s.code,
         r.waited > make_interval(hours => (%(late_after_h)s::int[])[extract(month from r.month)::int]) as late,
         coalesce(r.corrected, false) as corrected,
         not coalesce(r.corrected, false) and s.code <> 'withdrawn' and s.code <> r.code as reverdicted
  from root r
  left join correction c on c.root_id = r.event_id and c.seq = r.seq
  left join event n on n.event_id = c.new_event_id and n.started_at = c.new_started_at
  left join lateral (
    select v.verdict, v.code from reverdict v
    where v.event_id = coalesce(c.new_event_id, c.old_event_id, r.event_id) order by v.version desc limit 1
  ) v on true
  cross join lateral (select coalesce(v.verdict, n.verdict, r.verdict), coalesce(v.code, n.code, r.code))
             as s (verdict, code)
), alike as (
  select said.*, count(*) as n from said group by 1, 2, 3, 4, 5, 6, 7, 8, 9
), told as (
  select client_id, event_type, month, person_id, figure, sum(n) as n
  from alike, unnest(array['received', verdict, verdict || ':' || code, case when late then 'late' end,
                          case when corrected then 'corrected' end, case when reverdicted then 'reverdicted' end])
       as figure
  where figure is not null
  group by 1, 2, 3, 4, 5
), spans as (
  select client_id, event_type, figure, person_id, month, date_trunc('quarter', month)::date as quarter,
         sum(n)::bigint as n
  from told
  group by grouping sets ((client_id, event_type, figure, person_id, month),
                          (client_id, event_type, figure, person_id, date_trunc('quarter', month)::date),
                          (client_id, event_type, figure, person_id))
)
select client_id, event_type, month, quarter, figure, sum(n)::bigint as events, count(person_id) as people,
       coalesce(max(n) filter (where person_id is not null), 0) as of_one,
       coalesce(sum(n) filter (where person_id is not null), 0)::bigint as of_anybody
from spans
group by client_id, event_type, month, quarter, figure

-- name: twins
-- Pairs of people with records that are equal to the second: start, end, type, region and facts.
-- `expected`: how many others would coincide with such a record by chance. That is how many begin in the same second
-- (the rate of that type, region, day and hour; or how many really do, beside the pair) times the share of the day's
-- records that last as long and say the same (beside the pair, and one more, since nothing is impossible).
-- Records that are too common are no evidence. People found to be one person are no pair.
with placed as (
  select coalesce(a.person_id, e.person_id) as person_id, e.event_type, e.region, e.day, e.facts,
         date_trunc('second', e.started_at) as started_at, date_trunc('second', e.ended_at) as ended_at
  from event e left join person_alias a on a.alias_id = e.person_id
  where e.started_at >= %(since)s and e.person_id is not null and e.day is not null
    and not exists (select from correction c where c.old_event_id = e.event_id)
), beside as (
  select *, count(*) over (partition by event_type, region, day) as of_day,
         count(*) over (partition by event_type, region, day, extract(hour from started_at)) as of_hour,
         count(*) over (partition by event_type, region, day, started_at) as of_second,
         count(*) over (partition by event_type, region, day, ended_at - started_at, facts) as alike
  from placed
), same as (
  select event_type, region, facts, started_at, ended_at, array_agg(distinct person_id) as people,
         greatest((min(of_hour) - 2) / 3600.0, min(of_second) - 2) * (min(alike) - 1) / min(of_day) as expected
  from beside
  where of_second > 1 and alike > 1
  group by event_type, region, facts, started_at, ended_at
  having count(distinct person_id) > 1
), pair as (
  select p.one, q.other, s.*
  from same s, unnest(s.people) as p (one), unnest(s.people) as q (other)
  where p.one < q.other and s.expected < %(common_ppm)s / 1e6
), found as (
  select one, other, count(*) as identical,
         ceil(exp(sum(ln(greatest(expected, 1e-9)))) * 1e9)::bigint as chance_ppb,
         jsonb_agg(jsonb_build_object('event_type', event_type, 'region', region, 'facts', facts,
                                      'started_at', started_at, 'ended_at', ended_at,
                                      'expected_ppb', ceil(expected * 1e9)::bigint)
                   order by started_at) as evidence
  from pair group by one, other
), flagged as (
  select * from found where identical > 1 or chance_ppb < %(chance_ppm)s * 1000
), whole as (
  select person_id, count(*) as records from placed
  where person_id in (select one from flagged union select other from flagged) group by person_id
)
select f.one, f.other, f.identical, f.chance_ppb, f.evidence, w.records as records_one, v.records as records_other
from flagged f join whole w on w.person_id = f.one join whole v on v.person_id = f.other

-- name: credited
-- Every record that counts, of civil days in a span, as its methodology was told of it.
select e.event_type, e.region, e.day, e.evidence, e.facts
from event e
left join lateral (
  select r.verdict from reverdict r where r.event_id = e.event_id order by r.version desc limit 1
) r on true
where e.day >= %(from_on)s and e.day < %(to_on)s
  and e.started_at between %(from_on)s::date - interval '2 days' and %(to_on)s::date + interval '2 days'
  and coalesce(r.verdict, e.verdict) = 'credited'
