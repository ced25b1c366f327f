"""The log's tree against published vectors and another's implementation (pymerkle), and what must not pass."""

from __future__ import annotations

import functools

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import merkle

# The eight leaves of Certificate Transparency's reference tests, the roots over the first 1 to 8 of them, and proofs.
LEAVES = [bytes.fromhex(x) for x in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOTS = [bytes.fromhex(x) for x in (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)]  # fmt: skip
INCLUSIONS = {  # (index, size) -> path
    (0, 8): ("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
    (5, 8): ("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): ("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
}  # fmt: skip
CONSISTENCIES = {  # (old size, size) -> path
    (1, 1): (),
    (1, 8): ("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
    (6, 8): ("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    (2, 5): ("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
}  # fmt: skip
LARGEST = 256 * 256 + 300  # a third level of tiles, and part of each


def tree_over(leaves: list[bytes], size: int) -> merkle.Tree:
    """A tree that reads its tiles as a log writes them: hashes of leaves, and above roots of full tiles."""
    edge: list[list[bytes]] = [[] for _ in range(8)]
    levels: dict[int, list[bytes]] = {0: leaves[:size]}
    for level, _, root in merkle.grow(edge, 0, leaves[:size]):
        levels.setdefault(level, []).append(root)
    return merkle.Tree(size, lambda level, index, width: levels[level][index * 256 : index * 256 + width])


@functools.cache
def entries() -> list[bytes]:
    return [f"entry {n}".encode() for n in range(LARGEST)]


@functools.cache
def hashes() -> list[bytes]:
    return [merkle.leaf_hash(entry) for entry in entries()]


@functools.cache
def another() -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    tree.append_entries(entries())
    return tree


@functools.cache
def ours(size: int) -> merkle.Tree:
    return tree_over(hashes(), size)


def hexed(path: list[bytes]) -> tuple[str, ...]:
    return tuple(one.hex() for one in path)


# Every size around a power of 256, and whatever lies between.
EDGES = [1, 2, 3, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, LARGEST]
SIZES = st.one_of(st.sampled_from(EDGES), st.integers(1, 2000), st.integers(1, LARGEST))


# --- published vectors -----------------------------------------------------------------------------------------------


def test_the_roots_are_those_of_certificate_transparency() -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    assert [tree_over(leaves, size).root() for size in range(1, 9)] == ROOTS
    assert [merkle.tree_root(leaves[:size]) for size in range(1, 9)] == ROOTS
    assert tree_over([], 0).root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("index", "size"), INCLUSIONS)
def test_inclusion_is_proven_as_certificate_transparency_does(index: int, size: int) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    path = tree_over(leaves, size).inclusion(index)
    assert hexed(path) == INCLUSIONS[index, size]
    assert merkle.is_included(leaves[index], index, size, path, ROOTS[size - 1])


@pytest.mark.parametrize(("old", "size"), CONSISTENCIES)
def test_consistency_is_proven_as_certificate_transparency_does(old: int, size: int) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    path = tree_over(leaves, size).consistency(old)
    assert hexed(path) == CONSISTENCIES[old, size]
    assert merkle.is_consistent(old, ROOTS[old - 1], size, ROOTS[size - 1], path)


# --- another implementation ------------------------------------------------------------------------------------------


@given(size=SIZES)
def test_the_root_of_any_size_is_another_implementations(size: int) -> None:
    assert ours(size).root() == another().get_root(size)


@given(size=SIZES, data=st.data())
def test_inclusion_is_what_another_implementation_says_and_accepts(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path, theirs = ours(size).inclusion(index), another().prove_inclusion(index + 1, size)
    assert path == theirs.path[1:]
    theirs.path = [hashes()[index], *path]
    pymerkle.verify_inclusion(hashes()[index], ours(size).root(), theirs, index=index + 1, size=size)
    assert merkle.is_included(hashes()[index], index, size, path, ours(size).root())


@given(size=SIZES, data=st.data())
def test_consistency_is_what_the_rfc_says_over_another_implementations_roots(size: int, data: st.DataObject) -> None:
    old = data.draw(st.one_of(st.integers(1, size), st.sampled_from([n for n in EDGES if n <= size])))
    path, theirs = ours(size).consistency(old), another().prove_consistency(old, size)
    pymerkle.verify_consistency(ours(old).root(), ours(size).root(), theirs, prior_size=old, later_size=size)
    assert path == subproof(old, 0, size, whole=True)
    assert merkle.is_consistent(old, ours(old).root(), size, ours(size).root(), path)


def subproof(old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2, word for word: pymerkle's own proofs of consistency go deeper than they need."""
    if old == end - start:
        return [] if whole else [another()._get_root(start, end)]
    half = 1
    while half * 2 < end - start:
        half *= 2
    if old <= half:
        return [*subproof(old, start, start + half, whole=whole), another()._get_root(start + half, end)]
    return [*subproof(old - half, start + half, end, whole=False), another()._get_root(start, start + half)]


# --- what must not pass ----------------------------------------------------------------------------------------------


def altered(path: list[bytes], data: st.DataObject) -> list[bytes]:
    """A path with a hash changed, left out, doubled or added, or two of them exchanged."""
    how = data.draw(st.sampled_from(["change", "cut", "double", "add", "swap"] if path else ["add"]))
    at = data.draw(st.integers(0, max(len(path) - 1, 0)))
    if how == "change":
        bit = data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(path[at], "big") ^ (1 << bit)).to_bytes(32, "big")
        return [*path[:at], flipped, *path[at + 1 :]]
    if how == "cut":
        return path[:at] + path[at + 1 :]
    if how == "double":
        return [*path[: at + 1], *path[at:]]
    if how == "swap":
        return path[1:] + path[:1] if len(path) > 1 else []
    return [*path, bytes(32)]


@given(size=SIZES, data=st.data())
def test_a_proof_of_inclusion_that_was_altered_holds_nowhere(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path, root = ours(size).inclusion(index), ours(size).root()
    assert not merkle.is_included(hashes()[index], index, size, altered(path, data), root)
    assert not merkle.is_included(merkle.leaf_hash(b"another"), index, size, path, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index)) if size > 1 else 1
    assert not merkle.is_included(hashes()[index], other, size, path, root)
    for wrong in (-1, size, size + 1, 2**63, 2**64):
        assert not merkle.is_included(hashes()[index], wrong, size, path, root)


@given(size=SIZES, data=st.data())
def test_a_proof_of_consistency_that_was_altered_holds_nowhere(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    path, roots = ours(size).consistency(old), (ours(old).root(), ours(size).root())
    assert not merkle.is_consistent(old, roots[0], size, roots[1], altered(path, data))
    assert not merkle.is_consistent(old, merkle.EMPTY_ROOT, size, roots[1], path)
    assert not merkle.is_consistent(old, roots[0], size, merkle.EMPTY_ROOT, path)
    assert not merkle.is_consistent(size + 1, roots[0], size, roots[1], path)
    assert not merkle.is_consistent(-1, roots[0], size, roots[1], path)
    assert not merkle.is_consistent(old, roots[0], 2**63, roots[1], path)


def test_everything_follows_from_nothing_and_from_nothing_alone() -> None:
    root = ours(300).root()
    assert merkle.is_consistent(0, merkle.EMPTY_ROOT, 300, root, [])
    assert merkle.is_consistent(0, merkle.EMPTY_ROOT, 0, merkle.EMPTY_ROOT, [])
    assert not merkle.is_consistent(0, root, 300, root, [])
    assert not merkle.is_consistent(0, merkle.EMPTY_ROOT, 300, root, [root])
    assert not merkle.is_consistent(300, root, 300, merkle.EMPTY_ROOT, [])


def test_nothing_is_proven_of_places_that_are_not_there() -> None:
    for index in (-1, 300, 2**63):
        with pytest.raises(ValueError, match="no such leaf"):
            ours(300).inclusion(index)
    for old in (-1, 301, 2**63):
        with pytest.raises(ValueError, match="no such older tree"):
            ours(300).consistency(old)


# --- growing ---------------------------------------------------------------------------------------------------------


@given(parts=st.lists(st.one_of(st.integers(0, 3), st.sampled_from([255, 256, 257, 700])), max_size=12))
def test_a_tree_grown_in_any_parts_is_the_tree(parts: list[int]) -> None:
    edge: list[list[bytes]] = [[] for _ in range(8)]
    size, nodes = 0, []
    for part in parts:
        nodes += merkle.grow(edge, size, hashes()[size : size + part])
        size += part
        assert merkle.edge_root(edge) == (ours(size).root() if size else merkle.EMPTY_ROOT)
    assert nodes == [(1, n, merkle.tree_root(hashes()[n * 256 : n * 256 + 256])) for n in range(size // 256)]
    assert [len(tile) for tile in edge[:3]] == [size % 256, size // 256, 0]


def test_a_tree_grown_to_a_third_level_is_the_tree() -> None:
    edge: list[list[bytes]] = [[] for _ in range(8)]
    levels = {level for level, _, _ in merkle.grow(edge, 0, hashes())}
    assert (levels, [len(tile) for tile in edge[:4]]) == ({1, 2}, [44, 1, 1, 0])
    assert merkle.edge_root(edge) == another().get_root(LARGEST)


# --- tiles and bundles -----------------------------------------------------------------------------------------------


def test_the_tiles_of_a_tree_of_seventy_thousand_are_those_of_the_specification() -> None:
    assert [merkle.tile_width(0, n, 70_000) for n in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [merkle.tile_width(1, n, 70_000) for n in (0, 1, 2)] == [256, 17, 0]
    assert [merkle.tile_width(2, n, 70_000) for n in (0, 1)] == [1, 0]
    assert (merkle.tile_width(0, 0, 256), merkle.tile_width(1, 0, 256)) == (256, 1)


def test_a_path_is_written_as_the_specification_has_it() -> None:
    assert merkle.tile_path(0, 1_234_067, 256) == "0/x001/x234/067"
    assert merkle.tile_path("entries", 0, 112) == "entries/000.p/112"


@given(
    level=st.one_of(st.just("entries"), st.integers(0, 7)),
    index=st.one_of(st.integers(0, 2000), st.integers(0, 2**55)),
    width=st.integers(1, 256),
)
def test_a_path_is_read_as_it_is_written(level: int | str, index: int, width: int) -> None:
    assert merkle.read_tile_path(merkle.tile_path(level, index, width)) == (level, index, width)


STRANGE = (
    "", "/", "0", "0/", "0/0", "0/00", "0/0000", "0/1000", "0/x001", "0/x000/000", "0/X001/000", "0/001/002", "00/000",
    "01/000", "8/000", "63/000", "64/000", "-1/000", "0/-01", "0/000.p", "0/000.p/", "0/000.p/0", "0/000.p/256",
    "0/000.p/257", "0/000.p/01", "0/000.p/-1", "0/000.p/1/", "0/000/", "0/000.p/1.p/1", " 0/000", "0/000 ", "0/000\n",
    "0/000\0", "0/٠٠٠", "entries", "entries/", "entries/0", "Entries/000", "../0/000", "0/../000", "0/x000/x000/000",
    "0/" + "x999/" * 8 + "999", "0/" + "x001/" * 500 + "000", "data/000", "0/000.P/1", "0//000", "%30/000",
)  # fmt: skip


@pytest.mark.parametrize("path", STRANGE, ids=range(len(STRANGE)))
def test_a_path_that_would_not_be_written_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not the path of a tile"):
        merkle.read_tile_path(path)


@given(st.text("entris012x/.p", max_size=24))
def test_whatever_is_read_as_a_path_is_written_the_same(text: str) -> None:
    try:
        read = merkle.read_tile_path(text)
    except ValueError:
        return
    assert merkle.tile_path(*read) == text


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_a_bundle_is_read_as_it_is_written(parts: list[bytes]) -> None:
    assert merkle.read_bundle(merkle.bundle(parts)) == parts


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5), st.data())
def test_a_bundle_that_is_cut_off_never_passes_for_the_whole(parts: list[bytes], data: st.DataObject) -> None:
    raw = merkle.bundle(parts)
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    try:
        read = merkle.read_bundle(cut)
    except ValueError:
        return
    assert len(read) < len(parts)
