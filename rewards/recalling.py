"""Recalls: how many grams a batch gives up, where they come from, and the amendment that says so.

Serials that were sold or retired never change. What is cancelled is unsold, or from the correction reserve 纠错储备.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from rewards import pooling, serials

KIND = "tanpuhui.amendment.v1"


@dataclass(frozen=True, slots=True)
class Source:
    """Grams of a batch in one place, `available` or `reserve`, that can be cancelled or are."""

    batch_id: int
    place: str
    quantity_g: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Grams that were cancelled for a recall, with the serials they had."""

    batch_id: int
    region: str
    pack_code: str
    vintage_month: date
    place: str
    quantity_g: int
    spans: Sequence[serials.Span]


def counted_mg(changes_mg: Iterable[int]) -> int:
    """What a deed's changes recall in all: its loss; a deed that gained in all recalls nothing and adds nothing."""
    return max(sum(changes_mg), 0)


def needed_g(recalled_mg: int, before_issue_mg: int) -> int:
    """Grams that a batch cancels in all for what it recalled after its issue: rounded up, once."""
    return -(-max(recalled_mg - before_issue_mg, 0) // pooling.MG_PER_G)


def draw(wanted_g: int, sources: Iterable[Source]) -> tuple[list[Source], int]:
    """Take grams from the sources in their order: (what is taken, what is still owed)."""
    taken: list[Source] = []
    for source in sources:
        here_g = min(wanted_g, source.quantity_g)
        if here_g > 0:
            taken.append(Source(source.batch_id, source.place, here_g))
            wanted_g -= here_g
    return taken, max(wanted_g, 0)


def subject(batch_id: int, made_on: date) -> str:
    """What a day's amendments of a batch have in common."""
    return f"TPH-A-{batch_id:06d}-{made_on:%Y%m%d}"


def amendment(
    *,
    batch_id: int,
    made_on: date,
    version: int,
    made_at: datetime,
    issuer: str,
    recalled_mg: int,
    before_mg: int,
    owed_g: int,
    cancelled: Sequence[Cancelled],
    previous_sha256: str | None,
) -> dict[str, Any]:
    """Everything that an amendment says; canonical as a certificate is.

    recalled_mg: all that was recalled since the issue; before_mg: of it, what earlier days' amendments told.
    cancelled: what was cancelled on this day. previous_sha256: of the last amendment of the batch's day before.
    """
    return {
        "kind": KIND,
        "number": f"{subject(batch_id, made_on)}-{version}",
        "issuer": issuer,
        "batch": batch_id,
        "made_on": made_on.isoformat(),
        "version": version,
        "made_at": made_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "recalled_mg": recalled_mg - before_mg,
        "recalled_in_all_mg": recalled_mg,
        "recalled_in_all_g": needed_g(recalled_mg, 0),
        "replaced_by": [_cancelled(c, batch_id) for c in cancelled],
        "owed_g": owed_g,
        "covered": owed_g == 0,
        "statement": statement(owed_g),
        "previous_sha256": previous_sha256,
    }


def statement(owed_g: int) -> dict[str, str]:
    """What a recall means for the grams that were sold."""
    if owed_g:
        return {
            "zh": f"本批次部分减排量被召回；已售出和已注销的序号不变，尚有 {owed_g} 克待平台补足，补足前该系列停售。",
            "en": f"Part of this batch was recalled. Serials that were sold or retired stay as they are; {owed_g} g "
            "are still owed by the platform, and the series is not offered until they are covered.",
        }
    return {
        "zh": "本批次部分减排量被召回，已由所列减排量替换；已售出和已注销的序号不变，其克数仍有足额支撑。",
        "en": "Part of this batch was recalled and replaced by what is listed. Serials that were sold or retired stay "
        "as they are, and their grams stay covered.",
    }


def _cancelled(c: Cancelled, batch_id: int) -> dict[str, Any]:
    place = (c.region, c.pack_code, c.vintage_month, c.batch_id)
    return {
        "batch": c.batch_id,
        "reason": reason(c.batch_id, batch_id),
        "from": c.place,
        "quantity_g": c.quantity_g,
        "serials": [str(serials.SerialRange(*place, span)) for span in serials.joined(c.spans)],
    }


def reason(from_batch: int, batch_id: int) -> str:
    """Why grams of a batch are cancelled: for its own recall, or as replacement for another batch's."""
    return "recall" if from_batch == batch_id else "replacement"
