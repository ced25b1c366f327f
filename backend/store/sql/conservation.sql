-- Each statement is one identity: rows of (scope, left, right), equal on every row when it holds. Rows whose scope ends
-- in 'differs' name what is unequal below a sum, the first hundred of them, and are no part of the total.
-- They stand in the order of rewards.ledger.IDENTITIES and under its names; `batches` is what is shown beside them.

-- name: reductions_of_people
with book as (
  select person_id, sum(case when credit = 'person' then amount else -amount end) as amount
  from transfer where book = 'reductions_mg' and person_id is not null group by person_id
), deeds as (
  select person_id, sum(reduction_mg) as amount from counted_deed group by person_id
), both_sides as (
  select person_id, coalesce(b.amount, 0) as l, coalesce(d.amount, 0) as r from book b full join deeds d using (person_id)
)
select 'all', coalesce(sum(l), 0), coalesce(sum(r), 0) from both_sides
union all
(select 'person ' || person_id || ' differs', l, r from both_sides where l <> r order by person_id limit 100)

-- name: points_of_people
-- Those of erased people: see accounts_erased.
with book as (
  select person_id, sum(case when credit = 'person' then amount else -amount end) as amount
  from transfer t where book = 'points' and reason in ('deed', 'resettled') and person_id is not null
    and not exists (select from erased_person x where x.person_id = t.person_id) group by person_id
), deeds as (
  select person_id, sum(points) as amount from current_deed group by person_id
), both_sides as (
  select person_id, coalesce(b.amount, 0) as l, coalesce(d.amount, 0) as r from book b full join deeds d using (person_id)
)
select 'all', coalesce(sum(l), 0), coalesce(sum(r), 0) from both_sides
union all
(select 'person ' || person_id || ' differs', l, r from both_sides where l <> r order by person_id limit 100)

-- name: rows_of_deeds
with one as (select deed_id, count(*) as versions from current_deed group by deed_id)
select 'all', coalesce(sum(versions), 0), count(*) from one
union all
(select 'deed ' || deed_id || ' differs', versions, 1 from one where versions > 1 order by deed_id limit 100)

-- name: reductions_of_deeds
with book as (
  select ref_id as deed_id, sum(case when credit = 'person' then amount else -amount end) as amount
  from transfer where book = 'reductions_mg' and reason in ('deed', 'resettled', 'erasure') group by ref_id
), both_sides as (
  select deed_id, coalesce(b.amount, 0) as l, coalesce(d.reduction_mg, 0) as r from book b full join counted_deed d using (deed_id)
)
select 'all', coalesce(sum(l), 0), coalesce(sum(r), 0) from both_sides
union all
(select 'deed ' || deed_id || ' differs', l, r from both_sides where l <> r order by deed_id limit 100)

-- name: points_of_deeds
with book as (
  select ref_id as deed_id, sum(case when credit = 'person' then amount else -amount end) as amount
  from transfer t where book = 'points' and reason in ('deed', 'resettled')
    and not exists (select from erased_person x where x.person_id = t.person_id) group by ref_id
), both_sides as (
  select deed_id, coalesce(b.amount, 0) as l, coalesce(d.points, 0) as r from book b full join current_deed d using (deed_id)
)
select 'all', coalesce(sum(l), 0), coalesce(sum(r), 0) from both_sides
union all
(select 'deed ' || deed_id || ' differs', l, r from both_sides where l <> r order by deed_id limit 100)

-- name: numbers_of_deeds
-- Of the records that stand: one a number, whoever forwarded it. Those ruled apart from another tell of a deed of their own
-- whatever their number.
with used as (
  select count(*) as deeds, min(d.deed_id) as deed_id
  from current_deed d
  join event e on e.event_id = d.event_id and e.started_at = d.started_at
  where e.act_digest is not null and e.apart_roots is null
  group by e.act_issuer, e.act_digest
)
select 'all', coalesce(sum(deeds), 0), count(*) from used
union all
(select 'number of deed ' || deed_id || ' differs', deeds, 1 from used where deeds > 1 order by deed_id limit 100)

-- name: members_of_batches
select 'batch ' || batch_id, b.deeds, coalesce(m.members, 0)
from batch b full join (select batch_id, count(*) as members from batch_member group by batch_id) m using (batch_id)

