-- What the tables say against one another. Each statement gives rows (rows, what, found, expected): the rows of tables that
-- do not fit, what of them, what it is and what it should be. `found` null: it is missing; `expected` null: nothing explains
-- it. One row more, whose `rows` is null, says in `found` how many were looked at.

-- name: transfers
-- Every transfer that follows from another row: of deeds, of grams, of money in and out of batches.
with version as (
  select deed_id, version, person_id, made_at, case when stands then reduction_mg else 0 end as mg,
         case when stands then points else 0 end as points
  from deed
), step as (
  select *, lag(person_id) over w as was_person, coalesce(lag(mg) over w, 0) as was_mg,
         coalesce(lag(points) over w, 0) as was_points
  from version window w as (partition by deed_id order by version)
), move as (
  -- Where a deed goes to another account of a merged person: out of one, into the other.
  select deed_id, version, made_at, person_id, mg - case when was_person <> person_id then 0 else was_mg end as mg,
         points - case when was_person <> person_id then 0 else was_points end as points
  from step
  union all
  select deed_id, version, made_at, was_person, -was_mg, -was_points from step where was_person <> person_id
), line as (
  select o.*, l.batch_id, l.quantity_g as grams, l.amount_fen as fen, l.order_id || '/' || l.batch_id as line
  from purchase_order o join order_line l using (order_id)
), back as (
  select r.*, p.taken from refund r join payment p using (payment_id)
), expected as (
  select 'deed ' || deed_id || '/' || version as source, made_at as posted_at, b.book,
         case when b.amount > 0 then 'measured' else 'person' end as debit, case when b.amount > 0 then 0 else person_id end as debit_id,
         case when b.amount > 0 then 'person' else 'measured' end as credit, case when b.amount > 0 then person_id else 0 end as credit_id,
         abs(b.amount) as amount, 'deed' as reason, deed_id as ref_id, person_id
  from move cross join lateral (values ('reductions_mg', mg), ('points', points)) as b (book, amount) where b.amount <> 0
  union all
  select 'issue ' || batch_id, issued_at, 'credits_g', 'issuance', batch_id, place, batch_id, grams, 'issue', batch_id, null
  from issue cross join lateral (values ('available', issued_g - reserve_g), ('reserve', reserve_g)) as p (place, grams)
  where grams > 0
  union all
  select 'order_line ' || line, made_at, 'credits_g', 'available', batch_id, 'reserved', batch_id, grams, 'reserve', order_id, null
  from line
  union all
  select 'order_line ' || line, paid_at, 'credits_g', 'reserved', batch_id, 'held', batch_id, grams, 'sale', order_id, null
  from line where paid_at is not null
  union all
  select 'order_step ' || order_id || '/' || state, s.made_at, 'credits_g', 'reserved', batch_id, 'available', batch_id, grams,
         state, order_id, null
  from line join order_step s using (order_id, state) where state in ('cancelled', 'expired')
  union all
  select 'refund ' || refund_id, asked_at, 'credits_g', 'held', batch_id, 'available', batch_id, grams, 'refund', order_id, null
  from back join line using (order_id) where taken
  union all
  select 'credit_transfer ' || transfer_id, t.made_at, 'credits_g', 'held', k.batch_id, 'transferred', k.batch_id,
         sum(upper(serials) - lower(serials))::bigint, 'transfer', transfer_id, null
  from credit_transfer t join credit_block k on k.account = 'transferred' and k.owner = t.transfer_id::text
  group by transfer_id, t.made_at, k.batch_id
  union all
  select 'retirement ' || retirement_id, retired_at, 'credits_g', 'held', k.batch_id, 'retired', k.batch_id,
         sum(upper(serials) - lower(serials))::bigint, 'retire', retirement_id, null
  from retirement r join credit_block k on k.account = 'retired' and k.owner = r.number
  group by retirement_id, retired_at, k.batch_id
  union all
  select 'cancellation ' || cancellation_id, made_at, 'credits_g', place, from_batch, 'cancelled', from_batch, quantity_g,
         case when from_batch = batch_id then 'recall' else 'replacement' end, batch_id, null
  from cancellation
  union all
  select 'order_line ' || line, paid_at, 'money_fen', 'buyers', 0, 'batch_income', batch_id, fen, 'sale', order_id, null
  from line where paid_at is not null and fen > 0
  union all
  select 'payment ' || payment_id, received_at, 'money_fen', 'buyers', 0, 'unallocated', payment_id, amount_fen, 'stray',
         payment_id, null
  from payment where not taken
  union all
  select 'refund ' || refund_id, asked_at, 'money_fen', 'batch_income', batch_id, 'refunding', refund_id, fen, 'refund', order_id, null
  from back join line using (order_id) where taken and fen > 0
  union all
  select 'refund ' || refund_id, asked_at, 'money_fen', 'unallocated', payment_id, 'refunding', refund_id, amount_fen, 'refund',
         order_id, null
  from back where not taken
  union all
  select 'refund ' || refund_id, done_at, 'money_fen', 'refunding', refund_id, 'buyers', 0, amount_fen, 'refunded', refund_id, null
  from refund where state = 'done'
  union all
  select 'settlement ' || settlement_id, made_at, 'money_fen', 'batch_income', batch_id, pot, 0, fen, 'share', settlement_id, null
  from settlement cross join lateral (values ('platform', platform_fen), ('fund', fund_fen)) as p (pot, fen) where fen > 0
), told as (
  -- All but those that other statements look at. Whether a deed was counted first or settled again follows from its versions.
  select 'transfer ' || transfer_id as source, posted_at, book, debit, debit_id, credit, credit_id, amount,
         case when reason = 'resettled' then 'deed' else reason end as reason, ref_id, person_id
  from transfer t
  where not (book = 'points' and reason = 'charged') and reason <> 'erasure'
    and not (book = 'money_fen' and reason in ('payout', 'payout_failed', 'paid_out'))
    and not (book = 'money_fen' and reason = 'share' and (credit = 'partner' or person_id is not null))
    and not (book in ('reductions_mg', 'points') and reason in ('deed', 'resettled')
             and exists (select from erased_person x where x.person_id = t.person_id))
), e as (
  select posted_at, book, debit, debit_id, credit, credit_id, amount, reason, coalesce(ref_id, -1) as ref, coalesce(person_id, -1) as who,
         array_agg(source order by source) as sources, count(*) as n
  from expected group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), t as (
  select posted_at, book, debit, debit_id, credit, credit_id, amount, reason, coalesce(ref_id, -1) as ref, coalesce(person_id, -1) as who,
         array_agg(source order by source) as sources, count(*) as n
  from told group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), compared as materialized (
  select posted_at, book, debit, debit_id, credit, credit_id, amount, reason, ref, who, t.sources as is_there, e.sources as follows,
         coalesce(t.n, 0) as times, coalesce(e.n, 0) as should
  from e full join t using (posted_at, book, debit, debit_id, credit, credit_id, amount, reason, ref, who)
)
select case when times > should then is_there || coalesce(follows, '{}') else follows || coalesce(is_there, '{}') end as rows, 'transfer' as what,
       case when times > should then text end as found, case when times < should then text end as expected
