-- The log: what waits for its place in it, the leaves, the tree over them, its signed heads.

-- name: add_pending
copy log_pending (kind, ref_id, ref_no, entry) from stdin

-- name: try_to_sequence
-- One sequencer at a time, until the commit.
select pg_try_advisory_xact_lock(hashtext('log'), 0)

-- name: head
select size, origin, root, note, made_at from log_checkpoint order by size desc limit 1

-- name: checkpoint
select size, origin, root, note, made_at from log_checkpoint where size = %(size)s

-- name: checkpoints
select size, made_at from log_checkpoint where size < %(before)s order by size desc limit %(limit)s

-- name: sequence
-- Move what waits into the log, in the order in which it was written, behind what is there. No watermark: a row of a
-- transaction that commits late waits for the next time.
with taken as (
  delete from log_pending where pending_id in (select pending_id from log_pending order by pending_id limit %(limit)s)
  returning *
)
insert into log_leaf (leaf_index, kind, ref_id, ref_no, entry)
select %(size)s + row_number() over (order by pending_id) - 1, kind, ref_id, ref_no, entry from taken
returning leaf_index, sha256('\x00'::bytea || entry)

-- name: add_leaf
insert into log_leaf (leaf_index, kind, ref_id, ref_no, entry) values (%(leaf_index)s, %(kind)s, %(ref_id)s, 0, %(entry)s)

-- name: leaf_hashes
select sha256('\x00'::bytea || entry) from log_leaf
where leaf_index >= %(first)s and leaf_index < %(until)s order by leaf_index

-- name: entries
select entry from log_leaf where leaf_index >= %(first)s and leaf_index < %(until)s order by leaf_index

-- name: nodes
select hash from log_node where level = %(level)s and node_index >= %(first)s and node_index < %(until)s order by node_index

-- name: add_nodes
copy log_node (level, node_index, hash) from stdin

-- name: add_checkpoint
insert into log_checkpoint (size, origin, root, note, made_at) values (%(size)s, %(origin)s, %(root)s, %(note)s, %(at)s)

-- name: last_keys
-- The newest entry that says which keys sign.
select entry from log_leaf where kind = 'keys' order by ref_id desc limit 1

-- name: key_changes
-- Each entry that says which keys sign, and the first head that holds it.
select l.leaf_index, l.entry, c.note
from log_leaf l cross join lateral (
  select c.note from log_checkpoint c where c.size > l.leaf_index order by c.size limit 1
) c
where l.kind = 'keys' order by l.ref_id

-- name: waiting
select count(*), min(pending_id) from (select pending_id from log_pending limit %(limit)s) p

-- name: leaf
select leaf_index, entry from log_leaf where kind = %(kind)s and ref_id = %(ref_id)s and ref_no = %(ref_no)s

-- name: cosignatures
select line from log_cosignature where size = %(size)s order by key

-- name: cosigned
-- The largest head that a witness has signed.
select coalesce(max(size), 0) from log_cosignature where key = %(key)s

-- name: add_cosignature
insert into log_cosignature (size, key, line, made_at) values (%(size)s, %(key)s, %(line)s, %(at)s)
on conflict do nothing

-- name: salts
select person_id, salt from person where person_id = any(%(people)s::bigint[])

-- name: member_hashes
-- Of a batch's deeds, those that wait for their place in the log too. `offset 0`: index probes, whatever was counted last.
select sha256('\x00'::bytea || e.entry) as hash
from (
  select l.entry from batch_member m join log_leaf l on l.kind = 'deed' and l.ref_id = m.deed_id and l.ref_no = m.version
  where m.batch_id = %(batch_id)s
  union all
  select p.entry from log_pending p cross join lateral (
    select from batch_member m where m.deed_id = p.ref_id and m.version = p.ref_no and m.batch_id = %(batch_id)s offset 0
  ) m
  where p.kind = 'deed'
) e
order by hash

-- name: add_batch_tree
insert into batch_tree (batch_id, size, members_root) values (%(batch_id)s, %(size)s, %(root)s)

-- name: add_batch_tiles
copy batch_tile (batch_id, level, tile_index, first_hash, hashes) from stdin

-- name: batch_tree
select t.size, t.members_root from batch_tree t where t.batch_id = %(batch_id)s

-- name: batch_tile
select hashes from batch_tile where batch_id = %(batch_id)s and level = %(level)s and tile_index = %(tile_index)s

-- name: batch_tile_of
-- The tile in which a leaf hash must be.
select tile_index, hashes from batch_tile
where batch_id = %(batch_id)s and level = 0 and first_hash <= %(hash)s
order by first_hash desc limit 1

-- name: deed_versions
-- Versions of deeds, and what opens their commitments. `offset 0`: one index probe a deed.
select d.deed_id, d.version, d.person_id, d.started_at, d.ended_at, d.class, d.pack_code, d.pack_version, d.gas_basis,
       d.region, d.vintage_month, d.evidence, d.event_id, d.client_id, d.reduction_mg, d.points, d.stands, d.made_at, p.salt
from unnest(%(deeds)s::bigint[], %(versions)s::integer[]) as k (deed_id, version)
cross join lateral (select * from deed d where d.deed_id = k.deed_id and d.version = k.version offset 0) d
left join person p on p.person_id = d.person_id

-- name: deed_records
-- The records that were credited as one version of a deed when it was made: as judged at first, or as changed by then.
select d.deed_id, d.version, e.event_id, e.client_id, e.event_ref, encode(e.pack_sha256, 'hex') as pack, e.region, e.day,
       e.started_at, e.ended_at, e.evidence, e.facts::text, e.measured_mg, e.cap_mg, e.cap_points,
       coalesce(r.code, e.code) as code, coalesce(r.reduction_mg, e.reduction_mg) as reduction_mg,
       coalesce(r.points, e.points) as points
from unnest(%(deeds)s::bigint[], %(versions)s::integer[]) as k (deed_id, version)
cross join lateral (select * from deed d where d.deed_id = k.deed_id and d.version = k.version offset 0) d
cross join lateral same_person(d.person_id) as account
cross join lateral (
  select * from event e
  where e.person_id = account and e.class = d.class and e.received_at <= d.made_at
    and e.started_at >= d.started_at - interval '2 days' and e.started_at <= d.ended_at + interval '2 days'
  offset 0
) e
left join lateral (
  select * from reverdict r where r.event_id = e.event_id and r.changed_at <= d.made_at order by r.version desc limit 1
) r on true
where d.stands and coalesce(r.verdict, e.verdict) = 'credited'
  and case when r.event_id is null then e.deed_id else r.deed_id end = d.deed_id
order by d.deed_id, d.version, e.started_at, e.event_id

-- name: unlogged_deeds
-- Versions of deeds that have no leaf, as those made before there was a log.
select d.deed_id, d.version from deed d
where (d.deed_id, d.version) > (%(deed_id)s, %(version)s)
  and not exists (select from log_leaf l where l.kind = 'deed' and l.ref_id = d.deed_id and l.ref_no = d.version)
  and not exists (select from log_pending p where p.kind = 'deed' and p.ref_id = d.deed_id and p.ref_no = d.version)
order by d.deed_id, d.version limit %(limit)s

-- name: add_erasure
insert into erasure (leaves, erased_at) values (%(leaves)s, %(at)s) returning erasure_id

-- name: batches_without_tree
select b.batch_id from batch b where not exists (select from batch_tree t where t.batch_id = b.batch_id) order by b.batch_id

-- name: logged
select ref_id from log_leaf where kind = %(kind)s union all select ref_id from log_pending where kind = %(kind)s
