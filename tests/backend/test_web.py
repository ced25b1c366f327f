"""Clients that send, read or leave too slowly do not keep the web process from the others."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes

REPOSITORY = Path(__file__).parents[2]
APP = """
def app(environ, start):
    body = environ["wsgi.input"].read() or b"." * (2**26 if environ["PATH_INFO"] == "/big" else 2)
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
QUICK = "import backend.web as web\nweb.STALL_S, web.REQUEST_S, web.ANSWER_S, web.LINGER_S = 1.0, 3.0, 1.0, 0.1\n"
HALVES = {
    "half a head": b"GET / HTTP/1.1\r\nHo",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na",
    "an answer never read": b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n",
    "an end never closed": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A web process of one worker with two threads, and with less patience than in service."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "app_of_this_test.py").write_text(APP)
    (folder / "quick.py").write_text(QUICK)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.set_inheritable(True)
        command = [
            str(Path(sys.executable).parent / "gunicorn"), "--bind", f"fd://{listener.fileno()}", "--workers", "1",
            "--threads", "2", "--no-control-socket", "--config", str(folder / "quick.py"),
            "--worker-class", "backend.web.Worker", "app_of_this_test:app",
        ]  # fmt: skip
        paths = os.pathsep.join([str(folder), str(REPOSITORY)])
        environ = os.environ | {"PYTHONPATH": paths}
        with subprocess.Popen(
            command, env=environ, pass_fds=(listener.fileno(),), stderr=subprocess.DEVNULL
        ) as process:
            yield int(listener.getsockname()[1])
            process.terminate()


def connect(port: int, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(sent)
    return client


def answer(port: int) -> int:
    """The status of an honest request; it waits a minute, far more than it takes."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.request("POST", "/", b"honest")
    return client.getresponse().status


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
def test_who_does_nothing_does_not_stop_the_others(port: int, sent: bytes) -> None:
    idle = [connect(port, sent) for _ in range(100 if b"close" in sent else 8)]
    try:
        assert answer(port) == 200
    finally:
        for client in idle:
            client.close()


def test_a_request_that_drips_is_dropped_in_the_end(port: int) -> None:
    def is_dropped() -> bool:
        try:
            client.sendall(b"a")
        except OSError:
            return True
        return False

    with connect(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n") as client:
        assert processes.eventually(is_dropped)
    assert answer(port) == 200


def test_a_request_in_pieces_and_two_on_one_connection_are_answered(port: int) -> None:
    with connect(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-") as client:
        for piece in (b"Length: 4\r\n\r\n", b"ab", b"cd"):
            time.sleep(0.1)
            client.sendall(piece)
        assert read(client) == b"abcd"
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxy")
        assert read(client) == b"xy"


def read(client: socket.socket) -> bytes:
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.read()
