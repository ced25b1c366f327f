"""Bytes to corrections: what a partner replaces or takes back, each judged alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from backend.usecases import read_events
from backend.usecases.read_events import Malformed, Message, Text

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x08\x0e-\x1f\x7f]+\Z")]


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction. `content`: what stands from now on (its type is the event's); None: the event is taken back."""

    ref: str
    kind: str
    reason: str
    content: Message | None
    content_digest: bytes


class _Shape(msgspec.Struct):
    id: Text
    kind: Literal["replace", "withdraw"]
    reason: Reason
    data: msgspec.Raw = msgspec.Raw()


_shape = msgspec.json.Decoder(_Shape)
_any = msgspec.json.Decoder()


def read_corrections(
    body: bytes, limit: int, names: frozenset[str], event_ref: str | None = None
) -> tuple[list[Correction | Malformed], bool]:
    """The corrections of a body in order, and whether it was a single one.

    event_ref: the event of a single correction, whose body then needs no id. Raises Problem json_invalid, batch_empty,
    batch_too_large.
    """
    raws, single = read_events.raw_items(body, limit)
    return [_read(raw, names, event_ref if single else None) for raw in raws], single


def _read(raw: msgspec.Raw, names: frozenset[str], event_ref: str | None) -> Correction | Malformed:
    try:
        if event_ref is not None:
            raw = msgspec.Raw(msgspec.json.encode({**_any.decode(raw), "id": event_ref}))
        shape = _shape.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, TypeError) as error:
        return read_events.malformed(event_ref, str(error), "")
    try:
        return _correction(shape, names)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return read_events.malformed(shape.id, str(error), "data")


def _correction(shape: _Shape, names: frozenset[str]) -> Correction:
    if shape.kind == "withdraw":
        return Correction(shape.id, shape.kind, shape.reason, None, hashlib.sha256(b"withdraw").digest())
    if not bytes(shape.data):
        raise msgspec.ValidationError("Object missing required field `data`")
    content = read_events.read_content(shape.id, "", "", shape.data, names)
    return Correction(shape.id, shape.kind, shape.reason, content, content.content_digest)
