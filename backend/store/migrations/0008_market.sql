-- From pool to neutrality: collection caps, price rules, payments, refunds, invoices, standing orders, transfers of credits,
-- legal entities, own boundaries, and the money that goes back to the people.

alter table client add column number bigint generated always as identity unique;  -- its accounts in the ledger

create table collection_cap (                   -- how much of a pool may come through one partner; the rest stays with the citizens
  client_id   text not null references client,
  pack_code   text not null,                    -- '*': every methodology without a cap of its own
  from_month  date not null,
  cap_mg      bigint check (cap_mg >= 0),       -- null: no cap from that month on
  document    text not null,
  made_at     timestamptz not null,
  made_by     text not null references client,
  primary key (client_id, pack_code, from_month)
);

create table batch_partner (                    -- through whom a batch's deeds came, as at close
  batch_id      bigint not null references batch,
  client_id     text not null references client,
  deeds         bigint not null,
  people        bigint not null,
  reduction_mg  bigint not null,                -- signed sum
  collected_mg  bigint not null,                -- of it, the positive parts: what counts against a cap
  primary key (batch_id, client_id)
);
insert into batch_partner
select m.batch_id, d.client_id, count(*), count(distinct m.person_id), sum(m.reduction_mg), sum(greatest(m.reduction_mg, 0))
from batch_member m join deed d using (deed_id, version, started_at) group by m.batch_id, d.client_id;

create view pool_deed as                        -- open deeds, and which of them are over their partner's cap: the latest ones
select o.*,
       coalesce(o.poolable and o.reduction_mg > 0
                and cap.used_mg + sum(greatest(o.reduction_mg, 0)) filter (where o.poolable) over w > cap.cap_mg, false) as over_cap
from open_deed o
left join lateral (
  select c.cap_mg, (select coalesce(sum(p.collected_mg), 0) from batch_partner p join batch b using (batch_id)
                    where p.client_id = o.client_id and b.region = o.region and b.pack_code = o.pack_code
                      and b.vintage_month = o.vintage_month) as used_mg
  from collection_cap c
  where c.client_id = o.client_id and c.pack_code in ('*', o.pack_code) and c.from_month <= o.vintage_month
  order by c.pack_code <> '*' desc, c.from_month desc limit 1
) cap on true
window w as (partition by o.client_id, o.region, o.pack_code, o.vintage_month order by o.started_at, o.deed_id);

create table price_rule (                       -- the most specific one holds, of those the newest; null: any
  rule_id        bigint generated always as identity primary key,
  batch_id       bigint references issue,
  region         text,
  pack_code      text,
  vintage_month  date,
  from_g         bigint[] not null,             -- ascending, the first is 1; an empty rule takes back the one before it
  prices         bigint[] not null,             -- fen per tonne for orders from that many grams on
  valid_from     timestamptz not null,
  made_at        timestamptz not null,
  made_by        text not null references client,
  check (cardinality(from_g) = cardinality(prices))
);

alter table quote add column partial boolean not null default false;
alter table quote add column limit_fen_per_tonne bigint;     -- no line of the order costs more
alter table quote add column batches bigint[] not null default '{}';  -- what was quoted, and at what price: that holds
alter table quote add column prices bigint[] not null default '{}';

alter table purchase_order drop constraint purchase_order_state_check;
alter table purchase_order add constraint purchase_order_state_check
  check (state in ('reserved', 'declared', 'paid', 'refunded', 'cancelled', 'expired'));
alter table purchase_order add column method text not null default 'bank_transfer'
  check (method in ('bank_transfer', 'provider'));
alter table purchase_order add column pay_url text;
alter table purchase_order add column paid_at timestamptz;
alter table purchase_order add column final_at timestamptz;  -- from then on nothing is refunded, and its money may be shared
alter table purchase_order add column shares_ppm bigint[];   -- citizens, partners, platform, fund: the terms at payment
update purchase_order o set paid_at = s.made_at, final_at = s.made_at, shares_ppm = '{700000,100000,150000,50000}'
from order_step s where s.order_id = o.order_id and s.state = 'paid' and o.state = 'paid';
alter table purchase_order add constraint purchase_order_paid check
  ((paid_at is not null) = (state in ('paid', 'refunded'))
   and (final_at is not null) = (paid_at is not null) and (shares_ppm is not null) = (paid_at is not null));