-- name: reductions_of_batches
-- An erased deed has no row any more: what it counts for is in the books of people and of deeds.
with member as (
  select m.batch_id, m.deed_id, m.reduction_mg,
         case when x.person_id is null then coalesce(d.reduction_mg, 0) else m.reduction_mg end as pooled_mg
  from batch_member m left join deed d using (deed_id, version, started_at)
  left join erased_person x on x.person_id = m.person_id
)
select 'batch ' || b.batch_id, b.reduction_mg, coalesce(m.reduction_mg, 0)
from batch b left join (select batch_id, sum(reduction_mg) as reduction_mg from member group by batch_id) m using (batch_id)
union all
(select 'batch ' || batch_id || ' deed ' || deed_id || ' differs', reduction_mg, pooled_mg from member
 where reduction_mg <> pooled_mg order by batch_id, deed_id limit 100)

-- name: members_recalled
with member as (
  select m.batch_id, deed_id, m.reduction_mg - coalesce(r.recalled_mg, 0) as left_mg, coalesce(d.reduction_mg, 0) as now_mg
  from batch_member m
  left join (select deed_id, sum(recalled_mg) as recalled_mg from recall group by deed_id) r using (deed_id)
  left join counted_deed d using (deed_id)
)
select 'batch ' || batch_id, sum(left_mg), sum(now_mg) from member group by batch_id
union all
(select 'batch ' || batch_id || ' deed ' || deed_id || ' differs', left_mg, now_mg from member
 where left_mg <> now_mg order by batch_id, deed_id limit 100)

-- name: recalls_of_batches
-- What a deed gained adds nothing to a batch.
select 'batch ' || batch_id, coalesce(b.recalled_mg, 0), coalesce(r.recalled_mg, 0)
from batch_recall b
full join (
  select batch_id, sum(greatest(net_mg, 0)) as recalled_mg
  from (select batch_id, deed_id, sum(recalled_mg) as net_mg from recall group by batch_id, deed_id) d group by batch_id
) r using (batch_id)

-- name: recalls_replaced
-- Left: what the recalls since the issue come to in whole grams, or what was cancelled for them if that is more because
-- a deed got back what it had lost. Right: the blocks that were cancelled for it, wherever they are, and what is owed.
select 'batch ' || i.batch_id, greatest(ceil((r.recalled_mg - i.recalled_mg) / 1000.0), coalesce(c.grams, 0)),
       coalesce(k.grams, 0) + r.owed_g
from issue i
join batch_recall r using (batch_id)
left join (select batch_id, sum(quantity_g) as grams from cancellation group by batch_id) c using (batch_id)
left join (
  select c.batch_id, sum(upper(k.serials) - lower(k.serials)) as grams
  from cancellation c
  join credit_block k on k.superseded_at is null and k.account = 'cancelled' and k.owner = c.cancellation_id::text
                         and k.batch_id = c.from_batch
  group by c.batch_id
) k using (batch_id)

-- name: grams_cancelled
select 'batch ' || batch_id || ' cancellation ' || owner, coalesce(c.grams, 0), coalesce(k.grams, 0)
from (
  select from_batch as batch_id, cancellation_id::text as owner, quantity_g as grams from cancellation
) c
full join (
  select batch_id, owner, sum(upper(serials) - lower(serials)) as grams
  from credit_block where superseded_at is null and account = 'cancelled' group by batch_id, owner
) k using (batch_id, owner)

-- name: grams_minted
select 'batch ' || i.batch_id, 1000 * i.issued_g + i.remainder_mg, b.reduction_mg - a.adjustment_mg - i.recalled_mg + i.carried_mg
from issue i
join batch b using (batch_id)
left join attestation a on a.batch_id = i.batch_id and a.decision = 'attested'

-- name: remainders_carried
select 'batch ' || i.batch_id, i.carried_mg, coalesce(p.remainder_mg, 0)
from issue i left join issue p on p.batch_id = i.carried_from

-- name: collected_of_batches
select 'batch ' || b.batch_id, b.reduction_mg, coalesce(p.reduction_mg, 0)
from batch b left join (select batch_id, sum(reduction_mg) as reduction_mg from batch_partner group by batch_id) p using (batch_id)

-- name: blocks_of_batches
select 'batch ' || i.batch_id, i.issued_g, coalesce(sum(upper(c.serials) - lower(c.serials)), 0)
from issue i left join credit_block c on c.batch_id = i.batch_id and c.superseded_at is null
group by i.batch_id

-- name: serials_of_batches
-- Blocks cannot overlap; that they end at the last gram and add up to all of them leaves no room for a gap.
select 'batch ' || i.batch_id, i.issued_g, coalesce(max(upper(c.serials)) - 1, 0)
from issue i left join credit_block c on c.batch_id = i.batch_id and c.superseded_at is null
group by i.batch_id

