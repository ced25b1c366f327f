-- Refresh tokens of citizens: each is used once, and a used one that comes again ends its whole family.

create table refresh_token (
  digest      bytea primary key,                -- of the token, which is never kept
  family      bytea not null,                   -- all that came from one login
  person_id   bigint not null references person,
  issued_at   timestamptz not null,
  expires_at  timestamptz not null,
  used_at     timestamptz,
  revoked_at  timestamptz
);
create index on refresh_token (family);
create index on refresh_token (person_id);
