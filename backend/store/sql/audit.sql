-- The audit's own walks: through the log, its heads and trees, and from a row to those it is made of. Nothing is written.

-- name: leaves
select leaf_index, kind, ref_id, ref_no, entry from log_leaf
where leaf_index >= %(first)s and leaf_index < %(until)s order by leaf_index

-- name: heads
select size, origin, root, note from log_checkpoint order by size

-- name: nodes
select level, node_index, hash from log_node
where (level, node_index) in (select * from unnest(%(levels)s::integer[], %(places)s::bigint[]))

-- name: beyond
-- Leaves and nodes behind the newest head; leaves before the first.
select 'log_leaf ' || leaf_index from log_leaf where leaf_index >= %(size)s or leaf_index < 0
union all
select 'log_node ' || level || '/' || node_index from log_node
where level >= 8 or node_index < 0 or node_index >= (%(size)s::bigint >> (8 * least(level, 7)))
limit 1000

-- name: cosignatures
select s.size, s.key, s.line, coalesce(c.note, '') as note from log_cosignature s left join log_checkpoint c using (size)
order by s.size, s.key

-- name: keys
select entry from log_leaf where kind = 'keys' order by leaf_index

-- name: unprotected
-- Facts whose leaf is beyond a size, or waits for its place.
select (select count(*) from log_leaf where leaf_index >= %(size)s) + (select count(*) from log_pending)

-- name: without_leaf
-- Facts of all kinds that the log does not know, in place or waiting.
select kind, ref_id, ref_no from (
  select 'deed' as kind, deed_id as ref_id, version as ref_no from deed
  union all select 'correction', old_event_id, 0 from correction
  union all select 'recall', recall_id, 0 from recall
  union all select 'close', batch_id, 0 from batch
  union all select 'attestation', attestation_id, 0 from attestation
  union all select 'issue', batch_id, 0 from issue
  union all select 'cancellation', cancellation_id, 0 from cancellation
  union all select 'amendment', amendment_id, 0 from amendment
  union all select 'settlement', settlement_id, 0 from settlement
  union all select 'sale', order_id, 0 from purchase_order where paid_at is not null
  union all select 'refund', refund_id, 0 from refund join payment using (payment_id) where taken
  union all select 'transfer', transfer_id, 0 from credit_transfer
  union all select 'retirement', retirement_id, 0 from retirement
  union all select 'terms', terms_id, 0 from sale_terms
  union all select 'erasure', erasure_id, 0 from erasure
) f
where not exists (select from log_leaf l where (l.kind, l.ref_id, l.ref_no) = (f.kind, f.ref_id, f.ref_no))
  and not exists (select from log_pending p where (p.kind, p.ref_id, p.ref_no) = (f.kind, f.ref_id, f.ref_no))

-- name: gone
-- Leaves of deeds and corrections whose row is there no more, those that wait for their place too; `trace`: what an erasure
-- would have taken as well, or what it would have made nobody's. One row of all others: their number.
with leaf as (
  select kind, ref_id, ref_no from log_leaf where kind in ('deed', 'correction')
  union all select kind, ref_id, ref_no from log_pending where kind in ('deed', 'correction')
), lost as materialized (
  select * from leaf l where kind = 'deed' and not exists (select from deed d where (d.deed_id, d.version) = (l.ref_id, l.ref_no))
  union all
  select * from leaf l where kind = 'correction' and not exists (select from correction c where c.old_event_id = l.ref_id)
), trace as (
  select 'correction' as kind, event_id as ref_id, 'event ' || event_id as row from event where event_id in (select ref_id from lost where kind = 'correction')
  union all
  select 'deed', deed_id, 'deed ' || deed_id || '/' || version from deed where deed_id in (select ref_id from lost)
  union all
  select 'deed', deed_id, 'event ' || event_id from event where deed_id in (select ref_id from lost where kind = 'deed')
  union all
  select 'deed', deed_id, 'reverdict ' || event_id || '/' || version from reverdict where deed_id in (select ref_id from lost where kind = 'deed')
  union all
  select 'deed', ref_id, 'transfer ' || transfer_id from transfer t
  where book in ('reductions_mg', 'points') and reason in ('deed', 'resettled') and ref_id in (select ref_id from lost where kind = 'deed')
    and not exists (select from erased_person x where x.person_id = t.person_id)
), traced as materialized (
  select l.kind, l.ref_id, l.ref_no, array_agg(t.row order by t.row) as rows
  from lost l join trace t using (kind, ref_id) group by l.kind, l.ref_id, l.ref_no
)
select kind, ref_id, ref_no, rows from traced
union all
select null, (select count(*) from lost), null, null

