"""The registry as files: tables that spreadsheets open, JSON, the CAD Trust shape, feeds; and records of batches."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from backend import cli
from backend.usecases import describe_batches, export_registry, export_units, search_registry
from rewards import ledger, serials
from tests import cast
from tests.backend.test_search_registry import SCHOOL, Books
from tests.cast import Stage
from tests.market import Market, ok, refused

ATOM = "{http://www.w3.org/2005/Atom}"
FORMULA = {"name": '=HYPERLINK("http://evil")', "name_en": "+1-2", "uscc": "91330100799655058B"}


@pytest.fixture(scope="module")
def books(module_database_url: str, valkey_url: str) -> Iterator[Books]:
    with cast.stage(module_database_url, valkey_url) as stage:
        yield Books(stage)


def text(stage: Stage, path: str, **asked: Any) -> str:
    answer = stage.http.get(path, query_string=asked or None)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def table(stage: Stage, **asked: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(stage, "/v1/registry.csv", lang="en", **asked).lstrip("\ufeff"))))


def tables(stage: Stage, **asked: Any) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(text(stage, "/v1/registry/cad-trust.json", **asked))["tables"]
    return found


def test_the_table_holds_every_range_of_what_the_search_finds(books: Books) -> None:
    for asked in ({}, {"beneficiary": "青山"}, {"methodology": "metro"}, {"purpose": "product"}):
        items = books.ask(**asked)["items"]
        listed = [(i["number"], text) for i in items for line in i["lines"] for text in line["serials"]]
        rows = table(books.stage, **asked)
        assert [(row["certificate"], row["serial"]) for row in rows] == listed
        assert sum(int(row["quantity_g"]) for row in rows) == sum(item["quantity_g"] for item in items)
    row = table(books.stage, beneficiary="青山", batch=2)[0]
    assert row["uscc"] == "123100004250061179; 91330100799655058B"
    assert row["beneficiary"] == "Shanghai 100% University; 杭州青山商贸（集团）有限公司"
    assert (row["region"], row["purpose"], row["unit"], row["demonstration"]) == (
        "Shanghai", "voluntary compensation of own emissions", "gCO2e", "yes",
    )  # fmt: skip


def test_the_table_opens_in_excel_in_either_language(books: Books) -> None:
    answer = books.stage.http.get("/v1/registry.csv", headers={"Accept-Language": "zh-CN"})
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].endswith('.csv"')
    assert answer.get_data().startswith(b"\xef\xbb\xbf")
    lines = answer.get_data().decode("utf-8-sig").split("\r\n")
    assert lines[0] == ",".join(export_registry.COLUMNS.values())
    assert "上海市第一百_大学" in "".join(lines)
    english = text(books.stage, "/v1/registry.csv", lang="en").lstrip("\ufeff").split("\r\n")[0]
    assert english == ",".join(export_registry.COLUMNS)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_table_can_be_checked_for_doubles_as_it_is(books: Books, language: str, tmp_path: Any) -> None:
    (tmp_path / "retired.csv").write_text(text(books.stage, "/v1/registry.csv", lang=language), "utf-8")
    done = CliRunner().invoke(cli.main, ["serials", "check", "--json", str(tmp_path / "retired.csv")])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["ranges"]["tanpuhui"] == len(table(books.stage))


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t"])
def test_no_cell_is_taken_for_a_formula(begin: str) -> None:
    assert export_registry.safe(f"{begin}1") == f"'{begin}1"
    assert export_registry.safe(f"1{begin}") == f"1{begin}"


def test_a_name_that_is_a_formula_is_a_text_in_the_table(stage: Stage) -> None:
    market = Market(stage)
    market.issued(*[49_000] * 20)
    market.paid(500)
    market.retired(5, beneficiary=FORMULA)
    raw = text(stage, "/v1/registry.csv", lang="zh")
    assert "'=HYPERLINK" in raw
    assert table(stage)[0]["beneficiary"] == "'+1-2"


def test_files_are_the_same_however_many_pages_they_are_read_in(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ("/v1/registry.csv", "/v1/registry/export.json", "/v1/registry/cad-trust.json")

    def read(path: str) -> str:
        """Without the moment at which it was made."""
        return re.sub(r'"(exported_at|as_of)": "[^"]*"', "", text(books.stage, path))

    whole = [read(path) for path in paths]
    monkeypatch.setattr(export_registry, "PAGE", 1)
    monkeypatch.setattr(export_units, "BATCHES_A_PAGE", 1)
    monkeypatch.setattr(export_units, "BLOCKS_A_PAGE", 1)
    assert [read(path) for path in paths] == whole


def test_no_page_is_read_before_it_is_sent(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows are never held at once: what was not fetched yet was not read."""
    read = []
    search = search_registry.search_registry
    monkeypatch.setattr(search_registry, "search_registry", lambda *a: read.append(a) or search(*a))  # type: ignore[func-returns-value]
    monkeypatch.setattr(export_registry, "PAGE", 1)
    pieces = export_registry.export_table(books.stage.platform, {}, "zh")
    assert len(read) == 1
    next(pieces), next(pieces)
    assert len(read) == 1
    next(pieces)
    assert len(read) == 2