from compared cross join lateral (
  select concat_ws(' ', posted_at, book, debit, debit_id, '->', credit, credit_id, ':', amount, reason, nullif(ref, -1), nullif(who, -1)) as text
) x
where times <> should
union all
select null, 'transfer', coalesce(sum(times), 0)::text, null from compared

-- name: points_charged
-- Points that people keep although a deed of theirs fell: never more than they lost by that correction or merge, nor less
-- than they lost in all. A partner's or the platform's account bears them.
with version as (
  select deed_id, version, person_id, made_at, case when stands then points else 0 end as points from deed
), step as (
  select made_at, coalesce(a.person_id, v.person_id) as person_id,
         coalesce(lag(points) over (partition by deed_id order by version), 0) - points as lost
  from version v left join person_alias a on a.alias_id = v.person_id
), cause as (
  select made_at, array_agg(row order by row) as rows from (
    select made_at, 'correction ' || old_event_id as row from correction where charged_to <> 'person'
    union all select merged_at, 'person_alias ' || alias_id from person_alias
  ) c group by made_at
), due as (
  select person_id, made_at, greatest(sum(lost), 0) as least, sum(greatest(lost, 0)) as most, min(c.rows) as rows
  from step join cause c using (made_at) group by person_id, made_at
), told as (
  select t.*, coalesce(a.person_id, t.person_id) as holder,
         (debit in ('partner', 'platform') and debit_id = 0 and credit = 'person' and credit_id = t.person_id
          and (exists (select from correction c where (c.root_id, c.made_at, c.charged_to) = (t.ref_id, t.posted_at, t.debit))
               or t.ref_id is null and debit = 'platform' and exists (select from person_alias m where m.merged_at = t.posted_at))) as fits
  from transfer t left join person_alias a on a.alias_id = t.person_id
  where t.book = 'points' and t.reason = 'charged' and not exists (select from erased_person x where x.person_id = t.person_id)
), compared as materialized (
  select coalesce(due.person_id, told.holder) as person_id, coalesce(made_at, posted_at) as at, least, most, due.rows, points, transfers, fits
  from due full join (
    select holder, posted_at, sum(amount) as points, bool_and(fits) as fits,
           array_agg('transfer ' || transfer_id order by transfer_id) as transfers
    from told group by holder, posted_at
  ) told on told.holder = due.person_id and posted_at = made_at
)
select coalesce(transfers, '{}') || coalesce(rows, '{}') as rows, 'points charged' as what,
       case when points is not null then concat_ws(' ', points, 'person', person_id, at, case when not fits then 'of no correction' end) end as found,
       case when most > 0 then concat_ws(' ', least, '..', most, 'person', person_id, at) end as expected
