-- The public registry: its index of retirements, and the records of batches.

-- name: add_entry
insert into registry_entry (retirement_id, retired_at, purpose)
select retirement_id, retired_at, request ->> 'purpose' from retirement where retirement_id = %(retirement_id)s

-- name: add_lines
insert into registry_line (retirement_id, batch_id, retired_at, region, pack_code, vintage_month)
select retirement_id, batch_id, retired_at, region, pack_code, vintage_month
from retired_line where retirement_id = %(retirement_id)s

-- name: add_beneficiaries
insert into registry_beneficiary (retirement_id, uscc, retired_at)
select distinct retirement_id, uscc, retired_at from retired_for where retirement_id = %(retirement_id)s

-- name: add_periods
insert into registry_period (node, retired_at, retirement_id)
select node, retired_at, retirement_id from retired_period where retirement_id = %(retirement_id)s

-- name: add_names
-- In order, so that no two retirements wait for each other.
insert into registry_name (form, uscc, grams)
select form, uscc, name_grams(form)
from (
  select distinct name_form(n.name) as form, f.uscc
  from retired_for f, unnest(array[f.name, f.name_en]) n (name) where f.retirement_id = %(retirement_id)s
) d
where length(form) >= 2 order by form, uscc
on conflict do nothing

-- name: scan
-- The newest `depth` places of some lists of one kind, in one order, and which of them fit all else that is asked. Each
-- branch but one is left out when the statement is planned; that one reads `depth` entries of its index for each key.
-- What is held against the other lists is looked up place by place (an `exists` could be hashed, out of a whole table).
with listed as (
  select l.retired_at, l.retirement_id
  from unnest(%(keys)s::text[]) k (key)
  cross join lateral (
    (select retired_at, retirement_id from registry_entry
     where %(by)s::text = 'time'
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s
     order by retired_at desc, retirement_id desc limit %(depth)s)
    union all
    (select retired_at, retirement_id from registry_entry
     where %(by)s::text = 'retirement' and retirement_id = k.key::bigint
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s)
    union all
    (select retired_at, retirement_id from registry_entry
     where %(by)s::text = 'purpose' and purpose = k.key
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s
     order by retired_at desc, retirement_id desc limit %(depth)s)
    union all
    (select retired_at, retirement_id from registry_beneficiary
     where %(by)s::text = 'beneficiary' and uscc = k.key
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s
     order by retired_at desc, retirement_id desc limit %(depth)s)
    union all
    (select retired_at, retirement_id from registry_period
     where %(by)s::text = 'period' and node = k.key::integer
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s
     order by retired_at desc, retirement_id desc limit %(depth)s)
    union all
    (select retired_at, retirement_id from registry_line
     where %(by)s::text = 'batch' and batch_id = k.key::bigint
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s
     order by retired_at desc, retirement_id desc limit %(depth)s)
    union all
    (select retired_at, retirement_id from registry_line
     where %(by)s::text = 'methodology' and pack_code = k.key
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s
     order by retired_at desc, retirement_id desc limit %(depth)s)
    union all
    (select retired_at, retirement_id from registry_line
     where %(by)s::text = 'region' and region = k.key
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s
     order by retired_at desc, retirement_id desc limit %(depth)s)
    union all
    (select retired_at, retirement_id from registry_line
     where %(by)s::text = 'vintage' and vintage_month = k.key::date
       and (retired_at, retirement_id) < (%(before)s, %(before_id)s) and retired_at >= %(since)s
     order by retired_at desc, retirement_id desc limit %(depth)s)
  ) l
  order by l.retired_at desc, l.retirement_id desc
  limit %(depth)s
)
select l.retired_at, l.retirement_id,
       (%(retirement)s::bigint[] is null or l.retirement_id = any(%(retirement)s))
       and (%(purpose)s::text[] is null or (
              select true from registry_entry e
              where e.retirement_id = l.retirement_id and e.purpose = any(%(purpose)s) limit 1) is not null)
       and (%(period)s::integer[] is null or (
              select true from unnest(%(period)s) n (node) join registry_period p using (node)
              where p.retired_at = l.retired_at and p.retirement_id = l.retirement_id limit 1) is not null)
       and (%(beneficiary)s::text[] is null or (
              select true from registry_beneficiary b
              where b.retirement_id = l.retirement_id and b.uscc = any(%(beneficiary)s) limit 1) is not null)
       and (not %(by_line)s or (
              select true from registry_line n
              where n.retirement_id = l.retirement_id
                and (%(batch)s::bigint[] is null or n.batch_id = any(%(batch)s))
                and (%(methodology)s::text[] is null or n.pack_code = any(%(methodology)s))
                and (%(region)s::text[] is null or n.region = any(%(region)s))
                and (%(vintage)s::date[] is null or n.vintage_month = any(%(vintage)s)) limit 1) is not null) as fits
from listed l
order by l.retired_at desc, l.retirement_id desc

