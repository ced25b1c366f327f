"""Behind the platform's back: whatever is changed, taken away or put in, column by column, the audit names the row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from backend.usecases import audit_tables
from tests.backend.test_audit_log import Scene, audited, played, told

Connection = psycopg.Connection[Any]

PROTECTED = [name for name, kept in audit_tables.TABLES.items() if kept.by != audit_tables.NOT]

# By what a row is named, where it is not the table's primary key as it stands.
KEYS = {
    "amendment": ("amendment_id",), "credit_block": ("block_id",), "deed": ("deed_id", "version"),
    "event": ("event_id",), "transfer": ("transfer_id",), "registry_period": ("retirement_id", "node"),
}  # fmt: skip

# Which row, where not any will do: one that the log knows, and that is not of somebody erased.
WHERE = {
    "deed": "stands and deed_id in (select deed_id from batch_member)",
    "event": "verdict = 'credited' and event_id in (select event_id from current_deed)",
    "reverdict": "verdict = 'credited'",
    "batch_partner": "batch_id = 3",
    "batch_member": "person_id in (select person_id from person)",
    "recall": "deed_id in (select deed_id from deed)",
    "purchase_order": "state = 'paid'",
    "payment": "taken",
    "refund": "state = 'done'",
    "payout": "state = 'done'",
    "client": "name = '深圳绿源'",
    "person": "person_id in (select person_id from deed)",
    "pack_version": "content_sha256 in (select encode(pack_sha256, 'hex') from event)",
    "transfer": "reason = 'deed' and person_id in (select person_id from person)",
    "attestation": "decision = 'attested'",
    "credit_block": "account = 'held' and superseded_at is null",
    "log_checkpoint": "size = (select max(size) from log_checkpoint)",
    "log_leaf": "kind = 'sale'",
}

CHANGED = {
    "boolean": "not {0}",
    "bytea": "decode(repeat('ab', 32), 'hex')",
    "date": "({0} + interval '1 month')::date",
    "integer": "coalesce({0}, 0) + 1",
    "bigint": "coalesce({0}, 0) + 1",
    "bigint[]": "coalesce({0}, '{{}}') || 1::bigint",
    "text[]": "coalesce({0}, '{{}}') || 'x'::text",
    "text": "coalesce({0}, '') || 'x'",
    "json": "'{{\"x\": 1}}'::json",
    "jsonb": "coalesce({0}, '{{}}') || '{{\"distance_m\": 1}}'",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 day'",
    "int8range": "int8range(lower({0}), upper({0}) - 1)",
}

# Another value where the database takes certain ones only, or where the next one is taken.
OTHERWISE = {
    ("correction", "kind"): "'refuse'", ("correction", "charged_to"): "'person'", ("transfer", "book"): "'money_fen'",
    ("attestation", "decision"): "'rejected'", ("attestation", "assurance"): "'reasonable'",
    ("attestation", "batch_id"): "3", ("issue", "carried_from"): "3", ("batch", "ordinal"): "99",
    ("cancellation", "place"): "case place when 'reserve' then 'available' else 'reserve' end",
    ("credit_block", "account"): "'reserve'", ("purchase_order", "state"): "'refunded'",
    ("purchase_order", "method"): "'provider'", ("purchase_order", "quote_id"): "99",
    ("payout", "account"): "'platform'", ("payout", "method"): "'provider'", ("amendment", "version"): "99",
    ("payment", "order_id"): "99", ("log_leaf", "ref_id"): "99", ("credit_block", "batch_id"): "99",
    ("recall", "deed_id"): "1", ("settlement", "ordinal"): "99",
    ("settlement", "batch_id"): "3", ("client", "role"): "'operator'", ("client", "number"): "99",
    ("sale_terms", "shares_ppm"): "'{0,0,0,1000000}'", ("batch_tile", "level"): "5",
}  # fmt: skip
TOGETHER = {  # with other columns, without which the database does not take it
    ("refund", "state"): "state = 'failed', done_at = null", ("payout", "state"): "state = 'failed', done_at = null",
    ("credit_transfer", "registry"): "registry = 'elsewhere', to_client = null",
    ("credit_transfer", "to_client"): "to_client = from_client, registry = null",
}  # fmt: skip

# What is taken away is named by another row, or not at all: nobody knows that it was there.
GONE = {
    "credit_block": "'credit_block ' || parent_block", "payment": "'payment of order ' || order_id",
    "log_checkpoint": "'log_checkpoint *'", "client": "'purchase_order 1'", "transfer": "'deed ' || ref_id || '/1'",
}  # fmt: skip
GONE_UNSEEN = {"log_cosignature"}

# What is put in beside, where a copy with another key will not do: its other columns, as JSON.
PUT_IN: dict[str, dict[str, Any]] = {
    "correction": {"seq": 99}, "batch": {"ordinal": 99}, "batch_recall": {"batch_id": 3},
    "attestation": {"decision": "rejected"}, "issue": {"batch_id": 3, "carried_from": None},
    "credit_block": {"serials": "[1000000,1000001)"}, "purchase_order": {"quote_id": 99}, "payment": {"taken": False},
    "refund": {"payment_id": 99}, "retirement": {"number": "TPH-C-2026-999999"},
    "sale_terms": {"from_on": "2030-01-01"}, "settlement": {"ordinal": 99}, "amendment": {"version": 99},
    "log_leaf": {"ref_no": 99},
}  # fmt: skip
HARMLESS = {"person", "client"}  # a row more leads to nothing


@pytest.fixture(scope="module")
def scene(module_database_url: str, valkey_url: str) -> Iterator[Scene]:
    with played(module_database_url, valkey_url) as made:
        yield made


@pytest.fixture(scope="module")
def conn(scene: Scene) -> Iterator[Connection]:
    with psycopg.connect(scene.platform.settings.database_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")  # no triggers, no foreign keys
        connection.execute("set timezone = 'UTC'")
        yield connection


def columns(conn: Connection, table: str) -> dict[str, str]:
    """column -> its type."""
    sql = """select attname, format_type(atttypid, atttypmod) from pg_attribute
             where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum"""
    return dict(conn.execute(sql, (table,)).fetchall())


def key(conn: Connection, table: str) -> tuple[str, ...]:
    sql = """select attname from pg_index i join pg_attribute a on attrelid = indrelid and attnum = any(indkey)
             where indrelid = %s::regclass and indisprimary order by array_position(indkey::int[], attnum::int)"""
    return KEYS.get(table) or tuple(name for (name,) in conn.execute(sql, (table,)).fetchall())


def name_of(table: str, names: tuple[str, ...], alias: str = "t") -> str:
    """The SQL of a row's name in findings."""
    return f"'{table} ' || " + " || '/' || ".join(f"{alias}.{name}" for name in names)


