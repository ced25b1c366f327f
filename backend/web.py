"""The web process's worker: gunicorn's threads, but for clients that send, read or leave too slowly.

gunicorn's gthread worker waits without end for the rest of a request, and for the client to close lingers 2 s in the
loop that serves everybody. A few dozen connections that do nothing would stop it. A buffering reverse proxy in front
is still the better answer to many of them.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from typing import Any, NoReturn

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

STALL_S = 10.0  # without a byte
REQUEST_S = 30.0  # for a whole request: 4 MiB at 1.2 Mbit/s
ANSWER_S = 60.0  # for a piece of an answer
LINGER_S = 0.5  # after the answer, for what the client is still sending


class Connection(socket.socket):
    """A client's connection that gives up: to gunicorn, as if the client had gone."""

    read_until_s = float("inf")

    def begin_request(self) -> None:
        self.read_until_s = time.monotonic() + REQUEST_S

    def setblocking(self, flag: bool) -> None:
        """Where gunicorn would wait for ever we wait STALL_S."""
        if self.fileno() >= 0:
            self.settimeout(STALL_S if flag else 0.0)

    def recv(self, *args: Any) -> bytes:
        if time.monotonic() > self.read_until_s:
            self._give_up()
        try:
            return super().recv(*args)
        except TimeoutError:
            self._give_up()

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(ANSWER_S)
        try:
            super().sendall(data, flags)
        except TimeoutError:
            self._give_up()
        finally:
            self.setblocking(True)

    def _give_up(self) -> NoReturn:
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError(errno.ECONNRESET, "the client was too slow")


class _Listener:
    """A listener whose clients are Connections."""

    def __init__(self, listener: Any) -> None:
        self._listener = listener

    def accept(self) -> tuple[Connection, Any]:
        client, address = self._listener.accept()
        return Connection(fileno=client.detach()), address

    def getsockname(self) -> Any:
        return self._listener.getsockname()


class Worker(ThreadWorker):
    """gunicorn's `--worker-class`."""

    def accept(self, listener: Any) -> None:
        super().accept(_Listener(listener))

    def handle(self, conn: TConn) -> Any:
        """In a thread of the pool: one request, and the end of the connection when it was the last one."""
        conn.sock.begin_request()
        goes_on = super().handle(conn)
        if not goes_on:
            util.close_graceful(conn.sock, timeout=LINGER_S)
        return goes_on
