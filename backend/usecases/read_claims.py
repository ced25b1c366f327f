"""Bytes to the rows of a claim list: each row is read alone, so that a bad one harms no other."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from backend.platform import Platform
from backend.store.claims import Row
from backend.usecases import judge_events
from rules import claims

COLUMNS = ("mechanism", "kind", "act_ref", "act_digest", "operator", "asset_ref", "activity", "region", "from", "to",
           "document")  # fmt: skip
MECHANISM = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
LONGEST = 200
_ACT_REF = re.compile(r"([a-z0-9][a-z0-9._-]{0,39}):([\x21-\x7e]{1,119})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BY_NUMBER = ("act_ref", "act_digest")
_BY_SPAN = ("operator", "activity", "region", "from", "to")
ANY = "*"


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one row; `line` as an editor counts them, or the place in a JSON list."""

    line: int
    field: str
    code: str
    detail: str


Raw = tuple[int, Mapping[str, Any]]


def read_csv(text: str) -> list[Raw]:
    """(line, cells) of a CSV with a header. Raises ValueError when it is none, or has other columns."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), restkey="")
    if unknown := [name for name in reader.fieldnames or () if name not in COLUMNS]:
        raise ValueError(f"unknown column {unknown[0]!r}; there are: {', '.join(COLUMNS)}")
    try:
        return [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def read_json(text: str) -> list[Raw]:
    """(place, members) of a JSON list, or of the list `claims` or `items` of an object. Raises ValueError."""
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if isinstance(found, dict):
        found = found.get("claims", found.get("items"))
    if not isinstance(found, list):
        raise ValueError("expected a JSON list of claims")
    return list(enumerate(found, 1))


def read_claims(
    platform: Platform, mechanism: str, raws: Sequence[Raw], operators: Mapping[str, str]
) -> Iterator[Row | RowError]:
    """Each row as it is stored, or what is wrong with it. operators: client id or name of numbers -> client id."""
    for line, raw in raws:
        try:
            yield _Reader(platform, mechanism, line, raw, operators).row()
        except _Wrong as wrong:
            yield RowError(line, *wrong.args)


class _Wrong(Exception):
    """(field, code, detail)"""


class _Reader:
    def __init__(
        self, platform: Platform, mechanism: str, line: int, raw: Mapping[str, Any], operators: Mapping[str, str]
    ) -> None:
        self.platform, self.mechanism, self.line, self.operators = platform, mechanism, line, operators
        self.cells = self._cells(raw)

    def _cells(self, raw: Any) -> dict[str, str]:
        if not isinstance(raw, Mapping):
            raise _Wrong("", "field_invalid", "a claim is an object")
        cells = {}
        for name, value in raw.items():
            if name not in COLUMNS:
                raise _Wrong(str(name)[:40], "field_invalid", f"no such column; there are: {', '.join(COLUMNS)}")
            if value is not None and (not isinstance(value, str) or len(value) > LONGEST or not value.isprintable()):
                raise _Wrong(name, "field_invalid", f"printable text of at most {LONGEST} characters is wanted")
            if value and value.strip():
                cells[name] = value.strip()
        return cells

    def row(self) -> Row:
        if self.cells.get("mechanism", self.mechanism) != self.mechanism:
            raise _Wrong("mechanism", "field_invalid", f"the list is imported as {self.mechanism}'s")
        kind = self._need("kind")
        if kind not in claims.CONFLICTS:
            raise _Wrong("kind", "field_invalid", f"one of: {', '.join(claims.CONFLICTS)}")
        told = [name for name in (*_BY_NUMBER, *_BY_SPAN, "asset_ref") if name in self.cells]
        if told[:1] in (["act_ref"], ["act_digest"]) and len(told) > 1:
            raise _Wrong(told[1], "field_invalid", f"{told[0]} names the deed: leave {', '.join(told[1:])} empty")
        found = self._number() if told[:1] in (["act_ref"], ["act_digest"]) else self._span()
        content = json.dumps([self.mechanism, kind, found], default=_text, sort_keys=True)
        digest = hashlib.sha256(content.encode()).digest()
        return Row(self.line, self.mechanism, kind, digest, self.cells.get("document", ""), **found)

    def _number(self) -> dict[str, Any]:
        if digest := self.cells.get("act_digest"):
            if not _DIGEST.fullmatch(digest):
                raise _Wrong("act_digest", "field_invalid", "64 lower-case hexadecimal digits are wanted")
            return {"exchange_digest": bytes.fromhex(digest)}
        match = _ACT_REF.fullmatch(self.cells["act_ref"])
        if match is None:
            raise _Wrong("act_ref", "field_invalid", "issuer:number is wanted, the issuer in lower case")
        issuer, digest_ = judge_events.number_digest(self.platform.settings.secret, (match[1], match[2]))
        return {"act_issuer": issuer, "act_digest": digest_}

    def _span(self) -> dict[str, Any]:
        operator, activity, region = self._need("operator"), self._need("activity"), self._need("region")
        first, last = self._day("from"), self._day("to")
        standard = self.platform.standard
        if operator != ANY and operator not in self.operators:
            raise _Wrong(
                "operator", "field_invalid", f"no partner has this client id or numbers its acts so; {ANY}: any"
            )
        if activity != ANY and not standard.has_type(activity):
            raise _Wrong("activity", "field_invalid", f"no event type of the standard; {ANY}: any")
        if region != standard.nation.code and standard.region(region) is None:
            raise _Wrong("region", "field_invalid", f"no region of GB/T 2260; {standard.nation.code}: the nation")
        if last < first:
            raise _Wrong("to", "field_invalid", "the last day lies before the first")
        if operator == activity == ANY and region == standard.nation.code:
            raise _Wrong("operator", "field_invalid", "this would claim everything there is")
        client_id = None if operator == ANY else self.operators[operator]
        return {
            "client_id": client_id, "asset_digest": self._asset(client_id),
            "event_type": None if activity == ANY else activity, "region_prefix": claims.prefix(region),
            "from_on": first, "to_on": last,
        }  # fmt: skip

    def _asset(self, client_id: str | None) -> bytes | None:
        asset_ref = self.cells.get("asset_ref")
        if asset_ref and client_id is None:
            raise _Wrong("operator", "field_invalid", "an asset is named by its operator: say which")
        return judge_events.asset_digest(self.platform.settings.secret, client_id or "", asset_ref)

    def _need(self, name: str) -> str:
        if name not in self.cells:
            told = f"{name} is missing"
            if name in _BY_SPAN:
                told += f": a claim has act_ref, or act_digest, or all of {', '.join(_BY_SPAN)}"
            raise _Wrong(name, "field_missing", told)
        return self.cells[name]

    def _day(self, name: str) -> date:
        try:
            return date.fromisoformat(self._need(name))
        except ValueError:
            raise _Wrong(name, "field_invalid", "a day is wanted: 2026-06-01") from None


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