from compared
where not coalesce(fits, true) or coalesce(points, 0) not between coalesce(least, 0) and coalesce(most, 0)
union all
select null, 'points charged', count(points)::text, null from compared

-- name: transfers_of_erasures
-- What an erased person leaves: to nobody, and money to the fund. That nothing is left is an identity of the books.
select array['transfer ' || transfer_id] as rows, 'erasure' as what,
       concat_ws(' ', posted_at, book, debit, debit_id, '->', credit, credit_id, ':', amount, ref_id, person_id) as found, null as expected
from transfer t
where reason = 'erasure' and not coalesce(
  exists (select from erased_person x where x.person_id = t.person_id)
  and exists (select from erasure e where e.erased_at = t.posted_at)
  and ('person', t.person_id) in ((debit, debit_id), (credit, credit_id))
  and (case when debit = 'person' then credit else debit end, case when debit = 'person' then credit_id else debit_id end)
      = (case book when 'reductions_mg' then 'erased' when 'points' then 'expired' when 'money_fen' then 'fund' end, 0)
  and (ref_id is not null) = (book = 'reductions_mg'), false)
union all
select null, 'erasure', count(*)::text, null from transfer where reason = 'erasure'

-- name: payouts
-- A payout leaves its account, and goes out or comes back; that of somebody erased meanwhile comes back to the fund.
with told as (
  select t.*, p.payout_id, coalesce(
    t.amount = p.amount_fen and case reason
      when 'paid_out' then (debit, debit_id, credit, credit_id) = ('paying_out', ref_id, 'paid_out', 0) and posted_at = done_at
                           and t.person_id is null
      when 'payout' then (credit, credit_id) = ('paying_out', ref_id)
                         and (debit, debit_id, who) in ((p.account, p.account_id, person), (heir, 0, -1))
      else (debit, debit_id) = ('paying_out', ref_id)
           and (credit, credit_id, who) in ((p.account, p.account_id, person), (heir, 0, -1))
    end, false) as fits
  from transfer t
  left join payout p on p.payout_id = t.ref_id
  left join erased_person x on p.account = 'person' and x.person_id = p.account_id
  cross join lateral (
    select coalesce(t.person_id, -1) as who, case p.account when 'person' then p.account_id else -1 end as person,
           case when x.person_id is not null then 'fund' else '' end as heir
  ) w
  where book = 'money_fen' and reason in ('payout', 'payout_failed', 'paid_out')
), counted as (
  select p.payout_id, p.state, count(*) filter (where reason = 'payout') - count(*) filter (where reason = 'payout_failed') as left_account,
         count(*) filter (where reason = 'paid_out') as went_out,
         coalesce(bool_or(reason = 'payout' and posted_at = asked_at), false) as asked,
         array_remove(array_agg('transfer ' || transfer_id order by transfer_id), null) as transfers
  from payout p left join told t using (payout_id) group by p.payout_id
)
select array['transfer ' || transfer_id, 'payout ' || ref_id] as rows, 'payout' as what,
       concat_ws(' ', posted_at, debit, debit_id, '->', credit, credit_id, ':', amount, reason, person_id) as found, null as expected
from told where not fits
union all
select array['payout ' || payout_id] || transfers, 'payout', concat_ws(' ', state, left_account, went_out, asked),
       concat_ws(' ', state, case state when 'failed' then 0 else 1 end, case state when 'done' then 1 else 0 end, true)
from counted
where not asked or left_account <> case state when 'failed' then 0 else 1 end or went_out <> case state when 'done' then 1 else 0 end
union all
select null, 'payout', count(*)::text, null from payout

