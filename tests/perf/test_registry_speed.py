"""A million retirements in the registry: what each question costs, as a ratio to a certificate read by its primary key.

Asserts that what is found is right, by a plain reading of everything, and that no list is read without its index. Never
asserts a time. The number can be made smaller: RETIREMENTS=100000 ./run perf -k registry.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from backend.platform import Platform
from backend.store import registry, retirements
from backend.usecases import search_registry
from rewards import retirement
from tests import cast
from tests.cast import Stage

RETIREMENTS = int(os.environ.get("RETIREMENTS", "1000000"))
ENTITIES = max(RETIREMENTS // 10, 100)
PAGE, TIMES = 20, 15
FILL = ("registry_entry", "registry_line", "registry_beneficiary", "registry_period", "registry_name")
HEAVY, RARE = "91440300708461136T", "91330100799655058B"  # 统一社会信用代码: of many retirements, and of one
MONTH = date(2025, 6, 1)

# name -> what is asked, and the same as a condition on `plain`.
YEAR_2025 = "first < '2026' and last >= '2025'"
MARCH = "first < '2025-04' and last >= '2025-03'"
FIRST = "number in (select owner from credit_block where batch_id = 1 and serials @> 1::int8)"
QUESTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "everything": ({}, "true"),
    "beneficiary, heavy": ({"beneficiary": HEAVY}, f"uscc = '{HEAVY}'"),
    "beneficiary, rare": ({"beneficiary": RARE}, f"uscc = '{RARE}'"),
    "name, one entity": ({"beneficiary": "青山甲"}, "name like '%青山甲%'"),
    "name, some entities": ({"beneficiary": "七七七"}, "name like '%七七七%'"),
    "name, nobody": ({"beneficiary": "不存在"}, "false"),
    "serial": ({"serial": "1:1"}, FIRST),
    "batch": ({"batch": 1}, "batch_id = 1"),
    "behaviour, common": ({"pack_code": "cycling"}, "pack_code = 'cycling'"),
    "behaviour, rare": ({"pack_code": "rooftop_pv"}, "pack_code = 'rooftop_pv'"),
    "region, common": ({"region": "310000"}, "region = '310000'"),
    "region, rare": ({"region": "540000"}, "region like '54%'"),
    "province": ({"region": "440000"}, "region like '44%'"),
    "vintage": ({"vintage_month": MONTH}, "vintage_month = '2025-06-01'"),
    "purpose, common": ({"purpose": "event"}, "purpose = 'event'"),
    "purpose, rare": ({"purpose": "public_benefit"}, "purpose = 'public_benefit'"),
    "period, year": ({"period": "2025"}, YEAR_2025),
    "period, month": ({"period": "2025-03"}, MARCH),
    "period, rare": ({"period": "2019"}, "first < '2020'"),
    "days": (
        {"retired_from": date(2025, 3, 1), "retired_to": date(2025, 3, 31)},
        "retired_at >= '2025-03-01+08' and retired_at < '2025-04-01+08'",
    ),
    "behaviour + region": (
        {"pack_code": "cycling", "region": "310000"}, "pack_code = 'cycling' and region = '310000'"
    ),
    "behaviour + region, never together": (
        {"pack_code": "metro", "region": "110000"}, "pack_code = 'metro' and region = '110000'"
    ),
    "behaviour + province": (
        {"pack_code": "metro", "region": "440000"}, "pack_code = 'metro' and region like '44%'"
    ),
    "behaviour + vintage": (
        {"pack_code": "cycling", "vintage_month": MONTH}, "pack_code = 'cycling' and vintage_month = '2025-06-01'"
    ),
    "region + vintage": (
        {"region": "310000", "vintage_month": MONTH}, "region = '310000' and vintage_month = '2025-06-01'"
    ),
    "rare behaviour + common purpose": (
        {"pack_code": "rooftop_pv", "purpose": "event"}, "pack_code = 'rooftop_pv' and purpose = 'event'"
    ),
    "common behaviour + rare purpose": (
        {"pack_code": "cycling", "purpose": "public_benefit"}, "pack_code = 'cycling' and purpose = 'public_benefit'"
    ),
    "behaviour + purpose, never together": (
        {"pack_code": "metro", "purpose": "travel"}, "pack_code = 'metro' and purpose = 'travel'"
    ),
    "heavy beneficiary + rare region": (
        {"beneficiary": HEAVY, "region": "540000"}, f"uscc = '{HEAVY}' and region like '54%'"
    ),
    "heavy beneficiary + behaviour": (
        {"beneficiary": HEAVY, "pack_code": "metro"}, f"uscc = '{HEAVY}' and pack_code = 'metro'"
    ),
    "year + behaviour": ({"period": "2025", "pack_code": "metro"}, f"{YEAR_2025} and pack_code = 'metro'"),
    "rare year + behaviour": (
        {"period": "2019", "pack_code": "cycling"}, "first < '2020' and pack_code = 'cycling'"
    ),
    "batch + purpose": ({"batch": 1, "purpose": "event"}, "batch_id = 1 and purpose = 'event'"),
    "name + province": (
        {"beneficiary": "七七七", "region": "440000"}, "name like '%七七七%' and region like '44%'"
    ),
}  # fmt: skip


def test_each_question_to_a_million_retirements_is_measured_against_a_primary_key(
    database_url: str, redis_url: str
) -> None:
    with cast.stage(database_url, redis_url) as stage:
        filled = _fill(stage, database_url)
        platform = stage.platform
        expected = _read_all(database_url)
        with psycopg.connect(database_url) as conn:
            sizes = {t: _bytes(conn, t) for t in FILL}
        number = stage.http.get("/v1/registry?limit=1").json["items"][0]["number"]
        yardstick = _median(lambda: _certificate(platform, number))
        ratios = {}
        for name, (wish, _) in QUESTIONS.items():
            ratios[name] = _measured(platform, wish, expected[name], yardstick)
        _check_plans(stage)
        report = {
            "retirements": RETIREMENTS, "entities": ENTITIES, "fill_seconds": filled,
            "index_bytes_a_retirement": round(sum(sizes.values()) / RETIREMENTS),
            "key_lookup_ms": round(yardstick * 1000, 3), "page": PAGE, "ratios_to_key_lookup": ratios,
        }  # fmt: skip
        print("\n" + json.dumps(report, ensure_ascii=False))
        for name, (found, first, deep, pages) in ratios.items():
            print(f"{name:40} {found:>9,} {first:>9} {deep or '–':>9} {pages:>4}")


def _measured(
    platform: Platform, wish: dict[str, Any], expected: list[int], yardstick: float
) -> tuple[int, float, float | None, int]:
    """(how many there are, ratio of the first page, of one half way down, how many reads until all 20 were there)."""
    first = _median(lambda: search_registry.search_registry(platform, wish, None, PAGE))
    found, reads = _numbers(platform, wish, None)
    assert found == expected[:PAGE], wish
    if len(expected) <= 2 * PAGE:
        return len(expected), round(first / yardstick, 1), None, reads
    middle = len(expected) // 2
    with platform.db.transaction() as conn:
        [row] = registry.certificates(conn, [expected[middle - 1]])
    place = (row["retired_at"], row["retirement_id"])
    assert _numbers(platform, wish, place)[0] == expected[middle : middle + PAGE], wish
    deep = _median(lambda: search_registry.search_registry(platform, wish, place, PAGE))
    return len(expected), round(first / yardstick, 1), round(deep / yardstick, 1), reads


def _numbers(platform: Platform, wish: dict[str, Any], place: registry.Place | None) -> tuple[list[int], int]:
    """The first page, by number, put together of short ones if need be; and how many those were."""
    found: list[int] = []
    reads = 0
    while not reads or (place and len(found) < PAGE):
        items, place = search_registry.search_registry(platform, wish, place, PAGE - len(found))
        found += [int(item["number"].rpartition("-")[2]) for item in items]
        reads += 1
    return found, reads


def _certificate(platform: Platform, number: str) -> None:
    with platform.db.transaction(snapshot=True) as conn:
        assert retirements.certificate(conn, number)


def _median(work: Callable[[], Any]) -> float:
    def seconds() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return statistics.median(seconds() for _ in range(TIMES))


def _read_all(database_url: str) -> dict[str, list[int]]:
    """The retirements that answer each question, newest first, by reading all of them."""
    found = {}
    with psycopg.connect(database_url) as conn:
        conn.execute(_PLAIN)
        for name, (_, condition) in QUESTIONS.items():
            sql = f"select distinct retired_at, retirement_id from plain where {condition} order by 1 desc, 2 desc"
            found[name] = [number for _, number in conn.execute(sql)]  # type: ignore[call-overload]
    return found


def _check_plans(stage: Stage) -> None:
    """Each kind of list is read out of its index, and a whole table never."""
    keys = {"time": "", "retirement": "1", "beneficiary": HEAVY, "batch": "1", "period": "202500", "purpose": "event",
            "vintage": str(MONTH), "region": "310000", "methodology": "cycling"}  # fmt: skip
    assert set(keys) == set(registry.KINDS)

    class Explained:
        """A connection that explains instead of reading."""

        def __init__(self, conn: Any) -> None:
            self.conn = conn

        def cursor(self, **options: Any) -> Any:
            return self

        def execute(self, sql: Any, params: Any) -> Any:
            return self.conn.execute("explain " + sql, params)

    with stage.platform.db.transaction() as conn:
        for by, key in keys.items():
            place = search_registry.NEWEST
            rows = registry.scan(Explained(conn), by, [key], {}, place, search_registry.LONG_AGO, 21)  # type: ignore[arg-type]
            plan = "\n".join(row[0] for row in rows)  # type: ignore[misc]
            assert "Seq Scan" not in plan, plan
            assert plan.count("Index") >= 1, plan


# --- a million retirements, straight into the books ----------------------------------------------------------------


def _fill(stage: Stage, database_url: str) -> dict[str, float]:
    """Seconds of making the retirements, and of making their index as the migration does."""
    company = stage.client("company", "深圳绿源").id
    verifier = stage.client("verifier", "华测认证").id
    with psycopg.connect(database_url, autocommit=True, cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute("set synchronous_commit = off")
        conn.execute("set work_mem = '256MB'")
        conn.execute("create temp table entity (n int primary key, uscc text, name text)")
        with conn.cursor().copy("copy entity from stdin") as rows:
            for n in range(ENTITIES):
                rows.write_row(_entity(n))
        began = time.perf_counter()
        for statement in (_PICKS, _BATCHES, _ISSUES, _LINES, _RETIREMENTS, _CERTIFICATES, _BLOCKS):
            conn.execute(
                statement, {"count": RETIREMENTS, "entities": ENTITIES, "company": company, "verifier": verifier}
            )
        conn.execute("analyze")
        made, began = time.perf_counter() - began, time.perf_counter()
        migration = (Path(registry.__file__).parent / "migrations" / "0011_registry.sql").read_text("utf-8")
        for statement in migration.split(";"):
            if "insert into registry_" in statement:
                conn.execute(statement)  # type: ignore[arg-type]
        conn.execute("vacuum analyze")
        return {"retirements": round(made, 1), "index": round(time.perf_counter() - began, 1)}


def _entity(n: int) -> tuple[int, str, str]:
    digits = str(n).translate(str.maketrans("0123456789", "零一二三四五六七八九"))
    if n == 0:
        return n, HEAVY, "深圳市绿源新材料有限公司"
    if n == ENTITIES - 1:
        return n, RARE, "杭州青山甲商贸有限公司"
    start = f"9131{n:013d}"
    return n, start + retirement.uscc_check_sign(start), f"上海{digits}环保科技有限公司"


def _bytes(conn: psycopg.Connection, table: str) -> int:
    row = conn.execute("select pg_total_relation_size(%s::regclass)", (table,)).fetchone()
    assert row
    return int(row[0])


_PLAIN = """
create temp table plain as
select r.retirement_id, r.retired_at, r.number, r.request ->> 'purpose' as purpose,
       r.request ->> 'period_from' as first, r.request ->> 'period_to' as last,
       n.batch_id, n.region, n.pack_code, n.vintage_month, f.uscc, f.name