def test_the_json_file_holds_the_items_of_the_search(books: Books) -> None:
    file = json.loads(text(books.stage, "/v1/registry/export.json", beneficiary="青山", batch=""))
    assert (file["format"], file["asked"]) == ("tanpuhui-registry/1", {"beneficiary": "青山"})
    assert file["items"] == books.ask(beneficiary="青山")["items"]
    assert json.loads(text(books.stage, "/v1/registry/export.json", purpose="product"))["items"] == []


# --- CAD Trust -----------------------------------------------------------------------------------------------------

FIELDS = {  # of the data model 2.0.2, without what a node gives itself
    "program": "cadTrustProgramId programName programRegistry programRegistryId programDescription",
    "methodology": "cadTrustMethodologyId methodologyCode methodologyName methodologyType methodologyVersion"
    " methodologyDate methodologyLink",
    "project": "cadTrustProjectId projectRegistryName projectId projectCreditingProgram projectName projectLink"
    " projectDescription projectSector projectType projectSubtype projectStatus projectStatusDate projectUnitMetric"
    " cadTrustProgramId",
    "project_methodology": "cadTrustProjectMethodologyId cadTrustProjectId cadTrustMethodologyId"
    " projectMethodologyDate projectMethodologyDescription",
    "verification": "cadTrustVerificationId verificationId verificationStartDate verificationEndDate verificationBody"
    " cadTrustProjectId cadTrustValidationId",
    "location": "cadTrustLocationId locationCountry locationRegion locationGis locationMapType locationMapFileLink"
    " cadTrustProjectId",
    "issuance": "cadTrustIssuanceId issuanceId issuanceDate cadTrustVerificationId cadTrustProjectMethodologyId"
    " cadTrustLocationId",
    "unit": "cadTrustUnitId unitSerialId unitStartBlock unitEndBlock unitCount unitType unitVintageYear unitStatus"
    " unitStatusReason unitStatusDate unitRetirementDetail unitRetirementBeneficiary unitRetirementBeneficiaryId"
    " unitLink unitMetric unitCurrentOwner unitItmosReferenceId cadTrustIssuanceId",
}
PICKLISTS = {
    ("methodology", "methodologyType"): {"Reduction - technical"},
    ("project", "projectStatus"): {"Registered", "Inactive"},
    ("project", "projectUnitMetric"): {"tCO2e"},
    ("unit", "unitType"): {"Reduction - technical"},
    ("unit", "unitStatus"): {"Issued", "Held", "Retired", "Cancelled", "Buffer"},
    ("unit", "unitMetric"): {"tCO2e"},
    ("location", "locationCountry"): {"China"},
}
SECTORS = {"Transport", "Energy demand", "Waste handling and disposal", "Others"}
TYPES = {"Transport", "Energy Efficiency households", "Waste", "Any combination of the above"}


def test_the_cad_trust_file_has_the_fields_of_the_model_and_every_reference_leads_to_a_row(books: Books) -> None:
    file = json.loads(text(books.stage, "/v1/registry/cad-trust.json"))
    assert (file["version"], file["schema"]) == ("2.0.2", "CAD Trust Data Schema")
    assert all(note["zh"] and note["en"] for note in file["notes"])
    found = file["tables"]
    assert list(found) == [
        "program", "methodology", "stakeholder", "label", "project", "project_methodology", "validation",
        "verification", "location", "issuance", "unit", "unit_label",
    ]  # fmt: skip
    for name, wanted in FIELDS.items():
        assert found[name]
        assert all(list(row) == wanted.split() for row in found[name]), name
        keys = [row[wanted.split()[0]] for row in found[name]]
        assert len(set(keys)) == len(keys)
    ids = {row[name.split()[0]] for name, rows in zip(FIELDS.values(), map(found.get, FIELDS), strict=True)
           for row in rows or ()}  # fmt: skip
    for name in FIELDS:
        for row in found[name]:
            assert {v for k, v in row.items() if k.startswith("cadTrust") and v is not None} <= ids, name
    for (name, field), values in PICKLISTS.items():
        assert {row[field] for row in found[name]} <= values
    assert all(set(p["projectSector"]) <= SECTORS and set(p["projectType"]) <= TYPES for p in found["project"])


