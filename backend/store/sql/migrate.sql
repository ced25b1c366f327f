-- name: create_log
create table if not exists migration (
  name        text primary key,
  applied_at  timestamptz not null default now()
)

-- name: applied
select name from migration

-- name: has_log
select to_regclass('migration') is not null

-- name: record
insert into migration (name) values (%(name)s)

-- name: partitions
select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid

-- name: make_partition
-- Statements to run in order; rows of the month that waited in the default partition move over.
with t as (
  select %(table)s::text as parent, %(name)s::text as child, %(table)s || '_default' as rest,
         case %(table)s when 'transfer' then 'posted_at' else 'started_at' end as col,
         %(first)s::date as first, %(following)s::date as following
)
select statement from t, lateral (values
  (0, 'set local tanpuhui.moving_rows = on'),
  (1, format('create table %%I (like %%I including defaults including constraints)', child, parent)),
  (2, format('insert into %%I select * from %%I where %%I >= %%L and %%I < %%L',
             child, rest, col, first || ' 00:00+00', col, following || ' 00:00+00')),
  (3, format('delete from %%I where %%I >= %%L and %%I < %%L',
             rest, col, first || ' 00:00+00', col, following || ' 00:00+00')),
  (4, 'set local tanpuhui.moving_rows = off'),
  (5, format('alter table %%I attach partition %%I for values from (%%L) to (%%L)',
             parent, child, first || ' 00:00+00', following || ' 00:00+00'))
) as s (place, statement) order by place
