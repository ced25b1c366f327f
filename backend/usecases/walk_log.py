"""Walk the log from its first leaf to a head: its tree and every signed root out of the entries, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from backend import auth
from backend.store import audit, db
from backend.usecases import sum_log
from backend.usecases.collect_findings import Check, Tell
from rewards import merkle, notes
from rewards.offline import PlatformKey
from rules.replay import Refused

PAGE = 4096
NODES_AT_ONCE = 512


def walk_log(
    conn: db.Connection, origin: str, until: int, kept: Mapping[str, notes.Checkpoint], keys: Sequence[PlatformKey],
    tell: Tell,
) -> Check:  # fmt: skip
    """The leaves before `until`, every checkpoint up to it, and the auditor's own: what they are called -> the head.

    Without keys those are trusted that the log itself names first.
    """
    walk = _Walk(conn, until, origin, keys, tell)
    waiting = sorted(kept.items(), key=lambda one: one[1].size)
    for head in audit.heads(conn):
        if head["size"] > until:
            break
        waiting = walk.meet(waiting, head["size"] - 1, is_stored=False)
        walk.read_to(head["size"])
        walk.head(head)
        waiting = walk.meet(waiting, head["size"], is_stored=True)
    walk.meet(waiting, until, is_stored=False)
    walk.read_to(until)
    walk.compare_nodes()
    walk.tell_wrong()
    for name, one in kept.items():
        walk.check_kept(name, one)
    if not keys and walk.check.counts["checkpoints"]:
        text = "the keys that are trusted are those that the log itself names: --key FILE names yours"
        walk.check.remarks.append(("所信公钥取自日志本身：可用 --key 指定您自己的", text))
    walk.check.counts["entries"] = walk.size
    return walk.check


def split(said: str) -> tuple[str, str]:
    """English and Chinese of what is written in both, divided by a slash."""
    english, _, chinese = said.partition(" / ")
    return english, chinese or english


class _Walk:
    """The part of the log that was read: its tree, what its entries say, and who may sign its heads."""

    def __init__(
        self, conn: db.Connection, until: int, origin: str, keys: Sequence[PlatformKey], tell: Tell
    ) -> None:  # fmt: skip
        self.conn, self.until, self.origin, self.tell = conn, until, origin, tell
        self.check = Check("log", "日志", "the log")
        self.edge: list[list[bytes]] = [[] for _ in range(merkle.LEVELS)]
        self.size = 0
        self.is_broken = False  # a leaf is missing: nothing behind it can be computed
        self.sums = sum_log.Sums()
        self.is_pinned = bool(keys)
        self.trusted = [notes.NoteKey(origin, notes.ED25519, k.public) for k in keys if k.origin in ("", origin)]
        self.nodes: list[tuple[int, int, bytes]] = []
        self.right = 0  # the largest size up to which the leaves make the signed root
        self.wrong: list[int] = []  # sizes of heads since whose root they do not make
        self.leaves = _leaves(conn, until)

    def read_to(self, size: int) -> bool:
        """Read the leaves before a size; False when one is missing."""
        rows = [] if self.is_broken else list(islice(self.leaves, size - self.size))
        entries = []
        for at, (index, kind, ref_id, ref_no, entry) in enumerate(rows, self.size):
            if index != at:
                break
            self._entry(index, kind, ref_id, ref_no, entry)
            entries.append(entry)
        self.nodes += merkle.grow(self.edge, self.size, [merkle.leaf_hash(entry) for entry in entries])
        self.size += len(entries)
        if len(self.nodes) >= NODES_AT_ONCE or self.size == self.until:
            self.compare_nodes()
        self.tell("log", self.size, self.until)
        if self.size < size and not self.is_broken:
            self.is_broken = True
            self.check.find([f"log_leaf {self.size}"], "the leaf is missing", "缺少该叶")
        return not self.is_broken

    def _entry(self, index: int, kind: str, ref_id: int, ref_no: int, entry: bytes) -> None:
        """An entry is of the form of its kind, and says the kind under which it is found."""
        before = self.sums.entries[kind]
        wrong = sum_log.add_entry(self.sums, entry, self.origin)
        if wrong:
            self.check.find([f"log_leaf {index}"], *split(wrong))
        elif self.sums.entries[kind] != before + 1 or (kind == sum_log.KEYS and (ref_id, ref_no) != (index, 0)):
            self.check.find([f"log_leaf {index}"], "its columns are not what the entry says", "各列与条目不符")

    def compare_nodes(self) -> None:
        """The stored hashes of full tiles against those just computed."""
        stored = audit.nodes(self.conn, [(level, at) for level, at, _ in self.nodes])
        for level, at, expected in self.nodes:
            found = stored.get((level, at))
            if found != expected:
                told = None if found is None else auth.base64_text(found)
                self.check.differs([f"log_node {level}/{at}"], "hash", told, auth.base64_text(expected))
        self.check.counts["nodes"] += len(self.nodes)
        self.nodes = []

    def head(self, head: dict[str, Any]) -> None:
        """A checkpoint, at its size: its columns, its signatures, and the root that the leaves make."""
        row = f"log_checkpoint {head['size']}"
        self.check.counts["checkpoints"] += 1
        try:
            told = notes.read_checkpoint(head["note"])
            self._check_signed(told)
        except Refused as refused:
            self.check.find([row], *split(str(refused)))
            return
        if (told.origin, told.size, told.root) != (head["origin"], head["size"], head["root"]):
            self.check.find([row], "its columns are not what its note says", "各列与签名文本不符")
        if told.origin != self.origin:
            self.check.differs([row], "origin", told.origin, self.origin)
        if self.is_broken:
            return
        if told.root != merkle.edge_root(self.edge):
            self.wrong.append(told.size)
            return
        for size in self.wrong:  # by themselves: this later one fits
            self.check.find([f"log_checkpoint {size}"], "the leaves make another root", "各叶得出另一个根")
        self.wrong, self.right = [], told.size

    def _check_signed(self, told: notes.Checkpoint) -> None:
        """Raises Refused unless a trusted key signed; then the keys are trusted that the log says are in use."""
        in_use = [notes.read_key(text) for text in self.sums.keys]
        if not self.trusted and not self.is_pinned:
            self.trusted = in_use
        if not notes.signers(told, self.trusted, auth.is_ed25519):
            raise Refused("no key that is trusted signed it", "没有可信公钥的签名")
        if not notes.signers(told, in_use, auth.is_ed25519):
            raise Refused("no key that the log says is in use signed it", "没有日志所称在用公钥的签名")
        self.trusted = list(dict.fromkeys((*self.trusted, *in_use)))

    def tell_wrong(self) -> None:
        """No head after these fits: it is the leaves that were changed."""
        if self.wrong:
            first, more = self.wrong[0], len(self.wrong) - 1
            self.check.find(
                [f"log_leaf {self.right}..{first - 1}", f"log_checkpoint {first}"],
                f"the leaves do not make the root that was signed, nor that of {more} checkpoints after it",
                f"各叶得不出所签的根，其后 {more} 个检查点亦然",
            )

    def meet(
        self, waiting: list[tuple[str, notes.Checkpoint]], until: int, *, is_stored: bool
    ) -> list[tuple[str, notes.Checkpoint]]:  # fmt: skip
        """Hold the leaves against the auditor's own heads up to a size; those that are larger."""
        for name, kept in waiting:
            if kept.size > until:
                continue
            rows = [f"log_leaf 0..{kept.size - 1}", f"log_checkpoint {kept.size}"]
            if self.read_to(kept.size) and kept.root != merkle.edge_root(self.edge):
                english = f"the leaves do not make the root of {name}: history was changed since"
                self.check.find(rows, english, f"各叶得不出 {name} 的根：此后历史被改动")
            if not is_stored:
                english = f"the checkpoint {name} is not among the log's own"
                self.check.find(rows[1:], english, f"日志自身没有检查点 {name}")
        return [one for one in waiting if one[1].size > until]

    def check_kept(self, name: str, kept: notes.Checkpoint) -> None:
        """That it is of this log at all: by its signature, and no larger than the log."""
        row = f"log_checkpoint {kept.size}"
        if kept.size > self.until:
            english = f"the log has {self.until} leaves, fewer than {name} says"
            self.check.find([row], english, f"日志只有 {self.until} 叶，少于 {name} 所载")
        keys = [notes.NoteKey(kept.origin, notes.ED25519, key.public) for key in self.trusted]
        try:
            if not notes.signers(kept, keys, auth.is_ed25519):
                raise Refused(f"no key that is trusted signed {name}", f"{name} 没有可信公钥的签名")
        except Refused as refused:
            self.check.find([row], *split(str(refused)))


def _leaves(conn: db.Connection, until: int) -> Iterator[tuple[int, str, int, int, bytes]]:
    for first in range(0, until, PAGE):
        yield from audit.leaves(conn, first, min(first + PAGE, until))