-- name: lines_of_settlements
-- Each person's and partner's line is of a settlement of that batch, and the lines are what the settlement says.
with told as (
  select t.*, s.settlement_id, coalesce(
    s.batch_id = t.debit_id and s.made_at = t.posted_at
    and case t.credit when 'person' then t.person_id = t.credit_id when 'fund' then (t.credit_id, t.person_id) = (0, 0)
                      else t.credit = 'partner' and t.person_id is null end, false) as fits
  from transfer t left join settlement s on s.settlement_id = t.ref_id
  where t.book = 'money_fen' and t.reason = 'share' and (t.credit = 'partner' or t.person_id is not null)
    and t.debit = 'batch_income'
), summed as (
  select s.settlement_id, s.batch_id, v.what, v.found, v.expected
  from settlement s
  left join lateral (
    select sum(amount) filter (where person_id is not null) as citizens, sum(amount) filter (where person_id is null) as partners,
           count(*) filter (where credit = 'person') as people
    from told t where t.settlement_id = s.settlement_id
  ) l on true
  cross join lateral (values ('citizens_fen', s.citizens_fen, coalesce(l.citizens, 0)),
                             ('partners_fen', s.partners_fen, coalesce(l.partners, 0)), ('people', s.people, l.people)) as v (what, found, expected)
  where v.found <> v.expected
)
select array['transfer ' || transfer_id] as rows, 'share' as what,
       concat_ws(' ', posted_at, debit, debit_id, '->', credit, credit_id, ':', amount, ref_id, person_id) as found, null as expected
from told where not fits
union all
select array['settlement ' || settlement_id, 'transfer of settlement ' || settlement_id], what, found::text, expected::text from summed
union all
select array['transfer ' || transfer_id], 'share', concat_ws(' ', posted_at, debit, debit_id, '->', credit, credit_id, ':', amount, ref_id, person_id), null
from transfer where book = 'money_fen' and reason = 'share' and debit <> 'batch_income'
union all
select null, 'share', count(*)::text, null from told

-- name: settlements
-- A batch's settlements are counted without a gap.
select array['settlement of batch ' || batch_id] as rows, 'ordinal' as what, max(ordinal)::text as found, count(*)::text as expected
from settlement group by batch_id having max(ordinal) <> count(*)
union all
select null, 'ordinal', count(*)::text, null from settlement

-- name: records
-- What events are credited with now is what the deeds that stand count for. Deeds whose events are not here at all have been
-- looked at with their leaves.
with latest as (
  select distinct on (event_id) * from reverdict order by event_id, version desc
), record as (
  select e.event_id, r.version, case when r.event_id is null then e.deed_id else r.deed_id end as deed_id,
         coalesce(r.reduction_mg, e.reduction_mg) as mg, coalesce(r.points, e.points) as points
  from event e left join latest r using (event_id)
  where coalesce(r.verdict, e.verdict) = 'credited' and not exists (select from correction c where c.old_event_id = e.event_id)
), told as (
  select coalesce(deed_id, -1) as deed_id, sum(mg) as mg, sum(points) as points,
         array_agg('event ' || event_id order by event_id) as events,
         array_remove(array_agg('reverdict ' || event_id || '/' || version order by event_id), null) as reverdicts
  from record group by 1
), compared as materialized (
  select deed_id, d.version, d.reduction_mg, d.points, t.mg, t.points as told_points, t.events, t.reverdicts
  from current_deed d full join told t using (deed_id)
  where t.deed_id is not null or exists (select from event e where e.event_id = d.event_id)
)
select coalesce(reverdicts, '{}') || coalesce(events, '{}') || array_remove(array['deed ' || deed_id || '/' || version], null) as rows, v.what,
       v.found::text, v.expected::text
from compared
cross join lateral (values ('reduction_mg', mg, reduction_mg), ('points', told_points, points)) as v (what, found, expected)
where v.found is distinct from v.expected
union all
select null, 'records', count(*)::text, null from compared

