"""Delivering a message over HTTP, signed as Standard Webhooks say, to public addresses only.

The address a name stands for is looked up once, held against what is public, and connected to as it is: a name that
means something else a moment later leads nowhere.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import http.client
import ipaddress
import json
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

PREFIX = "whsec_"
URL_MAX = 500
CONNECT_S = 5
DEADLINE_S = 15.0  # for all of it, however slowly it drips
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HOSTS = ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20")  # of clouds and of the IETF: no client's
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, _HOSTS))


class Unfit(ValueError):
    """An address that nothing is sent to; the text says why, in both languages."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt: an HTTP status, or what went wrong before there was one."""

    status: int | None
    error: str | None
    took_ms: int

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def new_salt() -> bytes:
    return secrets.token_bytes(32)


def secret_of(platform_secret: str, salt: bytes) -> str:
    """`whsec_…`: made of the platform's secret and a salt, so that it need not be kept."""
    key = hmac.digest(platform_secret.encode(), b"webhook\x1f" + salt, "sha256")
    return PREFIX + base64.b64encode(key).decode()


def signature(secret: str, message_id: str, at: int, body: bytes) -> str:
    """`v1,<base64>`: HMAC-SHA256 of id.timestamp.body under the secret's bytes."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def content(kind: str, made_at: datetime, body: dict[str, Any]) -> bytes:
    """What is posted: {type, timestamp, data}."""
    told = {"type": kind, "timestamp": made_at.isoformat(timespec="milliseconds"), "data": body}
    return json.dumps(told, ensure_ascii=False).encode()


def check_url(url: str, *, allow_private: bool) -> None:
    """Raises Unfit for what is no URL to deliver to; whether its address is public is asked at every delivery."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unfit("不是网址 · not a URL") from None
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url or not parts.hostname:
        raise Unfit("不是网址 · not a URL")
    if parts.scheme not in (("https", "http") if allow_private else ("https",)):
        raise Unfit("须为 https · it must be https")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Unfit("网址中不得含用户名、密码或片段 · no user, password or fragment in it")
    if port == 0:
        raise Unfit("端口无效 · no such port")


def addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """What a name stands for now. Raises Unfit when it stands for nothing, or for anything that is not public."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise Unfit("域名无法解析 · the name stands for no address") from None
    if not allow_private and not all(is_public(one) for one in found):
        raise Unfit("地址不是公网地址 · the address is not public")
    return sorted(found, key=lambda one: ":" in one)


def is_public(text: str) -> bool:
    """Whether an address is of the public internet, also where it hides another one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if hidden is None and address in _NAT64:
            hidden = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if hidden and not is_public(str(hidden)):
            return False
        if address.is_site_local:  # deprecated, and counted as global
            return False
    if any(address.version == net.version and address in net for net in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def post(
    url: str, message_id: str, at: int, body: bytes, keys: Sequence[str], *, allow_private: bool
) -> Outcome:  # fmt: skip
    """Post a message once, signed by every key; no redirect is followed."""
    began = time.monotonic()
    headers = {
        "Content-Type": "application/json", "User-Agent": "Tanpuhui", "webhook-id": message_id,
        "webhook-timestamp": str(at), "webhook-signature": " ".join(signature(k, message_id, at, body) for k in keys),
    }  # fmt: skip
    status, error = None, None
    try:
        check_url(url, allow_private=allow_private)
        status = _post(url, body, headers, allow_private=allow_private)
    except Unfit as unfit:
        error = str(unfit)
    except (http.client.HTTPException, OSError, ValueError) as failed:
        error = type(failed).__name__
    return Outcome(status, error, int((time.monotonic() - began) * 1000))


def _post(url: str, body: bytes, headers: dict[str, str], *, allow_private: bool) -> int:
    """The status of one request on a connection of its own, which is cut off at DEADLINE_S whatever it does."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = addresses(host, port, allow_private=allow_private)[0]
    named = f"[{host}]" if ":" in host else host
    headers = headers | {"Host": named if parts.port is None else f"{named}:{parts.port}"}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    line = socket.create_connection((address, port), timeout=CONNECT_S)
    if secure:
        line = ssl.create_default_context().wrap_socket(line, server_hostname=host, do_handshake_on_connect=False)
    is_late = threading.Event()
    watchdog = threading.Timer(DEADLINE_S, _cut, [line, is_late])
    watchdog.daemon = True
    watchdog.start()
    try:
        if isinstance(line, ssl.SSLSocket):
            line.do_handshake()
        connection = http.client.HTTPConnection(host, port)
        connection.sock = line
        connection.request("POST", target, body=body, headers=headers)
        status = connection.getresponse().status
    finally:
        watchdog.cancel()
        line.close()
    if is_late.is_set():  # what was cut off amid its headers looks like their end
        raise TimeoutError
    return status


def _cut(line: socket.socket, is_late: threading.Event) -> None:
    is_late.set()
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
