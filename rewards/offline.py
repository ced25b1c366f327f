"""Check offline what the platform hands out, first part: keys, heads of the log, and entries proven under them.

What is checked is told in lines of English and Chinese; what does not hold is refused with its reason. Standard library
only: this file is part of the stand-alone verifier. The formats stand in PROOFS.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rewards.ed25519 import is_ed25519
from rewards.leaves import ENTRY_MAX_BYTES, canonical_json
from rewards.merkle import is_consistent, is_included, leaf_hash
from rewards.notes import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    NoteKey,
    read_base64,
    read_checkpoint,
    read_key,
    read_proof,
    signers,
)
from rules.replay import Refused, read

PATH_MAX = 64
NO_KEY = (
    "no key was given: fetch GET /v1/log/keys or /.well-known/jwks.json while the platform is there, compare it with "
    "what others have, and name the file with --key",
    "未给出公钥：请在平台可访问时获取 /v1/log/keys 或 /.well-known/jwks.json，与他人所存核对后用 --key 指定",
)
NOT_LOGGED = (
    "not in the log yet: ask for the file again in some seconds, or let it pass with --unlogged",
    "尚未入日志：请几秒后重新下载，或用 --unlogged 放行",
)


@dataclass(frozen=True, slots=True)
class PlatformKey:
    """A public key of the platform. kid: how certificates name it. origin: of the one log it signs; "": of any."""

    public: bytes
    kid: str
    origin: str


@dataclass(frozen=True, slots=True)
class Growth:
    """A consistency proof: the log of `old` entries is the beginning of the one of `size`."""

    old: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """What the reader trusts and asks for.

    witnesses: of each group one key at least must have cosigned every head. known: a head that the reader kept.
    growth: between that and the head at hand. unlogged: let pass what is signed or calculated, but not in the log yet.
    """

    keys: tuple[PlatformKey, ...] = ()
    witnesses: tuple[tuple[NoteKey, ...], ...] = ()
    known: Checkpoint | None = None
    growth: Growth | None = None
    unlogged: bool = False


# --- reading the files of the reader ----------------------------------------------------------------------------------


def read_keys(raw: bytes) -> tuple[PlatformKey, ...]:
    """The platform's keys in a file: vkeys, one a line, or JSON: JWK, JWK Set, the answer of /v1/log/keys.

    Keys of other kinds than Ed25519 are passed over. Raises Refused when there is none.
    """
    found = tuple(key for item in _items(raw) for key in _platform_keys(item))
    if not found:
        raise Refused("the key file has no Ed25519 key", "公钥文件中没有 Ed25519 公钥")
    return found


def read_witnesses(raw: bytes) -> tuple[NoteKey, ...]:
    """Keys of witnesses in a file, one a line. Raises Refused when there is none, or one of another kind."""
    found = tuple(read_key(line) for line in _lines(raw))
    if not found or any(key.kind != COSIGNATURE for key in found):
        raise Refused("the witness file should have keys of witnesses, one a line", "见证者文件应每行一个见证者公钥")
    return found


def read_growth(raw: bytes) -> Growth:
    """The answer of GET /v1/log/proofs/consistency. Raises Refused."""
    told = read(raw)
    members(told, ("from", "path", "to"), "the consistency proof", "一致性证明")
    return Growth(whole(told["from"]), whole(told["to"]), hashes(told["path"]))


def _items(raw: bytes) -> list[Any]:
    """One JSON document, or one item a line: JSON or text."""
    lines = _lines(raw)
    if not lines or lines[0][0] not in "{[":
        return lines
    try:
        return [read(raw)]
    except Refused:
        return [read(line.encode()) for line in lines]


def _lines(raw: bytes) -> list[str]:
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Refused("the key file is no text", "公钥文件不是文本") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _platform_keys(item: Any) -> Iterator[PlatformKey]:
    if isinstance(item, str):
        key = read_key(item)
        if key.kind != ED25519:
            raise Refused("this is the key of a witness, not the platform's", "这是见证者的公钥，不是平台的")
        yield PlatformKey(key.public, thumbprint(key.public), key.name)
    elif isinstance(item, list):
        for one in item:
            yield from _platform_keys(one)
    elif isinstance(item, dict) and "key" in item:
        yield from _platform_keys(item["key"])
    elif isinstance(item, dict) and "keys" in item:
        yield from _platform_keys(item["keys"])
    elif isinstance(item, dict) and item.get("crv") == "Ed25519":
        public = read_base64url(item["x"], 32)
        yield PlatformKey(public, str(item.get("kid") or thumbprint(public)), "")


def thumbprint(public: bytes) -> str:
    """The name of an Ed25519 key by RFC 7638 and RFC 8037."""
    digest = hashlib.sha256(canonical_json({"crv": "Ed25519", "kty": "OKP", "x": _base64url(public)})).digest()
    return _base64url(digest)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# --- reading what was handed out --------------------------------------------------------------------------------------


def read_base64url(text: str, length: int) -> bytes:
    """So many bytes in base64url without padding, in the one way they can be written. Raises Refused."""
    raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
    if _base64url(raw) != text or len(raw) != length:
        raise Refused(
            f"{text[:80]!r} is not base64url of {length} bytes", f"{text[:80]} 不是 {length} 字节的 base64url"
        )
    return raw


def printable(text: str) -> str:
    """The text as one line: what a file says must not move the cursor of a terminal."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def must(holds: bool, english: str, chinese: str) -> None:
    """Raises Refused unless it holds."""
    if not holds:
        raise Refused(english, chinese)


