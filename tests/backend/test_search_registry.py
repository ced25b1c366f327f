"""The public registry finds a retirement by whatever is known of it, for anybody, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from backend.errors import PROBLEM_TYPE
from backend.store import registry
from backend.usecases import search_registry
from tests import cast
from tests.cast import Stage
from tests.market import CODE, MONTH, RETIREMENT, Market, at_once, ok, refused

SCHOOL = {"name": "上海市第一百_大学", "name_en": "Shanghai 100% University", "uscc": "123100004250061179"}
SHOP = {"name": "杭州青山商贸（集团）有限公司", "uscc": "91330100799655058B"}
JULY = date(2026, 7, 1)


class Books:
    """Four batches (1 to 4) and six retirements, oldest first; `numbers` are those of their certificates."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.market = stage, Market(stage)
        issued = [
            ("310000", "cycling", MONTH), ("310000", "metro", MONTH), ("330100", "cycling", MONTH),
            ("310000", "cycling", JULY),
        ]  # fmt: skip
        for region, pack, month in issued:
            pool = f"{region}.{pack}.1.0.0.{month:%Y%m}"
            self.market.issued(*[49_000] * 40, pool=pool, region=region, pack=pack, month=month)
            self.market.paid(1500, region=region, methodology=pack, vintage=f"{month:%Y-%m}")
        wishes: list[dict[str, Any]] = [
            {"quantity_g": 200, "batch": 1},
            {"quantity_g": 300, "batch": 2, "beneficiary": SCHOOL, "purpose": "event"},
            {"quantity_g": 100, "batch": 3, "beneficiary": SHOP, "period_from": "2026-05-03",
             "period_to": "2026-05-09"},
            {"quantity_g": 400, "batch": 4, "period_from": "2024-11-01", "period_to": "2026-01-31"},
            {"quantity_g": 2600, "beneficiary": None,
             "beneficiaries": [SCHOOL | {"quantity_g": 2000}, SHOP | {"quantity_g": 600}]},
            {"quantity_g": 10, "batch": 4, "purpose": "travel"},
        ]  # fmt: skip
        self.numbers = [self.retire(**wish) for wish in wishes]

    def retire(self, **wish: Any) -> str:
        body = {name: value for name, value in (RETIREMENT | wish).items() if value is not None}
        return str(ok(self.market.company.post("/v1/retirements", body), 201)["certificate"]["number"])

    def ask(self, **asked: Any) -> dict[str, Any]:
        found: dict[str, Any] = ok(self.stage.http.get("/v1/registry", query_string=asked), 200)
        return found

    def found(self, **asked: Any) -> list[int]:
        """Which of the retirements (from 1) are found, in the order in which they come."""
        return [self.numbers.index(item["number"]) + 1 for item in self.ask(**asked)["items"]]


@pytest.fixture(scope="module")
def books(module_database_url: str, valkey_url: str) -> Iterator[Books]:
    with cast.stage(module_database_url, valkey_url) as stage:
        yield Books(stage)


def test_without_a_question_all_retirements_come_newest_first(books: Books) -> None:
    assert books.found() == [6, 5, 4, 3, 2, 1]