def test_each_live_block_is_a_unit_once_and_only_the_beneficiary_of_what_is_retired_is_named(books: Books) -> None:
    ordered = books.market.ordered(100, region="330100", methodology="cycling")
    found = tables(books.stage)
    grams: Counter[str] = Counter()
    spans: dict[int, list[serials.Span]] = {}
    for unit in found["unit"]:
        one = serials.parse(unit["unitSerialId"])
        spans.setdefault(one.batch_id, []).append(one.span)
        assert (unit["unitStartBlock"], unit["unitEndBlock"]) == (str(one.span.first), str(one.span.last))
        whole, _, part = unit["unitCount"].partition(".")
        assert int(whole) * 1_000_000 + int(part) == one.span.quantity_g
        grams[unit["unitStatus"]] += one.span.quantity_g
        named = unit["unitRetirementBeneficiary"] is not None
        assert named == (unit["unitStatus"] == "Retired")
        assert unit["unitCurrentOwner"] is None
        assert unit["unitStatusReason"].startswith("DEMONSTRATION")
    proof = {b["batch"]: b for b in books.market.conservation()["batches"]}
    for batch, listed in spans.items():
        assert serials.joined(listed) == [serials.Span(1, proof[batch]["issued_g"])]
    for status, places in {
        "Issued": ["available"], "Held": ["reserved", "held"], "Retired": ["retired"], "Buffer": ["reserve"],
    }.items():  # fmt: skip
        assert grams[status] == sum(b[f"{place}_g"] for b in proof.values() for place in places) > 0, status
    assert set(export_units.STATUS) == set(ledger.PLACES)
    assert books.market.company.id not in json.dumps(found)
    school = [u for u in found["unit"] if SCHOOL["uscc"] == u["unitRetirementBeneficiaryId"]]
    assert [u["unitLink"] for u in school] == [f"{cast.BASE}/v1/certificates/{books.numbers[1]}"]
    books.market.company.call("DELETE", f"/v1/orders/{ordered['id']}")


def test_the_cad_trust_file_can_be_narrowed_to_batches(books: Books) -> None:
    assert {u["unitSerialId"].split("-")[4] for u in tables(books.stage, region="330000")["unit"]} == {"3"}
    assert len(tables(books.stage, methodology="cycling")["issuance"]) == 3
    assert tables(books.stage, demonstration="false")["unit"] == []
    assert len(tables(books.stage, demonstration="true")["issuance"]) == 4


# --- feeds ---------------------------------------------------------------------------------------------------------


def feed(stage: Stage, **asked: Any) -> ET.Element:
    return ET.fromstring(text(stage, "/v1/registry/feed.atom", **asked))


def ids(root: ET.Element) -> list[str]:
    return [str(entry.findtext(f"{ATOM}id")).rpartition("/")[2] for entry in root.iter(f"{ATOM}entry")]


def links(root: ET.Element) -> dict[str, str]:
    return {link.attrib["rel"]: link.attrib["href"] for link in root.findall(f"{ATOM}link")}


def test_the_feed_is_atom_with_what_every_entry_must_have(books: Books) -> None:
    root = feed(books.stage)
    assert ids(root) == books.numbers[::-1]
    assert root.findtext(f"{ATOM}id") == f"{cast.BASE}/v1/registry/feed.atom" == links(root)["self"]
    assert links(root)["alternate"] == f"{cast.BASE}/registry"
    moments = [str(entry.findtext(f"{ATOM}updated")) for entry in root.iter(f"{ATOM}entry")]
    assert moments == sorted(moments, reverse=True)
    assert root.findtext(f"{ATOM}updated") == moments[0]
    assert all(datetime.fromisoformat(moment).tzinfo for moment in moments)
    for entry in root.iter(f"{ATOM}entry"):
        for name in ("id", "title", "updated", "published", "summary"):
            assert entry.findtext(ATOM + name), name
    assert root.find(f"{ATOM}author/{ATOM}name") is not None


def test_a_search_can_be_followed_and_read_back_page_by_page(books: Books) -> None:
    root = feed(books.stage, beneficiary="绿源", limit=2)
    assert ids(root) == [books.numbers[5], books.numbers[3]]
    older = ET.fromstring(text(books.stage, links(root)["next"].removeprefix(cast.BASE)))
    assert ids(older) == [books.numbers[0]]
    assert "next" not in links(older)
    assert older.findtext(f"{ATOM}id") == root.findtext(f"{ATOM}id")
    body = json.loads(text(books.stage, "/v1/registry/feed.json", beneficiary="绿源", limit=2))
    assert body["version"] == "https://jsonfeed.org/version/1.1"
    assert [item["id"].rpartition("/")[2] for item in body["items"]] == ids(root)
    assert "next_url" in body