-- name: erasures
select entry from log_leaf where kind = 'erasure' union all select entry from log_pending where kind = 'erasure'

-- name: corrections
select old_event_id from correction where old_event_id = any(%(ids)s::bigint[])

-- name: erased
select person_id from erased_person where person_id = any(%(people)s::bigint[])

-- name: recalled_people
-- Whose deeds these recalls are of.
select r.recall_id, m.person_id from recall r join batch_member m using (deed_id) where r.recall_id = any(%(recalls)s::bigint[])

-- name: head_event
select event_id, person_id, class, pack_code, pack_version, encode(pack_sha256, 'hex') as pack, region, day, evidence, client_id,
       started_at, ended_at
from event where event_id = %(event_id)s

-- name: states
-- A person's records of a class around a deed, in every state in which they ever were: as judged at first (0), and after each
-- change. `credited`: as this deed.
select e.event_id, e.client_id, e.event_ref, encode(e.pack_sha256, 'hex') as pack, e.region, e.day, e.started_at, e.ended_at,
       e.evidence, e.facts::text, e.measured_mg, e.cap_mg, e.cap_points, s.version as reverdict,
       s.verdict = 'credited' and s.deed_id = %(deed_id)s as credited, s.code, s.reduction_mg, s.points
from same_person(%(person_id)s) as account
cross join lateral (
  select * from event e
  where e.person_id = account and e.class = %(class)s
    and e.started_at >= %(started_at)s - interval '2 days' and e.started_at <= %(ended_at)s + interval '2 days'
  offset 0
) e
cross join lateral (
  select 0 as version, e.verdict, e.code, coalesce(e.deed_id, 0) as deed_id, e.reduction_mg, e.points
  union all
  select r.version, r.verdict, r.code, coalesce(r.deed_id, 0), r.reduction_mg, r.points from reverdict r
  where r.event_id = e.event_id
) s
order by e.started_at, e.event_id, s.version

-- name: packs
select content_sha256, pack_code, pack_version, pack_json from pack_version order by content_sha256

-- name: trees
select batch_id, t.size, t.members_root from batch b full join batch_tree t using (batch_id) order by batch_id

-- name: members
-- The leaf hashes of a batch's deeds, ascending, those that wait for their place too; and whose they are.
select sha256('\x00'::bytea || e.entry) as hash, e.deed_id
from (
  select l.entry, m.deed_id from batch_member m join log_leaf l on l.kind = 'deed' and l.ref_id = m.deed_id and l.ref_no = m.version
  where m.batch_id = %(batch_id)s
  union all
  select p.entry, m.deed_id from log_pending p join batch_member m on m.deed_id = p.ref_id and m.version = p.ref_no
  where p.kind = 'deed' and m.batch_id = %(batch_id)s
) e
order by hash

-- name: deeds_of
-- The deeds whose leaf hashes, hashed as entries of a batch's tree, these are.
select ref_id from log_leaf
where kind = 'deed' and sha256('\x00'::bytea || sha256('\x00'::bytea || entry)) = any(%(hashes)b::bytea[])

-- name: tiles
select level, tile_index, first_hash, hashes from batch_tile where batch_id = %(batch_id)s order by level, tile_index

