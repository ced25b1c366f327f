-- Recalls of deeds in batches, and the grams cancelled for them.

-- name: find_nets
-- What was recalled of these deeds so far.
select deed_id, sum(recalled_mg)::bigint from recall where deed_id = any(%(deeds)s::bigint[]) group by deed_id

-- name: find_causes
-- The latest correction of the event that stood when the batch was closed: a partner, what it did, and its words.
select m.deed_id, coalesce(c.kind || ' by ' || c.by_client || ': ' || c.reason, '')
from batch_member m
join deed d using (deed_id, version, started_at)
left join event e on e.event_id = d.event_id and e.started_at = d.started_at
left join lateral (
  select * from correction c where c.root_id = e.root_id order by c.seq desc limit 1
) c on true
where m.deed_id = any(%(deeds)s::bigint[])

-- name: find_states
select b.batch_id, i.batch_id is not null as issued, coalesce(r.recalled_mg, 0) as recalled_mg,
       coalesce(i.recalled_mg, 0) as before_mg, coalesce(r.owed_g, 0) as owed_g,
       (select coalesce(sum(c.quantity_g), 0)::bigint from cancellation c where c.batch_id = b.batch_id) as cancelled_g
from batch b left join issue i using (batch_id) left join batch_recall r using (batch_id)
where b.batch_id = any(%(batches)s::bigint[])

-- name: find_sources
-- What may be cancelled for a batch, in order of use: its unsold grams, its reserve, reserves of older batches of the
-- methodology. Never of a batch that owes, is frozen, or is under the same defect: a shared cause, or this very recall.
select b.batch_id, c.account as place, sum(upper(c.serials) - lower(c.serials))::bigint as quantity_g
from batch n
join batch b using (pack_code, gas_basis, demonstration)
join credit_block c on c.batch_id = b.batch_id and c.superseded_at is null
where n.batch_id = %(batch_id)s
  and (b.batch_id = n.batch_id and c.account in ('available', 'reserve')
       or b.batch_id < n.batch_id and c.account = 'reserve' and b.batch_id <> all(%(avoid)s::bigint[])
          and not exists (select from batch_recall r where r.batch_id = b.batch_id and r.owed_g > 0)
          and not exists (select from batch_freeze f where f.batch_id = b.batch_id and f.lifted_at is null)
          and not exists (select from recall r where r.batch_id = b.batch_id
                            and r.cause in (select unnest(%(causes)s::text[]) union
                                            select o.cause from recall o where o.batch_id = n.batch_id)
                            and r.cause <> ''))
group by n.batch_id, b.batch_id, c.account
order by b.batch_id <> n.batch_id, b.batch_id, c.account

-- name: add_recalls
insert into recall (batch_id, deed_id, recalled_mg, cause, made_at)
select m.batch_id, m.deed_id, k.mg, k.cause, %(at)s
from unnest(%(batches)s::bigint[], %(deeds)s::bigint[], %(mgs)s::bigint[], %(causes)s::text[]) as k (batch_id, deed_id, mg, cause)
join batch_member m using (batch_id, deed_id)
returning recall_id

-- name: set_state
insert into batch_recall (batch_id, recalled_mg, owed_g) values (%(batch_id)s, %(recalled_mg)s, %(owed_g)s)
on conflict (batch_id) do update set recalled_mg = excluded.recalled_mg, owed_g = excluded.owed_g

-- name: add_cancellation
insert into cancellation (batch_id, from_batch, place, quantity_g, made_by, made_at)
values (%(batch_id)s, %(from_batch)s, %(place)s, %(quantity_g)s, %(made_by)s, %(at)s)
returning cancellation_id

-- name: find_cancelled
-- What was cancelled for a batch since a moment, with the serials.
select c.from_batch as batch_id, b.region, b.pack_code, b.vintage_month, c.place,
       sum(upper(k.serials) - lower(k.serials))::bigint as quantity_g,
       json_agg(json_build_array(lower(k.serials), upper(k.serials) - 1) order by k.serials) as spans
from (
  select from_batch, place, cancellation_id::text as owner from cancellation
  where batch_id = %(batch_id)s and made_at >= %(since)s
) c
join batch b on b.batch_id = c.from_batch
join lateral (
  select serials from credit_block k
  where k.account = 'cancelled' and k.owner = c.owner and k.batch_id = c.from_batch and k.superseded_at is null
) k on true
group by c.from_batch, b.region, b.pack_code, b.vintage_month, c.place
order by c.from_batch, c.place

-- name: find_holders
-- The companies with grams of a batch: ordered, held or retired.
select client_id, sum(grams) filter (where account = 'reserved')::bigint as ordered_g,
       sum(grams) filter (where account = 'held')::bigint as held_g,
       sum(grams) filter (where account = 'retired')::bigint as retired_g,
       coalesce(json_agg(owner order by owner) filter (where account = 'retired'), '[]') as certificates
from (
  select c.account, c.owner, coalesce(o.client_id, r.client_id, c.owner) as client_id,
         sum(upper(c.serials) - lower(c.serials)) as grams
  from credit_block c
  left join purchase_order o on c.account = 'reserved' and o.order_id::text = c.owner
  left join retirement r on c.account = 'retired' and r.number = c.owner
  where c.batch_id = %(batch_id)s and c.superseded_at is null and c.account in ('reserved', 'held', 'retired')
  group by c.account, c.owner, o.client_id, r.client_id
) h
group by client_id
order by client_id

-- name: last_amendment
-- How often a batch was amended on a day, and the last amendment before it.
select (select count(*) from amendment where batch_id = %(batch_id)s and made_on = %(made_on)s) as versions,
       (select canonical from amendment where batch_id = %(batch_id)s and made_on < %(made_on)s
        order by made_on desc, version desc limit 1) as canonical

-- name: add_amendment
insert into amendment (batch_id, made_on, version, canonical, kid, algorithm, signature, made_at)
values (%(batch_id)s, %(made_on)s, %(version)s, %(canonical)s, %(kid)s, %(algorithm)s, %(signature)s, %(at)s)
returning amendment_id

-- name: amendments
-- The amendments of a certificate's batches: the last of each day.
select distinct on (a.made_on, a.batch_id) a.amendment_id, a.canonical, a.kid, a.algorithm, a.signature
from amendment a
where a.batch_id in (select c.batch_id from credit_block c
                     where c.account = 'retired' and c.owner = %(number)s and c.superseded_at is null)
order by a.made_on, a.batch_id, a.version desc

-- name: is_amendment
select exists (
  select from amendment where batch_id = %(batch_id)s and made_on = %(made_on)s and version = %(version)s
                          and canonical = %(canonical)s) as known