def one_of(table: str) -> str:
    """The SQL of the place of the row that is tampered with."""
    where = WHERE.get(table, "true")
    return f"(select ctid, tableoid from {table} where {where} order by {table}::text limit 1)"


def findings_after(conn: Connection, *statements: str) -> tuple[set[str], list[str]]:
    """What the last statement returned, and the findings after all of them; then they are undone."""
    with conn.transaction(force_rollback=True):
        for statement in statements:
            cursor = conn.execute(statement)  # type: ignore[call-overload]
        rows = {name for row in cursor.fetchall() for name in row if name}
        assert rows, "no such row in the scene"
        return rows, told(audited(conn))


def is_named(findings: list[str], rows: set[str]) -> bool:
    return any(re.search(rf"(: |\| ){re.escape(row)}( \||:)", line) for line in findings for row in rows)


def changes(conn: Connection, table: str) -> dict[str, str]:
    """column -> the SQL that gives it another value; of a key one that is not taken."""
    found = {}
    for column, kind in columns(conn, table).items():
        value = OTHERWISE.get((table, column)) or CHANGED[kind].format(column)
        if column in key(conn, table) and kind in ("bigint", "integer") and (table, column) not in OTHERWISE:
            value = f"{column} + 100000"
        found[column] = TOGETHER.get((table, column)) or f"{column} = {value}"
    return found


def test_the_list_names_every_table_and_no_other(conn: Connection) -> None:
    sql = """select c.relname from pg_tables t join pg_class c on c.relname = t.tablename
             where t.schemaname = 'public' and not c.relispartition"""
    assert sorted(audit_tables.TABLES) == sorted(name for (name,) in conn.execute(sql).fetchall())
    assert all(kept.zh and kept.en for kept in audit_tables.TABLES.values())


@pytest.mark.parametrize("table", PROTECTED)
def test_a_value_that_was_changed_is_found_in_every_column(conn: Connection, table: str) -> None:
    name = key(conn, table)
    unseen = set()
    for column, change in changes(conn, table).items():
        gone = GONE.get(table, "null")
        rows, findings = findings_after(
            conn, f"alter table {table} alter {column} drop identity if exists",
            f"update {table} t set {change} from (select {name_of(table, name, 'o')} as was, {gone} as gone,"
            f" ctid as spot, tableoid as part from {table} o where (ctid, tableoid) in {one_of(table)}) o"
            f" where t.ctid = o.spot and t.tableoid = o.part returning o.was, o.gone, {name_of(table, name)}",
        )  # fmt: skip
        if not is_named(findings, rows):
            assert not findings, (column, rows, findings)
            unseen.add(column)
    assert unseen == set(audit_tables.TABLES[table].but)


@pytest.mark.parametrize("table", PROTECTED)
def test_a_row_that_was_taken_away_is_found(conn: Connection, table: str) -> None:
    name = GONE.get(table) or name_of(table, key(conn, table))
    rows, findings = findings_after(
        conn, f"delete from {table} t where (ctid, tableoid) in {one_of(table)} returning {name}"
    )  # fmt: skip
    assert is_named(findings, rows) or (table in GONE_UNSEEN and not findings), (rows, findings)


@pytest.mark.parametrize("table", [name for name in PROTECTED if name not in HARMLESS])
def test_a_row_that_was_put_in_is_found(conn: Connection, table: str) -> None:
    names, kinds = key(conn, table), columns(conn, table)
    last = names[-1]
    value = f"t.{last} + 100000" if kinds[last] in ("bigint", "integer") else f"t.{last} || 'x'"
    more = json.dumps(PUT_IN.get(table, {}))
    rows, findings = findings_after(
        conn, f"insert into {table} overriding system value"
              f" select (jsonb_populate_record(t, jsonb_build_object('{last}', {value}) || '{more}'::jsonb)).*"
              f" from {table} t where (ctid, tableoid) in {one_of(table)} returning {name_of(table, names, table)}",
    )  # fmt: skip
    assert is_named(findings, rows), (rows, findings)
