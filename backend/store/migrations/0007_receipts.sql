-- Receipts: which text of its pack judged an event. Null: judged by none.

alter table event add column pack_sha256 bytea;