@pytest.mark.parametrize("path", ["/v1/registry/feed.atom", "/v1/registry/feed.json"])
def test_a_feed_is_sent_again_only_when_something_is_new(stage: Stage, path: str) -> None:
    market = Market(stage)
    empty = stage.http.get(path)
    assert empty.status_code == 200
    market.issued(*[49_000] * 20)
    market.paid(500)
    market.retired(5)
    first = stage.http.get(path, headers={"If-None-Match": empty.headers["ETag"]})
    assert first.status_code == 200
    again = stage.http.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")
    market.retired(6, beneficiary={"name": "<b>&\ufffe“名”</b>", "uscc": "91330100799655058B"})
    newer = stage.http.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert newer.status_code == 200
    read = newer.get_data(as_text=True)
    told = json.loads(read)["items"][0]["title"] if path.endswith("json") else ET.fromstring(read)[-2][1].text
    assert "<b>&" in str(told)


# --- batches -------------------------------------------------------------------------------------------------------


def test_the_record_of_a_batch_accounts_for_every_gram_and_names_nobody_who_holds(books: Books) -> None:
    figures = {b["batch"]: b for b in books.market.conservation()["batches"]}
    listed = ok(books.stage.http.get("/v1/registry/batches"), 200)["items"]
    assert [b["id"] for b in listed] == [4, 3, 2, 1]
    for short in listed:
        record = ok(books.stage.http.get(f"/v1/registry/batches/{short['id']}"), 200)
        assert {name: record[name] for name in short} == short
        assert record["url"] == f"{cast.BASE}/v1/registry/batches/{record['id']}"
        for place in ledger.PLACES:
            assert record[f"{place}_g"] == figures[record["id"]][f"{place}_g"], place
            assert record[f"{place}_g"] == sum(s["quantity_g"] for s in record["serials"] if s["place"] == place)
        assert record["issued_g"] == sum(record[f"{place}_g"] for place in ledger.PLACES)
        spans = [serials.parse(s["serial"]).span for s in record["serials"]]
        assert serials.joined(spans) == [serials.Span(1, record["issued_g"])]
        assert [r["number"] for r in record["retirements"]] == [
            item["number"] for item in books.ask(batch=record["id"])["items"]
        ]
        assert record["serials_complete"] is record["retirements_complete"] is True
        assert record["attestation"]["verifier"] == "华测认证"
        assert books.market.company.id not in json.dumps(record)
        assert (record["people"], record["deeds"]) == (30, 40)


def test_a_recall_shows_on_the_record_of_its_batch(stage: Stage) -> None:
    market = Market(stage)
    batch = market.issued(*[49_000] * 20)
    market.paid(500)
    market.lowered((1, 20_000))
    record = ok(stage.http.get(f"/v1/registry/batches/{batch['id']}"), 200)
    assert record["cancelled_g"] == 29
    assert [a["recalled_mg"] for a in record["amendments"]] == [29_000]


def test_of_few_people_no_number_is_told_and_what_is_not_issued_has_no_record(stage: Stage) -> None:
    market = Market(stage, people=19)
    few = market.issued(*[50_000] * 19)
    record = ok(stage.http.get(f"/v1/registry/batches/{few['id']}"), 200)
    assert (record["people"], record["deeds"], record["attestation"]["sample"]) == (None, None, None)
    waiting = market.attested(*[50_000] * 30)
    refused(stage.http.get(f"/v1/registry/batches/{waiting['id']}"), 404, "not_found")
    assert [b["id"] for b in ok(stage.http.get("/v1/registry/batches"), 200)["items"]] == [few["id"]]


def test_records_come_page_by_page_and_by_what_is_asked(books: Books) -> None:
    first = ok(books.stage.http.get("/v1/registry/batches?limit=3"), 200)
    rest = ok(books.stage.http.get(f"/v1/registry/batches?limit=3&cursor={first['next_cursor']}"), 200)
    assert [b["id"] for b in first["items"] + rest["items"]] == [4, 3, 2, 1]
    assert rest["next_cursor"] is None
    for asked, found in (("region=330000", [3]), ("methodology=metro", [2]), ("vintage=2026-07", [4]),
                         ("demonstration=false", []), ("batch=2", [2]), ("batch=2&region=330100", [])):  # fmt: skip
        items = ok(books.stage.http.get(f"/v1/registry/batches?{asked}"), 200)["items"]
        assert [b["id"] for b in items] == found, asked
    for number in ("0", "99", str(2**63 - 1), str(2**63), "x"):
        assert books.stage.http.get(f"/v1/registry/batches/{number}").status_code == 404


def test_a_fragmented_batch_shows_the_first_ranges_and_says_so(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describe_batches, "SPANS_MAX", 2)
    monkeypatch.setattr(describe_batches, "RETIREMENTS_MAX", 1)
    record = ok(books.stage.http.get("/v1/registry/batches/4"), 200)
    assert (len(record["serials"]), record["serials_complete"]) == (2, False)
    assert (len(record["retirements"]), record["retirements_complete"]) == (1, False)
    assert datetime.fromisoformat(record["issued_at"]) < datetime.now(UTC)
