"""Whatever bytes stand in a log as an entry: read, or told to be wrong; never a crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.usecases import sum_log
from rewards import leaves
from tests import logs

SALT = bytes(32)
HOSTILE = {
    "nested": b"[" * 60_000,
    "nested in its kind": b'{"kind":' + b"[" * 30_000,
    "no number": b'{"kind":NaN}',
    "infinite": b'{"kind":1e999}',
    "a name twice": b'{"kind":"deed","kind":"deed"}',
    "no UTF-8": b"\xff",
    "nothing": b"",
    "null": b"null",
    "half a surrogate pair": b'{"kind":"\\ud800"}',
    "a commitment that is a number": b'{"commitment":7,"kind":"deed"}',
    "a long commitment": b'{"commitment":"' + b"A" * 60_000 + b'","kind":"deed"}',
    "a kind that is an object": b'{"kind":{}}',
    "a kind that is a list": b'{"kind":["deed"]}',
    "a kind of many digits": b'{"kind":' + b"9" * 5000 + b"}",
    "lines that are a number": leaves.entry("sale", {"lines": 7}, SALT),
    "lines of numbers": leaves.entry("sale", {"lines": [7]}, SALT),
    "lines that are an object": leaves.entry("sale", {"lines": {"batch": 1}}, SALT),
    "a batch beyond a bigint": leaves.entry("issue", {"batch": 2**70, "issued_g": 1}, SALT),
    "true for grams": leaves.entry("retirement", {"certificate": None, "quantity_g": True, "lines": []}, SALT),
    "keys that are a number": leaves.entry("keys", {"keys": 7}),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_entries_are_told_and_change_nothing(raw: bytes) -> None:
    sums = sum_log.Sums()
    assert sum_log.add_entry(sums, raw, logs.ORIGIN)
    assert sums == sum_log.Sums()


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(raw: bytes) -> None:
    sums = sum_log.Sums()
    wrong = sum_log.add_entry(sums, raw, logs.ORIGIN)
    assert bool(wrong) is not bool(sums.entries)
