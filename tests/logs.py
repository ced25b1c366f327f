"""Logs and witnesses of others: a log that may misbehave, as files or behind a real socket, and a strict witness."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from backend import auth
from rewards import leaves, merkle, notes
from rules.replay import Refused

ORIGIN = "log.example/v1/log"


def new_key() -> auth.SigningKey:
    [key] = auth.signing_keys(json.dumps([auth.new_key()[0]]))
    return key


def note_key(key: auth.SigningKey, name: str = ORIGIN, kind: int = notes.ED25519) -> notes.NoteKey:
    return notes.NoteKey(name, kind, auth.raw_public(key))


def keys_entry(*keys: auth.SigningKey) -> bytes:
    return leaves.entry("keys", {"keys": [str(note_key(key)) for key in keys]})


def deed_entry(number: int) -> bytes:
    return leaves.entry("deed", {}, number.to_bytes(32, "big"))


@dataclass
class Log:
    """A log as files; what it serves can be bent. Each `publish` signs a head over the entries there are."""

    keys: Sequence[auth.SigningKey]
    entries: list[bytes] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    origin: str = ORIGIN
    url: str = "https://log.example"
    asked: list[str] = field(default_factory=list)

    def publish(self, *entries: bytes) -> str:
        """Append entries, write all files, sign; the head."""
        known = len(self.entries)
        self.entries += entries
        note = self.note(len(self.entries))
        for at in range(known, len(self.entries)):
            if json.loads(self.entries[at])["kind"] == "keys":
                self.changes.append({"index": at, "checkpoint": note})
        hashes = [merkle.leaf_hash(entry) for entry in self.entries]
        for index in range(-(-len(hashes) // 256)):
            part = slice(index * 256, index * 256 + 256)
            width = len(hashes[part])
            self.files["tile/" + merkle.tile_path(0, index, width)] = b"".join(hashes[part])
            self.files["tile/" + merkle.tile_path("entries", index, width)] = merkle.bundle(self.entries[part])
        roots = [merkle.tree_root(hashes[at : at + 256]) for at in range(0, len(hashes) // 256 * 256, 256)]
        if roots:
            self.files["tile/" + merkle.tile_path(1, 0, len(roots))] = b"".join(roots)
        told = {"keys": [{"key": str(note_key(key, self.origin))} for key in self.keys], "changes": self.changes}
        self.files |= {"checkpoint": note.encode(), "keys": json.dumps(told).encode()}
        return note

    def root(self, size: int) -> bytes:
        hashes = [merkle.leaf_hash(entry) for entry in self.entries[:size]]
        return merkle.tree_root(hashes) if hashes else merkle.EMPTY_ROOT

    def note(self, size: int, root: bytes | None = None, keys: Sequence[auth.SigningKey] = ()) -> str:
        return signed(self.origin, size, root or self.root(size), keys or self.keys)

    def get(self, path: str, limit: int) -> bytes | None:
        self.asked.append(path)
        found = self.files.get(path)
        assert found is None or len(found) <= limit
        return found


def signed(origin: str, size: int, root: bytes, keys: Sequence[auth.SigningKey]) -> str:
    text = notes.head_text(origin, size, root)
    lines = [notes.signature_line(note_key(k, origin), auth.raw_signature(k, text.encode())) for k in keys]
    return f"{text}\n{''.join(lines)}"


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two packets

    def answer(self, status: int, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silence."""


@contextmanager
def served(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A handler behind a real socket, over TLS with a context; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def serving(log: Log, prefix: str = "", context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A log behind a real socket; takes cosignatures into `log.files["cosignatures"]`."""

    class Handler(_Quiet):
        def do_GET(self) -> None:
            found = log.files.get(self.path.removeprefix(f"{prefix}/"))
            self.answer(404 if found is None else 200, found or b"")

        def do_POST(self) -> None:
            log.files["cosignatures"] = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, b"{}")

    with served(Handler, context) as url:
        yield url


# --- a witness -----------------------------------------------------------------------------------------------------

_OLD = re.compile(r"old (0|[1-9][0-9]*)")


class Witness:
    """C2SP tlog-witness to the letter: checks in the order of the specification, and remembers what it cosigned."""

    def __init__(self, name: str, logs: Sequence[notes.NoteKey], at_s: int = 1_790_000_000) -> None:
        self.key, self.at_s = new_key(), at_s
        self.public = note_key(self.key, name, notes.COSIGNATURE)
        self.trusted = list(logs)
        self.seen: dict[str, tuple[int, bytes]] = {}
        self.answers: list[int] = []
        self._lock = threading.Lock()

    def add_checkpoint(self, body: bytes) -> tuple[int, bytes, str]:
        """(status, content, its type)."""
        with self._lock:
            status, content, kind = self._add(body)
            self.answers.append(status)
            return status, content.encode(), kind

    def _add(self, body: bytes) -> tuple[int, str, str]:
        plain = "text/plain; charset=utf-8"
        try:
            first, _, note = body.decode().partition("\n\n")
            lines = first.split("\n")
            asked, path = _OLD.fullmatch(lines[0]), [notes.read_base64(line) for line in lines[1:]]
            head = notes.read_checkpoint(note)
        except (Refused, UnicodeDecodeError):
            return 400, "not of the form\n", plain
        if asked is None or len(path) > 63 or any(len(one) != 32 for one in path):
            return 400, "not of the form\n", plain
        keys = [key for key in self.trusted if key.name == head.origin]
        if not keys:
            return 404, "unknown log\n", plain
        try:
            by = notes.signers(head, keys, auth.is_ed25519)
        except Refused:
            by = []
        if not by:
            return 403, "no trusted key signed it\n", plain
        old = int(asked[1])
        if old > head.size:
            return 400, "old is larger\n", plain
        size, root = self.seen.get(head.origin, (0, merkle.EMPTY_ROOT))
        if old != size or (size == head.size and root != head.root):
            return 409, f"{size}\n", "text/x.tlog.size"
        if not merkle.is_consistent(size, root, head.size, head.root, path):
            return 422, "not consistent\n", plain
        self.seen[head.origin] = (head.size, head.root)
        return 200, self.line(head.text), plain

    def line(self, text: str) -> str:
        """Its cosignature of the text of a head."""
        signature = auth.raw_signature(self.key, notes.cosigned_message(text, self.at_s))
        return notes.signature_line(self.public, self.at_s.to_bytes(8, "big") + signature)


@contextmanager
def witnessing(witness: Witness) -> Iterator[str]:
    """A witness behind a real socket; its submission prefix."""

    class Handler(_Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/w/add-checkpoint":
                self.answer(*witness.add_checkpoint(body))
            else:
                self.answer(404, b"")

    with served(Handler) as url:
        yield f"{url}/w"
