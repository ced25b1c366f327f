"""The Merkle tree of the log: RFC 6962 hashing, read by tiles of 256 hashes (C2SP tlog-tiles); proofs and their checks.

Standard library only: this file is part of the stand-alone verifier.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
LEVELS = 8  # of tiles that a tree can have
TILE_PATH = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
EMPTY_ROOT = hashlib.sha256(b"").digest()
SIZE_MAX = 2**63 - 1

# (level, index, width) -> the first `width` hashes of a tile: at level 0 of leaves, above of full tiles below.
Tiles = Callable[[int, int, int], Sequence[bytes]]


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of equal complete subtrees, in order; the last may be of a smaller tree. Never empty."""
    level = list(hashes)
    while len(level) > 1:
        paired = [node_hash(a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[2 * len(paired) :]
    return level[0]


class Tree:
    """A tree of a size, and the proofs it gives. Reads each tile once."""

    def __init__(self, size: int, tiles: Tiles) -> None:
        self.size = size
        self._tiles = tiles
        self._read: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self) -> bytes:
        return self._range(0, self.size) if self.size else EMPTY_ROOT

    def inclusion(self, index: int) -> list[bytes]:
        """The path from a leaf's sibling up (RFC 6962, 2.1.1). Raises ValueError unless 0 <= index < size."""
        if not 0 <= index < self.size:
            raise ValueError("no such leaf in a tree of this size")
        low, high, path = 0, self.size, []
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, old: int) -> list[bytes]:
        """That the tree of `old` leaves is the beginning of this one (RFC 6962, 2.1.2). Raises ValueError."""
        if not 0 <= old <= self.size:
            raise ValueError("no such older tree")
        if old in (0, self.size):
            return []
        low, high, whole, path = 0, self.size, True, []
        while high != old:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low, whole = middle, False
        return ([] if whole else [self._range(low, high)]) + path[::-1]

    def _range(self, low: int, high: int) -> bytes:
        """The root of the leaves from `low` to before `high`, which begin where a subtree of that height may begin."""
        count = high - low
        if count & (count - 1):
            middle = low + _split(count)
            return node_hash(self._range(low, middle), self._range(middle, high))
        level = (count.bit_length() - 1) // TILE_HEIGHT
        first, wide = low >> (level * TILE_HEIGHT), count >> (level * TILE_HEIGHT)
        tile, offset = divmod(first, TILE_WIDTH)
        return tree_root(self._tile(level, tile)[offset : offset + wide])

    def _tile(self, level: int, index: int) -> Sequence[bytes]:
        if (level, index) not in self._read:
            self._read[level, index] = self._tiles(level, index, tile_width(level, index, self.size))
        return self._read[level, index]


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def grow(edge: list[list[bytes]], size: int, added: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
    """Append leaves to the edge of a tree of `size`, in place; (level, place, hash) of the tiles that became full.

    edge: by level the hashes of the tile that is not full yet, from the leaves up.
    """
    nodes: list[tuple[int, int, bytes]] = []
    for level in range(len(edge)):
        first = (size >> (level * TILE_HEIGHT)) // TILE_WIDTH
        hashes = [*edge[level], *added]
        full = len(hashes) // TILE_WIDTH
        added = [tree_root(hashes[at * TILE_WIDTH : (at + 1) * TILE_WIDTH]) for at in range(full)]
        nodes += [(level + 1, first + at, root) for at, root in enumerate(added)]
        edge[level] = hashes[full * TILE_WIDTH :]
    return nodes


def edge_root(edge: Sequence[Sequence[bytes]]) -> bytes:
    """The root of the tree that has this edge."""
    rest: list[bytes] = []
    for hashes in edge:
        items = [*hashes, *rest]
        rest = [tree_root(items)] if items else []
    return rest[0] if rest else EMPTY_ROOT


def tile_width(level: int, index: int, size: int) -> int:
    """How many hashes a tile has in a tree of a size: 0 where there is none, 256 where it is full."""
    return int(min(max((size >> (level * TILE_HEIGHT)) - index * TILE_WIDTH, 0), TILE_WIDTH))


def tile_path(level: int | str, index: int, width: int) -> str:
    """`<L>/<N>[.p/<W>]` as C2SP tlog-tiles writes it; level 'entries' for entry bundles."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    number = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"{level}/{number}" + (f".p/{width}" if width < TILE_WIDTH else "")


def read_tile_path(path: str) -> tuple[int | str, int, int]:
    """(level or 'entries', index, width) of a path. Raises ValueError for what `tile_path` would not write."""
    match = TILE_PATH.fullmatch(path) if len(path) < 64 else None
    if match is None:
        raise ValueError("not the path of a tile")
    level = match[1] if match[1] == "entries" else int(match[1])
    index, width = int(match[2].replace("x", "").replace("/", "")), int(match[3] or TILE_WIDTH)
    if tile_path(level, index, width) != path or level not in ("entries", *range(LEVELS)) or index > SIZE_MAX:
        raise ValueError("not the path of a tile")
    return level, index, width


def bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry with its length before it, two bytes, big-endian."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def read_bundle(raw: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError when it is cut off."""
    entries, at = [], 0
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        if at + 2 > len(raw) or end > len(raw):
            raise ValueError("the entry bundle is cut off")
        entries.append(raw[at + 2 : end])
        at = end
    return entries


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads from a leaf's hash to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size <= SIZE_MAX:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the tree of `old` leaves is the beginning of the other one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= size <= SIZE_MAX:
        return False
    if old == size:
        return not path and old_root == root
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    older = newer = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and older == old_root and newer == root
