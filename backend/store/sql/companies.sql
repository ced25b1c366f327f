-- Companies: legal entities, partners inside a company's boundary, transfers of held grams.

-- name: add_entity
insert into legal_entity (uscc, name, name_en, state, asked_by, asked_at)
values (%(uscc)s, %(name)s, %(name_en)s, 'waiting', %(client_id)s, %(at)s)
on conflict (uscc) do nothing

-- name: entities
select e.*, c.name as asked_by_name from legal_entity e join client c on c.client_id = e.asked_by
where (%(uscc)s::text is null or e.uscc = %(uscc)s) and (%(state)s::text is null or e.state = %(state)s)
  and (%(client_id)s::text is null or e.asked_by = %(client_id)s)
  and e.uscc > %(after)s
order by e.uscc
limit %(limit)s

-- name: decide_entity
update legal_entity
set state = %(state)s, name = %(name)s, name_en = %(name_en)s, decided_by = %(by)s, decided_at = %(at)s, note = %(note)s
where uscc = %(uscc)s

-- name: add_own_partner
insert into own_partner (client_id, partner_id, declared_at)
select %(client_id)s, client_id, %(at)s from client where client_id = %(partner_id)s and role = 'partner'
on conflict do nothing

-- name: end_own_partner
update own_partner set ended_at = %(at)s, ended_by = %(by)s
where client_id = %(client_id)s and partner_id = %(partner_id)s and ended_at is null

-- name: own_partners
select o.partner_id, c.name, o.declared_at from own_partner o join client c on c.client_id = o.partner_id
where o.client_id = %(client_id)s and o.ended_at is null order by o.partner_id

-- name: partners
-- Every partner by name: which of them are a company's own is asked of the company.
select client_id, name from client where role = 'partner' order by name, client_id

-- name: own_shares
-- How much of each batch came through a company's own partners: collected milligrams, theirs and all.
select p.batch_id, sum(p.collected_mg) filter (where o.client_id is not null)::numeric as own_mg, sum(p.collected_mg)::numeric as all_mg
from batch_partner p
left join own_partner o on o.client_id = %(client_id)s and o.partner_id = p.client_id and o.ended_at is null
where p.batch_id = any(%(batches)s::bigint[])
group by p.batch_id
having count(o.client_id) > 0

-- name: add_transfer
insert into credit_transfer (from_client, to_client, registry, registry_note, quantity_g, made_at)
values (%(from_client)s, %(to_client)s, %(registry)s, %(registry_note)s, %(quantity_g)s, %(at)s)
returning transfer_id

-- name: company_exists
select exists (select from client where client_id = %(client_id)s and role = 'company') as known

-- name: transfers
select t.*, f.name as from_name, c.name as to_name
from credit_transfer t join client f on f.client_id = t.from_client left join client c on c.client_id = t.to_client
where (t.from_client = %(client_id)s or t.to_client = %(client_id)s) and t.transfer_id < %(before)s
order by t.transfer_id desc
limit %(limit)s
