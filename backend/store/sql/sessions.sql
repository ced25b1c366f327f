-- name: keep
insert into refresh_token (digest, family, person_id, issued_at, expires_at)
values (%(digest)s, %(family)s, %(person_id)s, %(now)s, %(expires_at)s)

-- name: take
-- The row is locked: of two uses at one moment the second sees the first.
select family, person_id, expires_at, used_at, revoked_at from refresh_token where digest = %(digest)s for update

-- name: mark_used
update refresh_token set used_at = %(now)s where digest = %(digest)s

-- name: revoke_family
update refresh_token set revoked_at = %(now)s where family = %(family)s and revoked_at is null

-- name: forget_expired
delete from refresh_token where person_id = %(person_id)s and expires_at < %(now)s