-- name: leading_records
-- What a deed takes over from the event that leads it, and that event from its pack.
with compared as materialized (
  select d.deed_id, d.version, e.event_id, v.what, v.found, v.expected
  from deed d
  join event e on e.event_id = d.event_id
  left join pack_version p on p.content_sha256 = encode(e.pack_sha256, 'hex')
  cross join lateral (values
    ('person_id', e.person_id::text, d.person_id::text), ('class', e.class, d.class), ('pack_code', e.pack_code, d.pack_code),
    ('pack_version', e.pack_version, d.pack_version), ('region', e.region, d.region), ('evidence', e.evidence, d.evidence),
    ('client_id', e.client_id, d.client_id), ('started_at', e.started_at::text, d.started_at::text),
    ('month of day', date_trunc('month', e.day::timestamp)::date::text, d.vintage_month::text),
    ('pack_code', e.pack_code, coalesce(p.pack_code, e.pack_code)), ('pack_version', e.pack_version, coalesce(p.pack_version, e.pack_version))
  ) as v (what, found, expected)
)
select array['event ' || event_id, 'deed ' || deed_id || '/' || version] as rows, what, found, expected
from compared where found is distinct from expected
union all
select null, 'event', (count(*) / 11)::text, null from compared

-- name: roots
-- An event is the first of its root, or a correction put it in the place of another.
select array['event ' || e.event_id, 'correction ' || c.old_event_id] as rows, 'root_id' as what, e.root_id::text as found,
       coalesce(c.root_id, e.event_id)::text as expected
from event e left join correction c on c.new_event_id = e.event_id
where e.root_id <> coalesce(c.root_id, e.event_id)
union all
select array['correction ' || old_event_id, 'event ' || new_event_id], 'new_event_id', null, new_event_id::text
from correction c where new_event_id is not null and not exists (select from event e where (e.event_id, e.started_at) = (c.new_event_id, c.new_started_at))
union all
select null, 'root_id', count(*)::text, null from correction

-- name: reverdicts
-- Counted without a gap, each of an event and of its person.
select array['reverdict ' || event_id || '/' || max(version), 'event ' || event_id] as rows, 'version' as what, max(version)::text as found,
       count(*)::text as expected
from reverdict group by event_id having max(version) <> count(*) or min(version) <> 1
union all
select array['reverdict ' || r.event_id || '/' || r.version, 'event ' || r.event_id], 'person_id', r.person_id::text, coalesce(e.person_id::text, 'an event')
from reverdict r left join event e on e.event_id = r.event_id where e.person_id is distinct from r.person_id
union all
select null, 'version', count(*)::text, null from reverdict

-- name: members
-- A member of a batch is a version of a deed, as the deed's row has it; of erased people the month is left.
with member as materialized (
  select m.*, x.person_id is not null as erased, p.person_id is not null as here, d.deed_id is not null as has_deed,
         b.vintage_month::timestamp at time zone 'Asia/Shanghai' as month,
         d.person_id as d_person, d.reduction_mg as d_mg, d.points as d_points, d.started_at as d_started,
         concat_ws('.', d.region, d.pack_code, d.pack_version, d.vintage_month, d.gas_basis, d.stands) as d_pool,
         concat_ws('.', b.region, b.pack_code, b.pack_version, b.vintage_month, b.gas_basis, true) as pool
  from batch_member m join batch b using (batch_id)
  left join deed d on d.deed_id = m.deed_id and d.version = m.version
  left join erased_person x on x.person_id = m.person_id
  left join person p on p.person_id = m.person_id
)
select array['batch_member ' || deed_id, 'deed ' || deed_id || '/' || version] as rows, v.what, v.found, v.expected
from member
cross join lateral (values
  ('deed', case when has_deed or erased then '' end, ''),
  ('person_id', person_id::text, case when has_deed then d_person else person_id end::text),
  ('reduction_mg', reduction_mg::text, case when has_deed then d_mg else reduction_mg end::text),
  ('points', points::text, case when has_deed then d_points else points end::text),
  ('started_at', started_at::text, case when has_deed then d_started when erased then month else started_at end::text),
  ('pool', case when has_deed then d_pool else pool end, pool)
) as v (what, found, expected)
where v.found is distinct from v.expected
union all
select array['batch_member ' || deed_id, 'person ' || person_id, 'erased_person ' || person_id], 'person_id',
       case when here then 'here' else 'gone' end, case when erased then 'erased' else 'here' end
from member where here = erased
union all
select array['erased_person ' || person_id, 'person ' || person_id], 'person_id', 'here', 'erased'
from erased_person join person using (person_id)
union all
select null, 'deed', count(*)::text, null from member

-- name: people_of_batches
select array['batch ' || b.batch_id] as rows, v.what, v.found::text, v.expected::text
from batch b
left join (
  select batch_id, count(*) as deeds, count(distinct person_id) as people, sum(reduction_mg) as mg from batch_member group by batch_id
) m using (batch_id)
cross join lateral (values ('deeds', b.deeds, m.deeds), ('people', b.people, m.people), ('reduction_mg', b.reduction_mg, m.mg)) as v (what, found, expected)
where v.found is distinct from v.expected
union all
select null, 'batch', count(*)::text, null from batch

