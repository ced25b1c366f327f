-- Facts as the log tells them, one statement a kind: {ref_id, ref_no, salt, public, row}. `public` stands in the entry, `row`
-- is committed to under the owner's salt. The audit reads the very same. ids: null is all.

-- name: correction
select c.old_event_id as ref_id, 0 as ref_no, coalesce(p.salt, k.salt) as salt, '{}'::jsonb as public, to_jsonb(c) as row
from correction c
left join event e on e.event_id = c.old_event_id
left join person p on p.person_id = e.person_id
join client k on k.client_id = c.by_client
where %(ids)s::bigint[] is null or c.old_event_id = any(%(ids)s::bigint[])

-- name: recall
select r.recall_id as ref_id, 0 as ref_no, p.salt, '{}'::jsonb as public, to_jsonb(r) as row
from recall r join batch_member m using (deed_id) left join person p on p.person_id = m.person_id
where %(ids)s::bigint[] is null or r.recall_id = any(%(ids)s::bigint[])

-- name: close
select b.batch_id as ref_id, 0 as ref_no, b.salt,
       jsonb_build_object(
         'batch', b.batch_id, 'at', b.closed_at, 'demonstration', b.demonstration, 'gas_basis', b.gas_basis,
         'members_root', encode(t.members_root, 'base64'), 'reduction_mg', b.reduction_mg,
         'pool', b.region || '.' || b.pack_code || '.' || b.pack_version || '.' || to_char(b.vintage_month, 'YYYYMM'))
       || case when b.people >= 20 then jsonb_build_object('deeds', b.deeds) else '{}' end as public,
       to_jsonb(b) - 'salt' || jsonb_build_object('size', t.size) as row
from batch b join batch_tree t using (batch_id)
where %(ids)s::bigint[] is null or b.batch_id = any(%(ids)s::bigint[])

-- name: attestation
select a.attestation_id as ref_id, 0 as ref_no, b.salt,
       jsonb_build_object(
         'batch', a.batch_id, 'decision', a.decision, 'assurance', a.assurance, 'materiality_ppm', a.materiality_ppm,
         'adjustment_mg', a.adjustment_mg, 'verifier', a.verifier, 'at', a.attested_at) as public,
       to_jsonb(a) as row
from attestation a join batch b using (batch_id)
where %(ids)s::bigint[] is null or a.attestation_id = any(%(ids)s::bigint[])

-- name: issue
select i.batch_id as ref_id, 0 as ref_no, b.salt,
       jsonb_build_object(
         'batch', i.batch_id, 'issued_g', i.issued_g, 'reserve_g', i.reserve_g, 'remainder_mg', i.remainder_mg,
         'carried_from', i.carried_from, 'carried_mg', i.carried_mg, 'recalled_mg', i.recalled_mg, 'at', i.issued_at) as public,
       to_jsonb(i) as row
from issue i join batch b using (batch_id)
where %(ids)s::bigint[] is null or i.batch_id = any(%(ids)s::bigint[])

-- name: cancellation
select c.cancellation_id as ref_id, 0 as ref_no, b.salt,
       jsonb_build_object('batch', c.batch_id, 'from_batch', c.from_batch, 'place', c.place, 'quantity_g', c.quantity_g,
                          'at', c.made_at) as public,
       to_jsonb(c) as row
from cancellation c join batch b using (batch_id)
where %(ids)s::bigint[] is null or c.cancellation_id = any(%(ids)s::bigint[])

-- name: amendment
select a.amendment_id as ref_id, 0 as ref_no, b.salt,
       jsonb_build_object('batch', a.batch_id, 'number', a.canonical::jsonb ->> 'number',
                          'sha256', encode(sha256(convert_to(a.canonical, 'UTF8')), 'hex'), 'at', a.made_at) as public,
       to_jsonb(a) as row
from amendment a join batch b using (batch_id)
where %(ids)s::bigint[] is null or a.amendment_id = any(%(ids)s::bigint[])

-- name: settlement
select s.settlement_id as ref_id, 0 as ref_no, b.salt,
       jsonb_build_object('batch', s.batch_id, 'ordinal', s.ordinal, 'at', s.made_at) as public, to_jsonb(s) as row
from settlement s join batch b using (batch_id)
where %(ids)s::bigint[] is null or s.settlement_id = any(%(ids)s::bigint[])

