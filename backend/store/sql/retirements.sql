-- Retirements, certificates and their renderings.

-- name: take_id
select nextval('retirement_id_seq') as retirement_id

-- name: add_retirement
insert into retirement (retirement_id, number, client_id, quantity_g, request, retired_at)
values (%(retirement_id)s, %(number)s, %(client_id)s, %(quantity_g)s, %(request)s, %(retired_at)s)

-- name: sources
-- What a certificate says of each batch that gives grams to a retirement.
select b.batch_id, b.region, b.pack_code, b.pack_version, b.provisional, b.demonstration, b.gas_basis, b.vintage_month,
       b.people, b.deeds, t.members_root, c.name as verifier, a.assurance
from batch b
left join batch_tree t using (batch_id)
join attestation a on a.batch_id = b.batch_id and a.decision = 'attested'
join client c on c.client_id = a.verifier
where b.batch_id = any(%(batches)s::bigint[])
order by b.batch_id

-- name: client_name
select name from client where client_id = %(client_id)s

-- name: add_certificate
insert into certificate (number, canonical, kid, algorithm, signature)
values (%(number)s, %(canonical)s, %(kid)s, %(algorithm)s, %(signature)s)

-- name: certificate
select r.retirement_id, c.canonical, c.kid, c.algorithm, c.signature
from certificate c join retirement r using (number) where number = %(number)s

-- name: numbers
select distinct owner from credit_block
where batch_id = %(batch_id)s and account = 'retired' and superseded_at is null order by owner limit %(limit)s

-- name: retired_spans
select batch_id, lower(serials) as first, upper(serials) - 1 as last
from credit_block where superseded_at is null and account = 'retired' and owner = %(number)s
order by batch_id, serials

-- name: pdf
select pdf from certificate_pdf where number = %(number)s

-- name: add_pdf
insert into certificate_pdf (number, pdf, made_at) values (%(number)s, %(pdf)s, %(made_at)s) on conflict do nothing

-- name: without_pdf
select r.number from retirement r left join certificate_pdf p using (number)
where p.number is null and r.retired_at < %(before)s
order by r.retirement_id limit 100

-- name: retirements
-- A company's retirements, newest first.
select r.retirement_id, r.number, r.quantity_g, r.request, r.retired_at, p.number is not null as has_pdf, (c.canonical::json ->> 'demonstration')::boolean as demonstration
from retirement r join certificate c using (number) left join certificate_pdf p using (number)
where r.client_id = %(client_id)s and r.retirement_id < %(before)s
order by r.retirement_id desc
limit %(limit)s
