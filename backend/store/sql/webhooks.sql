-- Webhooks, the outbox and its deliveries.

-- name: add_messages
-- Messages, and a due row for each living webhook of their clients that wants the kind.
with told as (
  insert into message (public_id, client_id, kind, body, made_at)
  select p, c, k, b, %(at)s
  from unnest(%(ids)s::text[], %(clients)s::text[], %(kinds)s::text[], %(bodies)s::json[]) as m (p, c, k, b)
  returning message_id, client_id, kind
)
insert into delivery_due (message_id, webhook_id, due_at)
select t.message_id, w.webhook_id, %(at)s
from told t join webhook w on w.client_id = t.client_id and w.disabled_at is null
where case when %(webhook_id)s::bigint is null then w.kinds = '{}' or t.kind = any(w.kinds) else w.webhook_id = %(webhook_id)s end
for key share of w

-- name: add_webhook
insert into webhook (client_id, url, kinds, salt, made_at)
values (%(client_id)s, %(url)s, %(kinds)s, %(salt)s, %(at)s)
returning webhook_id

-- name: webhooks
select w.*, (select count(*) from delivery_due d where d.webhook_id = w.webhook_id) as waiting
from webhook w where w.client_id = %(client_id)s and (%(webhook_id)s::bigint is null or w.webhook_id = %(webhook_id)s)
order by w.webhook_id

-- name: remove_webhook
delete from webhook where webhook_id = %(webhook_id)s and client_id = %(client_id)s

-- name: set_salt
update webhook set salt = %(salt)s, old_salt = salt, old_until = %(old_until)s
where webhook_id = %(webhook_id)s and client_id = %(client_id)s

-- name: drop_old_secret
update webhook set old_salt = null, old_until = null where webhook_id = %(webhook_id)s and client_id = %(client_id)s

-- name: enable
update webhook set disabled_at = null, disabled_for = null, failing_since = null
where webhook_id = %(webhook_id)s and client_id = %(client_id)s

-- name: lease
-- Take due deliveries for a while, at most a few of each webhook, so that a slow one does not hold up the others.
with ranked as (
  select d.message_id, d.webhook_id, row_number() over (partition by d.webhook_id order by d.due_at, d.message_id) as place
  from delivery_due d join webhook w using (webhook_id)
  where d.due_at <= %(now)s and w.disabled_at is null and w.webhook_id <> all(%(busy)s::bigint[])
), taken as (
  select d.message_id, d.webhook_id from delivery_due d join ranked r using (message_id, webhook_id)
  where r.place <= %(each)s and d.due_at <= %(now)s
  order by d.due_at, d.message_id limit %(limit)s
  for update of d skip locked
)
update delivery_due d set due_at = %(until)s, attempts = d.attempts + 1
from taken t, message m, webhook w
where (d.message_id, d.webhook_id) = (t.message_id, t.webhook_id) and m.message_id = d.message_id and w.webhook_id = d.webhook_id
returning d.message_id, d.webhook_id, d.attempts, m.public_id, m.kind, m.body, m.made_at, w.client_id, w.url, w.salt,
          w.old_salt, w.old_until, w.failing_since

-- name: add_delivery
insert into delivery (message_id, webhook_id, attempt, at, took_ms, status, error)
values (%(message_id)s, %(webhook_id)s, %(attempt)s, %(at)s, %(took_ms)s, %(status)s, %(error)s)

-- name: delivered
delete from delivery_due where message_id = %(message_id)s and webhook_id = %(webhook_id)s and attempts = %(attempt)s

-- name: postpone
update delivery_due set due_at = %(due_at)s
where message_id = %(message_id)s and webhook_id = %(webhook_id)s and attempts = %(attempt)s

-- name: set_health
update webhook set failing_since = %(failing_since)s where webhook_id = %(webhook_id)s and failing_since is distinct from %(failing_since)s

-- name: disable
update webhook set disabled_at = %(at)s, disabled_for = %(reason)s where webhook_id = %(webhook_id)s and disabled_at is null

-- name: is_due
select exists (select from delivery_due d join webhook w using (webhook_id) where d.due_at <= %(now)s and w.disabled_at is null) as due

-- name: deliveries
select d.delivery_id, m.public_id, m.kind, d.attempt, d.at, d.took_ms, d.status, d.error
from delivery d join message m using (message_id)
where d.webhook_id = %(webhook_id)s and m.client_id = %(client_id)s and d.delivery_id < %(before)s
order by d.delivery_id desc
limit %(limit)s

-- name: messages
select message_id, public_id, kind, body, made_at from message
where client_id = %(client_id)s and message_id < %(before)s and (%(public_id)s::text is null or public_id = %(public_id)s)
order by message_id desc
limit %(limit)s

-- name: replay
-- Have messages delivered again to a client's living webhooks, or to one of them.
insert into delivery_due (message_id, webhook_id, due_at)
select m.message_id, w.webhook_id, %(at)s
from message m join webhook w on w.client_id = m.client_id and w.disabled_at is null
where m.client_id = %(client_id)s and (%(public_id)s::text is null or m.public_id = %(public_id)s)
  and (%(since)s::timestamptz is null or m.made_at >= %(since)s)
  and (%(webhook_id)s::bigint is null or w.webhook_id = %(webhook_id)s)
order by m.message_id
limit 10000
on conflict (message_id, webhook_id) do update set due_at = excluded.due_at, attempts = 0
