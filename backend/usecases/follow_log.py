"""Follow a log over HTTP, as anybody can: it only grows, its entries are those of its heads, and they add up.

Needs no platform and no database. What was seen stands in a State; an Alarm is what must never be.
"""

from __future__ import annotations

import copy
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Protocol

from backend import auth, witnesses
from backend.usecases import sum_log
from rewards import merkle, notes
from rewards.leaves import canonical_json
from rewards.offline import PlatformKey, read_keys
from rules.replay import Refused, read

ENTRIES_MAX_BYTES = merkle.TILE_WIDTH * (2 + 65_535)
TILE_BYTES = merkle.TILE_WIDTH * 32
KEYS_MAX_BYTES = 4 * 1024 * 1024
SAVED_EVERY = 64  # bundles between two times that what was read is saved
FINDINGS_MAX = 20
CACHED_S = 3.0


class Alarm(Exception):
    """What must not be, in both languages, with the signed heads that show it: name -> note."""

    def __init__(self, english: str, chinese: str, shown: Mapping[str, str]) -> None:
        self.shown = dict(shown)
        super().__init__(f"{english} / {chinese}")


class Source(Protocol):
    """Where a log is read."""

    url: str

    def get(self, path: str, limit: int) -> bytes | None:
        """What is at a path; None where there is nothing. Raises witnesses.Unanswered."""


@dataclass
class Seen:
    """How far entries were read: the right edge of their tree (see merkle.grow), and what they say."""

    size: int = 0
    edge: list[list[bytes]] = field(default_factory=lambda: [[] for _ in range(merkle.LEVELS)])
    sums: sum_log.Sums = field(default_factory=sum_log.Sums)


@dataclass
class State:
    """The newest head that was found right; `ahead`: what was read beyond it, not yet held against a head."""

    head: notes.Checkpoint
    note: str
    keys: list[notes.NoteKey]  # which sign from here on
    former: list[notes.NoteKey] = field(default_factory=list)
    is_pinned: bool = False  # else the first keys were the log's own word
    seen: Seen = field(default_factory=Seen)
    ahead: Seen | None = None


def follow_log(
    source: Source, state: State | None, given: Sequence[PlatformKey], save: Callable[[State], None],
    tell: Callable[[int, int], None],
) -> State:  # fmt: skip
    """Go on to the newest head; the new state, already saved. tell: (entries read, entries in all).

    Raises Alarm; witnesses.Unanswered where nothing can be said; Refused for keys that do not fit the state.
    """
    note = _newest(source, state.head.size if state else 0)
    head = _head(note)
    if state is None:
        keys = _first_keys(source, note, given)
        empty = notes.Checkpoint(head.origin, 0, merkle.EMPTY_ROOT, "")
        state = State(empty, "", keys, is_pinned=bool(given))
    else:
        _check_given(state, given)
    for next_note in (*_changes(source, state, head, note), note):
        state = _step(source, state, next_note, save, tell)
    return state


def cosigned(state: State, name: str, key: auth.SigningKey, at_s: int) -> str:
    """The head of a state as a note with a witness's signature, to be posted to the log."""
    witness = notes.NoteKey(name, notes.COSIGNATURE, auth.raw_public(key))
    signature = auth.raw_signature(key, notes.cosigned_message(state.head.text, at_s))
    return f"{state.head.text}\n{notes.signature_line(witness, at_s.to_bytes(8, 'big') + signature)}"


def _newest(source: Source, size: int) -> str:
    """The newest head; asked for again where a cache may have given an older one."""
    note = _text(source, "checkpoint", notes.NOTE_MAX_BYTES)
    if _head(note).size < size:
        time.sleep(CACHED_S)
        note = _text(source, "checkpoint", notes.NOTE_MAX_BYTES)
    return note


