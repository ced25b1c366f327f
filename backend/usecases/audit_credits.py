"""The trees of batches, and what was signed of their grams: certificates and amendments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from backend import auth
from backend.store import audit, db
from backend.usecases.collect_findings import Check, Tell
from rewards import merkle, serials


def check_credits(conn: db.Connection, keys: Sequence[auth.SigningKey], tell: Tell) -> Iterator[Check]:
    """keys: those that may have signed a certificate."""
    trees = Check("trees", "批次的树", "trees of batches")
    found = audit.trees(conn)
    for at, tree in enumerate(found, 1):
        _check_tree(conn, trees, tree)
        tell("trees", at, len(found))
    yield trees
    yield _certificates(conn, keys)


Tile = tuple[int, int, bytes, bytes]  # level, tile_index, first hash, hashes


def _check_tree(conn: db.Connection, check: Check, tree: dict[str, Any]) -> None:
    """The tiles and the root out of the leaves of the batch's deeds, a tile at a time."""
    batch_id, row = tree["batch_id"], f"batch_tree {tree['batch_id']}"
    check.counts["batches"] += 1
    if tree["size"] is None:
        check.find([row], "the batch has no tree", "该批次没有树")
        return
    tiles = _Tiles(check, batch_id, audit.tiles(conn, batch_id))
    members, size, roots = audit.members(conn, batch_id), 0, []
    wrong: list[str] = []
    while page := list(islice(members, merkle.TILE_WIDTH)):
        level = {merkle.leaf_hash(leaf): deed_id for leaf, deed_id in page}
        stored = tiles.meet((0, size // merkle.TILE_WIDTH, page[0][0], b"".join(level)))
        wrong = wrong or _other_members(conn, level, stored)
        size += len(page)
        roots.append(merkle.tree_root(list(level)))
    root = merkle.tree_root(roots) if roots else merkle.EMPTY_ROOT
    above, below = 1, roots[: size // merkle.TILE_WIDTH]
    while below:
        parts = [below[at : at + merkle.TILE_WIDTH] for at in range(0, len(below), merkle.TILE_WIDTH)]
        for at, part in enumerate(parts):
            tiles.meet((above, at, part[0], b"".join(part)))
        below = [merkle.tree_root(part) for part in parts if len(part) == merkle.TILE_WIDTH]
        above += 1
    tiles.meet(None)
    check.counts["members"] += size
    told = auth.base64_text(tree["members_root"])
    for what, is_, expected in (("size", tree["size"], size), ("members_root", told, auth.base64_text(root))):
        if is_ != expected:
            check.differs([row, *wrong, f"batch_member of batch {batch_id}"], what, is_, expected)


class _Tiles:
    """The stored tiles of a batch's tree, by level and place, beside those that should be there."""

    def __init__(self, check: Check, batch_id: int, stored: Iterator[Tile]) -> None:
        self._check, self._batch_id, self._stored = check, batch_id, stored
        self._next = next(stored, None)

    def meet(self, expected: Tile | None) -> bytes:
        """Hold the stored tile of that place against what it should be; its hashes. None: no more should be there."""
        while self._next is not None and (expected is None or self._next[:2] < expected[:2]):
            self._check.differs([self._row(self._next)], "tile", f"{self._next[0]}/{self._next[1]}", None)
            self._next = next(self._stored, None)
        if expected is None:
            return b""
        found = self._next
        if found is None or found[:2] != expected[:2]:
            self._check.differs([self._row(expected)], "tile", None, f"{expected[0]}/{expected[1]}")
            return b""
        self._next = next(self._stored, None)
        if found[2:] != expected[2:]:
            english = "its hashes are not those of the batch's deeds"
            self._check.find([self._row(found)], english, "其哈希不是该批次行为的哈希")
        return found[3]

    def _row(self, tile: Tile) -> str:
        return f"batch_tile {self._batch_id}/{tile[0]}/{tile[1]}"


def _other_members(conn: db.Connection, level: dict[bytes, int], stored: bytes) -> list[str]:
    """The members that a tile does not know, and those that it knows and that are not there."""
    known = {stored[at : at + 32] for at in range(0, len(stored), 32)}
    if known == level.keys():
        return []
    deeds = [deed_id for one, deed_id in level.items() if one not in known]
    return [f"batch_member {one}" for one in (*deeds[:2], *audit.deeds_of(conn, list(known - level.keys())[:2]))]


def _certificates(conn: db.Connection, keys: Sequence[auth.SigningKey]) -> Check:
    """Signed by a key that is known, and over the serials that are retired under the number."""
    check = Check("certificates", "证书", "certificates and amendments")
    known = {key.kid: key for key in keys}
    for row in audit.certificates(conn):
        name = f"certificate {row['number']}"
        check.counts["certificates"] += 1
        if row["canonical"] is None or row["retirement_id"] is None:
            check.find([name, f"retirement {row['retirement_id']}"], "a retirement and its certificate belong together",
                       "注销与其证书应成对")  # fmt: skip
            continue
        _check_signed(check, known, name, row)
        retired = _spans([(batch, serials.Span(first, last)) for batch, first, last in row["spans"]])
        said = _serials(row["canonical"])
        if said != (row["number"], retired):
            rows = [f"credit_block of {row['number']}", name, f"retirement {row['retirement_id']}"]
            check.differs(rows, "serials", retired, said[1])
    for row in audit.amendments(conn):
        check.counts["amendments"] += 1
        _check_signed(check, known, f"amendment {row['amendment_id']}", row)
    return check


def _check_signed(check: Check, known: dict[str, auth.SigningKey], name: str, row: dict[str, Any]) -> None:
    key = known.get(row["kid"])
    if key is None or key.algorithm != row["algorithm"]:
        check.find([name], f"it is signed by {row['kid']}, a key that neither the log nor --key names",
                   f"签名公钥 {row['kid']} 既不在日志中，也未由 --key 给出")  # fmt: skip
    elif not auth.is_signed(key, row["canonical"].encode(), row["signature"]):
        check.find([name], "its signature is wrong", "签名不成立")


def _spans(found: Sequence[tuple[int, serials.Span]]) -> dict[int, list[serials.Span]]:
    """batch -> the same grams in the fewest spans."""
    by_batch: dict[int, list[serials.Span]] = {}
    for batch, span in found:
        by_batch.setdefault(batch, []).append(span)
    return {batch: serials.joined(spans) for batch, spans in sorted(by_batch.items())}


def _serials(canonical: str) -> tuple[str | None, dict[int, list[serials.Span]]]:
    """The number and the serials of a certificate; (None, none) for what is no certificate."""
    try:
        said = json.loads(canonical)
        ranges = [serials.parse(text) for text in said["serials"]]
        return said["number"], _spans([(one.batch_id, one.span) for one in ranges])
    except (ValueError, KeyError, TypeError):
        return None, {}
