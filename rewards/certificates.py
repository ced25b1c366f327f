"""The certificate of a retirement: one canonical dict (RFC 8785), so that its signature can be checked anywhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import rfc8785

from rewards import retirement, serials

KIND = "tanpuhui.certificate.v1"
_OWN = {
    "zh": "该批次中有 own_ppm（百万分之）来自注销公司自有的合作方",
    "en": "own_ppm parts per million of this batch came through partners of the retiring company itself",
}
PEOPLE_SHOWN_FROM = 20  # no published figure rests on fewer people
_OPTIONAL = ("beneficiary", "beneficiaries", "on_behalf_of", "footprint", "neutrality_claim", "note")
_NUMBER = re.compile(r"TPH-C-[0-9]{4}-[0-9]{6,12}")


@dataclass(frozen=True, slots=True)
class Source:
    """The grams that one batch gives to a retirement, and where the batch comes from."""

    batch_id: int
    region: str
    region_zh: str
    region_en: str
    pack_code: str
    pack_version: str
    pack_zh: str
    pack_en: str
    provisional: bool
    demonstration: bool
    gas_basis: str
    vintage_month: date
    verifier: str
    assurance: str
    people: int
    deeds: int
    members_root: bytes | None  # of the batch's own tree; None: closed before there was a log
    own_ppm: int  # of the batch, through partners inside the retiring company's own boundary
    spans: Sequence[serials.Span]


def number(retirement_id: int, retired_at: datetime) -> str:
    """The public number of a certificate."""
    return f"TPH-C-{retired_at.astimezone(UTC):%Y}-{retirement_id:06d}"


def is_number(text: str) -> bool:
    """True for a text that could be a certificate's number."""
    return _NUMBER.fullmatch(text) is not None


def certificate(
    *,
    number: str,
    retired_at: datetime,
    company: dict[str, str],
    request: dict[str, Any],
    sources: Sequence[Source],
    issuer: str,
    url: str,
    waiting: bool = False,
) -> dict[str, Any]:
    """Everything that a certificate says; only strings, integers, booleans, lists and dicts.

    request: what the company asked for, as checked: beneficiary or beneficiaries (with quantity_g), purpose,
    period_from, period_to, jurisdiction, and perhaps on_behalf_of, footprint, neutrality_claim, note.
    waiting: an entity in it has not been reviewed yet.
    """
    zh, en = retirement.PURPOSES[request["purpose"]]
    body = {
        "kind": KIND,
        "number": number,
        "issuer": issuer,
        "url": url,
        "issued_at": retired_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "company": company,
        "purpose": {"code": request["purpose"], "zh": zh, "en": en},
        "period": {"from": request["period_from"].isoformat(), "to": request["period_to"].isoformat()},
        "jurisdiction": request["jurisdiction"],
        "quantity_g": sum(span.quantity_g for s in sources for span in s.spans),
        "serials": [text for s in sources for text in _serials(s)],
        "lineage": [_lineage(s) for s in sources],
        "demonstration": any(s.demonstration for s in sources),
        "statements": retirement.statements(
            demonstration=any(s.demonstration for s in sources),
            provisional=any(s.provisional for s in sources),
            waiting=waiting,
            neutrality=bool(request.get("neutrality_claim")),
        ),
    }
    body |= {name: request[name] for name in _OPTIONAL if request.get(name)}
    if footprint := request.get("footprint"):
        body["covered_ppm"] = retirement.covered_ppm(body["quantity_g"], footprint["quantity_g"])
    return body


def beneficiaries(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Whom a certificate is for: one, or several each with its quantity_g."""
    return [body["beneficiary"]] if "beneficiary" in body else list(body["beneficiaries"])


def canonical(body: dict[str, Any]) -> bytes:
    """The bytes that are signed: RFC 8785. Raises ValueError for what has no canonical form."""
    return rfc8785.dumps(body)


def sha256(body: dict[str, Any]) -> str:
    """The hash, in hexadecimal, by which the log names a certificate or an amendment."""
    return hashlib.sha256(canonical(body)).hexdigest()


def _serials(source: Source) -> list[str]:
    place = (source.region, source.pack_code, source.vintage_month, source.batch_id)
    return [str(serials.SerialRange(*place, span)) for span in serials.joined(source.spans)]


def _lineage(source: Source) -> dict[str, Any]:
    """Which behaviours, regions and months; of people only how many, and that only when they are enough."""
    line = {
        "batch": source.batch_id,
        "region": {"code": source.region, "zh": source.region_zh, "en": source.region_en},
        "methodology": {
            "code": source.pack_code,
            "version": source.pack_version,
            "zh": source.pack_zh,
            "en": source.pack_en,
            "status": "provisional" if source.provisional else "official",
        },
        "gas_basis": source.gas_basis,
        "vintage": f"{source.vintage_month:%Y-%m}",
        "quantity_g": sum(span.quantity_g for span in source.spans),
        "attestation": {"verifier": source.verifier, "assurance": source.assurance},
        "demonstration": source.demonstration,
    }
    if source.people >= PEOPLE_SHOWN_FROM:
        line |= {"people_in_batch": source.people, "deeds_in_batch": source.deeds}
    if source.members_root:
        line |= {"members_root": base64.b64encode(source.members_root).decode()}
    return line | ({"own_ppm": source.own_ppm, "note": _OWN} if source.own_ppm else {})