def _text(source: Source, path: str, limit: int) -> str:
    raw = source.get(path, limit)
    if raw is None:
        raise witnesses.Unanswered(f"此处没有日志 · no log is here: {source.url}/{path}")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise witnesses.Unanswered(f"不是文本 · no text: {source.url}/{path}") from None


def _head(note: str) -> notes.Checkpoint:
    try:
        return notes.read_checkpoint(note)
    except Refused as refused:
        raise witnesses.Unanswered(f"{refused}") from None


# --- keys ----------------------------------------------------------------------------------------------------------


def _named(keys: Sequence[PlatformKey], origin: str) -> list[notes.NoteKey]:
    """Those of the keys that may sign a log of this name."""
    fit = dict.fromkeys(key.public for key in keys if key.origin in ("", origin))
    return [notes.NoteKey(origin, notes.ED25519, public) for public in fit]


def _first_keys(source: Source, note: str, given: Sequence[PlatformKey]) -> list[notes.NoteKey]:
    """Those given, else those that the log names itself."""
    head = _head(note)
    if given:
        keys = _named(given, head.origin)
        if not keys:
            origins = ", ".join(sorted({key.origin for key in given}))
            raise Alarm(
                f"the key is of {origins}, and the log here is {head.origin}",
                f"公钥属于 {origins}，而此处的日志是 {head.origin}", {"met": note},
            )  # fmt: skip
        return keys
    try:
        return _named(read_keys(_text(source, "keys", KEYS_MAX_BYTES).encode()), head.origin)
    except Refused as refused:
        raise witnesses.Unanswered(str(refused)) from None


def _check_given(state: State, given: Sequence[PlatformKey]) -> None:
    known = {key.public for key in (*state.keys, *state.former)}
    if given and not known & {key.public for key in given}:
        raise Refused("what was seen so far was signed by other keys", "此前所见由另外的公钥签署")


def _changes(source: Source, state: State, head: notes.Checkpoint, note: str) -> list[str]:
    """The heads under which keys changed, where the newest one is signed by no key that is known yet."""
    if _signers(state, head, note):
        return []
    try:
        told = read(_text(source, "keys", KEYS_MAX_BYTES).encode())["changes"]
        found = {notes.read_checkpoint(one["checkpoint"]).size: str(one["checkpoint"]) for one in told}
    except (Refused, KeyError, TypeError, AttributeError):
        return []
    return [found[size] for size in sorted(found) if state.head.size < size < head.size]


def _signers(state: State, head: notes.Checkpoint, note: str) -> list[notes.NoteKey]:
    try:
        return notes.signers(head, state.keys, auth.is_ed25519)
    except Refused as refused:
        english, _, chinese = str(refused).partition(" / ")
        raise Alarm(english, chinese, {"known": state.note, "met": note}) from None


# --- from one head to the next ---------------------------------------------------------------------------------------


def _step(
    source: Source, state: State, note: str, save: Callable[[State], None], tell: Callable[[int, int], None]
) -> State:  # fmt: skip
    """To one head, by all entries between: their hashes must make its root. Raises Alarm, Unanswered."""
    head, shown = _head(note), {"known": state.note, "met": note}
    if head.origin != state.head.origin:
        raise Alarm(f"the log calls itself {head.origin}, and was {state.head.origin}",
                    f"日志自称 {head.origin}，此前为 {state.head.origin}", shown)  # fmt: skip
    if not _signers(state, head, note):
        raise Alarm("no known key signed this head, and no entry signed by a known key says that the keys changed",
                    "该检查点没有已知公钥的签名，也没有已知公钥签署的换钥条目", shown)  # fmt: skip
    if head.size < state.head.size:
        raise Alarm(f"the log shrank: it had {state.head.size} entries, and has {head.size}",
                    f"日志变短：原有 {state.head.size} 条，现为 {head.size} 条", shown)  # fmt: skip
    if head.size == state.head.size and head.root != state.head.root:
        raise Alarm(f"two heads of {head.size} entries with different roots: the log shows two faces",
                    f"同为 {head.size} 条的两个检查点根不同：日志对不同的人出示不同内容", shown)  # fmt: skip
    is_ahead = state.ahead is not None and state.ahead.size <= head.size
    seen = copy.deepcopy(state.ahead if state.ahead and is_ahead else state.seen)
    findings = _read_entries(source, state, seen, head.size, save, tell)
    if merkle.edge_root(seen.edge) != head.root:
        if is_ahead:  # what was read before may have been wrong, or what was read now
            state.ahead = None
            return _step(source, state, note, save, tell)
        english, chinese = _why(source, state, head)
        raise Alarm(f"the entries do not make the head's root: {english}", f"条目与检查点的根不符：{chinese}", shown)
    if findings:
        raise Alarm("the log says what cannot be", f"日志内容不成立：{'; '.join(findings)}", shown)
    new = State(head, note, state.keys, state.former, state.is_pinned, seen)
    _follow_keys(new, shown)
    save(new)
    return new


