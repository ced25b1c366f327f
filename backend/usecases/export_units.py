"""Everything issued, in the field shape of the Climate Action Data Trust data model: for whoever feeds a CADT node.

A project is a methodology in a region, an issuance is a batch, a unit is a block of serials. `NOTES` says what does
not fit.
"""

from __future__ import annotations

import json
import uuid
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from backend.platform import Platform
from backend.store import registry
from backend.usecases import export_registry, list_batches, search_registry
from rewards import certificates, ledger, serials

MODEL = "2.0.2"  # of the data dictionary; its picklists as of 2026-06-30
SCHEMA = "https://github.com/Chia-Network/cadt/blob/develop/docs/cadtrust-schema-v2.0.2.json"
BATCHES_A_PAGE, BLOCKS_A_PAGE = 200, 2000
REGISTRY = "Tanpuhui 碳普惠"
UNIT_TYPE = "Reduction - technical"

# place -> unitStatus, why. Nobody is named as the owner of what is held.
STATUS = {
    ledger.AVAILABLE: ("Issued", "issued, offered for sale"),
    ledger.RESERVED: ("Held", "set aside for an order that is not paid yet"),
    ledger.HELD: ("Held", "held by a company"),
    ledger.RESERVE: ("Buffer", "correction reserve (not a permanence buffer)"),
    ledger.RETIRED: ("Retired", "retired for the named beneficiary"),
    ledger.CANCELLED: ("Cancelled", "cancelled to make up for a recalled reduction"),
    ledger.TRANSFERRED: ("Cancelled", "given up here, taken over by another registry"),
}
DEMONSTRATION = "DEMONSTRATION 示范, no claim may be made: "

# category of a methodology -> projectSector, projectType of the picklists.
KIND = {
    "travel": ("Transport", "Transport"),
    "housing": ("Energy demand", "Energy Efficiency households"),
    "goods": ("Waste handling and disposal", "Waste"),
}
OTHER = ("Others", "Any combination of the above")

NOTES = [
    ("序列号以克计：unitCount 为克数除以一百万（吨），不由号段推算。",
     "A serial numbers a gram: unitCount is grams divided by a million (tonnes), not inferred from the range."),
    ("项目为某地区的某一方法学，没有项目业主与审定，故 stakeholder、validation 为空。",
     "A project is a methodology in a region, without developer and validation: stakeholder and validation are empty."),
    ("减排月份在模型中只有年份：月份见 verification 的起止日与 unitSerialId。",
     "The model knows vintage years only: for the month see the dates of verification, and unitSerialId."),
    ("unitRetirementBeneficiaryId 为统一社会信用代码，不是 LEI；多个受益人以分号隔开。",
     "unitRetirementBeneficiaryId is a code of GB 32100, not an LEI; several beneficiaries are divided by semicolons."),
    ("纠错储备写作 Buffer；转往其他登记系统的写作 Cancelled。持有人不公开，只公开注销的受益人。",
     "The correction reserve is called Buffer, what left for another registry Cancelled. Who holds units is not told."),
    ("verificationBody 为核查机构名称，未必在选项表中；projectType 没有合适选项时写 Any combination of the above。",
     "verificationBody is the verifier's name, which need not be in the picklist; where no projectType fits it says "
     "Any combination of the above."),
    ("各 GUID 为按网址生成的 UUID（第 5 版），只用于表间引用；提交时以节点所给为准，orgUid 等亦然。",
     "GUIDs are name-based UUIDs (version 5) that tie the tables together; a node gives its own, and orgUid too."),
    ("没有第六条（AEF）各表、评级、共同效益、标签和预估。",
     "There are no Article 6 (AEF) tables, ratings, co-benefits, labels or estimations."),
    ("示范批次的 projectStatus 为 Inactive，unitStatusReason 以 DEMONSTRATION 开头：不得提交，不得用于任何声明。",
     "What is a demonstration has projectStatus Inactive and a unitStatusReason that begins with DEMONSTRATION: it "
     "must not be submitted, and no claim may be made."),
]  # fmt: skip

Row = dict[str, Any]


