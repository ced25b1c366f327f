-- Webhooks: the outbox, what waits to be delivered, and the log of every attempt.

create table webhook (
  webhook_id     bigint generated always as identity primary key,
  client_id      text not null references client,
  url            text not null,
  kinds          text[] not null,               -- empty: all
  salt           bytea not null,                -- the secret is made of it and the platform's own, and kept nowhere
  old_salt       bytea,                         -- of a rotation: signs too, until then
  old_until      timestamptz,
  made_at        timestamptz not null,
  failing_since  timestamptz,                   -- no delivery has worked since
  disabled_at    timestamptz,
  disabled_for   text,
  check ((old_salt is null) = (old_until is null)),
  check ((disabled_at is null) = (disabled_for is null))
);
create index on webhook (client_id);

create table message (                          -- the outbox: written in the transaction of what it tells
  message_id  bigint generated always as identity primary key,
  public_id   text not null unique,
  client_id   text not null references client,
  kind        text not null,
  body        json not null,
  made_at     timestamptz not null
);
create index on message (client_id, message_id);

create table delivery_due (                     -- pending; a row goes when it was delivered or given up
  message_id  bigint not null references message,
  webhook_id  bigint not null references webhook on delete cascade,
  due_at      timestamptz not null,
  attempts    integer not null default 0,
  primary key (message_id, webhook_id)
);
create index on delivery_due (due_at);

create table delivery (                         -- every attempt; of the answer only its status is kept
  delivery_id  bigint generated always as identity primary key,
  message_id   bigint not null references message,
  webhook_id   bigint not null,
  attempt      integer not null,
  at           timestamptz not null,
  took_ms      integer not null,
  status       integer,
  error        text
);
create index on delivery (webhook_id, delivery_id);

create trigger append_only before update or delete or truncate on message execute function refuse_change();
create trigger append_only before update or delete or truncate on delivery execute function refuse_change();