-- name: credits_book
with block as (
  select batch_id, account, sum(upper(serials) - lower(serials)) as grams
  from credit_block where superseded_at is null group by batch_id, account
), side as (
  select credit_id as batch_id, credit as account, amount from transfer where book = 'credits_g'
  union all
  select debit_id, debit, -amount from transfer where book = 'credits_g'
), net as (
  select batch_id, account, sum(amount) as grams from side where account <> 'issuance' group by batch_id, account
)
select 'batch ' || batch_id || ' ' || account, coalesce(b.grams, 0), coalesce(n.grams, 0)
from block b full join net n using (batch_id, account)

-- name: orders_reserved
select 'order ' || owner, coalesce(o.grams, 0), coalesce(b.grams, 0)
from (
  select order_id::text as owner, quantity_g as grams from purchase_order where state in ('reserved', 'declared')
) o
full join (
  select owner, sum(upper(serials) - lower(serials)) as grams
  from credit_block where superseded_at is null and account = 'reserved' group by owner
) b using (owner)

-- name: holdings
with came as (
  select client_id as owner, sum(quantity_g) as grams from purchase_order where state = 'paid' group by client_id
  union all select to_client, sum(quantity_g) from credit_transfer where to_client is not null group by to_client
  union all select from_client, -sum(quantity_g) from credit_transfer group by from_client
  union all select client_id, -sum(quantity_g) from retirement group by client_id
)
select 'company ' || owner, coalesce(p.grams, 0), coalesce(b.grams, 0)
from (select owner, sum(grams) as grams from came group by owner) p
full join (
  select owner, sum(upper(serials) - lower(serials)) as grams
  from credit_block where superseded_at is null and account = 'held' group by owner
) b using (owner)

-- name: grams_transferred
select 'transfer ' || owner, coalesce(t.grams, 0), coalesce(b.grams, 0)
from (select transfer_id::text as owner, quantity_g as grams from credit_transfer where registry is not null) t
full join (
  select owner, sum(upper(serials) - lower(serials)) as grams
  from credit_block where superseded_at is null and account = 'transferred' group by owner
) b using (owner)

-- name: certificates
select 'certificate ' || number, coalesce(c.grams, 0), coalesce(b.grams, 0)
from (select number, (canonical::json ->> 'quantity_g')::bigint as grams from certificate) c
full join (
  select owner as number, sum(upper(serials) - lower(serials)) as grams
  from credit_block where superseded_at is null and account = 'retired' group by owner
) b using (number)

-- name: order_amounts
select 'order ' || o.order_id, o.amount_fen, coalesce(sum(l.amount_fen), 0)
from purchase_order o left join order_line l using (order_id)
group by o.order_id

-- name: income_of_batches
-- Sales less what went back to buyers, in the orders and in the books.
select 'batch ' || batch_id, coalesce(l.fen, 0), coalesce(t.fen, 0)
from (
  select l.batch_id, sum(l.amount_fen) as fen
  from order_line l join purchase_order o using (order_id) where o.state = 'paid' group by l.batch_id
) l
full join (
  select batch_id, sum(fen) as fen from (
    select credit_id as batch_id, amount as fen from transfer where book = 'money_fen' and credit = 'batch_income'
    union all
    select debit_id, -amount from transfer where book = 'money_fen' and debit = 'batch_income' and credit = 'refunding'
  ) x group by batch_id
) t using (batch_id)

-- name: money_in
-- Every payment, and every refund that is done, as a transfer from buyers or back to them.
with told as (
  select case when taken then 'sale' else 'stray' end as reason, case when taken then order_id else payment_id end as ref_id,
         amount_fen as fen from payment
  union all select 'refunded', refund_id, -amount_fen from refund where state = 'done'
), booked as (
  select reason, ref_id, sum(case when debit = 'buyers' then amount else -amount end) as fen
  from transfer where book = 'money_fen' and 'buyers' in (debit, credit) group by reason, ref_id
)
select reason || ' ' || ref_id, coalesce(t.fen, 0), coalesce(b.fen, 0) from told t full join booked b using (reason, ref_id)

-- name: payments_taken
select 'order ' || o.order_id, o.amount_fen, coalesce(sum(p.amount_fen), 0)
from purchase_order o left join payment p on p.order_id = o.order_id and p.taken
where o.state in ('paid', 'refunded')
group by o.order_id

-- name: refunds_waiting
select 'refund ' || refund_id, coalesce(r.fen, 0), coalesce(t.fen, 0)
from (select refund_id, case when state = 'done' then 0 else amount_fen end as fen from refund) r
full join (
  select refund_id, sum(fen) as fen from (
    select credit_id as refund_id, amount as fen from transfer where book = 'money_fen' and credit = 'refunding'
    union all select debit_id, -amount from transfer where book = 'money_fen' and debit = 'refunding'
  ) x group by refund_id
) t using (refund_id)

