-- name: is_my_round
select pg_try_advisory_xact_lock(hashtext('schedule'), 0)

-- name: forget_assertions
delete from used_assertion where expires_at < %(now)s
