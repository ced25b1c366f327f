-- Money: payments, refunds, invoices, terms, settlements, payouts.

-- name: add_payment
insert into payment (order_id, taken, method, amount_fen, external_ref, received_at, recorded_by)
values (%(order_id)s, %(taken)s, %(method)s, %(amount_fen)s, %(external_ref)s, %(at)s, %(by)s)
on conflict (method, external_ref) where method <> 'bank_transfer' do nothing
returning payment_id

-- name: payment
-- The payment that a provider's number stands for.
select * from payment where method = %(method)s and external_ref = %(external_ref)s

-- name: taken_payment
select * from payment where order_id = %(order_id)s and taken

-- name: add_refund
insert into refund (payment_id, order_id, amount_fen, reason, state, asked_at, asked_by)
values (%(payment_id)s, %(order_id)s, %(amount_fen)s, %(reason)s, 'requested', %(at)s, %(by)s)
returning refund_id

-- name: lock_refund
select r.*, p.method, o.client_id from refund r join payment p using (payment_id) join purchase_order o on o.order_id = r.order_id
where r.refund_id = %(refund_id)s for update of r

-- name: set_refund
update refund set state = %(state)s, external_ref = %(external_ref)s, done_at = %(done_at)s where refund_id = %(refund_id)s

-- name: waiting_refunds
-- Of the provider's payments, in any order: some that it refuses for ever do not hide the others.
select r.* from refund r join payment p using (payment_id) where r.state = 'requested' and p.method = 'provider'
order by random() limit 200

-- name: refunds
select r.*, p.method, o.client_id, c.name as company
from refund r join payment p using (payment_id) join purchase_order o on o.order_id = r.order_id join client c using (client_id)
where (%(state)s::text is null or r.state = %(state)s) and r.refund_id < %(before)s
order by r.refund_id desc
limit %(limit)s

-- name: add_invoice
insert into invoice (number, order_id, kind, buyer, amount_fen, asked_at)
values (%(number)s, %(order_id)s, %(kind)s, %(buyer)s, %(amount_fen)s, %(at)s)
on conflict (order_id, kind) do nothing
returning invoice_id

-- name: next_invoice
select nextval(pg_get_serial_sequence('invoice', 'invoice_id')) as number

-- name: invoices
select i.*, o.client_id, c.name as company from invoice i join purchase_order o using (order_id) join client c using (client_id)
where (%(client_id)s::text is null or o.client_id = %(client_id)s) and (%(order_id)s::bigint is null or i.order_id = %(order_id)s)
  and (%(number)s::text is null or i.number = %(number)s)
  and (not %(waiting)s or i.issued_at is null) and i.invoice_id < %(before)s
order by i.invoice_id desc
limit %(limit)s

-- name: issue_invoice
update invoice set tax_ref = %(tax_ref)s, issued_at = %(at)s, issued_by = %(by)s where number = %(number)s and issued_at is null

-- name: add_terms
insert into sale_terms (from_on, shares_ppm, note, published_at, published_by)
values (%(from_on)s, %(shares_ppm)s, %(note)s, %(at)s, %(by)s)
on conflict (from_on) do nothing
returning terms_id

-- name: terms
-- All terms ever published, the latest to bind first.
select t.*, c.name as publisher from sale_terms t join client c on c.client_id = t.published_by order by t.from_on desc

-- name: terms_on
select shares_ppm from sale_terms where from_on <= %(on)s order by from_on desc limit 1

-- name: to_settle
-- Batches with final sales that are not shared out yet and that were not settled lately, or that are sold out and have
-- still to give out what rounding left.
select l.batch_id
from purchase_order o join order_line l using (order_id)
where o.state = 'paid' and o.final_at <= %(now)s
  and (%(batch_id)s::bigint is null or l.batch_id = %(batch_id)s)
  and not exists (select from batch_freeze f where f.batch_id = l.batch_id and f.lifted_at is null)
group by l.batch_id
having (sum(l.amount_fen) > coalesce((select max(s.income_fen) from settlement s where s.batch_id = l.batch_id), 0)
        or sum(l.amount_fen) > 0 and not exists (select from settlement s where s.batch_id = l.batch_id and s.is_last)
           and not exists (select from credit_block c where c.batch_id = l.batch_id and c.superseded_at is null
                             and c.account in ('available', 'reserved'))
           and not exists (select from purchase_order p join order_line k using (order_id)
                           where k.batch_id = l.batch_id and p.state = 'paid' and p.final_at > %(now)s))
   and coalesce((select max(s.made_at) from settlement s where s.batch_id = l.batch_id), '-infinity') <= %(before)s