-- name: partners_of_batches
-- Through whom a batch's deeds came. Of erased people that is known in all only, not by partner.
with known as (
  select m.batch_id, d.client_id, count(*) as deeds, count(distinct m.person_id) as people, sum(m.reduction_mg) as mg,
         sum(greatest(m.reduction_mg, 0)) as collected
  from batch_member m join deed d on d.deed_id = m.deed_id and d.version = m.version group by m.batch_id, d.client_id
), whole as (
  select batch_id, count(*) as deeds, sum(reduction_mg) as mg, sum(greatest(reduction_mg, 0)) as collected,
         bool_or(exists (select from erased_person x where x.person_id = m.person_id)) as erased
  from batch_member m group by batch_id
), summed as (
  select batch_id, sum(deeds) as deeds, sum(reduction_mg) as mg, sum(collected_mg) as collected,
         array_agg('batch_partner ' || batch_id || '/' || client_id order by client_id) as rows
  from batch_partner group by batch_id
), compared as materialized (
  select batch_id, client_id, p.deeds, p.people, p.reduction_mg, p.collected_mg, k.deeds as k_deeds, k.people as k_people, k.mg as k_mg,
         k.collected as k_collected, w.erased
  from batch_partner p full join known k using (batch_id, client_id) left join whole w using (batch_id)
)
select array['batch_partner ' || batch_id || '/' || client_id] as rows, v.what, v.found::text, v.expected::text
from compared
cross join lateral (values ('deeds', deeds, k_deeds), ('people', people, k_people), ('reduction_mg', reduction_mg, k_mg),
                           ('collected_mg', collected_mg, k_collected)) as v (what, found, expected)
where case when erased then v.what <> 'reduction_mg' and (v.found is null or v.found < v.expected) else v.found is distinct from v.expected end
union all
select coalesce(s.rows, array['batch_partner ' || w.batch_id || '/*']), v.what, v.found::text, v.expected::text
from whole w left join summed s using (batch_id)
cross join lateral (values ('deeds', s.deeds, w.deeds), ('reduction_mg', s.mg, w.mg), ('collected_mg', s.collected, w.collected)) as v (what, found, expected)
where w.erased and v.found is distinct from v.expected
union all
select null, 'partner', count(*)::text, null from compared

-- name: recalled
-- What a batch recalled in all and owes, out of its recalls and the grams cancelled for it.
with net as (
  select batch_id, sum(greatest(mg, 0)) as mg
  from (select batch_id, deed_id, sum(recalled_mg) as mg from recall group by batch_id, deed_id) d group by batch_id
), gone as (
  select batch_id, sum(quantity_g) as grams from cancellation group by batch_id
), compared as materialized (
  select b.batch_id, coalesce(r.recalled_mg, 0) as recalled_mg, coalesce(r.owed_g, 0) as owed_g, coalesce(n.mg, 0) as mg,
         coalesce(greatest(ceil(greatest(coalesce(n.mg, 0) - i.recalled_mg, 0) / 1000.0) - coalesce(g.grams, 0), 0), 0) as owed
  from batch b left join issue i using (batch_id) left join batch_recall r using (batch_id) left join net n using (batch_id)
  left join gone g using (batch_id)
)
select array['batch_recall ' || batch_id] as rows, v.what, v.found::text, v.expected::text
from compared cross join lateral (values ('recalled_mg', recalled_mg, mg), ('owed_g', owed_g, owed)) as v (what, found, expected)
where v.found <> v.expected
union all
select array['recall ' || r.recall_id], 'batch_id', r.batch_id::text, m.batch_id::text
from recall r left join batch_member m using (deed_id) where m.batch_id is distinct from r.batch_id
union all
select null, 'recalled_mg', count(*)::text, null from compared

-- name: order_states
-- An order is paid when the log has its sale, and refunded when it has its refund too.
with leaf as (
  select kind, ref_id from log_leaf where kind in ('sale', 'refund')
  union all select kind, ref_id from log_pending where kind in ('sale', 'refund')
), compared as materialized (
  select o.order_id, o.state, s.ref_id is not null as sold, exists (
    select from refund r join leaf f on f.kind = 'refund' and f.ref_id = r.refund_id where r.order_id = o.order_id) as refunded
  from purchase_order o left join leaf s on s.kind = 'sale' and s.ref_id = o.order_id
)
select array['purchase_order ' || order_id] as rows, 'state' as what, state as found,
       case when refunded then 'refunded' when sold then 'paid' else 'unpaid' end as expected
