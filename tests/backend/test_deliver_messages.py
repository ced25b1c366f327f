"""Webhooks: signed, at least once, replayed when asked, never to a private address, and only what happened."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from backend import webhooks
from backend.usecases import deliver_messages, manage_webhooks, tell_client
from tests import cast
from tests.cast import Client, Stage
from tests.market import Market, at_once, ok, refused


class Receiver(ThreadingHTTPServer):
    """A client's server: keeps what it gets, answers what it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.release: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Receiver = self.server  # type: ignore[assignment]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        if server.release:
            server.release.wait(20)
        self.send_response(server.status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silence."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def stage(database_url: str, redis_url: str) -> Iterator[Stage]:
    with cast.stage(database_url, redis_url, TANPUHUI_WEBHOOK_PRIVATE="1") as made:
        yield made


@pytest.fixture
def company(stage: Stage) -> Client:
    return stage.client("company", "深圳绿源")


def hook(client: Client, server: Receiver, *kinds: str) -> dict[str, Any]:
    return ok(client.post("/v1/webhooks", {"url": server.url, "kinds": list(kinds)}), 201)


def tell(stage: Stage, client: Client, kind: str = "order.paid", **body: Any) -> str:
    with stage.platform.db.transaction() as conn:
        return tell_client.tell_client(conn, client.id, kind, body or {"order": 1}, datetime.now(UTC))


def deliver(stage: Stage, later: timedelta = timedelta(0)) -> int:
    return deliver_messages.deliver_messages(stage.platform, datetime.now(UTC) + later)


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """What the README tells a receiver to do."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(hmac.compare_digest(wanted, one) for one in headers["webhook-signature"].split(" "))


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    body = b'{"test": 2432232314}'
    made = webhooks.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_arrives_signed_and_once(stage: Stage, company: Client) -> None:
    with receiver() as server:
        made = hook(company, server)
        public_id = tell(stage, company, order=7)
        assert deliver(stage) == 1
        assert deliver(stage) == 0
        [(headers, body)] = server.got
    assert headers["webhook-id"] == public_id
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert is_signed(made["secret"], headers, body)
    told = json.loads(body)
    assert (told["type"], told["data"]) == ("order.paid", {"order": 7})
    [log] = ok(company.get(f"/v1/webhooks/{made['id']}/deliveries"), 200)["items"]
    assert (log["status"], log["attempt"], log["message"]) == (200, 1, public_id)
    assert [m["id"] for m in ok(company.get("/v1/messages"), 200)["items"]] == [public_id]
    [shown] = ok(company.get("/v1/webhooks"), 200)["items"]
    assert "secret" not in shown
    assert shown["waiting"] == 0


def test_what_fails_is_tried_again_after_growing_pauses_under_the_same_id_and_then_given_up(
    stage: Stage, company: Client
) -> None:
    with receiver() as server:
        made = hook(company, server)
        server.status = 500
        public_id = tell(stage, company)
        at = timedelta(0)
        assert deliver(stage) == 1
        assert deliver(stage, timedelta(seconds=4)) == 0
        for pause_s in deliver_messages.PAUSES_S:
            at += timedelta(seconds=pause_s * 1.2 + 5)
            assert deliver(stage, at) == 1
        assert deliver(stage, at + timedelta(days=30)) == 0
        assert {headers["webhook-id"] for headers, _ in server.got} == {public_id}
        assert len(server.got) == 1 + len(deliver_messages.PAUSES_S)
    log = ok(company.get(f"/v1/webhooks/{made['id']}/deliveries?limit=3"), 200)
    assert [one["attempt"] for one in log["items"]] == [10, 9, 8]
    more = ok(company.get(f"/v1/webhooks/{made['id']}/deliveries?limit=200&cursor={log['next_cursor']}"), 200)
    assert [one["attempt"] for one in more["items"]] == [7, 6, 5, 4, 3, 2, 1]


def test_a_redirect_is_a_failure_and_is_not_followed(stage: Stage, company: Client) -> None:
    with receiver() as server:
        made = hook(company, server)
        server.status = 302
        tell(stage, company)
        assert deliver(stage) == 1
        assert len(server.got) == 1
    assert ok(company.get(f"/v1/webhooks/{made['id']}/deliveries"), 200)["items"][0]["status"] == 302


def test_a_receiver_that_is_gone_is_disabled_told_of_and_can_be_enabled_again(stage: Stage, company: Client) -> None:
    with receiver() as server:
        made = hook(company, server)
        server.status = 410
        tell(stage, company)
        deliver(stage)
        [shown] = ok(company.get("/v1/webhooks"), 200)["items"]
        assert shown["disabled_for"] == "410 Gone"
        assert ok(company.get("/v1/notices"), 200)["items"][0]["kind"] == "webhook_disabled"
        assert deliver(stage, timedelta(days=1)) == 0
        server.status = 204
        assert ok(company.post(f"/v1/webhooks/{made['id']}/enable"), 200)["disabled_at"] is None
        assert deliver(stage, timedelta(minutes=1)) == 1


def test_a_receiver_that_fails_for_five_days_is_disabled(stage: Stage, company: Client) -> None:
    with receiver() as server:
        hook(company, server)
        server.status = 503
        tell(stage, company)
        deliver(stage)
        tell(stage, company)
        deliver(stage, timedelta(days=5, minutes=1))
    assert ok(company.get("/v1/webhooks"), 200)["items"][0]["disabled_for"].startswith("no success")


def test_during_a_rotation_both_secrets_sign(stage: Stage, company: Client) -> None:
    with receiver() as server:
        made = hook(company, server)
        path = f"/v1/webhooks/{made['id']}/secret"
        new = ok(company.post(path), 200)["secret"]
        tell(stage, company)
        deliver(stage)
        assert all(is_signed(secret, *server.got[-1]) for secret in (made["secret"], new))
        assert ok(company.call("DELETE", f"{path}/old"), 200)["old_until"] is None
        tell(stage, company)
        deliver(stage)
        assert is_signed(new, *server.got[-1])
        assert not is_signed(made["secret"], *server.got[-1])
        ok(company.post(path), 200)
        tell(stage, company)
        deliver(stage, timedelta(hours=25))
        assert not is_signed(new, *server.got[-1])


def test_only_the_kinds_that_are_wanted_are_told_and_only_to_their_client(stage: Stage, company: Client) -> None:
    other = stage.client("company", "另一家")
    with receiver() as wanted, receiver() as foreign:
        hook(company, wanted, "order.expired")
        hook(other, foreign)
        tell(stage, company, "order.paid")
        tell(stage, company, "order.expired")
        deliver(stage)
        assert [json.loads(body)["type"] for _, body in wanted.got] == ["order.expired"]
        assert foreign.got == []


def test_what_was_rolled_back_was_never_told(stage: Stage, company: Client) -> None:
    with receiver() as server:
        hook(company, server)
        with stage.platform.db.transaction() as conn:
            tell_client.tell_client(conn, company.id, "order.paid", {}, datetime.now(UTC))
            raise psycopg.Rollback
        assert deliver(stage) == 0


def test_messages_are_replayed_under_the_ids_they_had(stage: Stage, company: Client) -> None:
    with receiver() as server:
        before = tell(stage, company)
        made = hook(company, server)
        after = [tell(stage, company), tell(stage, company)]
        assert deliver(stage) == 2
        path = "/v1/messages/replay"
        assert ok(company.post(path, {"message": before, "webhook": made["id"]}), 202) == {"deliveries": 1}
        long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        assert ok(company.post(path, {"since": long_ago}), 202) == {"deliveries": 3}
        assert deliver(stage) == 3
        assert sorted(headers["webhook-id"] for headers, _ in server.got) == sorted([*after, before, *after])
        stranger = stage.client("company", "另一家")
        refused(stranger.post(path, {"message": before}), 404, "not_found")
        refused(stranger.post(path, {"since": long_ago, "webhook": made["id"]}), 404, "not_found")
        refused(company.post(path, {}), 422, "request_invalid")


def test_several_workers_deliver_each_message_once(stage: Stage, company: Client) -> None:
    with receiver() as server:
        hook(company, server)
        for _ in range(30):
            tell(stage, company)
        counts = at_once(*[lambda: deliver(stage)] * 4)
        assert sum(counts) == 30
        assert len({headers["webhook-id"] for headers, _ in server.got}) == len(server.got) == 30


def test_a_slow_receiver_does_not_hold_up_the_others(stage: Stage, company: Client) -> None:
    other = stage.client("company", "另一家")
    with receiver() as slow, receiver() as quick:
        slow.release = threading.Event()
        hook(company, slow)
        hook(other, quick)
        for _ in range(20):
            tell(stage, company)
        tell(stage, other)
        work = threading.Thread(target=lambda: deliver(stage))
        work.start()
        arrived = threading.Event()
        for _ in range(200):
            if quick.got or arrived.wait(0.05):
                break
        assert len(quick.got) == 1
        assert len(slow.got) <= deliver_messages.EACH
        slow.release.set()
        work.join()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_receiver_that_drips_is_cut_off(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no answer: each read is in time, the whole is not. So in the clear and in a handshake."""
    monkeypatch.setattr(webhooks, "DEADLINE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line, _ = server.accept()
            line.send(b"HTTP/1.1 200 OK\r\n" if scheme == "http" else b"\x16\x03\x03\x40\x00")
            with contextlib.suppress(OSError), line:
                while True:
                    line.send(b"x: y\r\n" if scheme == "http" else b"\x00")
                    threading.Event().wait(0.05)

        threading.Thread(target=drip, daemon=True).start()
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/"
        outcome = webhooks.post(url, "msg_1", 1, b"{}", [webhooks.secret_of("x", b"y")], allow_private=True)
    assert (outcome.status, outcome.is_delivered) == (None, False)
    assert outcome.error


def test_a_webhook_can_be_removed_while_something_is_told(stage: Stage, company: Client) -> None:
    with receiver() as server:
        for _ in range(5):
            made = hook(company, server)
            told, removed = at_once(
                lambda: [tell(stage, company) for _ in range(5)] and deliver(stage),
                lambda m=made: manage_webhooks.remove_webhook(stage.platform, company.id, m["id"]),
            )
            assert (isinstance(told, int), removed) == (True, None)


def test_no_secret_is_kept(stage: Stage, company: Client) -> None:
    with receiver() as server:
        body = {"url": server.url}
        made = ok(company.post("/v1/webhooks", body, Idempotency_Key="one"), 201)
        assert ok(company.post("/v1/webhooks", body, Idempotency_Key="one"), 201) == made
        with stage.platform.db.transaction() as conn:
            rows = [conn.execute(f"select * from {t}").fetchall() for t in ("webhook", "idempotency")]  # type: ignore[arg-type]
        assert made["secret"] not in json.dumps(rows, default=str)


def test_a_test_message_arrives(stage: Stage, company: Client) -> None:
    with receiver() as server:
        hook(company, server)
        made = hook(company, server, "order.paid")
        sent = ok(company.post(f"/v1/webhooks/{made['id']}/test"), 202)["message"]
        assert deliver(stage) == 1
        assert server.got[0][0]["webhook-id"] == sent


def test_what_happens_on_the_market_is_told(stage: Stage) -> None:
    market = Market(stage)
    with receiver() as server:
        hook(market.company, server)
        market.issued(1_000_000)
        market.paid(10)
        market.retired(5)
        ok(market.company.call("DELETE", f"/v1/orders/{market.ordered(3)['id']}"), 200)
        deliver(stage)
        told = {json.loads(body)["type"] for _, body in server.got}
    assert told == {"order.reserved", "order.paid", "credits.retired", "order.cancelled"}


def test_a_clients_webhooks_are_its_own_and_at_most_ten(stage: Stage, company: Client) -> None:
    other = stage.client("partner", "valleybike")
    with receiver() as server:
        made = hook(company, server)
        for method, path in (
            ("DELETE", ""), ("POST", "/secret"), ("DELETE", "/secret/old"), ("POST", "/test"), ("POST", "/enable"),
            ("GET", "/deliveries"),
        ):  # fmt: skip
            refused(other.call(method, f"/v1/webhooks/{made['id']}{path}"), 404, "not_found")
        for _ in range(9):
            hook(company, server)
        refused(company.post("/v1/webhooks", {"url": server.url}), 409, "conflict")
        assert company.call("DELETE", f"/v1/webhooks/{made['id']}").status_code == 204
        assert len(ok(company.get("/v1/webhooks"), 200)["items"]) == 9


# --- where nothing is sent to ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org/", "https://", "https://user:pw@example.org/", "https://example.org:0/",
     "https://example.org/#x", "javascript:alert(1)", "https://exämple.org/", "https://exam ple.org", "//example.org",
     "https://[::1", "https://example.org:99999/", "x" * 600],
)  # fmt: skip
def test_what_is_no_public_https_address_is_refused(database_url: str, redis_url: str, url: str) -> None:
    with cast.stage(database_url, redis_url) as stage:
        refused(stage.client("company", "c").post("/v1/webhooks", {"url": url}), 422, "request_invalid")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "10.1.2.3", "172.16.0.1", "192.168.1.1",
     "0.0.0.0",
     "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fc00::1]",
     "[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:db8::1]", "[ff02::1]",
     "[fec0::1]", "168.63.129.16", "192.0.0.192", "192.88.99.1", "[3fff::1]"],
)  # fmt: skip
def test_nothing_is_sent_to_a_private_address_however_it_is_written(host: str) -> None:
    outcome = webhooks.post(
        f"https://{host}/", "msg_1", 1, b"{}", [webhooks.secret_of(cast.SECRET, b"salt")], allow_private=False
    )
    assert outcome.status is None
    assert outcome.error
    assert "公网" in outcome.error or "无法解析" in outcome.error


def test_public_addresses_are_told_from_others() -> None:
    assert all(map(webhooks.is_public, ("93.184.216.34", "2606:4700:4700::1111")))


def test_a_name_that_changes_its_meaning_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was held against the rules is the one that is connected to; it is not looked up again."""
    looked_up: list[str] = []
    real = webhooks.socket.getaddrinfo

    def rebinding(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == "rebinding.example":
            looked_up.append(host)
            host = "203.0.113.9" if len(looked_up) == 1 else "127.0.0.1"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(webhooks.socket, "getaddrinfo", rebinding)
    keys = [webhooks.secret_of(cast.SECRET, b"salt")]
    outcome = webhooks.post("https://rebinding.example/", "msg_1", 1, b"{}", keys, allow_private=False)
    assert outcome.status is None  # 203.0.113.0/24 is documentation, so not public
    assert looked_up == ["rebinding.example"]
