"""Signed notes, checkpoints, cosignatures and proofs: those of others, our own, and what is none."""

from __future__ import annotations

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from rewards import merkle, notes
from rules.replay import Refused

# The example of golang.org/x/mod/sumdb/note, and a head of Go's checksum database.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_NOTE = """go.sum database tree
63096908
8lHrQPRYe4KT4WQ9/Qk8/taKnD6IRHbFgfN7vQE2Y54=

— sum.golang.org Az3gri/oVBN1jAhNZ/iS+W31psFAWRT20/GyrhpU6taFwulQGetBkH5S7wpGXdS935jiIGiUUAXBVHzT/P6fYhqAmAk=
"""

ORIGIN = "tanpuhui.example/v1/log"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = notes.NoteKey(ORIGIN, notes.ED25519, PRIVATE.public_key().public_bytes_raw())
WITNESS_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
WITNESS = notes.NoteKey("witness.example/w1", notes.COSIGNATURE, WITNESS_PRIVATE.public_key().public_bytes_raw())
TEXT = notes.head_text(ORIGIN, 70_000, bytes(range(32)))
AT_S = 1_679_315_147


def check(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def line() -> str:
    return notes.signature_line(KEY, PRIVATE.sign(TEXT.encode()))


def cosignature(at_s: int = AT_S) -> str:
    signed = WITNESS_PRIVATE.sign(notes.cosigned_message(TEXT, at_s))
    return notes.signature_line(WITNESS, at_s.to_bytes(8, "big") + signed)


NOTE = f"{TEXT}\n{line()}"


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [NEUMANN, SUMDB, str(KEY), str(WITNESS)])
def test_a_key_is_read_as_it_is_written(text: str) -> None:
    assert str(notes.read_key(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "++",
        "a",
        NEUMANN[:-1],
        NEUMANN + "=",
        NEUMANN.replace("c74f20a3", "c74f20a4"),
        NEUMANN.replace("ARpc", "ARpd"),
        NEUMANN.replace("+c74f20a3", "+C74F20A3"),
        NEUMANN.replace("Peter", "Peter "),
        NEUMANN.replace("Peter", "Pe+ter"),
        NEUMANN[12:],
        str(notes.NoteKey("w", 0x02, bytes(32))),
        str(notes.NoteKey("w", 0x06, bytes(32))),
        str(notes.NoteKey("w", 1, bytes(31))),
        str(notes.NoteKey("w\x00", 1, bytes(32))),
        str(notes.NoteKey("w" * 201, 1, bytes(32))),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        notes.read_key(text)


# --- signatures ------------------------------------------------------------------------------------------------------


def test_the_signatures_of_others_are_read_and_hold() -> None:
    [(name, key_id, signature)] = notes.read_cosignatures(NEUMANN_LINE)
    key = notes.read_key(NEUMANN)
    assert (name, key_id) == (key.name, key.key_id)
    assert notes.is_signature(NEUMANN_TEXT, key, signature, check)
    assert not notes.is_signature(NEUMANN_TEXT.replace("graphy", "graphY"), key, signature, check)
    head = notes.read_checkpoint(SUMDB_NOTE)
    assert (head.origin, head.size) == ("go.sum database tree", 63_096_908)
    assert notes.signers(head, [notes.read_key(SUMDB)], check) == [notes.read_key(SUMDB)]


def test_a_head_is_signed_over_its_text_and_a_witness_signs_the_time_too() -> None:
    head = notes.read_checkpoint(NOTE + cosignature())
    assert (head.origin, head.size, head.root, head.text) == (ORIGIN, 70_000, bytes(range(32)), TEXT)
    assert notes.signers(head, [KEY, WITNESS], check) == [KEY, WITNESS]
    raw = base64.b64decode(cosignature().split()[2])
    assert raw[:4] == WITNESS.key_id
    WITNESS_PRIVATE.public_key().verify(raw[12:], f"cosignature/v1\ntime {AT_S}\n{TEXT}".encode())
    raw = base64.b64decode(line().split()[2])
    PRIVATE.public_key().verify(raw[4:], TEXT.encode())


def test_lines_of_unknown_keys_are_passed_over_also_under_a_known_name() -> None:
    stranger = notes.NoteKey(ORIGIN, notes.ED25519, bytes(32))
    head = notes.read_checkpoint(NOTE + notes.signature_line(stranger, bytes(64)) + cosignature())
    assert notes.signers(head, [KEY], check) == [KEY]
    assert notes.signers(head, [], check) == []


def test_a_wrong_signature_of_a_known_key_spoils_the_note() -> None:
    for wrong in (bytes(64), PRIVATE.sign(b"another text"), PRIVATE.sign(TEXT.encode())[:-1]):
        head = notes.read_checkpoint(NOTE + notes.signature_line(KEY, wrong))
        with pytest.raises(Refused, match=r"signature by tanpuhui[.]example/v1/log is wrong"):
            notes.signers(head, [KEY], check)
    for wrong in (bytes(72), PRIVATE.sign(TEXT.encode()), bytes(8) + WITNESS_PRIVATE.sign(TEXT.encode())):
        assert not notes.is_signature(TEXT, WITNESS, wrong, check)


def test_a_logs_signature_is_no_witnesss_and_a_witnesss_is_no_logs() -> None:
    both = (notes.NoteKey("x", notes.ED25519, KEY.public), notes.NoteKey("x", notes.COSIGNATURE, KEY.public))
    assert both[0].key_id != both[1].key_id
    signed = PRIVATE.sign(TEXT.encode())
    timed = AT_S.to_bytes(8, "big") + PRIVATE.sign(notes.cosigned_message(TEXT, AT_S))
    found = [notes.is_signature(TEXT, key, one, check) for key in both for one in (signed, timed)]
    assert found == [True, False, False, True]


def test_a_time_beyond_the_specification_is_no_cosignature() -> None:
    for at_s, holds in ((2**63 - 1, True), (2**63, False)):
        signature = at_s.to_bytes(8, "big") + WITNESS_PRIVATE.sign(notes.cosigned_message(TEXT, at_s))
        assert notes.is_signature(TEXT, WITNESS, signature, check) is holds


# --- checkpoints -----------------------------------------------------------------------------------------------------


@given(size=st.integers(0, 2**63 - 1), root=st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_read_as_it_is_written(size: int, root: bytes) -> None:
    text = notes.head_text(ORIGIN, size, root)
    head = notes.read_checkpoint(f"{text}\n{notes.signature_line(KEY, PRIVATE.sign(text.encode()))}")
    assert (head.origin, head.size, head.root, head.text) == (ORIGIN, size, root, text)
    assert notes.signers(head, [KEY], check) == [KEY]


def test_lines_that_extend_a_checkpoint_are_signed_with_it() -> None:
    text = TEXT + "extension\n"
    head = notes.read_checkpoint(f"{text}\n{notes.signature_line(KEY, PRIVATE.sign(text.encode()))}")
    assert (head.size, head.text) == (70_000, text)
    assert notes.signers(head, [KEY], check) == [KEY]


ROOT = base64.b64encode(bytes(range(32))).decode()
BROKEN = {
    "empty": "",
    "no signatures": TEXT,
    "no blank line": TEXT + line(),
    "no line of signature": TEXT + "\n",
    "two lines": f"{ORIGIN}\n1\n\n{line()}",
    "no origin": f"\n1\n{ROOT}\n\n{line()}",
    "a leading zero": NOTE.replace("70000", "070000"),
    "negative": NOTE.replace("70000", "-1"),
    "no number": NOTE.replace("70000", "7e4"),
    "beyond 63 bits": NOTE.replace("70000", str(2**63)),
    "other digits": NOTE.replace("70000", "٧"),
    "a short root": NOTE.replace(ROOT, ROOT[:-4] + "=" * 4),
    "a root of 31 bytes": NOTE.replace(ROOT, base64.b64encode(bytes(31)).decode()),
    "a root without padding": NOTE.replace(ROOT, ROOT[:-1]),
    "a carriage return": NOTE.replace("\n", "\r\n"),
    "NUL": NOTE.replace("tanpuhui", "tan\0puhui"),
    "a tab": NOTE.replace("70000\n", "70000\t\n"),
    "cut off": NOTE[:-1],
    "a dash": NOTE.replace("—", "-"),
    "a signature of 4 bytes": TEXT + "\n" + notes.signature_line(KEY, b""),
    "a plus in the name": NOTE.replace("— tanpuhui", "— tan+puhui"),
    "two blanks": NOTE.replace("— ", "—  "),
    "too long": NOTE + line() * 1000,
    "something behind": NOTE + "x",
    "an empty extension": f"{TEXT}\n\n{line()}",
}


@pytest.mark.parametrize("note", BROKEN.values(), ids=BROKEN)
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(Refused):
        notes.read_checkpoint(note)


@given(st.data())
def test_no_change_of_a_signed_head_goes_unnoticed(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(NOTE) - 1))
    changed = NOTE[:at] + data.draw(st.characters().filter(lambda c: c != NOTE[at])) + NOTE[at + 1 :]
    try:
        head = notes.read_checkpoint(changed)
        signed = notes.signers(head, [KEY], check)
    except Refused:
        return
    assert signed == []  # the name or the key's id was changed: no key that is known signed it


# --- proofs ----------------------------------------------------------------------------------------------------------


@given(index=st.integers(0, 2**63 - 1), path=st.lists(st.binary(min_size=32, max_size=32), max_size=64))
def test_a_proof_is_read_as_it_is_written(index: int, path: list[bytes]) -> None:
    proof = notes.Proof(index, tuple(path), NOTE)
    assert notes.read_proof(notes.proof_text(proof)) == proof


def test_extra_data_of_a_proof_is_passed_over() -> None:
    text = notes.proof_text(notes.Proof(3, (bytes(32),), NOTE))
    extra = text.replace("\nindex", "\nextra AAAA\nindex")
    assert notes.read_proof(extra) == notes.read_proof(text)


PROOF = notes.proof_text(notes.Proof(3, (bytes(32),), NOTE))
NO_PROOF = {
    "empty": "",
    "no header": PROOF[len(notes.PROOF_HEADER) + 1 :],
    "another version": PROOF.replace("@v1", "@v2"),
    "no index": PROOF.replace("index 3\n", ""),
    "a leading zero": PROOF.replace("index 3", "index 03"),
    "negative": PROOF.replace("index 3", "index -3"),
    "no blank line": PROOF.replace("\n\n", "\n"),
    "31 bytes": PROOF.replace(base64.b64encode(bytes(32)).decode(), base64.b64encode(bytes(31)).decode()),
    "no base64": PROOF.replace("AAAA=", "AAA*="),
    "65 hashes": notes.proof_text(notes.Proof(3, (bytes(32),) * 65, NOTE)),
}


@pytest.mark.parametrize("text", NO_PROOF.values(), ids=NO_PROOF)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        notes.read_proof(text)


@pytest.mark.parametrize("text", ["A", "AA", "AAA", "AAA=\n", " AAA=", "AAB=", "AA-_", "A=A=", "====", "ÄAA="])
def test_base64_has_one_way_to_be_written(text: str) -> None:
    with pytest.raises(Refused):
        notes.read_base64(text)


def test_a_proof_and_its_head_show_an_entry_in_the_log() -> None:
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(11)]
    tree = merkle.Tree(11, lambda level, index, width: leaves[index * 256 : index * 256 + width])
    text = notes.head_text(ORIGIN, 11, tree.root())
    note = f"{text}\n{notes.signature_line(KEY, PRIVATE.sign(text.encode()))}"
    proof = notes.read_proof(notes.proof_text(notes.Proof(7, tuple(tree.inclusion(7)), note)))
    head = notes.read_checkpoint(proof.checkpoint)
    assert notes.signers(head, [KEY], check) == [KEY]
    assert merkle.is_included(leaves[7], proof.index, head.size, proof.path, head.root)
