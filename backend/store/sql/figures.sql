-- Public figures: how many deeds, milligrams and people stand in cells that the caller makes of the finest ones, which
-- are of a region, methodology version and vintage month, in no batch ('open') or in batches ('real', 'demonstration').
-- What a person has in each is gathered once and counted by several divisions of it, all of one moment.

-- name: hold_still
set transaction isolation level repeatable read

-- name: take_time
-- Counting the people of millions of deeds takes longer than other statements may. Everything is read: never in a loop.
select set_config('statement_timeout', '15min', true), set_config('work_mem', '64MB', true),
       set_config('enable_nestloop', 'off', true)

-- name: gather_places
create temp table figure_place on commit drop as
select row_number() over () as place, p.* from (
  select distinct region, pack_code, pack_version, vintage_month, 'open' as held from deed
  union
  select distinct region, pack_code, pack_version, vintage_month, case when demonstration then 'demonstration' else 'real' end
  from batch
) p

-- name: gather_people
-- A deed of a batch is what it was at close less what it lost since, which is what stands of it (members_recalled), also
-- where the rows of its person have been erased.
create temp table figure_person on commit drop as
with lost as (
  select deed_id, sum(recalled_mg) as mg from recall group by deed_id
), one as (
  select d.person_id, d.region, d.pack_code, d.pack_version, d.vintage_month, 'open' as held,
         1 as deeds, d.reduction_mg as measured_mg, 0::bigint as pooled_mg
  from current_deed d
  where not exists (select from batch_member m where m.deed_id = d.deed_id)
  union all
  select m.person_id, b.region, b.pack_code, b.pack_version, b.vintage_month,
         case when b.demonstration then 'demonstration' else 'real' end,
         (m.reduction_mg <> coalesce(l.mg, 0))::int, m.reduction_mg - coalesce(l.mg, 0), m.reduction_mg
  from batch_member m join batch b using (batch_id) left join lost l using (deed_id)
)
select coalesce(a.person_id, one.person_id) as person_id, p.place, sum(one.deeds) as deeds,
       sum(one.measured_mg)::bigint as measured_mg, sum(one.pooled_mg)::bigint as pooled_mg
from one
join figure_place p using (region, pack_code, pack_version, vintage_month, held)
left join person_alias a on a.alias_id = one.person_id
group by 1, 2

-- name: look_at_people
analyze figure_person

-- name: places
select place, region, pack_code, pack_version, vintage_month, held from figure_place order by place

-- name: counted
-- By cell: sums, and of each figure how many people it rests on, the most that one has, and what all have (negative
-- amounts weigh as positive ones).
with mine as (
  select person_id, c.cell, sum(deeds)::bigint as deeds, sum(measured_mg)::bigint as measured_mg, sum(pooled_mg)::bigint as pooled_mg
  from figure_person join unnest(%(places)s::bigint[], %(cells)s::int[]) as c (place, cell) using (place)
  group by 1, 2
)
select cell, count(*) filter (where deeds > 0) as people, sum(deeds)::bigint as deeds, sum(measured_mg)::bigint as measured_mg,
       max(deeds) as deeds_of_one,
       count(*) filter (where measured_mg <> 0) as measured_people, max(abs(measured_mg)) as measured_of_one,
       sum(abs(measured_mg))::bigint as measured_of_all,
       count(*) filter (where pooled_mg <> 0) as pooled_people, max(abs(pooled_mg)) as pooled_of_one,
       sum(abs(pooled_mg))::bigint as pooled_of_all
from mine
group by cell

-- name: given_back
-- Grams of orders that were refunded, by batch.
select l.batch_id, sum(l.quantity_g)::bigint as quantity_g
from order_line l join purchase_order o using (order_id)
where o.state = 'refunded'
group by l.batch_id
