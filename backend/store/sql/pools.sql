-- Pools, batches, attestations, issues. A pool is no row: it is what `open_deed` holds of one key.

-- name: pools
-- Pools with open deeds, by id; `deeds`, `people` and `reduction_mg` are of what closing would take now.
select * from (
  select region, pack_code, pack_version, vintage_month,
         region || '.' || pack_code || '.' || pack_version || '.' || to_char(vintage_month, 'YYYYMM') as pool,
         count(*) as open_deeds,
         count(*) filter (where poolable and not over_cap) as deeds,
         count(distinct person_id) filter (where poolable and not over_cap) as people,
         coalesce(sum(reduction_mg) filter (where poolable and not over_cap), 0)::bigint as reduction_mg,
         count(*) filter (where over_cap) as over_cap_deeds
  from pool_deed
  where (%(region)s::text is null or region = %(region)s)
    and (%(pack_code)s::text is null or pack_code = %(pack_code)s)
    and (%(pack_version)s::text is null or pack_version = %(pack_version)s)
    and (%(vintage_month)s::date is null or vintage_month = %(vintage_month)s)
  group by region, pack_code, pack_version, vintage_month
) p
where pool > %(after)s
order by pool
limit %(limit)s

-- name: hold_ingest_out
-- A month of a large city takes longer than other statements may (some 30 us a deed).
select pg_advisory_xact_lock(hashtext('close'), 0), set_config('statement_timeout', '15min', true)

-- name: close
-- The batch and its members in one statement. Deferred foreign keys are not needed: they are checked at its end.
with made as (
  select nextval(pg_get_serial_sequence('batch', 'batch_id')) as batch_id,
         1 + (select count(*) from batch where (region, pack_code, pack_version, vintage_month)
                = (%(region)s, %(pack_code)s, %(pack_version)s, %(vintage_month)s)) as ordinal
), chosen as materialized (
  select d.* from pool_deed d
  where d.region = %(region)s and d.pack_code = %(pack_code)s and d.pack_version = %(pack_version)s
    and d.vintage_month = %(vintage_month)s and d.poolable and not d.over_cap
), member as (
  insert into batch_member (deed_id, version, batch_id, person_id, reduction_mg, points, started_at)
  select d.deed_id, d.version, made.batch_id, d.person_id, d.reduction_mg, d.points, d.started_at
  from chosen d, made
  returning person_id, reduction_mg
), total as (
  select count(*) as deeds, count(distinct person_id) as people, sum(reduction_mg)::bigint as reduction_mg from member
)
insert into batch (batch_id, region, pack_code, pack_version, gas_basis, vintage_month, ordinal, demonstration,
                   provisional, approval, deeds, people, reduction_mg, closed_at, closed_by)
overriding system value
select made.batch_id, %(region)s, %(pack_code)s, %(pack_version)s, %(gas_basis)s, %(vintage_month)s, made.ordinal,
       %(demonstration)s, %(provisional)s, %(approval)s, total.deeds, total.people, total.reduction_mg,
       %(closed_at)s, %(closed_by)s
from made, total
where total.deeds > 0
returning batch_id

-- name: add_partners
-- Through whom the deeds of a batch came.
insert into batch_partner (batch_id, client_id, deeds, people, reduction_mg, collected_mg)
select m.batch_id, d.client_id, count(*), count(distinct m.person_id), sum(m.reduction_mg), sum(greatest(m.reduction_mg, 0))
from batch_member m join deed d using (deed_id, version, started_at)
where m.batch_id = %(batch_id)s
group by m.batch_id, d.client_id

-- name: add_cap
insert into collection_cap (client_id, pack_code, from_month, cap_mg, document, made_at, made_by)
select client_id, %(pack_code)s, %(from_month)s, %(cap_mg)s, %(document)s, %(at)s, %(by)s
from client where client_id = %(client_id)s and role = 'partner'
on conflict do nothing

-- name: caps
select k.*, c.name from collection_cap k join client c using (client_id)
where (%(client_id)s::text is null or k.client_id = %(client_id)s) order by k.client_id, k.pack_code, k.from_month

-- name: batches
-- Batches with what became of them, newest first.
select b.*, a.decision, a.verifier, a.verifier_name, a.assurance, a.materiality_ppm, a.sample, a.findings,
       a.independence, a.adjustment_mg, a.attested_at,
       i.issued_g, i.reserve_g, i.remainder_mg, i.carried_from, i.carried_mg, i.price_fen_per_tonne, i.issued_at,
       i.recalled_mg as not_minted_mg, coalesce(r.recalled_mg, 0) as recalled_mg, coalesce(r.owed_g, 0) as owed_g,
       f.reason as frozen_for, f.frozen_at
from batch b
left join lateral (
  select t.*, c.name as verifier_name from attestation t join client c on c.client_id = t.verifier
  where t.batch_id = b.batch_id order by t.attestation_id desc limit 1
) a on true
left join issue i on i.batch_id = b.batch_id
left join batch_recall r on r.batch_id = b.batch_id
left join batch_freeze f on f.batch_id = b.batch_id and f.lifted_at is null
where (%(batch_id)s::bigint is null or b.batch_id = %(batch_id)s) and b.batch_id < %(before)s
order by b.batch_id desc
limit %(limit)s

-- name: is_frozen
select exists (select from batch_freeze where batch_id = %(batch_id)s and lifted_at is null) as frozen

-- name: lock_batch
select batch_id from batch where batch_id = %(batch_id)s for no key update

-- name: add_attestation
insert into attestation (batch_id, verifier, decision, assurance, materiality_ppm, sample, findings, independence,
                         adjustment_mg, attested_at)
values (%(batch_id)s, %(verifier)s, %(decision)s, %(assurance)s, %(materiality_ppm)s, %(sample)s, %(findings)s,
        %(independence)s, %(adjustment_mg)s, %(attested_at)s)
returning attestation_id

-- name: hold_issues_out
-- One issue at a time: the remainder of a series is carried once.
select pg_advisory_xact_lock(hashtext('issue'), 0)

-- name: find_carried
-- The issue of the batch's series whose remainder has not gone into another one yet.
select i.batch_id, i.remainder_mg
from batch b
join batch o using (region, pack_code, gas_basis, demonstration)
join issue i on i.batch_id = o.batch_id
where b.batch_id = %(batch_id)s and not exists (select from issue n where n.carried_from = i.batch_id)

-- name: add_issue
insert into issue (batch_id, issued_g, reserve_g, remainder_mg, carried_from, carried_mg, recalled_mg,
                   price_fen_per_tonne, issued_at, issued_by)
values (%(batch_id)s, %(issued_g)s, %(reserve_g)s, %(remainder_mg)s, %(carried_from)s, %(carried_mg)s,
        %(recalled_mg)s, %(price_fen_per_tonne)s, %(issued_at)s, %(issued_by)s)
