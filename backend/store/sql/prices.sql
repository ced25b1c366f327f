-- Price rules, and what was paid.

-- name: add_rule
insert into price_rule (batch_id, region, pack_code, vintage_month, from_g, prices, valid_from, made_at, made_by)
values (%(batch_id)s, %(region)s, %(pack_code)s, %(vintage_month)s, %(from_g)s, %(prices)s, %(valid_from)s, %(made_at)s, %(made_by)s)
returning rule_id

-- name: rules
-- The newest begun rule of every scope: those that can hold now.
select distinct on (batch_id, region, pack_code, vintage_month) *
from price_rule where valid_from <= %(now)s
order by batch_id, region, pack_code, vintage_month, valid_from desc, rule_id desc

-- name: all_rules
-- Every rule ever made, newest first: the history of the asking prices.
select * from price_rule where rule_id < %(before)s order by rule_id desc limit %(limit)s

-- name: days
-- What was paid by civil day: refunded orders do not count. Days on which nothing was sold are left out.
select (o.paid_at at time zone 'Asia/Shanghai')::date as on_day, sum(l.quantity_g)::bigint as quantity_g,
       sum(l.amount_fen)::bigint as amount_fen, min(l.price_fen_per_tonne) as low_fen_per_tonne,
       max(l.price_fen_per_tonne) as high_fen_per_tonne,
       div(sum(l.quantity_g::numeric * l.price_fen_per_tonne), sum(l.quantity_g))::bigint as average_fen_per_tonne
from purchase_order o
join order_line l using (order_id)
join batch b using (batch_id)
where o.state = 'paid' and o.paid_at >= %(since)s
  and (%(region)s::text is null or b.region = %(region)s
       or %(region)s like '%%0000' and left(b.region, 2) = left(%(region)s, 2))
  and (%(pack_code)s::text is null or b.pack_code = %(pack_code)s)
  and (%(vintage_month)s::date is null or b.vintage_month = %(vintage_month)s)
  and (%(demonstration)s::boolean is null or b.demonstration = %(demonstration)s)
group by on_day
order by on_day