-- name: sale
-- What of an order changes later is left out: its state has entries of its own.
select o.order_id as ref_id, 0 as ref_no, c.salt,
       jsonb_build_object('at', o.paid_at, 'lines', l.lines) as public,
       jsonb_build_object('order_id', o.order_id, 'client_id', o.client_id, 'quote_id', o.quote_id, 'quantity_g', o.quantity_g,
                          'amount_fen', o.amount_fen, 'made_at', o.made_at, 'shares_ppm', o.shares_ppm, 'lines', l.rows,
                          'payment', to_jsonb(p)) as row
from purchase_order o
join client c using (client_id)
join payment p on p.order_id = o.order_id and p.taken
cross join lateral (
  select jsonb_agg(jsonb_build_object('batch', l.batch_id, 'quantity_g', l.quantity_g) order by l.batch_id) as lines,
         jsonb_agg(to_jsonb(l) order by l.batch_id) as rows
  from order_line l where l.order_id = o.order_id
) l
where %(ids)s::bigint[] is null or o.order_id = any(%(ids)s::bigint[])

-- name: refund
-- Of a sale; money that no order could take goes back without being one.
select r.refund_id as ref_id, 0 as ref_no, c.salt,
       jsonb_build_object('at', r.asked_at, 'lines', l.lines) as public,
       jsonb_build_object('refund_id', r.refund_id, 'payment_id', r.payment_id, 'order_id', r.order_id, 'amount_fen', r.amount_fen,
                          'reason', r.reason, 'asked_at', r.asked_at, 'asked_by', r.asked_by) as row
from refund r
join payment p on p.payment_id = r.payment_id and p.taken
join purchase_order o on o.order_id = r.order_id
join client c on c.client_id = o.client_id
cross join lateral (
  select jsonb_agg(jsonb_build_object('batch', l.batch_id, 'quantity_g', l.quantity_g) order by l.batch_id) as lines
  from order_line l where l.order_id = r.order_id
) l
where %(ids)s::bigint[] is null or r.refund_id = any(%(ids)s::bigint[])

-- name: transfer
select t.transfer_id as ref_id, 0 as ref_no, c.salt,
       jsonb_build_object('at', t.made_at, 'registry', t.registry, 'lines', l.lines) as public, to_jsonb(t) as row
from credit_transfer t
join client c on c.client_id = t.from_client
cross join lateral (
  select jsonb_agg(jsonb_build_object('batch', b.batch_id, 'quantity_g', b.quantity_g) order by b.batch_id) as lines
  from (
    select k.batch_id, sum(upper(k.serials) - lower(k.serials))::bigint as quantity_g from credit_block k
    where (k.account, k.owner, k.made_at) in (('held', t.to_client, t.made_at), ('transferred', t.transfer_id::text, t.made_at))
    group by k.batch_id
  ) b
) l
where %(ids)s::bigint[] is null or t.transfer_id = any(%(ids)s::bigint[])

-- name: retirement
select r.retirement_id as ref_id, 0 as ref_no, c.salt,
       jsonb_build_object('at', r.retired_at, 'certificate', r.number, 'quantity_g', r.quantity_g, 'lines', l.lines,
                          'sha256', encode(sha256(convert_to(f.canonical, 'UTF8')), 'hex')) as public,
       to_jsonb(r) || jsonb_build_object('kid', f.kid, 'algorithm', f.algorithm, 'signature', f.signature) as row
from retirement r
join client c using (client_id)
join certificate f on f.number = r.number
cross join lateral (
  select jsonb_agg(jsonb_build_object('batch', b.batch_id, 'quantity_g', b.quantity_g) order by b.batch_id) as lines
  from (
    select k.batch_id, sum(upper(k.serials) - lower(k.serials))::bigint as quantity_g from credit_block k
    where k.account = 'retired' and k.owner = r.number and k.superseded_at is null group by k.batch_id
  ) b
) l
where %(ids)s::bigint[] is null or r.retirement_id = any(%(ids)s::bigint[])

-- name: terms
select t.terms_id as ref_id, 0 as ref_no, null::bytea as salt, to_jsonb(t) as public, '{}'::jsonb as row
from sale_terms t
where %(ids)s::bigint[] is null or t.terms_id = any(%(ids)s::bigint[])

-- name: erasure
select e.erasure_id as ref_id, 0 as ref_no, null::bytea as salt,
       jsonb_build_object('at', e.erased_at, 'leaves', e.leaves) as public, '{}'::jsonb as row
from erasure e
where %(ids)s::bigint[] is null or e.erasure_id = any(%(ids)s::bigint[])