def test_an_item_says_what_its_certificate_says_and_where_it_stands(books: Books) -> None:
    [item] = books.ask(beneficiary="青山", purpose="own_emissions", batch=2)["items"]
    certificate = ok(books.stage.http.get(f"/v1/certificates/{item['number']}"), 200)["certificate"]
    assert item["url"] == f"{cast.BASE}/v1/certificates/{item['number']}" == certificate["url"]
    assert item["company"] == "深圳绿源"
    assert item["beneficiaries"] == certificate["beneficiaries"]
    assert [one["quantity_g"] for one in item["beneficiaries"]] == [2000, 600]
    assert (item["quantity_g"], item["demonstration"]) == (2600, True)
    assert item["period"] == {"from": "2025-01-01", "to": "2025-12-31"}
    assert [(n["batch"], n["quantity_g"]) for n in item["lines"]] == [(1, 1300), (2, 1200), (3, 100)]
    assert [text for line in item["lines"] for text in line["serials"]] == certificate["serials"]
    first = item["lines"][0]
    assert (first["region"]["zh"], first["methodology"]["version"], first["vintage"]) == ("上海市", "1.0.0", "2026-06")
    assert "id" not in item


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"beneficiary": CODE}, [6, 4, 1]),
        ({"beneficiary": CODE.lower()}, [6, 4, 1]),
        ({"beneficiary": "绿源"}, [6, 4, 1]),
        ({"beneficiary": " 深圳市 绿源 "}, [6, 4, 1]),
        ({"beneficiary": "LVYUAN co"}, [6, 4, 1]),
        ({"beneficiary": "青山"}, [5, 3]),
        ({"beneficiary": "商贸(集团)"}, [5, 3]),
        ({"beneficiary": "shanghai"}, [5, 2]),
        ({"beneficiary": "100%"}, [5, 2]),
        ({"beneficiary": "百_大"}, [5, 2]),
        ({"beneficiary": "百%大"}, []),
        ({"beneficiary": "绿_"}, []),
        ({"beneficiary": "\\\\"}, []),
        ({"beneficiary": "绿园"}, []),
        ({"beneficiary": "91330100799655058B"}, [5, 3]),
        ({"batch": 1}, [5, 1]),
        ({"batch": 4}, [6, 4]),
        ({"batch": 77}, []),
        ({"methodology": "cycling"}, [6, 5, 4, 3, 1]),
        ({"methodology": "metro"}, [5, 2]),
        ({"methodology": "walking"}, []),
        ({"region": "310000"}, [6, 5, 4, 2, 1]),
        ({"region": "330100"}, [5, 3]),
        ({"region": "330000"}, [5, 3]),
        ({"region": "999999"}, []),
        ({"vintage": "2026-07"}, [6, 4]),
        ({"vintage": "2026-06"}, [5, 3, 2, 1]),
        ({"purpose": "event"}, [2]),
        ({"purpose": "product"}, []),
        ({"period": "2025"}, [6, 5, 4, 2, 1]),
        ({"period": "2025-03"}, [6, 5, 4, 2, 1]),
        ({"period": "2024"}, [4]),
        ({"period": "2024-10"}, []),
        ({"period": "2024-11"}, [4]),
        ({"period": "2026"}, [4, 3]),
        ({"period": "2026-01"}, [4]),
        ({"period": "2026-02"}, []),
        ({"period": "2026-05"}, [3]),
        ({"serial": "1:1"}, [1]),
        ({"serial": "1:200"}, [1]),
        ({"serial": "1:201"}, [5]),
        ({"serial": "1:1501"}, []),
        ({"serial": "TPH-310000-cycling-202606-1-150-250"}, [5, 1]),
        ({"serial": "TPH-310000-cycling-202606-1-1-1"}, [1]),
        ({"serial": "TPH-330100-cycling-202606-1-1-1"}, []),
        ({"serial": "TPH-310000-cycling-202607-4-400-401"}, [6, 4]),
        ({"serial": "999999999999999999:999999999999999999"}, []),
    ],
)  # fmt: skip
def test_each_thing_that_is_known_finds_exactly_what_it_is_true_of(
    books: Books, asked: dict[str, Any], found: list[int]
) -> None:
    assert books.found(**asked) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"methodology": "metro", "region": "310000"}, [5, 2]),
        ({"methodology": "metro", "region": "330000"}, []),  # 5 has both, but not in one batch
        ({"methodology": "cycling", "vintage": "2026-07", "region": "310000"}, [6, 4]),
        ({"batch": 1, "methodology": "metro"}, []),
        ({"beneficiary": "绿源", "purpose": "travel"}, [6]),
        ({"beneficiary": "大学", "methodology": "cycling"}, [5]),
        ({"beneficiary": "大学", "period": "2026"}, []),
        ({"period": "2026", "region": "330100"}, [3]),
        ({"period": "2025", "purpose": "own_emissions", "methodology": "cycling"}, [5, 4, 1]),
        ({"serial": "1:201", "beneficiary": "青山"}, [5]),
        ({"serial": "1:201", "beneficiary": "绿源"}, []),
    ],
)
def test_what_is_asked_together_must_all_be_true_at_once(books: Books, asked: dict[str, Any], found: list[int]) -> None:
    assert books.found(**asked) == found


def test_fields_of_a_form_that_were_left_empty_are_not_asked(books: Books) -> None:
    empty = dict.fromkeys(("serial", "batch", "retired_from", "period", "region", "purpose", "vintage"), " ")
    assert books.found(beneficiary="青山", **empty) == [5, 3]


def test_pages_follow_one_another_without_a_gap_or_a_double(books: Books) -> None:
    for asked in ({}, {"methodology": "cycling"}, {"region": "310000", "period": "2025"}):
        whole, pages, cursor = books.found(**asked), [], None
        while cursor is not None or not pages:
            page = books.ask(**asked, limit=2, **({"cursor": cursor} if cursor else {}))
            assert len(page["items"]) <= 2
            pages += [books.numbers.index(item["number"]) + 1 for item in page["items"]]
            cursor = page["next_cursor"]
        assert pages == whole