from retirement r join retired_line n using (retirement_id) join retired_for f using (retirement_id)
"""
# A share between 0 and 1 out of a number: the same in every run.
_SHARE = "(hashint8extended(n, {}) & 1048575) / 1048576.0"
_PICKS = f"""
create temp table pick as
select n, retired_at,
       (array['310000','440300','440100','110000','330100','320100','510100','420100','610100','370100'])
         [1 + floor(10 * power({_SHARE.format(1)}, 2))::int] as region,
       (array['cycling','metro','bus','recycling','walking','ebike'])
         [1 + floor(6 * power({_SHARE.format(2)}, 2))::int] as pack,
       (date_trunc('month', retired_at) - (1 + floor(12 * {_SHARE.format(3)})) * interval '1 month')::date as month,
       (array['own_emissions','event','travel','product'])[1 + floor(4 * {_SHARE.format(4)})::int] as purpose,
       floor((%(entities)s - 1) * power({_SHARE.format(5)}, 4))::int as entity,
       {_SHARE.format(6)} as chance
from (select n, timestamptz '2024-11-01 00:00+00' + n * (interval '730 days' / %(count)s) as retired_at
      from generate_series(1, %(count)s::bigint) n) t;
update pick set purpose = 'own_emissions' where pack = 'metro' and purpose = 'travel';
update pick set region = '310000' where pack = 'metro' and region = '110000';
update pick set pack = 'rooftop_pv' where n %% (%(count)s / 3) = 7;
update pick set region = '540000' where n %% (%(count)s / 4) = 11;
update pick set purpose = 'public_benefit' where n %% (%(count)s / 5) = 13;
update pick set entity = %(entities)s - 1 where n = %(count)s / 2;
"""
_BATCHES = """
insert into batch (region, pack_code, pack_version, gas_basis, vintage_month, ordinal, demonstration, provisional,
                   approval, deeds, people, reduction_mg, closed_at, closed_by)