from compared
where case when refunded then state <> 'refunded' when sold then state <> 'paid' else state in ('paid', 'refunded') end
union all
select null, 'state', count(*)::text, null from compared

-- name: live_blocks
-- The live blocks of a batch are its grams from 1 to the last, none twice and none missing.
with live as materialized (
  select block_id, batch_id, lower(serials) as first, upper(serials) as until,
         max(upper(serials)) over (partition by batch_id order by lower(serials), block_id rows between unbounded preceding and 1 preceding) as before,
         lag(block_id) over (partition by batch_id order by lower(serials), block_id) as neighbour
  from credit_block where superseded_at is null
)
select array_remove(array['credit_block ' || block_id, 'credit_block ' || neighbour], null) as rows, 'first gram' as what,
       batch_id || ':' || first as found, batch_id || ':' || coalesce(before, 1) as expected
from live where first <> coalesce(before, 1)
union all
select array['credit_block of batch ' || batch_id, 'issue ' || batch_id], 'last gram', coalesce(max(until) - 1, 0)::text, issued_g::text
from issue i left join live l using (batch_id) group by i.batch_id, i.issued_g having coalesce(max(until) - 1, 0) <> issued_g
union all
select null, 'live', count(*)::text, null from live

-- name: first_blocks
-- A batch's first blocks are what was minted: for sale, and the reserve.
with minted as (
  select batch_id, issued_at as made_at, place as account, int8range(first, until) as serials
  from issue cross join lateral (values ('available', 1::bigint, 1 + issued_g - reserve_g), ('reserve', 1 + issued_g - reserve_g, 1 + issued_g)) as p (place, first, until)
  where first < until
), compared as materialized (
  select k.block_id, batch_id, account, serials, k.owner, m.batch_id is not null as expected
  from minted m full join (select * from credit_block where parent_block is null) k using (batch_id, made_at, account, serials)
)
select array[case when block_id is null then 'credit_block of batch ' || batch_id else 'credit_block ' || block_id end, 'issue ' || batch_id] as rows,
       'minted' as what, case when block_id is not null then concat_ws(' ', account, serials, owner) end as found,
       case when expected then concat_ws(' ', account, serials) end as expected
from compared where block_id is null or not expected or owner <> ''
union all
select null, 'minted', count(*)::text, null from compared

-- name: cut_blocks
-- A block that was superseded was cut into its children at that moment, all of it; one that lives has none.
with child as (
  select parent_block as block_id, range_agg(serials) as serials, sum(upper(serials) - lower(serials)) as grams, min(made_at) as first_at,
         max(made_at) as last_at, min(batch_id) as batch, max(batch_id) as other_batch,
         array_agg('credit_block ' || block_id order by block_id) as blocks
  from credit_block where parent_block is not null group by parent_block
), compared as materialized (
  select b.block_id, b.batch_id, b.serials, b.superseded_at, c.blocks, c.serials as cut, c.first_at, c.last_at, c.grams, c.batch, c.other_batch
  from credit_block b full join child c using (block_id)
)
select array_remove(array['credit_block ' || block_id], null) || coalesce(blocks, '{}') as rows, 'cut' as what,
       concat_ws(' ', cut, first_at, grams) as found,
       case when superseded_at is not null then concat_ws(' ', serials, superseded_at, upper(serials) - lower(serials)) end as expected
from compared
where case when superseded_at is null then blocks is not null
           else coalesce(cut <> serials::int8multirange or first_at <> superseded_at or last_at <> superseded_at
                         or grams <> upper(serials) - lower(serials) or batch <> batch_id or other_batch <> batch_id, true) end
union all
select null, 'cut', count(*)::text, null from compared