def members(
    found: Mapping[str, Any], names: Sequence[str], english: str, chinese: str, optional: Sequence[str] = ()
) -> None:
    """Raises Refused unless it has these members and no other: nobody could check another."""
    if not isinstance(found, dict) or not set(names) <= found.keys() <= {*names, *optional}:
        listed = f"{sorted(names)}" + (f" [{', '.join(sorted(optional))}]" if optional else "")
        raise Refused(f"{english} should have the members {listed}", f"{chinese}应有 {listed}")


def whole(value: Any) -> int:
    """A whole number, zero or more. Raises Refused."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refused(f"{json.dumps(value)[:80]} should be a whole number", f"{json.dumps(value)[:80]} 应为非负整数")
    return value


def hashes(path: Any) -> tuple[bytes, ...]:
    """SHA-256 hashes in base64. Raises Refused."""
    found = tuple(read_base64(one) for one in path)
    if len(found) > PATH_MAX or any(len(one) != 32 for one in found):
        raise Refused("a hash of the path is no SHA-256", "路径中有一项不是 SHA-256")
    return found


def moment(text: str) -> datetime:
    """A moment with its zone, in UTC. Raises Refused."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise Refused(f"{text!r} is no time with its zone", f"{text} 不是带时区的时间")
    return at.astimezone(UTC)


# --- one run ----------------------------------------------------------------------------------------------------------


