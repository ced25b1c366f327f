-- name: claim
insert into idempotency (client_id, key, route, request_digest, made_at)
values (%(client_id)s, %(key)s, %(route)s, %(digest)s, %(made_at)s)
on conflict do nothing

-- name: find
select route, request_digest, answer from idempotency where client_id = %(client_id)s and key = %(key)s

-- name: keep
update idempotency set answer = %(answer)s where client_id = %(client_id)s and key = %(key)s