order by l.batch_id
limit 1000

-- name: wait_longer
-- A line for each of a million people takes longer than other statements may.
select set_config('statement_timeout', '15min', true)

-- name: sales
-- The final sales of a batch: fen, and the shares of the terms at payment.
select l.amount_fen, o.shares_ppm from purchase_order o join order_line l using (order_id)
where l.batch_id = %(batch_id)s and o.state = 'paid' and o.final_at <= %(now)s

-- name: settled
-- What a batch has paid so far, and whether nothing of it is left to sell or can come back.
select coalesce(max(s.ordinal), 0) as ordinal, coalesce(max(s.income_fen), 0) as income_fen,
       coalesce(sum(s.citizens_fen), 0)::bigint as citizens, coalesce(sum(s.partners_fen), 0)::bigint as partners,
       coalesce(sum(s.platform_fen), 0)::bigint as platform, coalesce(sum(s.fund_fen), 0)::bigint as fund,
       coalesce(bool_or(s.is_last), false)
       or not exists (select from credit_block c where c.batch_id = %(batch_id)s and c.superseded_at is null
                        and c.account in ('available', 'reserved'))
       and not exists (select from purchase_order o join order_line l using (order_id)
                       where l.batch_id = %(batch_id)s and o.state = 'paid' and o.final_at > %(now)s) as is_last
from settlement s where s.batch_id = %(batch_id)s

-- name: add_settlement
insert into settlement (settlement_id, batch_id, ordinal, income_fen, citizens_fen, partners_fen, platform_fen, fund_fen, people, is_last, made_at, made_by)
overriding system value
values (%(settlement_id)s, %(batch_id)s, %(ordinal)s, %(income_fen)s, %(citizens_fen)s, %(partners_fen)s, %(platform_fen)s, %(fund_fen)s,
        %(people)s, %(is_last)s, %(at)s, %(by)s)

-- name: take_settlement_id
select nextval(pg_get_serial_sequence('settlement', 'settlement_id')) as settlement_id

-- name: settle_people
-- One transfer a person: floor(pot x weight / all weights) less what this batch paid before, to the account that the person
-- has now; erased people are one, number 0, and theirs goes to the fund. At the last settlement what is left goes to the largest remainders, a fen each, ties by a hash. The rule and its
-- words are rewards.sharing.allot.
with weight as (
  -- An account in debt weighs nothing, also when it is merged with another: the whole stays what it was at close.
  select coalesce(a.person_id, case when x.person_id is null then m.person_id else 0 end) as person_id,
         sum(greatest(m.mg, 0))::numeric as mg
  from (select person_id, sum(reduction_mg) as mg from batch_member where batch_id = %(batch_id)s group by person_id) m
  left join person_alias a on a.alias_id = m.person_id
  left join erased_person x on x.person_id = m.person_id
  group by 1
  having sum(greatest(m.mg, 0)) > 0
), paid as (
  select coalesce(a.person_id, case when x.person_id is null then t.person_id else 0 end) as person_id, sum(t.amount) as fen
  from transfer t left join person_alias a on a.alias_id = t.person_id
  left join erased_person x on x.person_id = t.person_id
  where t.book = 'money_fen' and t.debit = 'batch_income' and t.debit_id = %(batch_id)s and t.person_id is not null
  group by 1
), whole as (
  select sum(mg) as mg from weight
), due as (
  select w.person_id, div(%(pot_fen)s::numeric * w.mg, whole.mg) as fen, mod(%(pot_fen)s::numeric * w.mg, whole.mg) as remainder
  from weight w, whole
), ranked as (
  select person_id, fen + case when %(is_last)s
    and row_number() over (order by remainder desc, md5(%(salt)s || ':' || person_id)) <= %(pot_fen)s - sum(fen) over () then 1 else 0 end as fen
  from due
)
insert into transfer (posted_at, book, debit, debit_id, credit, credit_id, amount, reason, ref_id, person_id)
select %(at)s, 'money_fen', 'batch_income', %(batch_id)s, case r.person_id when 0 then 'fund' else 'person' end, r.person_id,
       r.fen - coalesce(p.fen, 0), 'share', %(settlement_id)s, r.person_id
