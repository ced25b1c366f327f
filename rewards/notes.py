"""Signed notes and what the log writes as such: checkpoints, cosignatures, proofs (C2SP signed-note, tlog-checkpoint,
tlog-cosignature, tlog-proof). Signatures are made and checked by functions that are handed in.

Standard library only: this file is part of the stand-alone verifier.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rules.replay import Refused

ED25519 = 0x01
COSIGNATURE = 0x04
NOTE_MAX_BYTES = 64 * 1024
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")

# (public key, 32 bytes; message; signature, 64 bytes) -> whether the signature is that key's over the message
Check = Callable[[bytes, bytes, bytes], bool]


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key under a name. kind: ED25519 of a log, COSIGNATURE of a witness."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: `text` is what is signed, `signatures` are (name, key id, signature)."""

    origin: str
    size: int
    root: bytes
    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """Of an entry: its index, the path from its sibling up, and the checkpoint as text."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str


def read_key(text: str) -> NoteKey:
    """A key written `<name>+<key id>+<base64>`. Raises Refused."""
    name, _, rest = text.strip().partition("+")
    key_id, _, material = rest.partition("+")
    raw = read_base64(material)
    if not _NAME.fullmatch(name) or len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
        raise Refused("this is no Ed25519 key of a log or a witness", "不是日志或见证者的 Ed25519 公钥")
    key = NoteKey(name, raw[0], raw[1:])
    if key.key_id.hex() != key_id:
        raise Refused("the key's id is not that of the key", "公钥编号与公钥不符")
    return key


def head_text(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint: what is signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def signature_line(key: NoteKey, signature: bytes) -> str:
    return f"— {key.name} {base64.b64encode(key.key_id + signature).decode()}\n"


def cosigned_message(text: str, at_s: int) -> bytes:
    """What a witness signs: that at this second (Unix) it had seen this head, and no larger one."""
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def read_checkpoint(note: str) -> Checkpoint:
    """The checkpoint in a signed note, its signatures unchecked. Raises Refused for what is not of the form."""
    if len(note.encode("utf-8", "surrogatepass")) > NOTE_MAX_BYTES:
        raise Refused("the checkpoint is too large", "检查点过大")
    body, gap, signed = note.rpartition("\n\n")
    lines = body.split("\n")
    if not gap or len(lines) < 3 or not all(lines) or any(ord(c) < 32 and c != "\n" for c in note):
        raise Refused("this is no checkpoint: origin, size, root, a blank line, signatures", "不是检查点")
    if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > 2**63 - 1:
        raise Refused("the checkpoint's size is no number", "检查点的大小不是数字")
    root = read_base64(lines[2])
    if len(root) != 32:
        raise Refused("the checkpoint's root is no SHA-256", "检查点的根不是 SHA-256")
    return Checkpoint(lines[0], int(lines[1]), root, body + "\n", tuple(_signatures(signed)))


def _signatures(text: str) -> Iterable[tuple[str, bytes, bytes]]:
    """(name, key id, signature) of each line. Raises Refused."""
    if not text.endswith("\n"):
        raise Refused("the last signature is cut off", "最后一行签名不完整")
    for line in text[:-1].split("\n"):
        match = _SIGNATURE.fullmatch(line)
        raw = read_base64(match[2]) if match else b""
        if match is None or len(raw) < 5:
            raise Refused("a line of signature is not of the form", "签名行格式有误")
        yield match[1], raw[:4], raw[4:]


def read_cosignatures(text: str) -> list[tuple[str, bytes, bytes]]:
    """The lines that a witness answers with. Raises Refused."""
    return list(_signatures(text))


def signers(checkpoint: Checkpoint, keys: Sequence[NoteKey], check: Check) -> list[NoteKey]:
    """Those of the keys that signed it. Raises Refused when a signature of one of them is wrong."""
    found = []
    for name, key_id, signature in checkpoint.signatures:
        for key in keys:
            if (key.name, key.key_id) != (name, key_id):
                continue
            if not is_signature(checkpoint.text, key, signature, check):
                raise Refused(f"the checkpoint's signature by {name} is wrong", f"检查点上 {name} 的签名不成立")
            found.append(key)
    return found


def is_signature(text: str, key: NoteKey, signature: bytes, check: Check) -> bool:
    """Whether a log's signature or a witness's cosignature is over the text of a checkpoint."""
    if key.kind == ED25519:
        return len(signature) == 64 and check(key.public, text.encode(), signature)
    at_s = int.from_bytes(signature[:8], "big")
    if len(signature) != 72 or at_s >= 2**63:
        return False
    return check(key.public, cosigned_message(text, at_s), signature[8:])


def proof_text(proof: Proof) -> str:
    """A proof as C2SP tlog-proof writes it."""
    lines = [PROOF_HEADER, f"index {proof.index}", *(base64.b64encode(one).decode() for one in proof.path)]
    return "\n".join(lines) + "\n\n" + proof.checkpoint


def read_proof(text: str) -> Proof:
    """Raises Refused for what is not of the form."""
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines[0] != PROOF_HEADER:
        raise Refused("this is no tlog-proof", "不是 tlog-proof 证明")
    if len(lines) > 1 and lines[1].startswith("extra "):
        del lines[1]
    word, _, index = (lines[1] if len(lines) > 1 else "").partition(" ")
    if word != "index" or not _SIZE.fullmatch(index):
        raise Refused("the proof does not say its index", "证明缺少 index")
    path = tuple(read_base64(line) for line in lines[2:])
    if len(path) > 64 or any(len(one) != 32 for one in path):
        raise Refused("a line of the proof is no SHA-256", "证明中有一行不是 SHA-256")
    return Proof(int(index), path, checkpoint)


def read_base64(text: str) -> bytes:
    """Standard base64, padded, written in the one way it can be. Raises Refused."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(f"{text[:80]!r} is not base64", f"{text[:80]} 不是 base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Refused(f"{text[:80]!r} is not base64", f"{text[:80]} 不是 base64")
    return raw
