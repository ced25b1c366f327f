"""Requests to servers that are not ours: whatever they say, an answer within its limits or a word why there is none."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backend import witnesses
from backend.usecases import follow_log
from tests import logs

OK = b"HTTP/1.1 200 OK\r\n"
SAID = {
    "nothing": b"",
    "garbage": b"\0\xff\n\n\n",
    "no HTTP": b"SSH-2.0-x\r\n",
    "endless": OK + b"\r\n" + b"x" * 10_000_000,
    "a long one": OK + b"Content-Length: 1000000000\r\n\r\n" + b"x" * 1_000_000,
    "cut off": OK + b"Content-Length: 100\r\n\r\nabc",
    "a length below zero": OK + b"Content-Length: -5\r\n\r\n",
    "many headers": OK + b"A: b\r\n" * 10_000 + b"\r\n",
    "an error": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    "elsewhere": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/checkpoint\r\nContent-Length: 0\r\n\r\n",
    "HTML": OK + b"Content-Length: 6\r\n\r\n<html>",
    "no UTF-8": OK + b"Content-Length: 2\r\n\r\n\xff\xfe",
    "no gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnesses, "PAUSES_S", (0, 0))


@pytest.fixture
def speaking() -> Iterator[Callable[..., str]]:
    """Starts a server that says the same to everybody; with `drips`, then a header now and then. Its address."""
    lines: list[socket.socket] = []

    def start(said: bytes, *, drips: bool = False) -> str:
        line = socket.create_server(("127.0.0.1", 0))
        lines.append(line)

        def serve() -> None:
            while line.fileno() != -1:
                try:
                    caller, _ = line.accept()
                    with caller:
                        caller.recv(65536)
                        caller.sendall(said)
                        while drips:
                            caller.sendall(b"A: b\r\n")
                            time.sleep(0.3)
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{line.getsockname()[1]}"

    yield start
    for line in lines:
        line.shutdown(socket.SHUT_RDWR)
        line.close()


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_whatever_a_server_says_it_is_no_crash(said: bytes, speaking: Callable[..., str]) -> None:
    server = witnesses.Server(speaking(said), deadline_s=5)
    with pytest.raises(witnesses.Unanswered):
        follow_log.follow_log(server, None, (), lambda state: None, lambda done, total: None)
    server.close()


def test_a_packed_answer_is_unpacked_up_to_its_limit(speaking: Callable[..., str]) -> None:
    packed = gzip.compress(b"x" * 1000)
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    server = witnesses.Server(speaking(head + packed))
    assert server.get("x", 1000) == b"x" * 1000
    with pytest.raises(witnesses.Unanswered, match="more than 999 bytes"):
        server.get("x", 999)


def test_a_server_that_drips_is_cut_off(speaking: Callable[..., str]) -> None:
    server = witnesses.Server(speaking(OK, drips=True), deadline_s=1)
    with pytest.raises(witnesses.Unanswered):
        server.ask("GET", "checkpoint")


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://a.example", "file:///etc/passwd", "http://", "https://u:p@a.example", "http://a:99999",
            "http://a b", "https://a.example/?q", "https://a.example/#f", "https://ä.example"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(witnesses.Unanswered, match="not a URL"):
        witnesses.Server(url)


def test_a_connection_is_kept_and_made_again_when_it_has_ended() -> None:
    log = logs.Log([logs.new_key()])
    log.publish(logs.deed_entry(1))
    with logs.serving(log) as url:
        server = witnesses.Server(url)
        assert server.get("checkpoint", 10_000) == log.files["checkpoint"]
        kept = server._line.sock if server._line else None
        assert server.get("nowhere", 10_000) is None
        assert kept is not None
        assert server._line is not None
        assert server._line.sock is kept
        kept.shutdown(socket.SHUT_RDWR)
        assert server.get("checkpoint", 10_000) == log.files["checkpoint"]


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A log over TLS under a certificate that it made itself: its address, and the certificate."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a log")])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        .add_extension(here, critical=False).sign(private, hashes.SHA256())
    )  # fmt: skip
    kept, key = tmp_path / "log.pem", tmp_path / "log.key"
    kept.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kept, key)
    log = logs.Log([logs.new_key()])
    log.publish(logs.deed_entry(1))
    with logs.serving(log, context=context) as url:
        yield url, kept


def test_a_certificate_that_nobody_vouches_for_is_refused(secured: tuple[str, Path]) -> None:
    with pytest.raises(witnesses.Unanswered, match="CERTIFICATE_VERIFY_FAILED"):
        witnesses.Server(secured[0]).get("checkpoint", 10_000)


def test_a_certificate_that_is_vouched_for_is_taken_under_its_own_name_only(
    secured: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, kept = secured
    monkeypatch.setenv("SSL_CERT_FILE", str(kept))
    server = witnesses.Server(url)
    assert server.get("checkpoint", 10_000)
    assert server.get("nowhere", 10_000) is None
    with pytest.raises(witnesses.Unanswered, match="CERTIFICATE_VERIFY_FAILED"):
        witnesses.Server(url.replace("127.0.0.1", "localhost")).get("checkpoint", 10_000)