from ranked r left join paid p using (person_id)
where r.fen > coalesce(p.fen, 0)

-- name: paid_to_people
-- What a settlement paid of the people's pot, that of the erased ones too, and to how many people.
select coalesce(sum(amount), 0)::bigint as fen, count(*) filter (where credit = 'person') as people
from transfer where book = 'money_fen' and debit = 'batch_income' and debit_id = %(batch_id)s and person_id is not null
  and reason = 'share' and ref_id = %(settlement_id)s

-- name: partner_weights
select c.number, p.collected_mg from batch_partner p join client c using (client_id) where p.batch_id = %(batch_id)s

-- name: paid_to_partners
select credit_id, sum(amount)::bigint from transfer
where book = 'money_fen' and debit = 'batch_income' and debit_id = %(batch_id)s and credit = 'partner' group by credit_id

-- name: balance
-- What an account of money has, net.
select coalesce(sum(case when (credit, credit_id) = (%(account)s, %(account_id)s) then amount else -amount end), 0)::bigint as fen
from transfer
where book = 'money_fen' and ((credit, credit_id) = (%(account)s, %(account_id)s) or (debit, debit_id) = (%(account)s, %(account_id)s))

-- name: person_balance
-- The same for a person, by the index that every person's rows have; accounts found to be one person's count together.
select coalesce(sum(case when credit = 'person' then amount else 0 end) - sum(case when debit = 'person' then amount else 0 end), 0)::bigint as fen
from transfer where person_id in (select same_person(%(person_id)s)) and book = 'money_fen'

-- name: statement
-- A person's money, newest first, with what the batch behind a share sold and for whom it was retired.
select t.transfer_id, t.posted_at, t.reason, t.ref_id, case when t.credit = 'person' then t.amount else -t.amount end as amount_fen,
       b.batch_id, b.region, b.pack_code, b.pack_version, b.vintage_month, b.provisional, b.demonstration,
       s.income_fen, s.is_last, o.method, o.state as payout_state,
       (select sum(m.reduction_mg)::bigint from batch_member m where m.batch_id = b.batch_id
          and m.person_id in (select same_person(%(person_id)s))) as own_mg
from transfer t
left join settlement s on t.reason = 'share' and s.settlement_id = t.ref_id
left join batch b on b.batch_id = s.batch_id
left join payout o on t.reason in ('payout', 'payout_failed') and o.payout_id = t.ref_id
where t.person_id in (select same_person(%(person_id)s)) and t.book = 'money_fen'
  and (t.posted_at, t.transfer_id) < (%(posted_at)s, %(transfer_id)s)
order by t.posted_at desc, t.transfer_id desc
limit %(limit)s

-- name: claimed_by
-- For whom grams of batches were retired, the largest part first, up to five a batch; and how many certificates in all. A
-- certificate for several counts for all of them together.
with named as (
  select r.number, string_agg(b ->> 'name', '、' order by place) as name_zh,
         string_agg(coalesce(b ->> 'name_en', b ->> 'name'), ', ' order by place) as name_en
  from retirement r,
       json_array_elements(case when json_array_length(coalesce(r.request -> 'beneficiaries', '[]')) > 0
                                then r.request -> 'beneficiaries' else json_build_array(r.request -> 'beneficiary') end)
         with ordinality as e (b, place)
  where r.number in (select owner from credit_block where batch_id = any(%(batches)s::bigint[]) and account = 'retired'
                     and superseded_at is null)
  group by r.number
)
select batch_id, name_zh, name_en, grams, certificates from (
  select c.batch_id, n.name_zh, min(n.name_en) as name_en, sum(upper(c.serials) - lower(c.serials))::bigint as grams,
         count(distinct n.number) as certificates,
         row_number() over (partition by c.batch_id order by sum(upper(c.serials) - lower(c.serials)) desc) as place
  from credit_block c join named n on n.number = c.owner
  where c.batch_id = any(%(batches)s::bigint[]) and c.account = 'retired' and c.superseded_at is null
  group by c.batch_id, n.name_zh
) x where place <= 5 order by batch_id, place

-- name: add_payout
insert into payout (account, account_id, amount_fen, method, state, asked_at)
values (%(account)s, %(account_id)s, %(amount_fen)s, %(method)s, 'requested', %(at)s)
returning payout_id

-- name: lock_payouts
-- Payouts of accounts that are no person's go one after another.
select pg_advisory_xact_lock(hashtext('payout'), 0)

