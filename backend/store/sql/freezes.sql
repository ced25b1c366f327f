-- name: freeze
-- Not again for what an operator looked at and lifted.
insert into batch_freeze (batch_id, reason, frozen_at)
select b.batch_id, k.reason, %(at)s
from unnest(%(batches)s::bigint[], %(reasons)s::text[]) as k (batch_id, reason) join batch b using (batch_id)
where not exists (select from batch_freeze f where f.batch_id = b.batch_id and (f.lifted_at is null or f.reason = k.reason))
on conflict do nothing
returning batch_id

-- name: lift
update batch_freeze set lifted_at = %(at)s, lifted_by = %(by)s, note = %(note)s
where batch_id = %(batch_id)s and lifted_at is null
