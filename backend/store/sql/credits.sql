-- Blocks of grams. A move supersedes a block and makes new ones; no row is ever rewritten.

-- name: lock_batches
-- Buyers of one batch go one after another; ids in order, so that no two wait for each other.
select batch_id from batch where batch_id = any(%(batches)s::bigint[]) order by batch_id for no key update

-- name: lock_owner
select client_id from client where client_id = %(client_id)s for no key update

-- name: blocks
-- Live blocks in a place, of an owner, in the order in which they are used up; without those of frozen batches if wished.
select c.block_id, c.batch_id, c.account, c.owner, lower(c.serials) as first, upper(c.serials) - 1 as last
from credit_block c join batch b using (batch_id)
where c.superseded_at is null and c.account = %(account)s and c.owner = %(owner)s
  and (%(batches)s::bigint[] is null or c.batch_id = any(%(batches)s))
  and (%(demonstration)s::boolean is null or b.demonstration = %(demonstration)s)
  and (%(frozen)s or not exists (select from batch_freeze f where f.batch_id = c.batch_id and f.lifted_at is null))
order by c.batch_id, c.serials

-- name: supersede
update credit_block set superseded_at = %(at)s where block_id = any(%(blocks)s::bigint[]) and superseded_at is null

-- name: add_blocks
insert into credit_block (batch_id, serials, account, owner, parent_block, made_at)
select batch_id, int8range(first, last, '[]'), account, owner, parent, %(at)s
from unnest(%(batches)s::bigint[], %(firsts)s::bigint[], %(lasts)s::bigint[], %(accounts)s::text[],
            %(owners)s::text[], %(parents)s::bigint[]) as b (batch_id, first, last, account, owner, parent)

-- name: offers
-- Issued batches with grams to sell: not frozen, and of a series in which no batch owes any.
select b.batch_id, b.region, b.pack_code, b.pack_version, b.gas_basis, b.vintage_month, b.demonstration, b.provisional,
       i.price_fen_per_tonne, s.available_g
from batch b
join issue i using (batch_id)
join lateral (
  select sum(upper(c.serials) - lower(c.serials))::bigint as available_g from credit_block c
  where c.batch_id = b.batch_id and c.account = 'available' and c.superseded_at is null
) s on s.available_g > 0
where (%(region)s::text is null or b.region = %(region)s
       or %(region)s like '%%0000' and left(b.region, 2) = left(%(region)s, 2))
  and (%(pack_code)s::text is null or b.pack_code = %(pack_code)s)
  and (%(vintage_month)s::date is null or b.vintage_month = %(vintage_month)s)
  and (%(demonstration)s::boolean is null or b.demonstration = %(demonstration)s)
  and b.batch_id > %(after)s
  and not exists (select from batch_freeze f where f.batch_id = b.batch_id and f.lifted_at is null)
  and not exists (select from batch_recall r join batch o using (batch_id)
                  where r.owed_g > 0 and (o.region, o.pack_code, o.gas_basis, o.demonstration)
                                       = (b.region, b.pack_code, b.gas_basis, b.demonstration))
order by b.batch_id
limit %(limit)s

-- name: holdings
-- A company's grams by batch and place: held now, and retired by it.
select b.batch_id, b.region, b.pack_code, b.pack_version, b.vintage_month, b.demonstration, b.provisional,
       coalesce(h.held, '[]') as held, coalesce(r.retired_g, 0)::bigint as retired_g
from (
  select batch_id, json_agg(json_build_array(lower(serials), upper(serials) - 1) order by serials) as held
  from credit_block where superseded_at is null and account = 'held' and owner = %(client_id)s
  group by batch_id
) h
full join (
  select c.batch_id, sum(upper(c.serials) - lower(c.serials)) as retired_g
  from retirement r join credit_block c on c.superseded_at is null and c.account = 'retired' and c.owner = r.number
  where r.client_id = %(client_id)s
  group by c.batch_id
) r using (batch_id)
join batch b using (batch_id)
order by b.batch_id
