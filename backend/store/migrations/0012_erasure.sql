-- Erasure of an account: what may then be removed or made coarse, and what stays so that nothing is credited again.

create table erased_person (                    -- what is left under these numbers is nobody's
  person_id  bigint primary key
);

create table erased_key (                       -- a login, or a partner's name, whose account was erased: no number, no time
  key_digest  bytea primary key
);

create table erased_id (                        -- the message ids of erased events, as they stood in `claim`
  client_id  text not null,
  id_digest  bytea not null,
  primary key (client_id, id_digest)
);

create table reopened (                         -- accounts under an erased key: deeds begun before do not count
  person_id  bigint primary key references person,
  opened_at  timestamptz not null
);

create trigger append_only before update or delete or truncate on erased_person execute function refuse_change();
create trigger append_only before update or delete or truncate on erased_key execute function refuse_change();
create trigger append_only before update or delete or truncate on erased_id execute function refuse_change();

-- Whichever way an erased key comes in again (a login, an import, a link), its account is a reopened one.

create function reopen_by_key() returns trigger language plpgsql as $$
begin
  insert into reopened (person_id, opened_at)
  select distinct a.person_id, now() from added a join erased_key e on e.key_digest = a.key_digest
  on conflict (person_id) do update set opened_at = excluded.opened_at;
  return null;
end $$;
create trigger reopen after insert on person_key
referencing new table as added for each statement execute function reopen_by_key();

create function reopen_by_link() returns trigger language plpgsql as $$
begin
  insert into reopened (person_id, opened_at)
  select distinct a.person_id, now() from added a join erased_key e on e.key_digest = a.partner_ref_digest
  on conflict (person_id) do update set opened_at = excluded.opened_at;
  return null;
end $$;
create trigger reopen after insert on link
referencing new table as added for each statement execute function reopen_by_link();

-- What a partner brings from before the reopening was withdrawn by the erasure: an old file imported again revives nothing.

create function refuse_old_consent() returns trigger language plpgsql as $$
begin
  if exists (select from reopened r where r.person_id = new.person_id and new.given_at < r.opened_at) then
    return null;
  end if;
  return new;
end $$;
create trigger given_again before insert on consent
for each row when (new.source <> 'person') execute function refuse_old_consent();

-- Append-only, but for an erasure, and then only for the operations that are named.

create function refuse_unless_erasing() returns trigger language plpgsql as $$
begin
  if tg_op = any(tg_argv) and current_setting('tanpuhui.erasing', true) = 'on'
     or tg_op = 'DELETE' and tg_level = 'ROW' and current_setting('tanpuhui.moving_rows', true) = 'on' then
    if tg_level = 'ROW' then
      return old;
    end if;
    return null;
  end if;
  raise exception '% is append-only: a correction is a new row', tg_table_name;
end $$;

drop trigger append_only on claim;
drop trigger append_only on act_claim;
drop trigger append_only on reverdict;
drop trigger append_only on correction;
drop trigger append_only on claim_conflict;
drop trigger append_only on message;
drop trigger append_only on batch_member;
drop trigger append_only on event;
drop trigger append_only on deed;

create trigger append_only before update or delete or truncate on claim execute function refuse_unless_erasing('DELETE');
create trigger append_only before update or delete or truncate on act_claim execute function refuse_unless_erasing('DELETE', 'UPDATE');
create trigger append_only before update or delete or truncate on reverdict execute function refuse_unless_erasing('DELETE');
create trigger append_only before update or delete or truncate on correction execute function refuse_unless_erasing('DELETE');
create trigger append_only before update or delete or truncate on claim_conflict execute function refuse_unless_erasing('DELETE');
create trigger append_only before update or delete or truncate on message execute function refuse_unless_erasing('UPDATE');
create trigger append_only before update or delete or truncate on batch_member execute function refuse_unless_erasing('UPDATE');
create trigger append_only before update or delete on event for each row execute function refuse_unless_erasing('DELETE');
create trigger append_only before update or delete on deed for each row execute function refuse_unless_erasing('DELETE');

create trigger only_the_time before update on batch_member for each row
when ((new.deed_id, new.version, new.batch_id, new.person_id, new.reduction_mg, new.points)
      is distinct from (old.deed_id, old.version, old.batch_id, old.person_id, old.reduction_mg, old.points))
execute function refuse_change();

create index on event (client_id, event_ref) where person_id is null;  -- other content under an id of the person's

create view counted_deed as                     -- what a deed counts for; of erased people, what is left of those in batches
select deed_id, person_id, reduction_mg from current_deed
union all
select m.deed_id, m.person_id,
       m.reduction_mg - coalesce((select sum(r.recalled_mg) from recall r where r.deed_id = m.deed_id), 0)::bigint
from erased_person join batch_member m using (person_id);
