-- Recalls: what deeds of a batch lose after its close. What is sold or retired never changes; other grams are cancelled.

alter table issue add column recalled_mg bigint not null default 0 check (recalled_mg >= 0);  -- before issue: not minted

create table recall (                           -- a deed of a batch is worth less than at close, or (negative) more again
  recall_id    bigint generated always as identity primary key,
  batch_id     bigint not null references batch,
  deed_id      bigint not null references batch_member,
  recalled_mg  bigint not null check (recalled_mg <> 0),
  cause        text not null,                   -- the correction behind it; '' where it came about indirectly
  made_at      timestamptz not null
);
create index on recall (deed_id);
create index on recall (batch_id, cause);

create table batch_recall (                     -- the sum, kept under the batch's lock; deeds that gained count as nothing
  batch_id     bigint primary key references batch,
  recalled_mg  bigint not null check (recalled_mg >= 0),
  owed_g       bigint not null check (owed_g >= 0)
);
create index on batch_recall (batch_id) where owed_g > 0;

create table cancellation (                     -- grams given up for what a batch recalled, perhaps by another batch
  cancellation_id  bigint generated always as identity primary key,
  batch_id         bigint not null references issue,
  from_batch       bigint not null references issue,
  place            text not null check (place in ('available', 'reserve')),
  quantity_g       bigint not null check (quantity_g > 0),
  made_by          text not null,               -- an operator's client id; '' for the recall itself
  made_at          timestamptz not null
);
create index on cancellation (batch_id);

create table amendment (                        -- one a day and batch; the day's highest version is shown
  batch_id   bigint not null references issue,
  made_on    date not null,
  version    integer not null,
  canonical  text not null,
  kid        text not null,
  algorithm  text not null,
  signature  text not null,
  made_at    timestamptz not null,
  primary key (batch_id, made_on, version)
);

create table notice (                           -- what a client is told; one of a subject is brought up to date
  notice_id  bigint generated always as identity primary key,
  client_id  text not null references client,
  kind       text not null check (kind in ('recall', 'correction_cost', 'verdicts')),
  subject    text,
  body       json not null,
  made_at    timestamptz not null,
  unique (client_id, kind, subject)
);
create index on notice (client_id, made_at, notice_id);

create table batch_freeze (                     -- an identity failed: nothing of the batch moves until an operator lifts it
  freeze_id  bigint generated always as identity primary key,
  batch_id   bigint not null references batch,
  reason     text not null,
  frozen_at  timestamptz not null,
  lifted_at  timestamptz,
  lifted_by  text references client,
  note       text,
  check ((lifted_at is null) = (lifted_by is null))
);
create unique index on batch_freeze (batch_id) where lifted_at is null;

create trigger append_only before update or delete or truncate on recall execute function refuse_change();
create trigger append_only before update or delete or truncate on cancellation execute function refuse_change();
create trigger append_only before update or delete or truncate on amendment execute function refuse_change();