class Verification:
    """One run: what is trusted, what was found in it so far."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.lines: list[str] = []
        self._heads: dict[str, Checkpoint] = {}

    def say(self, english: str, chinese: str) -> None:
        """A line of what holds."""
        self.lines.append(f"{english} / {chinese}")

    def head(self, note: str) -> Checkpoint:
        """The head in a signed note, once its signatures hold and it agrees with all others. Raises Refused."""
        if note not in self._heads:
            self._heads[note] = self._checked(read_checkpoint(note))
        return self._heads[note]

    def entry(self, logged: Any, kind: str, english: str, chinese: str) -> dict[str, Any] | None:
        """The log's entry of a kind, once its proof holds; None: not there yet, which is allowed. Raises Refused."""
        if logged is None:
            if not self.trust.unlogged:
                raise Refused(f"{english} is {NOT_LOGGED[0]}", f"{chinese}{NOT_LOGGED[1]}")
            self.say(
                f"{english} is NOT IN THE LOG yet: nothing shows that it will be", f"{chinese}尚未入日志，未得到证明"
            )
            return None
        members(logged, ("entry", "proof"), f"the `log` of {english}", f"{chinese}的 log ")
        raw = logged["entry"].encode()
        proof = read_proof(logged["proof"])
        head = self.head(proof.checkpoint)
        if len(raw) > ENTRY_MAX_BYTES or not is_included(leaf_hash(raw), proof.index, head.size, proof.path, head.root):
            raise Refused(
                f"the proof does not lead from the entry of {english} to the checkpoint's root",
                f"证明不能从{chinese}的条目得出检查点的根",
            )
        said = read(raw)
        if not isinstance(said, dict) or said.get("kind") != kind:
            raise Refused(
                f"the log's entry of {english} is of another kind than {kind}", f"{chinese}的条目类别不是 {kind}"
            )
        self.say(
            f"{english}: entry {proof.index} of the log, under the checkpoint of {head.size}",
            f"{chinese}：日志第 {proof.index} 条，在大小为 {head.size} 的检查点之下",
        )
        return said

    def signature(self, body: Any, signature: Any, english: str, chinese: str) -> None:
        """Raises Refused unless a key that is trusted signed the canonical form of the body."""
        members(signature, ("alg", "kid", "value"), f"the signature of {english}", f"{chinese}的签名")
        if not self.trust.keys:
            raise Refused(*NO_KEY)
        kid = signature["kid"]
        named = [key for key in self.trust.keys if key.kid == kid]
        if not named or signature["alg"] != "EdDSA":
            raise Refused(
                f"{english} is signed with the key {kid!r} ({signature['alg']}), which is none of those given",
                f"{chinese}由公钥 {kid}（{signature['alg']}）签名，不在所给公钥之中",
            )
        value = read_base64url(signature["value"], 64)
        if not any(is_ed25519(key.public, canonical_json(body), value) for key in named):
            raise Refused(
                f"{english} is not what the key {kid} signed: something in it was changed",
                f"{chinese}与公钥 {kid} 所签的不同：内容被改动过",
            )
        self.say(f"{english} is signed by the key {kid}", f"{chinese}由公钥 {kid} 签名")

    def _checked(self, found: Checkpoint) -> Checkpoint:
        by = self._signers(found)
        names = ", ".join(dict.fromkeys(f"{key.name}+{key.key_id.hex()}" for key in by))
        self.say(
            f"checkpoint of {found.origin}: {found.size} entries, root {base64.b64encode(found.root).decode()}, "
            f"signed by {names}",
            f"检查点 {found.origin}：{found.size} 条，由 {names} 签名",
        )
        for group in self.trust.witnesses:
            self._say_witnesses(found, group)
        for other in self._heads.values():
            _agree(found, other)
        if self.trust.known:
            _agree(found, self.trust.known)
            self._grown(*sorted((self.trust.known, found), key=lambda head: head.size))
        return found

    def _signers(self, found: Checkpoint) -> list[NoteKey]:
        """The platform's keys that signed it, one at least. Raises Refused."""
        if not self.trust.keys:
            raise Refused(*NO_KEY)
        keys = [
            NoteKey(found.origin, ED25519, key.public)
            for key in self.trust.keys
            if key.origin in ("", found.origin)
        ]  # fmt: skip
        if not keys:
            raise Refused(f"the keys given are not of the log {found.origin}", f"所给公钥不属于日志 {found.origin}")
        by = signers(found, keys, is_ed25519)
        if not by:
            ids = ", ".join(key_id.hex() for _, key_id, _ in found.signatures)
            raise Refused(
                f"the checkpoint is signed by none of the keys given (its signatures are of {ids})",
                f"检查点没有所给公钥的签名（其签名来自 {ids}）",
            )
        return by

    def _say_witnesses(self, found: Checkpoint, group: Sequence[NoteKey]) -> None:
        """Raises Refused unless one of the group has cosigned."""
        by = signers(found, group, is_ed25519)
        if not by:
            names = ", ".join(key.name for key in group)
            raise Refused(f"no witness of {names} has cosigned the checkpoint", f"见证者 {names} 未对该检查点副署")
        for name, key_id, signature in found.signatures:
            if (name, key_id) in [(key.name, key.key_id) for key in by]:
                seconds = int.from_bytes(signature[:8], "big")
                at = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()
                self.say(f"the witness {name} had seen it, and no larger one, at {at}", f"见证者 {name} 于 {at} 副署")

    def _grown(self, old: Checkpoint, new: Checkpoint) -> None:
        """Check the growth between two heads, if a proof of it was given. Raises Refused."""
        growth = self.trust.growth
        if growth is None:
            if old.size != new.size:
                self.say(
                    f"NOT PROVEN that the log of {new.size} entries continues that of {old.size}: give --consistency",
                    f"未证明 {new.size} 条的日志延续 {old.size} 条的日志：请用 --consistency",
                )
            return
        if (growth.old, growth.size) != (old.size, new.size):
            raise Refused(
                f"the consistency proof is from {growth.old} to {growth.size}, the checkpoints are of {old.size} and "
                f"{new.size}",
                f"一致性证明是 {growth.old} 到 {growth.size} 的，检查点却是 {old.size} 和 {new.size}",
            )
        if not is_consistent(old.size, old.root, new.size, new.root, growth.path):
            raise Refused(
                f"the log of {new.size} entries does not continue the one of {old.size}: it was rewritten, or the "
                "proof is another's",
                f"{new.size} 条的日志不是 {old.size} 条的延续：日志被改写，或证明不符",
            )
        self.say(
            f"the log of {new.size} entries continues the one of {old.size}: nothing in it was changed",
            f"{new.size} 条的日志延续了 {old.size} 条的日志：此前条目未被改动",
        )