-- name: certificates
select r.retirement_id, number, c.canonical, c.kid, c.algorithm, c.signature, coalesce(k.spans, '[]') as spans
from certificate c full join retirement r using (number)
left join lateral (
  select json_agg(json_build_array(batch_id, lower(serials), upper(serials) - 1) order by batch_id, serials) as spans
  from credit_block k where k.account = 'retired' and k.owner = number and k.superseded_at is null
) k on true
order by number

-- name: amendments
select amendment_id, canonical, kid, algorithm, signature from amendment order by amendment_id

-- name: settlements
select * from settlement order by batch_id, ordinal

-- name: sales
-- The sales of a batch that were not given back, in the order in which they became final.
select o.order_id, o.final_at, l.amount_fen, o.shares_ppm from purchase_order o join order_line l using (order_id)
where l.batch_id = %(batch_id)s and o.state = 'paid' order by o.final_at, o.order_id

-- name: partner_lines
select ref_id as settlement_id, credit_id as number, amount, transfer_id from transfer
where book = 'money_fen' and debit = 'batch_income' and debit_id = %(batch_id)s and reason = 'share' and credit = 'partner'
order by transfer_id

-- name: shares_of_people
-- Who was paid another amount out of a batch than their part of its cumulative pot: (who, least, most, paid, mg, whole, lines).
-- The rule is rewards.sharing.allot. Accounts merged or erased since, and erased people together (0), may have got a fen
-- an account more: how they stood at each settlement is not told any more.
with weight as (
  select m.person_id, coalesce(a.person_id, case when x.person_id is null then m.person_id else 0 end) as who,
         greatest(sum(m.reduction_mg), 0)::numeric as mg
  from batch_member m
  left join person_alias a on a.alias_id = m.person_id
  left join erased_person x on x.person_id = m.person_id
  where m.batch_id = %(batch_id)s
  group by m.person_id, a.person_id, x.person_id
), whole as (
  select sum(mg) as mg from weight
), due as (
  select who, count(*) as accounts, sum(w.mg) as mg, sum(div(%(pot)s::numeric * w.mg, whole.mg)) as fen,
         count(*) > 1 or bool_or(who <> person_id) as grouped
  from weight w, whole where w.mg > 0 group by who
), ranked as (
  select who, d.mg, whole.mg as whole, accounts, grouped, fen, bool_or(grouped) over () as some_grouped,
         %(pot)s::numeric - sum(fen) over () >= row_number() over (order by mod(%(pot)s::numeric * d.mg, whole.mg) desc, md5(%(batch_id)s || ':' || who)) as more
  from due d, whole
), part as (
  select *, fen + case when grouped or some_grouped or not %(is_last)s or not more then 0 else 1 end as least,
         fen + case when grouped then accounts when not %(is_last)s then 0 when some_grouped or more then 1 else 0 end as most
  from ranked
), paid as (
  select coalesce(a.person_id, case when x.person_id is null then t.person_id else 0 end) as who, sum(t.amount) as fen,
         json_agg(json_build_array(t.ref_id, t.transfer_id, t.amount) order by t.transfer_id) as lines
  from transfer t
  left join person_alias a on a.alias_id = t.person_id
  left join erased_person x on x.person_id = t.person_id
  where t.book = 'money_fen' and t.debit = 'batch_income' and t.debit_id = %(batch_id)s and t.reason = 'share' and t.person_id is not null
  group by 1
)
select who, coalesce(least, 0)::bigint as least, coalesce(most, 0)::bigint as most, coalesce(p.fen, 0)::bigint as paid,
       coalesce(part.mg, 0)::bigint as mg, coalesce(whole, 1)::bigint as whole, coalesce(grouped, false) as grouped, coalesce(lines, '[]') as lines
from part full join paid p using (who)
where coalesce(p.fen, 0) not between coalesce(least, 0) and coalesce(most, 0)