-- name: shares_of_settlements
select 'batch ' || batch_id || ' settlement ' || settlement_id, coalesce(s.fen, 0), coalesce(t.fen, 0)
from (select batch_id, settlement_id, citizens_fen + partners_fen + platform_fen + fund_fen as fen from settlement) s
full join (
  select debit_id as batch_id, ref_id as settlement_id, sum(amount) as fen
  from transfer where book = 'money_fen' and debit = 'batch_income' and reason = 'share' group by debit_id, ref_id
) t using (batch_id, settlement_id)

-- name: shares_of_batches
-- What a batch shared out, and the same or, if it is less, what the batch took in of final sales by then.
select 'batch ' || batch_id, paid_fen, least(paid_fen, income_fen)
from (
  select batch_id, sum(citizens_fen + partners_fen + platform_fen + fund_fen) as paid_fen, max(income_fen) as income_fen
  from settlement group by batch_id
) s

-- name: money_out
select 'payout ' || coalesce(payout_id::text, 'unknown'), coalesce(p.fen, 0), coalesce(t.fen, 0)
from (select payout_id, amount_fen as fen from payout where state = 'done') p
full join (
  select ref_id as payout_id, sum(amount) as fen from transfer where book = 'money_fen' and credit = 'paid_out' group by ref_id
) t using (payout_id)

-- name: payouts_waiting
select 'payout ' || payout_id, coalesce(p.fen, 0), coalesce(t.fen, 0)
from (select payout_id, case when state = 'requested' then amount_fen else 0 end as fen from payout) p
full join (
  select payout_id, sum(fen) as fen from (
    select credit_id as payout_id, amount as fen from transfer where book = 'money_fen' and credit = 'paying_out'
    union all select debit_id, -amount from transfer where book = 'money_fen' and debit = 'paying_out'
  ) x group by payout_id
) t using (payout_id)

-- name: money_held
-- Accounts below zero; those of accounts that are one person's count together.
with side as (
  select credit as account, credit_id as number, amount from transfer where book = 'money_fen'
  union all select debit, debit_id, -amount from transfer where book = 'money_fen'
), net as (
  select account, case when account = 'person' then coalesce(a.person_id, number) else number end as number, sum(amount) as fen
  from side left join person_alias a on side.account = 'person' and a.alias_id = side.number
  where account not in ('buyers', 'paid_out') group by 1, 2
)
select 'all', count(*) filter (where fen < 0), 0 from net
union all
(select case account when 'batch_income' then 'batch ' || number || ' income' else account || ' ' || number end || ' differs', -fen, 0
 from net where fen < 0 order by account, number limit 100)

-- name: accounts_erased
-- Erased people have neither points nor money.
with held as (
  select person_id, book, sum(case when credit = 'person' then amount else -amount end) as amount
  from transfer join erased_person using (person_id) where book in ('points', 'money_fen') group by person_id, book
)
select 'all', count(*) filter (where amount <> 0), 0 from held
union all
(select book || ' of erased ' || person_id || ' differs', amount, 0 from held where amount <> 0 order by person_id, book limit 100)

-- name: batches
select b.batch_id, b.region, b.pack_code, b.pack_version, b.vintage_month, b.provisional, b.demonstration,
       b.reduction_mg as attested_mg, coalesce(a.adjustment_mg, 0) as adjustment_mg, i.carried_mg, i.remainder_mg,
       i.issued_g, c.places, coalesce(r.recalled_mg, 0) as recalled_mg, i.recalled_mg as not_minted_mg,
       coalesce(r.owed_g, 0) as owed_g, f.batch_id is not null as frozen,
       coalesce((select sum(n.quantity_g) from cancellation n where n.batch_id = b.batch_id), 0)::bigint as replaced_g
from batch b
left join attestation a on a.batch_id = b.batch_id and a.decision = 'attested'
left join issue i on i.batch_id = b.batch_id
left join batch_recall r on r.batch_id = b.batch_id
left join batch_freeze f on f.batch_id = b.batch_id and f.lifted_at is null
left join (
  select batch_id, json_object_agg(account, grams) as places
  from (
    select batch_id, account, sum(upper(serials) - lower(serials)) as grams
    from credit_block where superseded_at is null group by batch_id, account
  ) p group by batch_id
) c on c.batch_id = b.batch_id
order by b.batch_id