alter table order_line drop constraint order_line_batch_id_fkey;
alter table order_line add foreign key (batch_id) references issue;
create index on order_line (batch_id);

create table payment (                          -- money that came; without an order that can take it, it goes back
  payment_id    bigint generated always as identity primary key,
  order_id      bigint not null references purchase_order,
  taken         boolean not null,
  method        text not null,
  amount_fen    bigint not null check (amount_fen > 0),
  external_ref  text not null,                  -- the bank's or the provider's number
  received_at   timestamptz not null,
  recorded_by   text not null default ''        -- an operator; '' for the provider's word
);
create unique index on payment (method, external_ref) where method <> 'bank_transfer';
create unique index on payment (order_id) where taken;
insert into payment (order_id, taken, method, amount_fen, external_ref, received_at, recorded_by)
select o.order_id, true, 'bank_transfer', o.amount_fen, coalesce(s.detail ->> 'bank_ref', ''), s.made_at, s.made_by
from purchase_order o join order_step s on s.order_id = o.order_id and s.state = 'paid' where o.state = 'paid';

create table refund (
  refund_id     bigint generated always as identity primary key,
  payment_id    bigint not null unique references payment,
  order_id      bigint not null references purchase_order,
  amount_fen    bigint not null check (amount_fen > 0),
  reason        text not null,
  state         text not null check (state in ('requested', 'done', 'failed')),
  external_ref  text,
  asked_at      timestamptz not null,
  asked_by      text not null default '',
  done_at       timestamptz,
  check ((done_at is not null) = (state = 'done'))
);
create index on refund (asked_at) where state = 'requested';

create table invoice (                          -- what the operator's accounts are told to issue; a refund is answered by a credit note
  invoice_id  bigint generated always as identity primary key,
  number      text not null unique,
  order_id    bigint not null references purchase_order,
  kind        text not null check (kind in ('invoice', 'credit_note')),
  buyer       json not null,
  amount_fen  bigint not null check (amount_fen > 0),
  asked_at    timestamptz not null,
  tax_ref     text,                             -- the number of the 发票, once it is issued
  issued_at   timestamptz,
  issued_by   text references client,
  check ((tax_ref is null) = (issued_at is null)),
  unique (order_id, kind)
);

create table standing_order (
  standing_id          bigint generated always as identity primary key,
  client_id            text not null references client,
  quantity_g           bigint not null check (quantity_g > 0),
  region               text,
  pack_code            text,
  demonstration        boolean not null,
  limit_fen_per_tonne  bigint not null check (limit_fen_per_tonne > 0),
  partial              boolean not null,
  day                  integer not null check (day between 1 and 28),
  until_on             date,
  made_at              timestamptz not null,
  ended_at             timestamptz
);
create index on standing_order (client_id);

create table standing_run (                     -- once a month, whatever comes of it
  standing_id  bigint not null references standing_order,
  month        date not null,
  order_id     bigint references purchase_order,
  problem      text,
  made_at      timestamptz not null,
  primary key (standing_id, month)
);

create table legal_entity (                     -- by 统一社会信用代码; looked into at its first use
  uscc        text primary key,
  name        text not null,
  name_en     text,
  state       text not null check (state in ('waiting', 'accepted', 'refused')),
  asked_by    text not null references client,
  asked_at    timestamptz not null,
  decided_by  text references client,
  decided_at  timestamptz,
  note        text,
  check ((decided_at is null) = (state = 'waiting'))
);
create index on legal_entity (asked_at) where state = 'waiting';

create table own_partner (                      -- a partner inside a company's boundary: declared by it, ended by an operator only
  client_id    text not null references client,
  partner_id   text not null references client,
  declared_at  timestamptz not null,
  ended_at     timestamptz,
  ended_by     text references client,
  primary key (client_id, partner_id, declared_at)
);
create unique index on own_partner (client_id, partner_id) where ended_at is null;