select region, pack, '1.0.0', 'CO2e', month, 1, true, true, 'test', 100, 50, 0, now(), %(company)s
from pick group by region, pack, month order by min(n)
"""
_ISSUES = """
insert into attestation (batch_id, verifier, decision, assurance, materiality_ppm, sample, findings, independence,
                         adjustment_mg, attested_at)
select batch_id, %(verifier)s, 'attested', 'limited', 0, '{}', '', '', 0, now() from batch;
insert into issue (batch_id, issued_g, reserve_g, remainder_mg, carried_mg, price_fen_per_tonne, issued_at, issued_by)
select batch_id, 1000000000, 0, 0, 0, 6000, now(), %(company)s from batch;
"""
_LINES = """
create temp table line as
select p.n, b.batch_id, b.region, b.pack_code, b.vintage_month,
       100 * (row_number() over (partition by b.batch_id order by p.n) - 1) + 1 as first
from (select n, region, pack, month from pick
      union select n, '310000', 'cycling', month from pick where chance < 0.05) p
join batch b on (b.region, b.pack_code, b.vintage_month) = (p.region, p.pack, p.month);
create index on line (n);
analyze line;
"""
_RETIREMENTS = """
insert into retirement (retirement_id, number, client_id, quantity_g, request, retired_at)
select p.n, 'TPH-C-' || to_char(retired_at, 'YYYY') || '-' || lpad(p.n::text, greatest(6, length(p.n::text)), '0'),
       %(company)s, 100,
       json_build_object('purpose', purpose, 'beneficiaries', '[]'::json,
                         'beneficiary', json_build_object('name', e.name, 'uscc', e.uscc),
                         'period_from', period[1], 'period_to', period[2]),
       retired_at
