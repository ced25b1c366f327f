-- name: add_notice
insert into notice (client_id, kind, subject, body, made_at)
values (%(client_id)s, %(kind)s, %(subject)s, %(body)s, %(at)s)
on conflict (client_id, kind, subject) do update set body = excluded.body, made_at = excluded.made_at

-- name: notices
-- A client's notices, newest first.
select notice_id, kind, body, made_at from notice
where client_id = %(client_id)s and (made_at, notice_id) < (%(made_at)s, %(notice_id)s)
order by made_at desc, notice_id desc
limit %(limit)s