def _follow_keys(state: State, shown: Mapping[str, str]) -> None:
    """From here on those keys sign that the last entry of its kind names; one of them must have signed the head."""
    if not state.seen.sums.keys:
        return
    keys = [notes.read_key(text) for text in state.seen.sums.keys]
    gone = [key for key in (*state.former, *state.keys) if key not in keys]
    state.keys, state.former = keys, list(dict.fromkeys(gone))
    if not _signers(state, state.head, state.note):
        raise Alarm("the head is signed by no key that the log itself says is in use",
                    "检查点没有日志自称在用的公钥的签名", shown)  # fmt: skip


def _read_entries(
    source: Source, state: State, seen: Seen, size: int, save: Callable[[State], None], tell: Callable[[int, int], None]
) -> list[str]:
    """Read the entries up to a size into `seen`; what they say that cannot be. Raises Unanswered."""
    findings: list[str] = []
    while seen.size < size:
        index, offset = divmod(seen.size, merkle.TILE_WIDTH)
        entries = _bundle(source, index, merkle.tile_width(0, index, size))[offset:]
        for at, entry in enumerate(entries, seen.size):
            if len(findings) < FINDINGS_MAX and (wrong := sum_log.add_entry(seen.sums, entry, state.head.origin)):
                findings.append(f"{at}: {wrong}")
        merkle.grow(seen.edge, seen.size, [merkle.leaf_hash(entry) for entry in entries])
        seen.size += len(entries)
        tell(seen.size, size)
        if index % SAVED_EVERY == SAVED_EVERY - 1 and not findings:  # what is wrong is read again, and told
            state.ahead = copy.deepcopy(seen)
            save(state)
    return findings


def _bundle(source: Source, index: int, width: int) -> list[bytes]:
    """The first `width` entries of a bundle; where the partial one is gone, out of the full one. Raises Unanswered."""
    for wide in dict.fromkeys((width, merkle.TILE_WIDTH)):
        path = "tile/" + merkle.tile_path("entries", index, wide)
        raw = source.get(path, ENTRIES_MAX_BYTES)
        if raw is None:
            continue
        try:
            entries = merkle.read_bundle(raw)
        except ValueError:
            entries = []
        if len(entries) != wide:
            raise witnesses.Unanswered(f"条目包不完整 · the entry bundle is not whole: {source.url}/{path}")
        return entries[:width]
    raise witnesses.Unanswered(f"没有条目包 · no entry bundle: {source.url}/{path}")