-- name: moved_blocks
-- A child that is elsewhere than its parent, or another's, came there by an order, a refund, a transfer, a retirement or a
-- cancellation of that moment. By batch where the row says so; what a transfer and a retirement took of each batch is in the log.
with line as (
  select o.*, l.batch_id, l.quantity_g as grams from purchase_order o join order_line l using (order_id)
), expected as (
  select 'order_line ' || order_id || '/' || batch_id as source, batch_id, made_at, 'available' as was, '' as was_of, 'reserved' as account,
         order_id::text as owner, grams
  from line
  union all
  select 'purchase_order ' || order_id, batch_id, paid_at, 'reserved', order_id::text, 'held', client_id, grams from line where paid_at is not null
  union all
  select 'order_step ' || order_id || '/' || state, batch_id, s.made_at, 'reserved', order_id::text, 'available', '', grams
  from line join order_step s using (order_id, state) where state in ('cancelled', 'expired')
  union all
  select 'refund ' || refund_id, batch_id, asked_at, 'held', client_id, 'available', '', grams
  from refund r join payment p using (payment_id) join line on line.order_id = r.order_id where p.taken
  union all
  select 'cancellation ' || cancellation_id, from_batch, made_at, place, '', 'cancelled', cancellation_id::text, quantity_g from cancellation
  union all
  select 'credit_transfer ' || transfer_id, 0, made_at, 'held', from_client, case when registry is null then 'held' else 'transferred' end,
         coalesce(to_client, transfer_id::text), quantity_g
  from credit_transfer
  union all
  select 'retirement ' || retirement_id, 0, retired_at, 'held', client_id, 'retired', number, quantity_g from retirement
), e as (
  select batch_id, made_at, was, was_of, account, owner, sum(grams) as grams, array_agg(source order by source) as sources
  from expected group by 1, 2, 3, 4, 5, 6
), moved as (
  select case when p.account = 'held' and c.account in ('held', 'transferred', 'retired') then 0 else c.batch_id end as batch_id, c.made_at,
         p.account as was, p.owner as was_of, c.account, c.owner, sum(upper(c.serials) - lower(c.serials)) as grams,
         array_agg('credit_block ' || c.block_id order by c.block_id) as blocks
  from credit_block c join credit_block p on p.block_id = c.parent_block
  where (p.account, p.owner) <> (c.account, c.owner) group by 1, 2, 3, 4, 5, 6
), compared as materialized (
  select batch_id, made_at, was, was_of, account, owner, e.grams as should, m.grams as grams, e.sources, m.blocks
  from e full join moved m using (batch_id, made_at, was, was_of, account, owner)
)
select coalesce(blocks, '{}') || coalesce(sources, '{}') as rows, 'moved' as what,
       case when grams is not null then concat_ws(' ', was, was_of, '->', account, owner, ':', grams, made_at) end as found,
       case when should is not null then concat_ws(' ', was, was_of, '->', account, owner, ':', should, made_at) end as expected
from compared where grams is distinct from should
union all
select null, 'moved', count(*)::text, null from compared

-- name: registry
-- What retirements are found by is made of them.
with line as (
  select 'registry_entry ' || retirement_id as row, t::text as text, 'is' as side
  from (table registry_entry except select retirement_id, retired_at, request ->> 'purpose' from retirement) t
  union all
  select 'registry_entry ' || retirement_id, t::text, 'should'
  from (select retirement_id, retired_at, request ->> 'purpose' from retirement except table registry_entry) t
  union all
  select 'registry_line ' || retirement_id || '/' || batch_id, t::text, 'is' from (table registry_line except table retired_line) t
  union all
  select 'registry_line ' || retirement_id || '/' || batch_id, t::text, 'should' from (table retired_line except table registry_line) t
  union all
  select 'registry_beneficiary ' || retirement_id || '/' || uscc, t::text, 'is'
  from (select retirement_id, uscc, retired_at from registry_beneficiary except select retirement_id, uscc, retired_at from retired_for) t
  union all
  select 'registry_beneficiary ' || retirement_id || '/' || uscc, t::text, 'should'
  from (select retirement_id, uscc, retired_at from retired_for except select retirement_id, uscc, retired_at from registry_beneficiary) t
  union all
  select 'registry_period ' || retirement_id || '/' || node, t::text, 'is' from (table registry_period except table retired_period) t
  union all
  select 'registry_period ' || retirement_id || '/' || node, t::text, 'should' from (table retired_period except table registry_period) t
), name as (
  select distinct name_form(n.name) as form, f.uscc from retired_for f, unnest(array[f.name, f.name_en]) n (name) where length(name_form(n.name)) >= 2
), named as (
  select form, uscc, name_grams(form) as grams from name
)
select array[row] as rows, 'row' as what, case side when 'is' then text end as found, case side when 'should' then text end as expected from line
union all
select array['registry_name ' || coalesce(r.form, n.form) || '/' || coalesce(r.uscc, n.uscc)], 'row', r::text, n::text
from registry_name r full join named n on n.form = r.form and n.uscc = r.uscc
where n.form is null or r.form is null or not (r.grams @> n.grams and n.grams @> r.grams)
union all
select null, 'row', count(*)::text, null from registry_entry