create table credit_transfer (                  -- held grams given to another company, or taken out to another registry
  transfer_id    bigint generated always as identity primary key,
  from_client    text not null references client,
  to_client      text references client,
  registry       text,
  registry_note  text,                          -- the account there
  quantity_g     bigint not null check (quantity_g > 0),
  made_at        timestamptz not null,
  check ((to_client is null) <> (registry is null))
);
create index on credit_transfer (from_client);
create index on credit_transfer (to_client);

alter table credit_block drop constraint credit_block_account_check;
alter table credit_block add constraint credit_block_account_check
  check (account in ('available', 'reserve', 'reserved', 'held', 'retired', 'cancelled', 'transferred'));

create or replace function refuse_block_change() returns trigger language plpgsql as $$
begin
  if old.superseded_at is not null or old.account in ('retired', 'cancelled', 'transferred')
     or (new.block_id, new.batch_id, new.serials, new.account, new.owner, new.parent_block, new.made_at)
        is distinct from
        (old.block_id, old.batch_id, old.serials, old.account, old.owner, old.parent_block, old.made_at) then
    raise exception 'a block is only ever superseded, and a retired, cancelled or transferred one not even that';
  end if;
  return new;
end $$;
create index on credit_block (owner) where account = 'reserved' and superseded_at is not null;  -- an order's grams, later on

create table sale_terms (                       -- how the money of a sale is shared; the newest that has begun binds
  terms_id       bigint generated always as identity primary key,
  from_on        date not null unique,
  shares_ppm     bigint[] not null check (cardinality(shares_ppm) = 4),   -- citizens, partners, platform, fund
  note           json not null,
  published_at   timestamptz not null,
  published_by   text not null references client
);

create table settlement (                       -- of a batch: what its sales came to so far, and what was paid this time
  settlement_id  bigint generated always as identity primary key,
  batch_id       bigint not null references issue,
  ordinal        integer not null,
  income_fen     bigint not null,               -- cumulative, of final sales
  citizens_fen   bigint not null,               -- this time
  partners_fen   bigint not null,
  platform_fen   bigint not null,
  fund_fen       bigint not null,
  people         bigint not null,               -- who got a line
  is_last        boolean not null,              -- nothing is left to sell: what rounding left over was given out too
  made_at        timestamptz not null,
  made_by        text not null default '',      -- an operator; '' for the clock
  unique (batch_id, ordinal)
);

create table payout (                           -- money on its way out: to a citizen, a partner, the platform, the fund
  payout_id     bigint generated always as identity primary key,
  account       text not null check (account in ('person', 'partner', 'platform', 'fund')),
  account_id    bigint not null,
  amount_fen    bigint not null check (amount_fen > 0),
  method        text not null check (method in ('manual', 'provider')),
  state         text not null check (state in ('requested', 'done', 'failed')),
  external_ref  text,
  asked_at      timestamptz not null,
  done_at       timestamptz,
  done_by       text not null default '',
  check ((done_at is not null) = (state = 'done'))
);
create index on payout (account, account_id);
create index on payout (asked_at) where state = 'requested';

create index on transfer (debit, debit_id) where book = 'money_fen';
create index on batch_member (batch_id, person_id);

alter table idempotency drop constraint idempotency_client_id_fkey;  -- a citizen's key stands under 'person:<number>'

alter table notice drop constraint notice_kind_check;  -- the kinds are told by the code that writes them

create trigger append_only before update or delete or truncate on collection_cap execute function refuse_change();
create trigger append_only before update or delete or truncate on batch_partner execute function refuse_change();
create trigger append_only before update or delete or truncate on price_rule execute function refuse_change();
create trigger append_only before update or delete or truncate on payment execute function refuse_change();
create trigger append_only before update or delete or truncate on standing_run execute function refuse_change();
create trigger append_only before update or delete or truncate on credit_transfer execute function refuse_change();
create trigger append_only before update or delete or truncate on sale_terms execute function refuse_change();
create trigger append_only before update or delete or truncate on settlement execute function refuse_change();
create trigger no_removal before delete or truncate on refund execute function refuse_change();
create trigger no_removal before delete or truncate on invoice execute function refuse_change();
create trigger no_removal before delete or truncate on payout execute function refuse_change();
create trigger no_removal before delete or truncate on legal_entity execute function refuse_change();
create trigger no_removal before delete or truncate on own_partner execute function refuse_change();