def _agree(one: Checkpoint, other: Checkpoint) -> None:
    """Raises Refused for two heads that cannot be of one log."""
    if one.origin != other.origin:
        raise Refused(f"the checkpoints are of two logs, {one.origin} and {other.origin}", "检查点来自两个不同的日志")
    if one.size == other.size and one.root != other.root:
        raise Refused(
            f"two checkpoints of {one.size} entries have different roots: the log shows people different histories",
            f"大小同为 {one.size} 的两个检查点根不同：日志对不同的人出示了不同的历史",
        )


def read_trust(
    keys: Sequence[bytes], witnesses: Sequence[bytes], after: bytes | None, growth: bytes | None, unlogged: bool
) -> Trust:
    """What the reader trusts, out of the files named on the command line. Raises Refused."""
    trusted = tuple(key for raw in keys for key in read_keys(raw))
    if growth is not None and after is None:
        raise Refused("--consistency needs --after: between which checkpoints?", "--consistency 需与 --after 同用")
    known = Verification(Trust(trusted)).head(after.decode()) if after is not None else None
    return Trust(
        trusted,
        tuple(map(read_witnesses, witnesses)),
        known,
        read_growth(growth) if growth is not None else None,
        unlogged,
    )


def verify_checkpoint(raw: bytes, trust: Trust) -> list[str]:
    """What a signed head proves, line by line. Raises Refused."""
    run = Verification(trust)
    note = raw.decode()
    size = read_checkpoint(note).size
    if trust.known and size < trust.known.size:
        raise Refused(
            f"an older checkpoint replayed: it has {size} entries, the one you know {trust.known.size}",
            f"重放了旧检查点：它有 {size} 条，已知的有 {trust.known.size} 条",
        )
    run.head(note)
    return run.lines