-- name: find_codes
-- The codes that were ever written with a name that holds these words.
select distinct n.uscc
from registry_name n, (select name_form(%(words)s) as form) w
where n.grams @> name_grams(w.form) and strpos(n.form, w.form) > 0
limit %(limit)s

-- name: find_retirements
-- The blocks that hold any of these serials and are retired: the retirement of each. The range itself must be right.
select r.retirement_id
from credit_block c
join batch b on b.batch_id = c.batch_id
join retirement r on r.number = c.owner
where int8range(c.batch_id, c.batch_id, '[]') && int8range(%(batch)s::bigint, %(batch)s::bigint, '[]')
  and c.serials && int8range(%(first)s::bigint, %(last)s::bigint, '[]')
  and c.superseded_at is null and c.account = 'retired'
  and (%(region)s::text is null or (b.region, b.pack_code, b.vintage_month) = (%(region)s, %(pack_code)s, %(vintage_month)s::date))
limit %(limit)s

-- name: find_batches
select batch_id from batch
where (%(batch)s::bigint[] is null or batch_id = any(%(batch)s))
  and (%(methodology)s::text[] is null or pack_code = any(%(methodology)s))
  and (%(region)s::text[] is null or region = any(%(region)s))
  and (%(vintage)s::date[] is null or vintage_month = any(%(vintage)s))
limit %(limit)s

-- name: certificates
select r.retirement_id, r.retired_at, c.canonical
from retirement r join certificate c using (number)
where r.retirement_id = any(%(retirements)s::bigint[])
order by r.retired_at desc, r.retirement_id desc

-- name: batches
-- Issued batches, newest first, with their grams by place.
select b.batch_id, b.region, b.pack_code, b.pack_version, b.vintage_month, b.gas_basis, b.provisional, b.demonstration,
       b.approval, b.people, b.deeds, i.issued_g, i.issued_at,
       coalesce(r.owed_g, 0) as owed_g, f.frozen_at, c.name as verifier, a.assurance, a.materiality_ppm, a.sample, a.findings,
       a.independence, a.attested_at, encode(t.members_root, 'base64') as members_root,
       case when %(with_places)s then (
         select json_object_agg(p.account, p.grams)
         from (select account, sum(upper(serials) - lower(serials)) as grams from credit_block k
               where k.batch_id = b.batch_id and k.superseded_at is null group by account) p) end as places
from batch b
join issue i using (batch_id)
join attestation a on a.batch_id = b.batch_id and a.decision = 'attested'
join client c on c.client_id = a.verifier
left join batch_tree t on t.batch_id = b.batch_id
left join batch_recall r on r.batch_id = b.batch_id
left join batch_freeze f on f.batch_id = b.batch_id and f.lifted_at is null
where b.batch_id < %(before)s
  and (%(batch)s::bigint[] is null or b.batch_id = any(%(batch)s))
  and (%(methodology)s::text[] is null or b.pack_code = any(%(methodology)s))
  and (%(region)s::text[] is null or b.region = any(%(region)s))
  and (%(vintage)s::date[] is null or b.vintage_month = any(%(vintage)s))
  and (%(demonstration)s::boolean is null or b.demonstration = %(demonstration)s)
  and (%(until)s::timestamptz is null or i.issued_at <= %(until)s)
order by b.batch_id desc
limit %(limit)s

-- name: spans
-- Where the serials of a batch are: ranges of one place that touch are one, whosever they are.
select p.account, lower(s.span) as first, upper(s.span) - 1 as last
from (
  select account, range_agg(serials) as spans from credit_block
  where batch_id = %(batch)s and superseded_at is null group by account
) p, unnest(p.spans) s (span)
order by lower(s.span)
limit %(limit)s

-- name: amendments
-- Of a batch: the last of each day, oldest first.
select distinct on (made_on) canonical from amendment where batch_id = %(batch)s order by made_on, version desc

-- name: series
-- The regions and methodologies of which anything was issued.
select b.region, b.pack_code, b.pack_version, b.demonstration, min(i.issued_at) as issued_at, min(b.vintage_month) as first_month
from batch b join issue i using (batch_id)
where (%(batch)s::bigint[] is null or b.batch_id = any(%(batch)s))
  and (%(methodology)s::text[] is null or b.pack_code = any(%(methodology)s))
  and (%(region)s::text[] is null or b.region = any(%(region)s))
  and (%(vintage)s::date[] is null or b.vintage_month = any(%(vintage)s))
  and (%(demonstration)s::boolean is null or b.demonstration = %(demonstration)s)
  and i.issued_at <= %(until)s
group by b.region, b.pack_code, b.pack_version, b.demonstration
order by b.pack_code, b.pack_version, b.region, b.demonstration

-- name: blocks
-- The live blocks of a batch after a block; with the certificate of what is retired.
select k.block_id, k.account, lower(k.serials) as first, upper(k.serials) - 1 as last, k.made_at, f.canonical
from (
  select * from credit_block
  where batch_id = %(batch)s and superseded_at is null and block_id > %(after)s
  order by block_id limit %(limit)s
) k
left join certificate f on k.account = 'retired' and f.number = k.owner
order by k.block_id
