-- Quotes and orders.

-- name: add_quote
insert into quote (client_id, quantity_g, region, pack_code, vintage_month, demonstration, partial, limit_fen_per_tonne,
                   batches, prices, amount_fen, made_at, expires_at)
values (%(client_id)s, %(quantity_g)s, %(region)s, %(pack_code)s, %(vintage_month)s, %(demonstration)s, %(partial)s,
        %(limit_fen_per_tonne)s, %(batches)s, %(prices)s, %(amount_fen)s, %(made_at)s, %(expires_at)s)
returning quote_id

-- name: quote
select q.*, o.order_id from quote q left join purchase_order o using (quote_id)
where q.quote_id = %(quote_id)s and q.client_id = %(client_id)s

-- name: unpaid
select coalesce(sum(quantity_g), 0) from purchase_order
where client_id = %(client_id)s and state in ('reserved', 'declared')

-- name: add_order
insert into purchase_order (client_id, quote_id, quantity_g, amount_fen, state, made_at, expires_at)
values (%(client_id)s, %(quote_id)s, %(quantity_g)s, %(amount_fen)s, 'reserved', %(made_at)s, %(expires_at)s)
on conflict (quote_id) do nothing
returning order_id

-- name: add_lines
insert into order_line (order_id, batch_id, quantity_g, price_fen_per_tonne, amount_fen)
select %(order_id)s, * from unnest(%(batches)s::bigint[], %(grams)s::bigint[], %(prices)s::bigint[], %(amounts)s::bigint[])

-- name: orders
-- Orders with lines and steps, newest first.
select o.*, l.lines, s.steps
from purchase_order o
cross join lateral (
  select json_agg(json_build_object('batch', batch_id, 'quantity_g', quantity_g,
                                    'price_fen_per_tonne', price_fen_per_tonne, 'amount_fen', amount_fen)
                  order by batch_id) as lines
  from order_line where order_id = o.order_id
) l
cross join lateral (
  select json_object_agg(state, made_at) as steps from order_step where order_id = o.order_id
) s
where (%(order_id)s::bigint is null or o.order_id = %(order_id)s)
  and (%(client_id)s::text is null or o.client_id = %(client_id)s)
  and (%(state)s::text is null or o.state = %(state)s)
  and o.order_id < %(before)s
order by o.order_id desc
limit %(limit)s

-- name: lock_order
select state, expires_at, final_at from purchase_order
where order_id = %(order_id)s and (%(client_id)s::text is null or client_id = %(client_id)s) for update

-- name: lock_overdue
-- Overdue orders that nobody is working on just now.
select order_id, client_id from purchase_order
where state in ('reserved', 'declared') and expires_at <= %(now)s
order by order_id limit 100 for update skip locked

-- name: batches
select distinct batch_id from order_line where order_id = any(%(orders)s::bigint[])

-- name: set_method
update purchase_order set method = %(method)s, pay_url = %(pay_url)s where order_id = %(order_id)s

-- name: set_paid
update purchase_order set state = 'paid', paid_at = %(at)s, final_at = %(final_at)s, shares_ppm = %(shares_ppm)s
where order_id = %(order_id)s

-- name: make_final
-- Paid orders of a company some of whose grams have just moved on: nothing of them is refunded any more. An order's grams
-- are those that were reserved for it.
update purchase_order o set final_at = %(at)s
where o.client_id = %(client_id)s and o.state = 'paid' and o.final_at > %(at)s
  and exists (select from credit_block c
              join unnest(%(batches)s::bigint[], %(firsts)s::bigint[], %(lasts)s::bigint[]) as m (batch_id, first, last)
                on c.batch_id = m.batch_id and c.serials && int8range(m.first, m.last, '[]')
              where c.account = 'reserved' and c.owner = o.order_id::text)

-- name: order_blocks
-- The live held blocks of an order's grams, in serial order.
select h.block_id, h.batch_id, h.account, h.owner, lower(h.serials) as first, upper(h.serials) - 1 as last
from purchase_order o
join credit_block r on r.account = 'reserved' and r.owner = o.order_id::text
join credit_block h on h.batch_id = r.batch_id and h.serials <@ r.serials and h.superseded_at is null
                       and h.account = 'held' and h.owner = o.client_id
where o.order_id = %(order_id)s
order by h.batch_id, h.serials

-- name: awaited
-- Orders whose money a provider is to bring, or may have brought when they had just ended; in any order.
select order_id from purchase_order o
where method = 'provider' and (state in ('reserved', 'declared') or state in ('cancelled', 'expired') and expires_at > %(since)s)
  and not exists (select from payment p where p.order_id = o.order_id)
order by random() limit 500

-- name: set_state
update purchase_order set state = %(state)s, expires_at = %(expires_at)s where order_id = %(order_id)s

-- name: add_step
insert into order_step (order_id, state, made_at, made_by, detail)
values (%(order_id)s, %(state)s, %(made_at)s, %(made_by)s, %(detail)s)

-- name: add_standing
insert into standing_order (client_id, quantity_g, region, pack_code, demonstration, limit_fen_per_tonne, partial, day, until_on, made_at)
values (%(client_id)s, %(quantity_g)s, %(region)s, %(pack_code)s, %(demonstration)s, %(limit_fen_per_tonne)s, %(partial)s,
        %(day)s, %(until_on)s, %(made_at)s)
returning standing_id

-- name: standing_orders
-- With the runs of each, newest first.
select s.*, coalesce(r.runs, '[]') as runs
from standing_order s
left join lateral (
  select json_agg(json_build_object('month', to_char(month, 'YYYY-MM'), 'order', order_id, 'problem', problem) order by month desc) as runs
  from (select * from standing_run where standing_id = s.standing_id order by month desc limit 12) t
) r on true
where s.client_id = %(client_id)s and (%(standing_id)s::bigint is null or s.standing_id = %(standing_id)s)
order by s.standing_id desc
limit 200

-- name: living_standing
select count(*) from standing_order where client_id = %(client_id)s and ended_at is null

-- name: end_standing
update standing_order set ended_at = %(at)s where standing_id = %(standing_id)s and client_id = %(client_id)s and ended_at is null

-- name: due_standing
-- Standing orders whose day of the month has come and that were not carried out this month; one at a time.
select s.* from standing_order s
where s.ended_at is null and s.day <= extract(day from %(today)s::date) and (s.until_on is null or s.until_on >= %(today)s)
  and s.made_at < %(today)s::date + 1
  and not exists (select from standing_run r where r.standing_id = s.standing_id and r.month = date_trunc('month', %(today)s::date))
order by s.standing_id limit 1
for update skip locked

-- name: add_run
insert into standing_run (standing_id, month, order_id, problem, made_at)
values (%(standing_id)s, date_trunc('month', %(today)s::date), %(order_id)s, %(problem)s, %(at)s)
