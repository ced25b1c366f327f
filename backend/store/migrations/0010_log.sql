-- The log: what is to be logged waits in log_pending, written with its fact; the sequencer gives it a place for ever.

alter table person add column salt bytea not null default
  decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
alter table client add column salt bytea not null default
  decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
alter table batch add column salt bytea not null default
  decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
alter table amendment add column amendment_id bigint generated always as identity unique;

create index on credit_block (owner, made_at) where account in ('held', 'transferred');  -- what a transfer moved

create table batch_tree (                       -- over the leaf hashes of a batch's deeds; without a row: closed before there was a log
  batch_id      bigint primary key references batch,
  size          integer not null,
  members_root  bytea not null
);

create table batch_tile (                       -- its tiles, as those of the log: the leaf hashes in ascending order at level 0
  batch_id    bigint not null references batch_tree,
  level       integer not null,
  tile_index  integer not null,
  first_hash  bytea not null,
  hashes      bytea not null,
  primary key (batch_id, level, tile_index)
);
create index on batch_tile (batch_id, first_hash) where level = 0;

create table log_pending (                      -- no watermark: whatever is here waits, whenever it was committed
  pending_id  bigint generated always as identity primary key,
  kind        text not null,
  ref_id      bigint not null,                  -- the fact, by kind
  ref_no      integer not null default 0,
  entry       bytea not null
);

create table log_leaf (                         -- the log itself
  leaf_index  bigint primary key,
  kind        text not null,
  ref_id      bigint not null,
  ref_no      integer not null,
  entry       bytea not null
);
create unique index on log_leaf (kind, ref_id, ref_no);

create table log_node (                         -- roots of full subtrees of 256^level leaves; leaves are hashed when asked
  level       integer not null check (level >= 1),
  node_index  bigint not null,
  hash        bytea not null,
  primary key (level, node_index)
);

create table erasure (                          -- an account's end, of which the log says how many leaves lost row and salt
  erasure_id  bigint generated always as identity primary key,
  leaves      integer not null,
  erased_at   timestamptz not null
);

create table log_checkpoint (                   -- every head that was ever signed
  size     bigint primary key,
  origin   text not null,
  root     bytea not null,
  note     text not null,
  made_at  timestamptz not null
);

create table log_cosignature (
  size     bigint not null references log_checkpoint,
  key      text not null,                       -- the witness's key, as it is written
  line     text not null,                       -- of the note
  made_at  timestamptz not null,
  primary key (size, key)
);

create trigger append_only before update or delete or truncate on batch_tree execute function refuse_change();
create trigger append_only before update or delete or truncate on batch_tile execute function refuse_change();
create trigger append_only before update or delete or truncate on erasure execute function refuse_change();
create trigger append_only before update or delete or truncate on log_leaf execute function refuse_change();
create trigger append_only before update or delete or truncate on log_node execute function refuse_change();
create trigger append_only before update or delete or truncate on log_checkpoint execute function refuse_change();
create trigger no_truncate before update or truncate on log_pending execute function refuse_change();
