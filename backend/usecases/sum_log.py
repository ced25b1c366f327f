"""Add up what the entries of a log say in public, and find what cannot be. For whoever follows a log: no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.store import facts
from rewards import leaves, notes
from rules.replay import Refused, read

KEYS = "keys"
KINDS = frozenset((*facts.KINDS, leaves.DEED, KEYS))
SECRET = (leaves.DEED, "correction", "recall")  # nothing of them is public but a commitment
PLAIN = ("terms", "erasure", KEYS)  # without a commitment


@dataclass
class Batch:
    """Grams of a batch: minted; sold and not given back; gone for good out of what was sold; cancelled. And out of what
    they were minted: as closed, less what the verifier took off; what was left over, and whether that was carried on.
    """

    issued_g: int = 0
    sold_g: int = 0
    gone_g: int = 0
    cancelled_g: int = 0
    reduction_mg: int = 0
    adjustment_mg: int | None = None  # None: not attested
    remainder_mg: int | None = None  # None: not issued
    is_carried_on: bool = False


@dataclass
class Sums:
    """entries: by kind; grams: by kind of entry (transfers out of the registry only); keys: those that sign now."""

    entries: Counter[str] = field(default_factory=Counter)
    grams: Counter[str] = field(default_factory=Counter)
    batches: dict[int, Batch] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)


def add_entry(sums: Sums, raw: bytes, origin: str) -> str:
    """Add an entry; what is wrong with it, empty for nothing. Raises nothing, whatever the bytes."""
    try:
        said = read(raw)
        if not isinstance(said, dict) or leaves.canonical_json(said) != raw:
            return "no canonical JSON / 不是规范 JSON"
        kind = said.get("kind")
        if kind not in KINDS:
            return f"unknown kind {str(kind)[:40]!r} / 未知类型"
        _check_commitment(said)
        if kind == KEYS:
            sums.keys = _keys(said, origin)
        elif kind in _ADD:
            _ADD[kind](sums, said)
        sums.entries[kind] += 1
    except (Refused, UnicodeEncodeError) as refused:
        return str(refused)[:300]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return "not of the form of its kind / 格式与其类型不符"
    return ""


def _check_commitment(said: Mapping[str, Any]) -> None:
    is_plain = said["kind"] in PLAIN
    if is_plain == ("commitment" in said) or not (is_plain or len(notes.read_base64(said["commitment"])) == 32):
        raise Refused("its commitment is not one", "承诺值有误")
    if said["kind"] in SECRET and len(said) != 2:
        raise Refused(f"a {said['kind']} tells more than its commitment", "条目公开了承诺值以外的内容")


def _keys(said: Mapping[str, Any], origin: str) -> list[str]:
    keys = [notes.read_key(text) for text in said["keys"]]
    if not keys or any((key.name, key.kind) != (origin, notes.ED25519) for key in keys):
        raise Refused("it names keys that are none of this log", "所列公钥不属于本日志")
    return [str(key) for key in keys]


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise ValueError
    return value


def _lines(said: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(batch, grams)."""
    return [(_whole(line["batch"]), _whole(line["quantity_g"])) for line in said["lines"]]


def _move(sums: Sums, number: int, **changes: int) -> None:
    """Change a batch's grams. Raises Refused when they do not add up any more."""
    batch = sums.batches.get(number)
    if batch is None:
        raise Refused(f"batch {number} was never closed", f"批次 {number} 从未关闭")
    for name, grams in changes.items():
        setattr(batch, name, getattr(batch, name) + grams)
    if batch.sold_g + batch.cancelled_g > batch.issued_g:
        raise Refused(
            f"batch {number}: {batch.sold_g} g sold and {batch.cancelled_g} g cancelled of {batch.issued_g} g issued",
            f"批次 {number}：签发 {batch.issued_g} g，却售出 {batch.sold_g} g、核销 {batch.cancelled_g} g",
        )
    if batch.gone_g > batch.sold_g:
        raise Refused(
            f"batch {number}: {batch.gone_g} g retired or transferred out of {batch.sold_g} g sold",
            f"批次 {number}：售出 {batch.sold_g} g，却注销或转出 {batch.gone_g} g",
        )


