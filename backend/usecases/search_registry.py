"""Search the registry: which retirements are all that is asked, newest first.

Whatever is asked becomes lists of keys, one list a kind (this batch; these codes; the regions of this province). Each
has an index in the order of the registry, so one of them is read and the places in it are held against the others.
Which one shows by itself: a few places of each are read, and the one that reaches farthest back is the shortest way.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from backend.errors import field_problem
from backend.platform import Platform
from backend.store import db, registry
from rewards import certificates, retirement, serials

NEWEST: registry.Place = (datetime.max.replace(tzinfo=UTC), 0)
LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)
CODES_MAX = 500  # that words may lead to
BLOCKS_MAX = 1000  # that a range of serials may touch
BATCHES_MAX = 100  # that are read instead of lists of methodologies, regions and months
FIRST_LOOK = 500  # places that are read of each kind of list
LOOKS = (4_000, 16_000, 32_000)  # and then of the one that is the shortest way, until a page is full

_NUMBERED = re.compile(r"([1-9][0-9]{0,17}):([1-9][0-9]{0,17})")
_LIKE_A_CODE = re.compile(r"[0-9A-Z]{2}[0-9]{6}[0-9A-Z]{10}")

Found = tuple[list[int], registry.Place | None]
Wish = dict[str, Any]


def search_registry(
    platform: Platform, wish: Wish, place: registry.Place | None, limit: int
) -> tuple[list[dict[str, Any]], registry.Place | None]:
    """Up to `limit` retirements after a place, newest first, and the place to go on from, if any.

    wish: of beneficiary (a code, or words of a name), serial, batch, retired_from, retired_to (civil days), period
    ('2026' or '2026-05': claimed for any of it), pack_code, region (a province holds its cities), vintage_month,
    purpose; what is not there is not asked. A page may hold fewer, even none, though there is a place to go on from:
    where what fits is rare among very much that nearly does. Raises Problem request_invalid.
    """
    with platform.db.transaction(snapshot=True) as conn:
        found, following = _find(conn, platform, wish, place or NEWEST, limit)
        rows = registry.certificates(conn, found)
    return [_item(platform, row) for row in rows], following


def _find(conn: db.Connection, platform: Platform, wish: Wish, place: registry.Place, limit: int) -> Found:
    """(numbers of retirements, the place to go on from)."""
    since, until = _moments(platform, wish)
    lists = _narrowed(conn, _lists(conn, platform, wish))
    if not all(lists.values()):
        return [], None
    return _Walk(conn, lists or {"time": [""]}, since, limit).page(min(place, until))


def _moments(platform: Platform, wish: Wish) -> tuple[datetime, registry.Place]:
    """From when on, and the place before which: of civil days. Raises Problem request_invalid."""
    first, last = wish.get("retired_from"), wish.get("retired_to")
    if first and last and last < first:
        raise field_problem("retired_to", "field_invalid", "期间的结束早于开始 · the period ends before it begins")
    zone = platform.standard.nation.timezone
    since = datetime.combine(first, time.min, zone) if first else LONG_AGO
    return since, (datetime.combine(last, time.max, zone), db.NEWEST) if last else NEWEST


# --- what is asked, as lists ---------------------------------------------------------------------------------------


def _lists(conn: db.Connection, platform: Platform, wish: Wish) -> registry.Lists:
    """kind -> keys; an empty list fits nothing. Raises Problem request_invalid."""
    lists: registry.Lists = {}
    if wish.get("serial"):
        lists["retirement"] = _find_serial(conn, wish["serial"])
    if wish.get("beneficiary"):
        lists["beneficiary"] = _find_codes(conn, wish["beneficiary"])
    if wish.get("period"):
        lists["period"] = period_nodes(wish["period"])
    if wish.get("purpose"):
        lists["purpose"] = [wish["purpose"]]
    return lists | batch_lists(platform, wish)


def batch_lists(platform: Platform, wish: Wish) -> registry.Lists:
    """The same of what a batch is: batch, pack_code, region, vintage_month."""
    lists: registry.Lists = {}
    if wish.get("batch"):
        lists["batch"] = [wish["batch"]]
    if wish.get("pack_code"):
        lists["methodology"] = [wish["pack_code"]]
    if wish.get("vintage_month"):
        lists["vintage"] = [wish["vintage_month"]]
    if code := wish.get("region"):
        lists["region"] = [code, *(r.code for r in platform.standard.regions.values() if r.parent == code)]
    return lists


def period_nodes(text: str) -> list[int]:
    """Where a claim that meets a year ('2026') or a month ('2026-05') stands in `registry_period`."""
    year, _, month = text.partition("-")
    return [int(year) * 100, int(year) * 100 + int(month or 13)]


def _find_serial(conn: db.Connection, text: str) -> list[int]:
    """The retirements that hold any of a range's grams, or a batch's gram. Raises Problem request_invalid."""
    numbered = _NUMBERED.fullmatch(text.strip())
    try:
        whole = None if numbered else serials.parse(text.strip())
    except ValueError:
        said = (
            "写 TPH-地区-方法学-年月-批次-首号-末号，或 批次:序号 · write "
            "TPH-<region>-<pack>-<yyyymm>-<batch>-<first>-<last>, or batch:number"
        )
        raise field_problem("serial", "field_invalid", said) from None
    if numbered:
        batch_id, number = map(int, numbered.groups())
        span = serials.Span(number, number)
    else:
        assert whole is not None
        batch_id, span = whole.batch_id, whole.span
    found = registry.find_retirements(conn, batch_id, span, whole, BLOCKS_MAX + 1)
    if len(found) > BLOCKS_MAX:
        said = (
            f"该号段涉及的注销超过 {BLOCKS_MAX} 段：请缩小号段，或按批次查 · more than {BLOCKS_MAX} retired blocks "
            "lie in this range: ask for a smaller one, or for the batch"
        )
        raise field_problem("serial", "too_many", said)
    return sorted(set(found))


def _find_codes(conn: db.Connection, text: str) -> list[str]:
    """The codes that are meant by a code, or by words of a name. Raises Problem request_invalid."""
    code = text.strip().upper()
    mistake = retirement.uscc_mistake(code)
    if mistake is None:
        return [code]
    if _LIKE_A_CODE.fullmatch(code):
        raise field_problem("beneficiary", "uscc_invalid", mistake)
    if len(retirement.same_form(text)) < 2:
        said = "至少写名称中的两个字，或完整的统一社会信用代码 · write two signs of a name at least, or a whole code"
        raise field_problem("beneficiary", "field_invalid", said)
    codes = registry.find_codes(conn, text, CODES_MAX + 1)
    if len(codes) > CODES_MAX:
        said = (
            f"名称含有这些字的主体超过 {CODES_MAX} 家，请多写几个字 · more than {CODES_MAX} entities have this "
            "in their names: write more of it"
        )
        raise field_problem("beneficiary", "too_many", said)
    return codes


def _narrowed(conn: db.Connection, lists: registry.Lists) -> registry.Lists:
    """With the batches themselves in place of several things that a batch must be, unless they are many."""
    said = [kind for kind in registry.BY_LINE if kind in lists]
    if len(said) < 2:
        return lists
    batches = registry.find_batches(conn, lists, BATCHES_MAX + 1)
    if len(batches) > BATCHES_MAX:
        return lists
    return {kind: keys for kind, keys in lists.items() if kind not in said} | {"batch": batches}


# --- a page --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Walk:
    """Through the lists of a question, back in time."""

    conn: db.Connection
    lists: registry.Lists
    since: datetime
    limit: int

    def page(self, place: registry.Place) -> Found:
        """The first `limit` of what fits all lists, and the place to go on from."""
        looks = []
        for by in sorted(self.lists, key=registry.KINDS.index):
            found, reached = self._look(by, place, FIRST_LOOK)
            if reached is None or len(found) > self.limit:
                return self._cut(found, reached)
            looks.append((reached, found, by))
        reached, found, by = min(looks)
        for places in LOOKS:
            more, reached = self._look(by, reached, places)
            found += more
            if reached is None or len(found) > self.limit:
                break
        return self._cut(found, reached)

    def _cut(self, found: list[registry.Place], reached: registry.Place | None) -> Found:
        following = found[self.limit - 1] if len(found) > self.limit else reached
        return [number for _, number in found[: self.limit]], following

    def _look(self, by: str, place: registry.Place, places: int) -> tuple[list[registry.Place], registry.Place | None]:
        """What fits among the next places of the lists of a kind, and how far that reached; None at their end.

        Each of many lists is read as deep as the page may need, so many lists are read less deep. Where nothing else
        is asked twice a page is deep enough: a place may come several times.
        """
        keys, checks = self.lists[by], self._checks(by)
        depth = max(self.limit + 1, places // (1 + len(keys) // 10) if checks else 2 * self.limit)
        rows = registry.scan(self.conn, by, keys, checks, place, self.since, depth)
        fits = dict.fromkeys((at, number) for at, number, is_fit in rows if is_fit)
        return list(fits), rows[-1][:2] if len(rows) == depth else None

    def _checks(self, by: str) -> registry.Lists:
        """The other lists; of several things that a batch must be all, for they must be true of one line."""
        others = {kind: keys for kind, keys in self.lists.items() if kind != by}
        if by in registry.BY_LINE and any(kind in others for kind in registry.BY_LINE):
            return self.lists
        return others


# --- what is shown -------------------------------------------------------------------------------------------------


def _item(platform: Platform, row: dict[str, Any]) -> dict[str, Any]:
    """A retirement as everybody sees it, out of its certificate."""
    body = json.loads(row["canonical"])
    single = {} if "beneficiaries" in body else {"quantity_g": body["quantity_g"]}
    ranges: dict[int, list[str]] = defaultdict(list)
    for text in body["serials"]:
        ranges[serials.parse(text).batch_id].append(text)
    return {
        "number": body["number"],
        "url": f"{platform.settings.public_url}/v1/certificates/{body['number']}",
        "retired_at": row["retired_at"],
        "company": body["company"]["name"],
        "beneficiaries": [entity | single for entity in certificates.beneficiaries(body)],
        **{name: body[name] for name in ("purpose", "period", "quantity_g", "demonstration")},
        "lines": [_line(line, ranges[line["batch"]]) for line in body["lineage"]],
    }


def _line(line: dict[str, Any], ranges: list[str]) -> dict[str, Any]:
    names = ("batch", "region", "methodology", "vintage", "quantity_g", "demonstration")
    return {name: line[name] for name in names} | {"serials": ranges}


def pages(platform: Platform, wish: Wish, limit: int) -> Iterator[list[dict[str, Any]]]:
    """All that is found, `limit` at a time, each page at a moment of its own. Raises as search_registry does."""
    place: registry.Place | None = None
    while True:
        items, place = search_registry(platform, wish, place, limit)
        yield items
        if place is None:
            return