-- name: lock_payout
select * from payout where payout_id = %(payout_id)s for update

-- name: set_payout
update payout set state = %(state)s, external_ref = %(external_ref)s, done_at = %(done_at)s, done_by = %(by)s
where payout_id = %(payout_id)s

-- name: waiting_payouts
-- Of the provider's, in any order: some that it never answers do not hide the others.
select * from payout where state = 'requested' and method = 'provider' and asked_at <= %(before)s order by random() limit 200

-- name: payouts
select * from payout
where (%(state)s::text is null or state = %(state)s) and (%(account)s::text is null or account = %(account)s)
  and (%(account_id)s::bigint is null or account_id = %(account_id)s)
  and payout_id < %(before)s
order by payout_id desc
limit %(limit)s

-- name: client_number
select number from client where client_id = %(client_id)s and role = 'partner'

-- name: flows
-- Where the money of sales went, by civil month (Asia/Shanghai) and account, and how many people that touched.
select to_char(posted_at at time zone 'Asia/Shanghai', 'YYYY-MM') as month,
       coalesce(sum(amount) filter (where debit = 'buyers' and credit = 'batch_income'), 0)::bigint as sold_fen,
       coalesce(sum(amount) filter (where debit = 'batch_income' and credit = 'refunding'), 0)::bigint as refunded_fen,
       coalesce(sum(amount) filter (where debit = 'batch_income' and credit = 'person'), 0)::bigint as citizens_fen,
       coalesce(sum(amount) filter (where debit = 'batch_income' and credit = 'partner'), 0)::bigint as partners_fen,
       coalesce(sum(amount) filter (where debit = 'batch_income' and credit = 'platform'), 0)::bigint as platform_fen,
       coalesce(sum(amount) filter (where debit = 'batch_income' and credit = 'fund'), 0)::bigint as fund_fen,
       coalesce(sum(amount) filter (where credit = 'paid_out'), 0)::bigint as paid_out_fen,
       count(distinct coalesce(a.person_id, t.credit_id)) filter (where debit = 'batch_income' and credit = 'person') as people,
       count(distinct coalesce(a.person_id, p.account_id)) filter (where credit = 'paid_out' and p.account = 'person') as takers
from transfer t
left join payout p on t.credit = 'paid_out' and p.payout_id = t.ref_id
left join person_alias a on a.alias_id = case when t.credit = 'paid_out' then p.account_id when t.credit = 'person' then t.credit_id end
where book = 'money_fen' group by month order by month

-- name: accounts
-- What every kind of account holds now.
select account, sum(amount)::bigint as fen from (
  select credit as account, amount from transfer where book = 'money_fen'
  union all select debit, -amount from transfer where book = 'money_fen'
) side group by account

-- name: people_paid
select count(distinct coalesce(a.person_id, t.credit_id))
from transfer t left join person_alias a on a.alias_id = t.credit_id
where t.book = 'money_fen' and t.debit = 'batch_income' and t.credit = 'person'

-- name: batch_flows
-- The sales of each batch of enough people and how they were shared, newest batch first. settled_fen: what of the income was
-- final at the last settlement.
select b.batch_id, b.region, b.pack_code, b.pack_version, b.vintage_month, b.provisional, b.demonstration,
       coalesce(s.settled_fen, 0)::bigint as settled_fen, coalesce(l.sold_g, 0)::bigint as sold_g, coalesce(l.fen, 0)::bigint as income_fen, coalesce(s.citizens_fen, 0)::bigint as citizens_fen,
       coalesce(s.partners_fen, 0)::bigint as partners_fen, coalesce(s.platform_fen, 0)::bigint as platform_fen,
       coalesce(s.fund_fen, 0)::bigint as fund_fen, s.last_at
from batch b join issue using (batch_id)
left join lateral (
  select sum(l.quantity_g) as sold_g, sum(l.amount_fen) as fen from order_line l join purchase_order o using (order_id)
  where l.batch_id = b.batch_id and o.state = 'paid'
) l on true
left join lateral (
  select sum(citizens_fen) as citizens_fen, sum(partners_fen) as partners_fen, sum(platform_fen) as platform_fen,
         sum(fund_fen) as fund_fen, max(income_fen) as settled_fen, max(made_at) as last_at from settlement where batch_id = b.batch_id
) s on true
where b.batch_id < %(before)s and l.fen > 0 and b.people >= %(people)s
order by b.batch_id desc
limit %(limit)s
