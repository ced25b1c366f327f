-- Quotes and orders.

-- name: add_quote
insert into quote (client_id, quantity_g, region, pack_code, vintage_month, demonstration, amount_fen, made_at, expires_at)
values (%(client_id)s, %(quantity_g)s, %(region)s, %(pack_code)s, %(vintage_month)s, %(demonstration)s, %(amount_fen)s,
        %(made_at)s, %(expires_at)s)
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
select state, expires_at from purchase_order
where order_id = %(order_id)s and (%(client_id)s::text is null or client_id = %(client_id)s) for update

-- name: lock_overdue
-- Overdue orders that nobody is working on just now.
select order_id from purchase_order
where state in ('reserved', 'declared') and expires_at <= %(now)s
order by order_id limit 100 for update skip locked

-- name: batches
select distinct batch_id from order_line where order_id = any(%(orders)s::bigint[])

-- name: set_state
update purchase_order set state = %(state)s, expires_at = %(expires_at)s where order_id = %(order_id)s

-- name: add_step
insert into order_step (order_id, state, made_at, made_by, detail)
values (%(order_id)s, %(state)s, %(made_at)s, %(made_by)s, %(detail)s)
