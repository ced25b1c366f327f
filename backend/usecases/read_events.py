"""Bytes to messages: each item judged alone, so that one bad event never harms its neighbours.

Limits: the number of events, the size of the body (the app), the length of every string, the size of every number.
msgspec bounds the depth of nesting.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NoReturn

import msgspec

from backend.errors import Problem
from rules.places import Where

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
ActRef = Annotated[str, msgspec.Meta(max_length=160, pattern=r"^[a-z0-9][a-z0-9._-]{0,39}:[\x21-\x7e]{1,119}\Z")]
NUMBER_MAX = 10**12
_WHERE = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)  # a whole string, or what parts items


class _Point(msgspec.Struct):
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)]


class _Data(msgspec.Struct):
    """Coordinates serve for checks and are reduced to a region; with one, the region itself may be left out."""

    started_at: Instant
    evidence: Literal["order", "device", "screenshot", "self_declared"]
    ended_at: Instant | None = None
    act_ref: ActRef | None = None
    prior_ref: ActRef | None = None
    asset_ref: Text | None = None
    region: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}\Z")] | None = None
    origin: _Point | None = None
    destination: _Point | None = None
    datum: Literal["WGS-84", "GCJ-02", "BD-09"] | None = None


class _Envelope(msgspec.Struct):
    """CloudEvents 1.0. Extension attributes are allowed and not kept."""

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    subject: Text
    data: msgspec.Raw
    time: Instant | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One well-formed event. `data` holds what the pack may ask for; `content_digest` is what makes a resend equal."""

    ref: str
    event_type: str
    subject: str
    started_at: datetime
    ended_at: datetime
    region: str | None
    where: Where | None
    evidence: str
    act: tuple[str, str] | None
    prior: tuple[str, str] | None
    asset_ref: str | None
    data: dict[str, Any]
    content_digest: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """An item that is no event: it claims no id and can be sent again, mended."""

    ref: str | None
    code: str
    field: str
    detail: str


_items = msgspec.json.Decoder(list[msgspec.Raw])
_envelope = msgspec.json.Decoder(_Envelope)
_data = msgspec.json.Decoder(_Data)
_any = msgspec.json.Decoder()


def read_events(body: bytes, limit: int, names: frozenset[str]) -> tuple[list[Message | Malformed], bool]:
    """The items of a body in order, and whether it was a single event rather than a batch.

    names: the facts that some methodology asks for; other members of data are neither refused nor kept. Raises Problem
    json_invalid, batch_empty, batch_too_large.
    """
    raws, single = raw_items(body, limit)
    return [_read(raw, names) for raw in raws], single


def raw_items(body: bytes, limit: int) -> tuple[list[msgspec.Raw], bool]:
    """The undecoded items of a list, or of a body that is one object. Raises Problem as `read_events`."""
    single = body.lstrip(b" \t\r\n")[:1] == b"{"
    try:
        raws = [msgspec.Raw(body)] if single else _items.decode(body)
        if single:
            _any.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        items = None if single else _split(body)
        if items is None or not all(map(_is_json, items[: limit + 1])):
            raise Problem("json_invalid", str(error)) from None
        raws = [msgspec.Raw(item) for item in items]
    if not raws:
        raise Problem("batch_empty")
    if len(raws) > limit:
        raise Problem("batch_too_large", f"{len(raws)} events; at most {limit} in one batch")
    return raws, single


def _split(body: bytes) -> list[bytes] | None:
    """The items of a list that msgspec could not step over, whatever they hold; None when the body is no list."""
    items: list[bytes] = []
    depth, start = 0, 0
    for token in _TOKEN.finditer(body):
        sign = token[0]
        if sign in (b"[", b"{"):
            depth += 1
            if depth == 1 and (sign == b"{" or body[: token.start()].strip()):
                return None
            start = token.end() if depth == 1 else start
        elif sign == b'"' or not depth:
            return None
        elif (sign == b"," and depth == 1) or (sign in (b"]", b"}") and depth == 1):
            items.append(body[start : token.start()])
            start = token.end()
        if sign in (b"]", b"}"):
            depth -= 1
            if not depth:
                return items if sign == b"]" and not body[token.end() :].strip() else None
    return None


