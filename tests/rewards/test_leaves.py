"""What the log says of a fact: bytes that anybody makes again, and that tell nothing without the salt."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from rewards import leaves

OWNER = bytes(range(32))
HEAD = leaves.deed_head("cycling", "1.0.0", "310000", "2026-06")
BODY: dict[str, Any] = {"deed": "7", "version": 1, "records": [], "reduction_mg": 250_000, "points": 3, "row": "AAAA"}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz_", max_size=6), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_json_is_another_implementations(value: Any) -> None:
    assert leaves.canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", object(), {1, 2}, "\ud800"])
def test_what_canonical_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        leaves.canonical_json(value)


def test_an_entry_is_canonical_and_says_its_kind() -> None:
    raw = leaves.entry("issue", {"batch": 7, "issued_g": 300}, bytes(32))
    commitment = base64.b64encode(bytes(32)).decode()
    assert raw == f'{{"batch":7,"commitment":"{commitment}","issued_g":300,"kind":"issue"}}'.encode()
    assert leaves.entry("keys", {"keys": []}) == b'{"keys":[],"kind":"keys"}'


def test_an_entry_fits_the_two_bytes_of_its_length() -> None:
    room = leaves.ENTRY_MAX_BYTES - len(leaves.entry("terms", {"text": ""}))
    assert len(leaves.entry("terms", {"text": "x" * room})) == 65_535
    with pytest.raises(ValueError, match="the entry of a terms is too large for the log"):
        leaves.entry("terms", {"text": "x" * (room + 1)})


def test_a_salt_is_of_one_leaf_alone_and_needs_the_owners() -> None:
    salts = {
        leaves.leaf_salt(owner, kind, ref_id, ref_no)
        for owner in (OWNER, bytes(32)) for kind in ("deed", "recall") for ref_id in (1, 11, 111) for ref_no in (1, 11)
    }  # fmt: skip
    assert len(salts) == 24
    assert leaves.leaf_salt(OWNER, "deed", 7, 1) == hmac.new(OWNER, b"deed:7:1", hashlib.sha256).digest()


def test_a_deeds_commitment_is_made_as_the_formats_say() -> None:
    salt = leaves.leaf_salt(OWNER, "deed", 7, 1)
    opening = hashlib.sha256(salt + json.dumps(BODY, sort_keys=True, separators=(",", ":")).encode()).digest()
    head = b'{"methodology":"cycling","month":"2026-06","region":"310000","version":"1.0.0"}'
    commitment = hashlib.sha256(b"tanpuhui-deed/1\n" + head + b"\n" + opening).digest()
    assert leaves.deed_opening(salt, BODY) == opening
    assert leaves.deed_commitment(HEAD, opening) == commitment
    assert json.loads(leaves.deed_entry(HEAD, opening)) == {
        "kind": "deed", "commitment": base64.b64encode(commitment).decode(),
    }  # fmt: skip


def test_any_change_of_what_is_committed_to_changes_the_commitment() -> None:
    salt, row = bytes(32), {"recall_id": 7, "mg": 1000}
    changed = [
        leaves.row_commitment(salt, row), leaves.row_commitment(bytes(31) + b"1", row),
        leaves.row_commitment(salt, row | {"mg": 1001}), leaves.row_commitment(salt, row | {"more": None}),
        leaves.deed_commitment(HEAD, leaves.deed_opening(salt, BODY)),
        leaves.deed_commitment(HEAD | {"region": "320000"}, leaves.deed_opening(salt, BODY)),
        leaves.deed_commitment(HEAD, leaves.deed_opening(salt, BODY | {"points": 4})),
        leaves.deed_commitment(HEAD, leaves.deed_opening(bytes(31) + b"1", BODY)),
    ]  # fmt: skip
    assert len(set(changed)) == len(changed)
    assert leaves.row_binding(salt, [1, 2]) != leaves.row_binding(bytes(31) + b"1", [1, 2])