def export_units(
    platform: Platform, wish: search_registry.Wish, demonstration: bool | None, now: datetime
) -> Iterator[str]:
    """A JSON document, piece by piece: {schema, version, notes, as_of, tables: {name: [row]}} in order of insertion.

    wish: of batch, pack_code, region, vintage_month. What is issued later than `now` is left out; where the serials are
    is of the moment at which a page of them is read.
    """
    export = _Export(platform, search_registry.batch_lists(platform, wish), demonstration, now)
    head = {
        "schema": "CAD Trust Data Schema", "version": MODEL, "schema_url": SCHEMA, "as_of": now.isoformat(),
        "registry": platform.settings.public_url, "notes": [{"zh": zh, "en": en} for zh, en in NOTES],
    }  # fmt: skip
    yield json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "tables": {'
    between = ""
    for name, pages in export.tables():
        yield f'{between}\n  "{name}": ['
        yield from export_registry.listed(pages)
        yield "]"
        between = ","
    yield "\n }\n}\n"


class _Export:
    """What is asked for, and how the tables of the model are made of it."""

    def __init__(self, platform: Platform, lists: registry.Lists, demonstration: bool | None, until: datetime) -> None:
        self.platform, self.lists, self.demonstration, self.until = platform, lists, demonstration, until
        self.url = platform.settings.public_url
        self.zone = platform.standard.nation.timezone
        with platform.db.transaction(snapshot=True) as conn:
            self.series = registry.series(conn, lists, demonstration, until)

    def tables(self) -> Iterator[tuple[str, Iterable[Iterable[Row]]]]:
        """(table, its rows page by page), in the order in which a node takes them."""
        yield "program", [[self._program()]]
        yield "methodology", [_distinct(self._methodology(row) for row in self.series)]
        yield "stakeholder", []
        yield "label", []
        yield "project", [_distinct(self._project(row) for row in self.series)]
        yield "project_methodology", [[self._project_methodology(row) for row in self.series]]
        yield "validation", []
        yield "verification", (map(self._verification, page) for page in self._batches())
        yield "location", [_distinct(self._location(row) for row in self.series)]
        yield "issuance", (map(self._issuance, page) for page in self._batches())
        yield "unit", chain.from_iterable(map(self._units, chain.from_iterable(self._batches())))
        yield "unit_label", []

    def _batches(self) -> Iterator[list[Row]]:
        before: int | None = registry.NEWEST
        while before is not None:
            with self.platform.db.transaction(snapshot=True) as conn:
                rows = registry.batches(
                    conn, self.lists, before=before, limit=BATCHES_A_PAGE, demonstration=self.demonstration,
                    until=self.until, with_places=False,
                )  # fmt: skip
            yield rows
            before = rows[-1]["batch_id"] if len(rows) == BATCHES_A_PAGE else None

    def _id(self, *name: object) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, (self.url, "cad-trust", *name)))))

    def _program(self) -> Row:
        return {
            "cadTrustProgramId": self._id("program"), "programName": REGISTRY, "programRegistry": REGISTRY,
            "programRegistryId": urlsplit(self.url).netloc,
            "programDescription": "Reductions of everyday life, measured deed by deed under one standard",
        }  # fmt: skip

    def _methodology(self, row: Row) -> Row:
        code, version = row["pack_code"], row["pack_version"]
        named = list_batches.methodology(self.platform, code, version)
        return {
            "cadTrustMethodologyId": self._id("methodology", code, version), "methodologyCode": code,
            "methodologyName": f"{named['zh']} {named['en']}", "methodologyType": UNIT_TYPE,
            "methodologyVersion": version, "methodologyDate": None, "methodologyLink": f"{self.url}/standard/{code}",
        }  # fmt: skip

    def _project_key(self, row: Row) -> str:
        return f"{row['region']}-{row['pack_code']}" + ("-demonstration" if row["demonstration"] else "")

    def _project(self, row: Row) -> Row:
        code, key = row["pack_code"], self._project_key(row)
        named = list_batches.methodology(self.platform, code, row["pack_version"])
        place = list_batches.region(self.platform, row["region"])
        pack = next((pack for pack in self.platform.standard.methodologies if pack.code == code), None)
        sector, kind = KIND.get(pack.category if pack else "", OTHER)
        first = min(s["issued_at"] for s in self.series if self._project_key(s) == key)
        return {
            "cadTrustProjectId": self._id("project", key), "projectRegistryName": REGISTRY, "projectId": key,
            "projectCreditingProgram": REGISTRY,
            "projectName": f"{named['zh']}（{place['zh']}） {named['en']} ({place['en']})",
            "projectLink": f"{self.url}/standard/{code}",
            "projectDescription": (DEMONSTRATION if row["demonstration"] else "")
            + "deeds of citizens who consented to pooling",
            "projectSector": [sector], "projectType": [kind], "projectSubtype": code,
            "projectStatus": "Inactive" if row["demonstration"] else "Registered",
            "projectStatusDate": self._day(first), "projectUnitMetric": "tCO2e",
            "cadTrustProgramId": self._id("program"),
        }  # fmt: skip

    def _project_methodology(self, row: Row) -> Row:
        return self._project_methodology_id(row) | {
            "cadTrustProjectId": self._id("project", self._project_key(row)),
            "cadTrustMethodologyId": self._id("methodology", row["pack_code"], row["pack_version"]),
            "projectMethodologyDate": row["first_month"].isoformat(), "projectMethodologyDescription": None,
        }  # fmt: skip

    def _project_methodology_id(self, row: Row) -> Row:
        name = (self._project_key(row), row["pack_version"])
        return {"cadTrustProjectMethodologyId": self._id("project-methodology", *name)}

    def _verification(self, row: Row) -> Row:
        month: date = row["vintage_month"]
        return {
            "cadTrustVerificationId": self._id("verification", row["batch_id"]),
            "verificationId": f"{_prefix(row)}-V", "verificationStartDate": month.isoformat(),
            "verificationEndDate": month.replace(day=monthrange(month.year, month.month)[1]).isoformat(),
            "verificationBody": row["verifier"], "cadTrustProjectId": self._id("project", self._project_key(row)),
            "cadTrustValidationId": None,
        }  # fmt: skip

    def _location(self, row: Row) -> Row:
        place, key = list_batches.region(self.platform, row["region"]), self._project_key(row)
        return {
            "cadTrustLocationId": self._id("location", key), "locationCountry": "China",
            "locationRegion": f"{place['zh']} {place['en']} (GB/T 2260 {place['code']})", "locationGis": None,
            "locationMapType": None, "locationMapFileLink": None, "cadTrustProjectId": self._id("project", key),
        }  # fmt: skip

    def _issuance(self, row: Row) -> Row:
        return {
            "cadTrustIssuanceId": self._id("issuance", row["batch_id"]), "issuanceId": _prefix(row),
            "issuanceDate": self._day(row["issued_at"]),
            "cadTrustVerificationId": self._id("verification", row["batch_id"]), **self._project_methodology_id(row),
            "cadTrustLocationId": self._id("location", self._project_key(row)),
        }  # fmt: skip

    def _units(self, batch: Row) -> Iterator[Iterable[Row]]:
        after, full = 0, True
        while full:
            with self.platform.db.transaction(snapshot=True) as conn:
                blocks = registry.blocks(conn, batch["batch_id"], after, BLOCKS_A_PAGE)
            yield [self._unit(batch, block) for block in blocks]
            full = len(blocks) == BLOCKS_A_PAGE
            after = blocks[-1]["block_id"] if blocks else 0

    def _unit(self, batch: Row, block: Row) -> Row:
        status, why = STATUS[block["account"]]
        grams = block["last"] - block["first"] + 1
        certificate = json.loads(block["canonical"]) if block["canonical"] else None
        record = f"{self.url}/v1/registry/batches/{batch['batch_id']}"
        return {
            "cadTrustUnitId": self._id("unit", block["block_id"]),
            "unitSerialId": f"{_prefix(batch)}-{block['first']}-{block['last']}",
            "unitStartBlock": str(block["first"]), "unitEndBlock": str(block["last"]),
            "unitCount": f"{grams // 1_000_000}.{grams % 1_000_000:06d}", "unitType": UNIT_TYPE,
            "unitVintageYear": batch["vintage_month"].year, "unitStatus": status,
            "unitStatusReason": (DEMONSTRATION if batch["demonstration"] else "") + why,
            "unitStatusDate": self._day(block["made_at"]), **_retirement(certificate),
            "unitLink": f"{self.url}/v1/certificates/{certificate['number']}" if certificate else record,
            "unitMetric": "tCO2e", "unitCurrentOwner": None, "unitItmosReferenceId": None,
            "cadTrustIssuanceId": self._id("issuance", batch["batch_id"]),
        }  # fmt: skip

    def _day(self, at: datetime) -> str:
        return at.astimezone(self.zone).date().isoformat()


def _prefix(row: Row) -> str:
    """What the serials of a batch begin with."""
    whole = serials.SerialRange(
        row["region"], row["pack_code"], row["vintage_month"], row["batch_id"], serials.Span(1, 1)
    )
    return str(whole).removesuffix("-1-1")


def _retirement(certificate: Row | None) -> Row:
    if certificate is None:
        return dict.fromkeys(("unitRetirementDetail", "unitRetirementBeneficiary", "unitRetirementBeneficiaryId"))
    entities = certificates.beneficiaries(certificate)
    period, purpose = certificate["period"], certificate["purpose"]
    return {
        "unitRetirementDetail": f"{certificate['number']}; {purpose['zh']} {purpose['en']}; "
        f"{period['from']} – {period['to']}",
        "unitRetirementBeneficiary": "; ".join(" ".join(filter(None, (e["name"], e.get("name_en")))) for e in entities),
        "unitRetirementBeneficiaryId": "; ".join(entity["uscc"] for entity in entities),
    }


def _distinct(rows: Iterable[Row]) -> list[Row]:
    """Each row once, by its id: the first member."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(next(iter(row.values())), row)
    return list(found.values())
