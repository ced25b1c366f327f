-- Receipts: which text of its pack judged an event. Null: judged by none.

alter table event add column pack_sha256 bytea;

-- The most points of a day that it came under, beside cap_mg. Null: no cap.

alter table event add column cap_points bigint;