@pytest.mark.parametrize(
    "asked",
    [
        {"period": "2025", "region": "310000"}, {"period": "2026", "purpose": "own_emissions"},
        {"beneficiary": "绿源", "purpose": "own_emissions"}, {"methodology": "metro", "region": "330000"},
        {"vintage": "2026-06", "region": "310000"}, {"methodology": "cycling"},
    ],
)  # fmt: skip
def test_the_same_is_found_however_little_is_looked_at_in_one_go(
    books: Books, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the least of looks a page may be short or empty, but its cursor leads on to everything."""
    found = books.found(**asked)
    for name, least in (("FIRST_LOOK", 0), ("LOOKS", ()), ("BATCHES_MAX", -1)):
        monkeypatch.setattr(search_registry, name, least)
    pages = list(search_registry.pages(books.stage.platform, _loaded(asked), 1))
    assert [books.numbers.index(item["number"]) + 1 for page in pages for item in page] == found
    assert len(pages) > 1  # even where nothing is found


def _loaded(asked: dict[str, str]) -> dict[str, Any]:
    from backend.api import registry as routes

    loaded: dict[str, Any] = routes.RegistryWish().load(asked)
    return loaded


def test_days_are_civil_days_of_china_and_both_included(books: Books) -> None:
    today = datetime.now(UTC).astimezone(books.stage.platform.standard.nation.timezone).date()
    day = timedelta(days=1)
    assert books.found(retired_from=today - day, retired_to=today) == [6, 5, 4, 3, 2, 1]
    assert books.found(retired_from=today + day) == []
    assert books.found(retired_to=today - day - day) == []
    assert books.found(retired_to="9999-12-31", purpose="event") == [2]
    assert books.found(retired_from="0001-01-01", purpose="event") == [2]
    problem = refused(
        books.stage.http.get("/v1/registry?retired_from=2026-02-01&retired_to=2026-01-01"), 422, "request_invalid"
    )
    assert problem["errors"][0]["field"] == "retired_to"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"beneficiary": "绿"}, "beneficiary"),
        ({"beneficiary": "· ，绿"}, "beneficiary"),
        ({"beneficiary": "91440300708461136X"}, "beneficiary"),
        ({"beneficiary": "a\x00b"}, "beneficiary"),
        ({"beneficiary": "x" * 101}, "beneficiary"),
        ({"serial": "TPH-310000-cycling-202606-1-9-1"}, "serial"),
        ({"serial": "TPH-310000-cycling-202613-1-1-9"}, "serial"),
        ({"serial": "1:0"}, "serial"),
        ({"serial": "1:1\n"}, None),
        ({"serial": "\x00"}, "serial"),
        ({"batch": "9" * 30}, "batch"),
        ({"batch": "9" * 5000}, "batch"),
        ({"batch": "-1"}, "batch"),
        ({"batch": "1.5"}, "batch"),
        ({"retired_from": "2026-02-30"}, "retired_from"),
        ({"retired_to": "infinity"}, "retired_to"),
        ({"period": "2026-13"}, "period"),
        ({"period": "1999"}, "period"),
        ({"period": "２０２６"}, "period"),
        ({"region": "31"}, "region"),
        ({"methodology": "Cycling; drop table"}, "methodology"),
        ({"vintage": "2026-6"}, "vintage"),
        ({"purpose": "greenwashing"}, "purpose"),
        ({"limit": "101"}, "limit"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_what_cannot_be_asked_is_told_by_field_and_never_a_500(
    books: Books, asked: dict[str, Any], field: str | None
) -> None:
    for path in ("/v1/registry", "/v1/registry.csv", "/v1/registry/export.json", "/v1/registry/feed.atom"):
        if "limit" in asked and path.endswith(("csv", "json")):
            continue
        answer = books.stage.http.get(path, query_string=asked)
        if field is None:
            assert answer.status_code == 200
            continue
        assert (answer.status_code, answer.content_type) == (422, PROBLEM_TYPE), answer.get_data(as_text=True)
        assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize("cursor", ["x", "W10", "\x00", "WyIyMDI2LTAxLTAxIiwgMV0", "a" * 10_000, "WyIiLDFd", "bnVsbA"])
def test_a_broken_cursor_is_refused(books: Books, cursor: str) -> None:
    refused(books.stage.http.get("/v1/registry", query_string={"cursor": cursor}), 400, "cursor_invalid")


def test_an_address_of_ten_megabytes_is_answered(books: Books) -> None:
    answer = books.stage.http.get(f"/v1/registry?beneficiary={'x' * 10_000_000}")
    assert answer.status_code == 422
    assert len(answer.get_data()) < 2000


def test_words_that_lead_to_too_many_entities_are_asked_for_more(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_registry, "CODES_MAX", 1)
    assert books.found(beneficiary="青山") == [5, 3]
    problem = refused(books.stage.http.get("/v1/registry?beneficiary=公司"), 422, "request_invalid")
    assert problem["errors"][0]["code"] == "too_many"
    with books.stage.platform.db.transaction() as conn:
        assert sorted(registry.find_codes(conn, "公司", 10)) == [SHOP["uscc"], CODE]


def test_a_range_that_touches_too_many_retirements_is_asked_for_less(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_registry, "BLOCKS_MAX", 1)
    asked = {"serial": "TPH-310000-cycling-202606-1-1-1500"}
    problem = refused(books.stage.http.get("/v1/registry", query_string=asked), 422, "request_invalid")
    assert problem["errors"][0]["code"] == "too_many"
    assert books.found(serial="TPH-310000-cycling-202606-1-1-200") == [1]


def test_what_stands_in_the_index_is_what_the_migration_would_make_of_the_books(books: Books) -> None:
    """So that a platform that had retirements before its registry finds them as well."""
    made = {
        "registry_entry": "select retirement_id, retired_at, request ->> 'purpose' from retirement",
        "registry_line": "select retirement_id, batch_id, retired_at, region, pack_code, vintage_month"
        " from retired_line",
        "registry_beneficiary": "select distinct retirement_id, uscc, retired_at from retired_for",
        "registry_period": "select node, retired_at, retirement_id from retired_period",
        "registry_name": "select distinct name_form(n), uscc, name_grams(name_form(n)) from retired_for,"
        " unnest(array[name, name_en]) n where n is not null",
    }
    with books.stage.platform.db.transaction() as conn:
        for table, select in made.items():
            stored = set(map(str, conn.execute(f"table {table}")))  # type: ignore[call-overload]
            assert stored == set(map(str, conn.execute(select))), table  # type: ignore[call-overload]
            assert stored


def test_companies_that_retire_at_once_for_the_same_new_entities_are_all_found(stage: Stage) -> None:
    """Their names are written once, by whoever comes first; nobody loses a retirement by that."""
    market = Market(stage)
    market.issued(*[49_000] * 40)
    companies = [stage.client("company", f"公司{n}") for n in range(4)]
    for company in companies:
        market.paid(100, company)
        assert company.token
    both = [SCHOOL | {"quantity_g": 5}, SHOP | {"quantity_g": 5}]
    body = {name: value for name, value in RETIREMENT.items() if name != "beneficiary"} | {"quantity_g": 10}

    def retire(company: cast.Client, entities: list[dict[str, Any]]) -> Any:
        return lambda: company.post("/v1/retirements", body | {"beneficiaries": entities})

    answers = at_once(*(retire(c, both[:: 1 - 2 * (n % 2)]) for n, c in enumerate(companies * 3)))
    assert [answer.status_code for answer in answers] == [201] * 12
    for part in ("大学", "青山"):
        assert len(ok(stage.http.get(f"/v1/registry?beneficiary={part}"), 200)["items"]) == 12


def test_a_retirement_that_fails_leaves_nothing_to_be_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market(stage)
    market.issued(*[49_000] * 20)
    market.paid(100)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("backend.usecases.answer_once.idempotency.keep", fail)
    assert market.company.post("/v1/retirements", RETIREMENT | {"quantity_g": 1}).status_code == 500
    assert ok(stage.http.get("/v1/registry"), 200)["items"] == []
    assert stage.count("registry_entry") == stage.count("registry_name") == 0
    monkeypatch.undo()
    market.retired(1)
    assert stage.count("registry_entry") == 1


def test_a_claim_of_centuries_stands_under_the_years_of_this_one_only(stage: Stage) -> None:
    books = Books(stage)
    number = books.retire(quantity_g=1, period_from="0001-01-01", period_to="9999-12-31")
    for period in ("2000", "2099", "2031-07"):
        assert [item["number"] for item in books.ask(period=period)["items"]] == [number]
    with stage.platform.db.transaction() as conn:
        row = conn.execute("select count(*) from registry_period where retirement_id = 7").fetchone()
    assert row == (100,)
