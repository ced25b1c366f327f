"""The log over HTTP, by the eyes of others: pymerkle and `cryptography` hold what it says, and nothing is a 500."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pymerkle
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from backend import auth
from backend.errors import PROBLEM_TYPE
from backend.store import log
from backend.usecases import sequence_log
from rewards import merkle, notes
from tests import cast, logs
from tests.cast import Stage
from tests.logs import note_key
from tests.market import ok, refused

STEPS = (1, 2, 3, 7, 243, 1, 254, 1, 700, 65_000, 500)  # heads around powers of 256, and a third level of tiles
WITNESS_SIGNER = logs.new_key()
WITNESS = note_key(WITNESS_SIGNER, "witness.example/w1", notes.COSIGNATURE)


@pytest.fixture(scope="module")
def stage(module_database_url: str, valkey_url: str) -> Iterator[Stage]:
    """A platform whose log grew in steps, each under a head."""
    with cast.stage(module_database_url, valkey_url, TANPUHUI_LOG_WITNESSES=str(WITNESS)) as made:
        first = 0
        for count in STEPS:
            with made.platform.db.transaction() as conn:
                numbers = range(first, first + count)
                log.add_pending(conn, [("deed", n, 1, logs.deed_entry(n)) for n in numbers])
            first += count
            sequence_log.sequence_log(made.platform, datetime.now(UTC))
        yield made


@pytest.fixture(scope="module")
def sizes(stage: Stage) -> list[int]:
    """Of all heads, oldest first."""
    return [item["size"] for item in ok(stage.http.get("/v1/log/checkpoints?limit=100"), 200)["items"]][::-1]


@pytest.fixture(scope="module")
def another(stage: Stage, sizes: list[int]) -> pymerkle.InmemoryTree:
    """The same tree by another implementation, out of the entry bundles."""
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for index in range(-(-sizes[-1] // 256)):
        path = merkle.tile_path("entries", index, merkle.tile_width(0, index, sizes[-1]))
        answer = stage.http.get(f"/v1/log/tile/{path}")
        assert answer.status_code == 200
        tree.append_entries(merkle.read_bundle(answer.data))
    return tree


def head(stage: Stage, size: int | None = None) -> notes.Checkpoint:
    query = "" if size is None else f"?size={size}"
    return notes.read_checkpoint(stage.http.get(f"/v1/log/checkpoint{query}").get_data(as_text=True))


def decoded(path: list[str]) -> list[bytes]:
    return [base64.b64decode(one, validate=True) for one in path]


# --- by others -------------------------------------------------------------------------------------------------------


def test_every_head_is_of_another_implementations_root_and_signed(
    stage: Stage, sizes: list[int], another: pymerkle.InmemoryTree
) -> None:
    assert sizes == [sum(STEPS[: n + 1]) + 1 for n in range(len(STEPS))]
    [told] = ok(stage.http.get("/v1/log/keys"), 200)["keys"]
    name, key_id, material = told["key"].split("+", 2)
    raw = base64.b64decode(material)
    assert (name, raw[0]) == ("localhost/v1/log", 1)
    for size in sizes:
        answer = stage.http.get(f"/v1/log/checkpoint?size={size}")
        assert answer.content_type == "text/plain; charset=utf-8"
        text, _, lines = answer.get_data(as_text=True).partition("\n\n")
        assert text == f"localhost/v1/log\n{size}\n{base64.b64encode(another.get_root(size)).decode()}"
        [line] = lines.splitlines()
        dash, by, signature = line.split(" ")
        assert (dash, by, base64.b64decode(signature)[:4].hex()) == ("—", name, key_id)
        Ed25519PublicKey.from_public_bytes(raw[1:]).verify(base64.b64decode(signature)[4:], f"{text}\n".encode())
    assert head(stage) == head(stage, sizes[-1])


@given(data=st.data())
def test_inclusion_in_any_head_is_proven_to_another_implementation(
    stage: Stage, sizes: list[int], another: pymerkle.InmemoryTree, data: st.DataObject
) -> None:
    size = data.draw(st.sampled_from(sizes))
    index = data.draw(st.one_of(st.integers(0, size - 1), st.just(size - 1)))
    told = ok(stage.http.get(f"/v1/log/proofs/inclusion?index={index}&size={size}"), 200)
    theirs = another.prove_inclusion(index + 1, size)
    leaf = merkle.leaf_hash(told["entry"].encode())
    theirs.path = [leaf, *decoded(told["path"])]
    pymerkle.verify_inclusion(another.get_leaf(index + 1), another.get_root(size), theirs, index=index + 1, size=size)
    proof = notes.read_proof(told["proof"])
    at = notes.read_checkpoint(proof.checkpoint)
    assert (proof.index, list(proof.path), at.size) == (index, decoded(told["path"]), size)
    assert merkle.is_included(leaf, index, size, proof.path, at.root)


@given(data=st.data())
def test_consistency_of_any_two_heads_is_proven(
    stage: Stage, sizes: list[int], another: pymerkle.InmemoryTree, data: st.DataObject
) -> None:
    new = data.draw(st.sampled_from(sizes))
    old = data.draw(st.one_of(st.integers(0, new), st.sampled_from([size for size in sizes if size <= new])))
    told = ok(stage.http.get(f"/v1/log/proofs/consistency?from={old}&to={new}"), 200)
    assert (told["from"], told["to"]) == (old, new)
    roots = another.get_root(old) if old else merkle.EMPTY_ROOT, another.get_root(new)
    assert merkle.is_consistent(old, roots[0], new, roots[1], decoded(told["path"]))
    if old:
        pymerkle.verify_consistency(*roots, another.prove_consistency(old, new), prior_size=old, later_size=new)


def test_tiles_are_those_of_the_tree_at_every_level(stage: Stage, another: pymerkle.InmemoryTree) -> None:
    size = head(stage).size
    for level, index in ((0, 0), (0, 5), (0, size // 256), (1, 0), (1, 1), (2, 0)):
        width = merkle.tile_width(level, index, size)
        answer = stage.http.get("/v1/log/tile/" + merkle.tile_path(level, index, width))
        wide = 256**level
        first = index * 256
        wanted = [another._get_root((first + n) * wide, (first + n + 1) * wide) for n in range(width)]
        assert (answer.status_code, answer.data) == (200, b"".join(wanted)), (level, index)
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert stage.http.get("/v1/log/checkpoint").headers["Cache-Control"] == "public, max-age=2"


def test_a_part_of_a_tile_is_the_beginning_of_it_and_nothing_is_beyond_the_head(stage: Stage) -> None:
    size = head(stage).size
    for level in ("0", "entries"):
        whole = stage.http.get(f"/v1/log/tile/{level}/000").data
        for width in (1, 17, 255):
            assert whole.startswith(stage.http.get(f"/v1/log/tile/{level}/000.p/{width}").data)
    index, width = divmod(size, 256)
    there = merkle.tile_path(0, index, width)
    beyond = [merkle.tile_path(0, index, wide) for wide in (width + 1, 256)]
    beyond += [merkle.tile_path(0, index + 1, 1), merkle.tile_path("entries", index, width + 1)]
    beyond += ["1/001.p/255", "2/000", "3/000.p/1", "7/000.p/1"]
    assert stage.http.get(f"/v1/log/tile/{there}").status_code == 200
    for path in beyond:
        refused(stage.http.get(f"/v1/log/tile/{path}"), 404, "not_found")


def test_all_heads_are_listed_page_by_page(stage: Stage, sizes: list[int]) -> None:
    found: list[int] = []
    cursor = ""
    while True:
        page = ok(stage.http.get(f"/v1/log/checkpoints?limit=3{cursor}"), 200)
        found += [item["size"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == sizes[::-1]


def test_what_is_asked_beyond_the_head_is_refused_in_words(stage: Stage, sizes: list[int]) -> None:
    last = sizes[-1]
    refused(stage.http.get(f"/v1/log/proofs/inclusion?index={last}"), 404, "not_found")
    refused(stage.http.get(f"/v1/log/proofs/inclusion?index=3&size={sizes[0]}"), 404, "not_found")
    refused(stage.http.get(f"/v1/log/proofs/inclusion?index=0&size={last + 1}"), 404, "not_found")
    refused(stage.http.get(f"/v1/log/proofs/consistency?from={last + 1}"), 422, "request_invalid")
    refused(stage.http.get(f"/v1/log/proofs/consistency?from=1&to={last + 1}"), 404, "not_found")
    refused(stage.http.get(f"/v1/log/checkpoint?size={last - 1}"), 404, "not_found")


# --- hostile ---------------------------------------------------------------------------------------------------------

NUMBERS = (
    "-1", "-0", "00", "1e3", "1.0", "0x10", "٣", "", " 1", "NaN", "Infinity", "true", "null", "1_0", "9" * 400,
    str(2**63), str(2**64), "a", "\0", "%00", "1;drop", "1,2", "[1]", "🚲",
)  # fmt: skip
PATHS = (
    "0/0", "0/0000", "00/000", "0/x000/000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p", "0/-01", "8/000",
    "63/000", "64/000", "0/../000", "../keys", "..%2fkeys", "%2e%2e/keys", "0/000%00", "0/%00", "0/000\n",
    "0/" + "x999/" * 5 + "999", "0/" + "x999/" * 6 + "999", "0/" + "x999/" * 7 + "999",
    "entries/" + "x036/x028/x797/x018/x963/" + "968", "0/" + "x001/" * 3000 + "000", "entries", "entries/000.p/0",
    "0/000.p/" + "9" * 300, "🚲/000", "0/٠٠٠", "0//000", "/0/000", "0/000/", "0", "", "0/000?x", "x", "." * 300,
    "0/x000.p/1",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_a_strange_path_of_a_tile_is_not_found_and_never_a_500(stage: Stage, path: str) -> None:
    answer = stage.http.get(f"/v1/log/tile/{quote(path, safe='/%?.')}")
    if path == "0/000?x":
        assert answer.status_code == 200
        return
    assert answer.status_code in (404, 308, 301), (path, answer.status_code)
    if answer.status_code == 404:
        assert answer.content_type == PROBLEM_TYPE


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
@pytest.mark.parametrize(
    "path",
    [
        "checkpoint?size={}",
        "proofs/inclusion?index={}",
        "proofs/inclusion?index=0&size={}",
        "proofs/consistency?from={}",
        "proofs/consistency?from=0&to={}",
        "checkpoints?limit={}",
        "checkpoints?cursor={}",
    ],
)
def test_a_strange_number_is_told_and_never_a_500(stage: Stage, path: str, number: str) -> None:
    answer = stage.http.get("/v1/log/" + path.format(quote(number, safe="%")))
    assert answer.status_code < 500, answer.get_data(as_text=True)
    if answer.status_code >= 400:
        assert answer.content_type == PROBLEM_TYPE


@pytest.mark.parametrize("size", [0, 2**63 - 1])
def test_the_ends_of_the_numbers_are_told(stage: Stage, size: int) -> None:
    refused(stage.http.get(f"/v1/log/checkpoint?size={size}"), 404, "not_found")
    refused(stage.http.get(f"/v1/log/proofs/inclusion?index=0&size={size}"), 404, "not_found")
    assert stage.http.get(f"/v1/log/proofs/consistency?from=0&to={size}").status_code == 404


# --- cosignatures ----------------------------------------------------------------------------------------------------


def cosignature(text: str, key: auth.SigningKey = WITNESS_SIGNER, public: notes.NoteKey = WITNESS) -> str:
    at_s = int(datetime.now(UTC).timestamp())
    signature = auth.raw_signature(key, notes.cosigned_message(text, at_s))
    return notes.signature_line(public, at_s.to_bytes(8, "big") + signature)


def post(stage: Stage, note: str | bytes) -> Any:
    return stage.http.post("/v1/log/cosignatures", data=note, content_type="text/plain")


def test_a_witnesss_word_stands_beside_the_head_and_in_proofs(stage: Stage, sizes: list[int]) -> None:
    at = head(stage)
    line = cosignature(at.text)
    first = ok(post(stage, f"{at.text}\n{line}"), 200)
    assert first == {"size": at.size, "accepted": [WITNESS.name], "known": []}
    again = ok(post(stage, f"{at.text}\n{cosignature(at.text)}"), 200)
    assert again == {"size": at.size, "accepted": [], "known": [WITNESS.name]}
    assert notes.signers(head(stage), [WITNESS], auth.is_ed25519) == [WITNESS]
    proof = notes.read_proof(ok(stage.http.get("/v1/log/proofs/inclusion?index=0"), 200)["proof"])
    assert proof.checkpoint.endswith(line)
    older = head(stage, sizes[3])
    assert ok(post(stage, f"{older.text}\n{cosignature(older.text)}"), 200)["accepted"] == [WITNESS.name]
    assert ok(stage.http.get("/v1/log/keys"), 200)["witnesses"] == [str(WITNESS)]


def test_the_word_of_a_stranger_is_refused(stage: Stage) -> None:
    at = head(stage)
    key = logs.new_key()
    strange = note_key(key, "stranger.example", notes.COSIGNATURE)
    refused(post(stage, f"{at.text}\n{cosignature(at.text, key, strange)}"), 403, "forbidden")
    refused(post(stage, f"{at.text}\n{cosignature(at.text, key)}"), 422, "request_invalid")  # in a known one's name
    own = stage.http.get("/v1/log/checkpoint").get_data(as_text=True).split("\n\n")[1].splitlines(keepends=True)[0]
    refused(post(stage, f"{at.text}\n{own}"), 403, "forbidden")


def test_a_word_on_another_head_is_refused(stage: Stage) -> None:
    at = head(stage)
    other = notes.head_text(at.origin, at.size, bytes(32))
    refused(post(stage, f"{other}\n{cosignature(other)}"), 422, "request_invalid")
    for size in (0, at.size + 1, 2**63 - 1):
        none = notes.head_text(at.origin, size, at.root)
        refused(post(stage, f"{none}\n{cosignature(none)}"), 404, "not_found")
    renamed = notes.head_text("elsewhere/v1/log", at.size, at.root)
    refused(post(stage, f"{renamed}\n{cosignature(renamed)}"), 422, "request_invalid")


BODIES = {
    "nothing": b"",
    "NUL": b"a\0b\n1\nx\n\n",
    "no UTF-8": b"\xff\xfe",
    "JSON": b'{"a":1}',
    "surrogates": b"\xed\xa0\x80",
    "blank lines": b"\n" * 1000,
    "a huge size": notes.head_text("localhost/v1/log", 10**18, bytes(32)).replace("1000", "9999").encode() + b"\nx",
    "many signatures": b"a\n1\n"
    + base64.b64encode(bytes(32))
    + b"\n\n"
    + notes.signature_line(WITNESS, bytes(72)).encode() * 400,
    "long": b"x" * 65_537,
    "very long": b"x" * 10_000_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_cosignature_is_told_and_never_a_500(stage: Stage, body: bytes) -> None:
    answer = post(stage, body)
    assert answer.status_code in (404, 413, 422), answer.get_data(as_text=True)
    assert answer.content_type == PROBLEM_TYPE
    assert json.loads(answer.data)["code"] in ("not_found", "body_too_large", "request_invalid")


@given(body=st.binary(max_size=400))
def test_no_bytes_are_a_500(stage: Stage, body: bytes) -> None:
    assert post(stage, body).status_code in (404, 422)