from pick p join entity e on e.n = p.entity
cross join lateral (
  select case when p.n %% (%(count)s / 5) = 17 then array['2019-02-03', '2019-02-09']
              when chance < 0.7 then array[to_char(retired_at, 'YYYY-01-01'), to_char(retired_at, 'YYYY-12-31')]
              else array[to_char(month, 'YYYY-MM-DD'), to_char(month + interval '1 month - 1 day', 'YYYY-MM-DD')] end
) t (period)
"""
_CERTIFICATES = """
insert into certificate (number, canonical, kid, algorithm, signature)
select r.number,
       json_build_object(
         'number', r.number, 'quantity_g', l.quantity_g, 'demonstration', true, 'serials', l.serials,
         'lineage', l.lineage, 'company', json_build_object('id', r.client_id, 'name', '深圳绿源'),
         'beneficiary', r.request -> 'beneficiary',
         'purpose', json_build_object('code', r.request ->> 'purpose', 'zh', '用途', 'en', 'purpose'),
         'period', json_build_object('from', r.request ->> 'period_from', 'to', r.request ->> 'period_to'))::text,
       'kid', 'EdDSA', repeat('x', 86)
from retirement r
join (
  select n, count(*) * 100 as quantity_g,
         json_agg('TPH-' || region || '-' || pack_code || to_char(vintage_month, '-YYYYMM-') || batch_id || '-' || first
                  || '-' || first + 99) as serials,
         json_agg(json_build_object(
           'batch', batch_id, 'region', json_build_object('code', region, 'zh', region, 'en', region),
           'methodology', json_build_object('code', pack_code, 'version', '1.0.0', 'zh', pack_code, 'en', pack_code),
           'vintage', to_char(vintage_month, 'YYYY-MM'), 'quantity_g', 100, 'demonstration', true)) as lineage
  from line group by n
) l on l.n = r.retirement_id
"""
_BLOCKS = """
insert into credit_block (batch_id, serials, account, owner, made_at)
select l.batch_id, int8range(first, first + 100), 'retired', r.number, r.retired_at
from line l join retirement r on r.retirement_id = l.n
"""
