-- name: add_client
insert into client (client_id, role, name, issuer) values (%(client_id)s, %(role)s, %(name)s, %(issuer)s)

-- name: issuer_taken
select 1 as taken from client where issuer = %(issuer)s

-- name: add_key
insert into client_key (client_id, kid, jwk) values (%(client_id)s, %(kid)s, %(jwk)s)

-- name: add_waiver
insert into partner_waiver (client_id, waived_from, document) values (%(client_id)s, %(waived_from)s, %(document)s)

-- name: add_ceiling
insert into evidence_ceiling (client_id, event_type, tier) values (%(client_id)s, %(event_type)s, %(tier)s)

-- name: find_client
select client_id, role, name from client where client_id = %(client_id)s

-- name: list_clients
select client_id, role, name, issuer, created_at, number from client order by created_at, client_id

-- name: find_keys
select jwk from client_key where client_id = %(client_id)s and revoked_at is null order by added_at desc

-- name: all_keys
select jwk, revoked_at is not null as is_revoked from client_key where client_id = %(client_id)s

-- name: revoke_key
update client_key set revoked_at = now() where client_id = %(client_id)s and kid = %(kid)s and revoked_at is null

-- name: use_assertion
insert into used_assertion (digest, expires_at) values (%(digest)s, to_timestamp(%(expires_s)s))
on conflict do nothing

-- name: find_links
select partner_ref_digest, person_id, subject from link
where client_id = %(client_id)s and partner_ref_digest = any(%(digests)b::bytea[])

-- name: find_person_keys
select key_digest, person_id from person_key where key_digest = any(%(digests)b::bytea[])

-- name: add_people
insert into person (created_at) select now() from generate_series(1, %(n)s) returning person_id

-- name: add_person_keys
insert into person_key (key_digest, person_id)
select * from unnest(%(digests)b::bytea[], %(people)s::bigint[])

-- name: add_links
insert into link (subject, client_id, partner_ref_digest, person_id)
select k.s, %(client_id)s, k.d, k.p
from unnest(%(subjects)s::text[], %(digests)b::bytea[], %(people)s::bigint[]) as k (s, d, p)

-- name: add_consents
insert into consent (person_id, purpose, given_at, text_version, source, evidence_digest)
select p, purpose, %(given_at)s, %(text_version)s, %(source)s, %(evidence_digest)s
from unnest(%(people)s::bigint[]) as p, unnest(%(purposes)s::text[]) as purpose
where not exists (
  select 1 from consent c where c.person_id = p and c.purpose = purpose and c.withdrawn_at is null
)
on conflict do nothing

-- name: lock_imports
select pg_advisory_xact_lock(hashtext('people'), 0)