def _add_close(sums: Sums, said: Mapping[str, Any]) -> None:
    number = _whole(said["batch"])
    if number in sums.batches:
        raise Refused(f"batch {number} is closed twice", f"批次 {number} 关闭了两次")
    sums.batches[number] = Batch(reduction_mg=_integer(said["reduction_mg"]))


def _add_attestation(sums: Sums, said: Mapping[str, Any]) -> None:
    number, adjustment_mg = _whole(said["batch"]), _whole(said["adjustment_mg"])
    _move(sums, number)
    if said["decision"] == "attested":
        sums.batches[number].adjustment_mg = adjustment_mg


def _add_issue(sums: Sums, said: Mapping[str, Any]) -> None:
    """1000 x issued + remainder = what was closed - adjustment - recalled + carried in, as conservation has it."""
    number, grams, remainder_mg = _whole(said["batch"]), _whole(said["issued_g"]), _integer(said["remainder_mg"])
    _move(sums, number)
    batch = sums.batches[number]
    if batch.remainder_mg is not None:
        raise Refused(f"batch {number} is issued twice", f"批次 {number} 签发了两次")
    if batch.adjustment_mg is None:
        raise Refused(f"batch {number} is issued without an attestation", f"批次 {number} 未经核查即签发")
    source = _carried(sums, said)
    less_mg = batch.adjustment_mg + _whole(said["recalled_mg"])
    due_mg = batch.reduction_mg - less_mg + _integer(said["carried_mg"])
    if 1000 * grams + remainder_mg != due_mg:
        raise Refused(
            f"batch {number}: {grams} g and {remainder_mg} mg are issued out of {due_mg} mg",
            f"批次 {number}：应签发 {due_mg} mg，实为 {grams} g 加 {remainder_mg} mg",
        )
    if source is not None:
        source.is_carried_on = True
    batch.remainder_mg = remainder_mg
    _move(sums, number, issued_g=grams)
    sums.grams["issue"] += grams


def _carried(sums: Sums, said: Mapping[str, Any]) -> Batch | None:
    """The batch whose remainder comes in, if any. Raises Refused when it has no such remainder left."""
    number, carried_mg = said["carried_from"], _integer(said["carried_mg"])
    if number is None and carried_mg == 0:
        return None
    source = sums.batches.get(_whole(number))
    if source is None or source.is_carried_on or source.remainder_mg != carried_mg:
        raise Refused(
            f"batch {number} has no {carried_mg} mg left to carry", f"批次 {number} 没有 {carried_mg} mg 余量可结转"
        )
    return source


def _add_cancellation(sums: Sums, said: Mapping[str, Any]) -> None:
    grams = _whole(said["quantity_g"])
    _move(sums, _whole(said["from_batch"]), cancelled_g=grams)
    sums.grams["cancellation"] += grams


def _add_sale(sums: Sums, said: Mapping[str, Any]) -> None:
    for number, grams in _lines(said):
        _move(sums, number, sold_g=grams)
        sums.grams["sale"] += grams


def _add_refund(sums: Sums, said: Mapping[str, Any]) -> None:
    for number, grams in _lines(said):
        _move(sums, number, sold_g=-grams)
        sums.grams["refund"] += grams


def _add_transfer(sums: Sums, said: Mapping[str, Any]) -> None:
    if said["registry"] is None:  # to another company here
        return
    for number, grams in _lines(said):
        _move(sums, number, gone_g=grams)
        sums.grams["transfer"] += grams


def _add_retirement(sums: Sums, said: Mapping[str, Any]) -> None:
    lines, grams = _lines(said), _whole(said["quantity_g"])
    if sum(part for _, part in lines) != grams:
        raise Refused(f"{said['certificate']}: its lines are not its {grams} g", f"{said['certificate']}：分项之和不符")
    for number, part in lines:
        _move(sums, number, gone_g=part)
    sums.grams["retirement"] += grams


_ADD: dict[str, Callable[[Sums, Mapping[str, Any]], None]] = {
    "close": _add_close, "attestation": _add_attestation, "issue": _add_issue, "cancellation": _add_cancellation,
    "sale": _add_sale, "refund": _add_refund, "transfer": _add_transfer, "retirement": _add_retirement,
}  # fmt: skip
