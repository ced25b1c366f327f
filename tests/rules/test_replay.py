"""replay.py calculates a receipt that has proofs, too, and says that it looked at the calculation alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rules import receipts, replay
from tests.rules.test_receipts import commute

PROOFS: dict[str, Any] = {"version": 1, "head": {}, "row": "", "salt": "", "log": None, "batch": None}


def proven() -> tuple[dict[str, Any], bytes]:
    receipt, pack = commute()
    return receipt | PROOFS | {"format": replay.PROVEN}, pack


def test_the_proofs_of_a_receipt_are_passed_over_aloud(tmp_path: Path) -> None:
    receipt, pack = proven()
    (tmp_path / "receipt.json").write_bytes(receipts.canonical(receipt))
    (tmp_path / "pack.json").write_bytes(pack)
    command = [sys.executable, "-I", "-S", replay.__file__, "receipt.json", "pack.json"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4630000 mg" in done.stdout
    assert "its proofs were not looked at / 只核对了计算" in done.stdout
    assert "proofs" not in replay.told(*replay.verify(receipts.canonical(commute()[0]), [pack]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "tanpuhui-receipt/3"}, "not a receipt of the format"),
        ({"format": None}, "not a receipt of the format"),
        ({"format": ["tanpuhui-receipt/2"]}, "not of the form"),
        ({"format": replay.FORMAT}, "a receipt has the members"),
        ({"extra": 1}, "a receipt has the members"),
        ({"reduction_mg": 1}, "its records add up to"),
    ],
)
def test_a_receipt_of_no_known_form_or_wrongly_calculated_is_refused(change: dict[str, Any], reason: str) -> None:
    receipt, pack = proven()
    with pytest.raises(replay.Refused, match=reason):
        replay.verify(receipts.canonical(receipt | change), [pack])


@pytest.mark.parametrize("member", PROOFS)
def test_a_proof_that_was_taken_out_is_missed(member: str) -> None:
    receipt, pack = proven()
    del receipt[member]
    with pytest.raises(replay.Refused, match="a receipt has the members"):
        replay.verify(receipts.canonical(receipt), [pack])
