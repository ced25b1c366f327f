"""Logs that are followed and witnesses that are asked, over HTTP: from servers that may be hostile, with limits on all.

One connection a server is kept; certificates are checked, redirects are not followed.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECT_S = 5
DEADLINE_S = 30.0  # for one answer, however slowly it drips
PAUSES_S = (1, 4)  # before what was not answered is asked again
ASKED_MAX_BYTES = 64 * 1024
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class Unanswered(Exception):
    """No answer that could be used; the text says why, in both languages."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content: bytes


class Server:
    """A server by its address, to which paths are added. Raises Unanswered for what is no address."""

    def __init__(self, url: str, *, deadline_s: float = DEADLINE_S) -> None:
        try:
            parts = urlsplit(url)
            self._port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise Unanswered(f"不是网址 · not a URL: {url!r}") from None
        fits = url.isascii() and url.isprintable() and " " not in url and not (parts.query or parts.fragment)
        if not fits or parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
            raise Unanswered(f"不是网址 · not a URL: {url!r}")
        self.url = url.rstrip("/")
        self.is_secure = parts.scheme == "https"
        self._host, self._named, self._path = parts.hostname, parts.netloc, parts.path.rstrip("/")
        self._deadline_s = deadline_s
        self._line: http.client.HTTPConnection | None = None

    def close(self) -> None:
        if self._line:
            self._line.close()
        self._line = None

    def get(self, path: str, limit: int) -> bytes | None:
        """What is at a path, asked for again where there is trouble; None where there is nothing. Raises Unanswered."""
        for pause_s in (*PAUSES_S, None):
            try:
                answer = self.ask("GET", path, limit=limit)
                if answer.status == 200:
                    return answer.content
                if answer.status in (404, 410):
                    return None
                raise Unanswered(f"状态码 {answer.status} · status {answer.status}: {self.url}/{path}")
            except Unanswered:
                if pause_s is None:
                    raise
            time.sleep(pause_s)
        raise AssertionError("unreachable")

    def ask(self, method: str, path: str, body: bytes | None = None, *, limit: int = ASKED_MAX_BYTES) -> Answer:
        """One request. Raises Unanswered, also for what is longer than `limit` bytes or takes too long."""
        for is_kept in (self._line is not None, False):
            try:
                return self._ask(method, path, body, limit)
            except (http.client.HTTPException, OSError, ValueError, zlib.error) as error:
                self.close()
                if not is_kept:  # else the server may just have ended what we kept
                    said = f"{type(error).__name__} {error}"[:200]
                    raise Unanswered(f"{self.url}/{path} 无应答 · no answer: {said}") from None
        raise AssertionError("unreachable")

    def _ask(self, method: str, path: str, body: bytes | None, limit: int) -> Answer:
        is_late = threading.Event()
        if self._line is None or self._line.sock is None:
            self._line = self._connected()
        line = self._line
        watchdog = threading.Timer(self._deadline_s, _cut, [line.sock, is_late])
        watchdog.daemon = True
        watchdog.start()
        try:
            if isinstance(line.sock, ssl.SSLSocket):
                line.sock.do_handshake()
            headers = {"Host": self._named, "User-Agent": "Tanpuhui", "Accept-Encoding": "gzip, identity"}
            line.request(method, f"{self._path}/{path}", body, headers)
            answer = line.getresponse()
            content = answer.read(limit + 1)
            if len(content) > limit:
                raise ValueError(f"more than {limit} bytes")
            if answer.headers.get("Content-Encoding", "identity") == "gzip":
                content = _unpacked(content, limit)
        finally:
            watchdog.cancel()
        if is_late.is_set():  # what was cut off looks like its end
            raise TimeoutError
        return Answer(answer.status, content)

    def _connected(self) -> http.client.HTTPConnection:
        """A connection whose handshake, if it has one, is still to be done."""
        line = socket.create_connection((self._host, self._port), timeout=CONNECT_S)
        line.settimeout(self._deadline_s)
        if self.is_secure:
            context = ssl.create_default_context()
            line = context.wrap_socket(line, server_hostname=self._host, do_handshake_on_connect=False)
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.sock = line
        connection.auto_open = 0  # a connection is made here alone
        return connection


def _unpacked(packed: bytes, limit: int) -> bytes:
    unpacking = zlib.decompressobj(31)
    content = unpacking.decompress(packed, limit)
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise ValueError(f"more than {limit} bytes, or cut off")
    return content


def _cut(line: socket.socket, is_late: threading.Event) -> None:
    is_late.set()
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


class KnowsOther(Exception):
    """The witness has cosigned another size last: `size`."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"见证者已见证到 {size} · the witness has cosigned {size}")


def add_checkpoint(server: Server, old: int, path: Sequence[bytes], note: str) -> str:
    """Ask a witness (C2SP tlog-witness) to cosign a head, proven to have grown from `old`; its lines of signature.

    Raises KnowsOther, Unanswered.
    """
    proof = "".join(f"{base64.b64encode(one).decode()}\n" for one in path)
    answer = server.ask("POST", "add-checkpoint", f"old {old}\n{proof}\n{note}".encode())
    if answer.status == 409 and (size := _SIZE.fullmatch(answer.content)):
        raise KnowsOther(int(size[1]))
    if answer.status != 200:
        raise Unanswered(f"{_REFUSALS.get(answer.status, '见证者拒绝 · refused')} ({answer.status})")
    try:
        return answer.content.decode()
    except UnicodeDecodeError:
        raise Unanswered("应答不是签名行 · the answer is no lines of signature") from None


OTHER_ROOT = "见证者所见的根不同 · the witness has seen another root"
_REFUSALS = {
    403: "见证者不认识本日志的公钥 · the witness does not know the log's key",
    404: "见证者不认识本日志 · the witness does not know the log",
    409: OTHER_ROOT,
    422: "见证者不接受一致性证明 · the witness does not accept the proof of consistency",
}