def _is_json(item: bytes) -> bool:
    """True of JSON by its grammar, though it may be nested too deep, or hold half a surrogate pair or broken UTF-8."""
    try:
        json.loads(item.decode("utf-8", "replace"), parse_int=str, parse_float=str, parse_constant=_no_json)
    except RecursionError:
        return True
    except json.JSONDecodeError:
        return False
    return True


def _no_json(text: str) -> NoReturn:
    raise json.JSONDecodeError("not a number of JSON", text, 0)


def _read(raw: msgspec.Raw, names: frozenset[str]) -> Message | Malformed:
    try:
        envelope = _envelope.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return malformed(_ref(raw), str(error), "")
    try:
        return read_content(envelope.id, envelope.type, envelope.subject, envelope.data, names)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return malformed(envelope.id, str(error), "data")


def read_content(ref: str, event_type: str, subject: str, raw: msgspec.Raw, names: frozenset[str]) -> Message:
    """A message from its `data`. Raises msgspec.ValidationError."""
    data, told = _data.decode(raw), _any.decode(raw)
    facts = {name: _number(name, told[name]) for name in names & told.keys()}
    started_at = _instant(data.started_at, "started_at")
    ended_at = _instant(data.ended_at or data.started_at, "ended_at")
    if ended_at < started_at:
        raise msgspec.ValidationError("Expected an end that is not before the start - at `$.ended_at`")
    judged = facts | {
        "started_at": started_at.isoformat(), "ended_at": ended_at.isoformat(), "region": data.region,
        "evidence": data.evidence, "act_ref": data.act_ref, "prior_ref": data.prior_ref, "asset_ref": data.asset_ref,
    }  # fmt: skip
    content = msgspec.json.encode([event_type, subject, judged], order="deterministic")
    return Message(
        ref, event_type, subject, started_at, ended_at, data.region, _where(data), data.evidence,
        _number_of(data.act_ref), _number_of(data.prior_ref), data.asset_ref, facts, hashlib.sha256(content).digest(),
    )  # fmt: skip


def _where(data: _Data) -> Where | None:
    """The coordinates of an event; they are no part of what is kept, not even of the digest of its content."""
    origin, destination = ((point.lat, point.lon) if point else None for point in (data.origin, data.destination))
    if not origin and not destination:
        if data.region is None:
            raise msgspec.ValidationError("Object missing required field `region`")
        return None
    if data.datum is None:
        raise msgspec.ValidationError("Object missing required field `datum`")
    return Where(origin, destination, data.datum)


def _number_of(ref: str | None) -> tuple[str, str] | None:
    """(issuer, number) of an act_ref."""
    issuer, _, number = (ref or "").partition(":")
    return (issuer, number) if ref else None


def _instant(value: datetime, name: str) -> datetime:
    if not 1970 < value.year < 2200:
        raise msgspec.ValidationError(f"Expected a year from 1971 to 2199 - at `$.{name}`")
    return value.astimezone(UTC)


def _number(name: str, value: Any) -> Any:
    """Whole numbers stay or become integers; anything that is not exact is sent back."""
    if isinstance(value, float):
        if not value.is_integer():
            raise msgspec.ValidationError(f"Expected a whole number in the fact's unit - at `$.{name}`")
        value = int(value)
    if isinstance(value, int) and abs(value) > NUMBER_MAX:
        raise msgspec.ValidationError(f"Expected a number of at most {NUMBER_MAX} - at `$.{name}`")
    return value


def malformed(ref: str | None, message: str, inside: str) -> Malformed:
    where = _WHERE.search(message)
    missing = _MISSING.search(message)
    path = [inside, where.group(1) if where else "", missing.group(1) if missing else ""]
    code = "field_missing" if missing else "field_invalid"
    return Malformed(ref, code, ".".join(p for p in path if p), _WHERE.sub("", message))


def _ref(raw: msgspec.Raw) -> str | None:
    """The id of a broken item, when it has one that can be shown back."""
    try:
        item = _any.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    ref = item.get("id") if isinstance(item, dict) else None
    return ref if isinstance(ref, str) and len(ref) <= 128 else None