def _why(source: Source, state: State, head: notes.Checkpoint) -> tuple[str, str]:
    """A closer word on entries that do not make a head's root, by the log's own tiles."""

    def tiles(level: int, index: int, width: int) -> list[bytes]:
        for wide in dict.fromkeys((width, merkle.TILE_WIDTH)):
            raw = source.get("tile/" + merkle.tile_path(level, index, wide), TILE_BYTES)
            if raw is not None and len(raw) == 32 * wide:
                return [raw[at : at + 32] for at in range(0, 32 * width, 32)]
        raise witnesses.Unanswered("")

    try:
        if merkle.Tree(head.size, tiles).root() != head.root:
            return "its own tiles do not make it either", "其瓦片也得不出该根"
        if state.head.size and merkle.Tree(state.head.size, tiles).root() != state.head.root:
            at = state.head.size
            return f"the first {at} entries are not what they were", f"前 {at} 条已不同于从前"
        for index in range(state.head.size // merkle.TILE_WIDTH, -(-head.size // merkle.TILE_WIDTH)):
            width = merkle.tile_width(0, index, head.size)
            pairs = zip(_bundle(source, index, width), tiles(0, index, width), strict=True)
            for at, (entry, leaf) in enumerate(pairs, index * merkle.TILE_WIDTH):
                if merkle.leaf_hash(entry) != leaf:
                    return f"entry {at} hashes otherwise than its place in the tree", f"第 {at} 条的哈希与树中不符"
    except witnesses.Unanswered:
        return "its tiles cannot be read", "读不到其瓦片"
    return "what it served a moment ago was something else", "其先后给出的内容不一"


# --- the state as a file -------------------------------------------------------------------------------------------

FORMAT = "tanpuhui-monitor/1"


def write_state(state: State) -> bytes:
    """A state as a file, with a digest by which damage shows."""
    told = {
        "format": FORMAT,
        "origin": state.head.origin,
        "checkpoint": state.note,
        "keys": [str(key) for key in state.keys],
        "former": [str(key) for key in state.former],
        "is_pinned": state.is_pinned,
        "seen": _seen(state.seen),
        "ahead": _seen(state.ahead) if state.ahead else None,
    }
    digest = hashlib.sha256(canonical_json(told)).hexdigest()
    return canonical_json(told | {"sha256": digest}) + b"\n"


def _seen(seen: Seen) -> dict[str, Any]:
    sums = {
        "entries": dict(seen.sums.entries),
        "grams": dict(seen.sums.grams),
        "batches": {str(number): list(astuple(batch)) for number, batch in seen.sums.batches.items()},
        "keys": seen.sums.keys,
    }
    return {"size": seen.size, "edge": [auth.base64_text(b"".join(hashes)) for hashes in seen.edge], "sums": sums}


def read_state(raw: bytes) -> State:
    """The state in a file. Raises Refused when it is not whole."""
    try:
        told = dict(read(raw))
        digest = told.pop("sha256")
        if told["format"] != FORMAT or hashlib.sha256(canonical_json(told)).hexdigest() != digest:
            raise ValueError
        note, seen = told["checkpoint"], _read_seen(told["seen"])
        empty = notes.Checkpoint(told["origin"], 0, merkle.EMPTY_ROOT, "")
        head = notes.read_checkpoint(note) if note else empty
        if (head.origin, head.size, head.root) != (told["origin"], seen.size, merkle.edge_root(seen.edge)):
            raise ValueError
        keys, former = ([notes.read_key(text) for text in told[name]] for name in ("keys", "former"))
        ahead = _read_seen(told["ahead"]) if told["ahead"] else None
        return State(head, note, keys, former, told["is_pinned"], seen, ahead)
    except (Refused, ValueError, KeyError, TypeError, AttributeError):
        raise Refused("the state is damaged", "状态文件已损坏") from None


def _read_seen(told: dict[str, Any]) -> Seen:
    edge = [notes.read_base64(text) for text in told["edge"]]
    sums = told["sums"]
    batches = {int(number): sum_log.Batch(*grams) for number, grams in sums["batches"].items()}
    read_sums = sum_log.Sums(Counter(sums["entries"]), Counter(sums["grams"]), batches, list(sums["keys"]))
    return Seen(told["size"], [[raw[at : at + 32] for at in range(0, len(raw), 32)] for raw in edge], read_sums)
