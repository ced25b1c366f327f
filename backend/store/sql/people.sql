-- name: by_key
select p.person_id, p.created_at from person_key k join person p using (person_id) where k.key_digest = %(key_digest)s

-- name: by_id
select person_id, created_at from person where person_id = %(person_id)s

-- name: beside_imports
-- Logins make people beside one another, but not beside an import of people.
select pg_advisory_xact_lock_shared(hashtext('people'), 0)

-- name: create
insert into person (created_at) values (%(now)s) returning person_id, created_at

-- name: add_key
-- Waits for another login with the same key to commit, and then touches no row.
insert into person_key (key_digest, person_id, added_at) values (%(key_digest)s, %(person_id)s, %(now)s)
on conflict (key_digest) do nothing

-- name: partners
select l.client_id, c.name, min(l.linked_at) as linked_at
from link l join client c using (client_id)
where l.person_id = %(person_id)s and l.ended_at is null
group by l.client_id, c.name
order by 3, 1

-- name: consents
-- The latest word on each purpose. A partner that brought the consent is named.
select distinct on (n.purpose) n.purpose, n.given_at, n.withdrawn_at, n.text_version, coalesce(c.name, n.source) as source
from consent n left join client c on c.client_id = n.source
where n.person_id = %(person_id)s
order by n.purpose, n.given_at desc
