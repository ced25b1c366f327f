"""The payment provider's client: its signed word is read or refused, its answers are believed or not."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
import urllib3
from flask import Flask, Response, request
from hypothesis import given
from hypothesis import strategies as st

from backend import payments
from backend.errors import Problem
from mobile_mock import server
from mobile_mock.payment import provider as stand_in
from tests import phones, processes
from tests.serving import free_port

NOW = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
OLD, NEW = "the secret of last year, of enough characters", "the secret of this year, of enough characters"
DATA = {
    "ref": "TPH-O-000001", "provider_id": "tx_1", "amount_fen": 600, "currency": "CNY",
    "at": "2026-11-27T15:59:58+08:00",
}  # fmt: skip
TOLD = {"id": "no_1", "kind": "charge.paid", "made_at": "2026-11-27T07:59:59.123Z", "data": DATA}
BODY = json.dumps(TOLD).encode()
http = urllib3.PoolManager()


def read(body: bytes, headers: dict[str, str] | None = None, secrets: tuple[str, ...] = (NEW, OLD)) -> Any:
    signed = payments.sign(NEW, body, NOW) if headers is None else headers
    return payments.read_notification(secrets, signed, body, NOW)


def refusal(*given: Any, **more: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read(*given, **more)
    return caught.value


# --- the provider's word -------------------------------------------------------------------------------------------


def test_a_signed_word_is_read_whole() -> None:
    told = read(BODY)
    assert (told.id, told.kind, told.made_at) == ("no_1", "charge.paid", NOW - timedelta(milliseconds=877))
    assert told.data == payments.Told("TPH-O-000001", "tx_1", 600, NOW - timedelta(seconds=2))


def test_the_signature_is_the_one_that_is_written_down() -> None:
    """By another program: `printf '1764230400\\nn\\n{}\\n' | openssl dgst -sha256 -hmac k -binary | base64`."""
    given = "CP19tCmiwtcx8/ukaquZ9PyRE4Pbljjdo8+1J3CfRV4="
    headers = {"Pay-Timestamp": "1764230400", "Pay-Nonce": "n", "Pay-Signature": given}
    payments.check(("k",), headers, b"{}", datetime.fromtimestamp(1764230400, UTC))


def test_one_changed_byte_anywhere_is_refused() -> None:
    headers = payments.sign(NEW, BODY, NOW)
    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert refusal(changed, headers).code == "signature_invalid"
    for longer in (BODY + b"\n", b"\n" + BODY, BODY[:-1], b""):
        assert refusal(longer, headers).code == "signature_invalid"


@pytest.mark.parametrize("name", ["Pay-Timestamp", "Pay-Nonce", "Pay-Signature"])
def test_every_header_is_needed_and_none_may_be_changed(name: str) -> None:
    headers = payments.sign(NEW, BODY, NOW)
    assert refusal(BODY, {k: v for k, v in headers.items() if k != name}).code == "signature_missing"
    assert refusal(BODY, headers | {name: ""}).code == "signature_missing"
    value = headers[name]
    for place in range(len(value)):
        other = "1" if value[place] != "1" else "2"
        assert refusal(BODY, headers | {name: value[:place] + other + value[place + 1 :]}).code == "signature_invalid"
    for other in (value + "0", value + " ", "é", "\udcff", "²", "-1", "9" * 5000):
        assert refusal(BODY, headers | {name: other}).code == "signature_invalid"


def test_a_line_break_in_the_nonce_cannot_move_what_was_signed() -> None:
    """They divide time, nonce and body: the first line of a signed body must not pass as an end of the nonce."""
    body = b"line\n" + BODY
    headers = payments.sign(NEW, body, NOW)
    moved = headers | {"Pay-Nonce": f"{headers['Pay-Nonce']}\nline"}
    assert refusal(BODY, moved).code == "signature_invalid"


@pytest.mark.parametrize(("off_s", "taken"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_word_is_of_now_or_refused(off_s: int, taken: bool) -> None:
    headers = payments.sign(NEW, BODY, NOW + timedelta(seconds=off_s))
    if taken:
        assert read(BODY, headers).id == "no_1"
    else:
        assert refusal(BODY, headers).code == "signature_invalid"


def test_every_secret_verifies_so_that_one_can_be_changed_for_another() -> None:
    for secret in (NEW, OLD):
        assert read(BODY, payments.sign(secret, BODY, NOW)).id == "no_1"
    assert refusal(BODY, payments.sign(OLD, BODY, NOW), (NEW,)).code == "signature_invalid"
    assert refusal(BODY, payments.sign(NEW, BODY, NOW), ()).code == "signature_invalid"


@pytest.mark.parametrize(
    ("field_name", "wrong"),
    [
        *[("id", w) for w in ("", "x" * 101, 1, None, "a\nb")],
        *[("kind", w) for w in ("charge.lost", "", None, 1, ["charge.paid"], {})],
        *[("made_at", w) for w in ("yesterday", "2026-11-27", "2026-11-27T08:00:00", 1764230400, True, [])],
        *[("data", w) for w in (None, [], "x")],
        *[("ref", w) for w in ("", "x" * 101, 1, None, "\ud800")],
        *[("provider_id", w) for w in ("", 7, None, {})],
        *[("amount_fen", w) for w in (0, -1, 6.0, "600", True, None, 10**15 + 1)],
        *[("currency", w) for w in ("USD", "cny", None, 1)],
        *[("at", w) for w in ("2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00", 0)],
    ],
)
def test_every_field_is_of_its_kind_or_refused_by_its_name(field_name: str, wrong: object) -> None:
    told = TOLD | {field_name: wrong} if field_name in TOLD else TOLD | {"data": DATA | {field_name: wrong}}
    problem = refusal(json.dumps(told).encode())
    assert (problem.code, problem.errors[0]["field"]) == ("request_invalid", field_name)


@pytest.mark.parametrize("name", ["id", "kind", "data", "ref", "provider_id", "amount_fen", "currency"])
def test_every_field_but_the_times_is_needed(name: str) -> None:
    told = {k: v for k, v in TOLD.items() if k != name}
    if "data" in told:
        told |= {"data": {k: v for k, v in DATA.items() if k != name}}
    assert refusal(json.dumps(told).encode()).errors[0]["field"] == name


def test_times_may_be_left_out_and_more_may_be_told() -> None:
    data = {k: v for k, v in DATA.items() if k != "at"} | {"bank": "ICBC"}
    told = read(json.dumps({"id": "1", "kind": "payout.failed", "data": data, "more": {}}).encode())
    assert (told.made_at, told.data.at) == (None, None)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"data": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    assert refusal(body).code == "json_invalid"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(payments.KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
almost = st.builds(
    lambda outer, inner: TOLD | outer | {"data": DATA | inner},
    st.dictionaries(st.sampled_from(sorted(TOLD)), anything, max_size=2),
    st.dictionaries(st.sampled_from(sorted(DATA)), anything, max_size=2),
)
bodies = st.binary(max_size=80) | st.builds(lambda told: json.dumps(told).encode(), anything | almost)
names = st.sampled_from(["Pay-Timestamp", "Pay-Nonce", "Pay-Signature", "pay-nonce", "Pay-Serial"])


@given(body=bodies, changed=st.dictionaries(names, st.text(max_size=20), max_size=2))
def test_whatever_comes_is_read_or_refused_by_a_problem(body: bytes, changed: dict[str, str]) -> None:
    with contextlib.suppress(Problem):
        told = read(body, payments.sign(OLD, body, NOW) | changed)
        assert told.kind in payments.KINDS
        assert 0 < told.data.amount_fen <= payments.FEN_MAX


# --- asking the provider -------------------------------------------------------------------------------------------


@dataclass
class Ear:
    """A merchant's address for callbacks: it answers as told, 204 when nothing is left, and keeps what it heard."""

    statuses: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def app(self) -> Flask:
        app = Flask("ear")

        @app.post("/hear")
        def hear() -> Response:
            self.heard.append((dict(request.headers), request.get_data()))
            return Response(status=self.statuses.pop(0) if self.statuses else 204)

        return app

    def words(self) -> list[payments.Notification]:
        """What was heard, with its signature checked."""
        now = datetime.now(UTC)
        return [
            payments.read_notification((server.PAYMENT_SECRET,), headers, body, now) for headers, body in self.heard
        ]


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    with phones.serving(made.app()) as url:
        made.url = f"{url}/hear"
        yield made


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A stand-in provider of this test alone, in a hurry."""
    for name, hurried in (("FIRST_PAUSE_S", 0.01), ("LATE_S", 0.2), ("SLOW_S", 0.2)):
        monkeypatch.setattr(stand_in, name, hurried)
    with phones.serving(server.create_app("http://127.0.0.1:9")) as made:
        yield made


@pytest.fixture
def provider(url: str) -> payments.Provider:
    return payments.Provider(url, server.MERCHANT, (server.PAYMENT_SECRET, OLD))


def behave(url: str, **how: str) -> None:
    assert http.request("POST", f"{url}/mock/pay/behaviour", json=how).status == 200


def ledger(url: str) -> Any:
    return http.request("GET", f"{url}/mock/pay/ledger").json()


def code(url: str, who: str = "lin") -> str:
    return str(http.request("GET", f"{url}/mock/payout-code", fields={"as": who}).json()["code"])


def charge(provider: payments.Provider, ear: Ear, ref: str = "O-1", fen: int = 600, minutes: float = 30) -> Any:
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    return provider.charge(ref, fen, "碳普惠减排量 100 g CO2e", ear.url, until)


def press(pay_url: str, button: str) -> None:
    """What a buyer does on the page."""
    answer = http.request("POST", pay_url, fields={"do": button}, encode_multipart=False, redirect=False)
    assert answer.status == 303


def away(ask: Any, *given: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        ask(*given)
    assert caught.value.code == "provider_unavailable"
    assert caught.value.headers == {"Retry-After": "2"}
    return caught.value


def test_a_charge_is_made_paid_and_told(provider: payments.Provider, url: str, ear: Ear) -> None:
    made = charge(provider, ear)
    assert made.pay_url == f"{url}/pay/{made.charge_id}"
    assert charge(provider, ear) == made, "asking twice makes one charge"
    assert provider.find_charge("O-1") == payments.ChargeState("open", 600, None)
    press(made.pay_url, "pay")
    found = provider.find_charge("O-1")
    assert found is not None
    assert (found.state, found.amount_fen) == ("paid", 600)
    assert found.paid_at is not None
    assert abs((datetime.now(UTC) - found.paid_at).total_seconds()) < 60
    assert processes.eventually(lambda: len(ear.heard) == 1)
    [word] = ear.words()
    assert (word.kind, word.data.at) == ("charge.paid", found.paid_at)
    assert (word.data.ref, word.data.provider_id, word.data.amount_fen) == ("O-1", found.transaction_id, 600)
    press(made.pay_url, "pay")
    assert ledger(url)["taken"] == {"O-1": 600}, "paid once, however often the button is pressed"


def test_the_same_reference_with_another_amount_is_refused(provider: payments.Provider, ear: Ear) -> None:
    charge(provider, ear)
    away(charge, provider, ear, "O-1", 601)
    found = provider.find_charge("O-1")
    assert found is not None
    assert found.amount_fen == 600


def test_what_is_closed_cannot_be_paid_and_what_is_paid_cannot_be_closed(
    provider: payments.Provider, url: str, ear: Ear
) -> None:
    closed, paid, cancelled = (charge(provider, ear, ref) for ref in ("O-1", "O-2", "O-3"))
    for _ in range(2):
        assert provider.close("O-1") == payments.ChargeState("closed", 600, None)
    press(closed.pay_url, "pay")
    press(paid.pay_url, "pay")
    press(cancelled.pay_url, "cancel")
    late = provider.close("O-2")
    assert late is not None
    assert (late.state, bool(late.transaction_id)) == ("paid", True)
    states = [provider.find_charge(ref) for ref in ("O-1", "O-2", "O-3")]
    assert [found.state for found in states if found] == ["closed", "paid", "closed"]
    assert ledger(url)["taken"] == {"O-2": 600}


def test_what_has_expired_cannot_be_paid(provider: payments.Provider, url: str, ear: Ear) -> None:
    made = charge(provider, ear, minutes=-1)
    press(made.pay_url, "pay")
    assert provider.find_charge("O-1") == payments.ChargeState("closed", 600, None)
    assert ledger(url)["taken_fen"] == 0


def test_money_goes_back_in_parts_and_never_more_than_came(provider: payments.Provider, url: str, ear: Ear) -> None:
    made = charge(provider, ear)
    away(provider.refund, "R-0", "O-1", 1, "not paid yet", ear.url)
    press(made.pay_url, "pay")
    first = provider.refund("R-1", "O-1", 400, "客户申请", ear.url)
    assert first.state == "done"
    assert provider.refund("R-1", "O-1", 400, "again", ear.url) == first == provider.find_refund("R-1")
    away(provider.refund, "R-1", "O-1", 399, "another amount", ear.url)
    away(provider.refund, "R-2", "O-1", 201, "too much", ear.url)
    assert provider.find_refund("R-2") is None
    assert provider.refund("R-2", "O-1", 200, "the rest", ear.url).state == "done"
    assert (ledger(url)["back"], ledger(url)["back_fen"]) == ({"R-1": 400, "R-2": 200}, 600)
    assert processes.eventually(lambda: len(ear.heard) == 3)
    assert sorted((w.kind, w.data.ref) for w in ear.words())[1:] == [("refund.done", "R-1"), ("refund.done", "R-2")]


def test_a_refund_may_fail_or_take_its_time(provider: payments.Provider, url: str, ear: Ear) -> None:
    press(charge(provider, ear).pay_url, "pay")
    behave(url, refund="failed")
    assert provider.refund("R-1", "O-1", 600, "r", ear.url).state == "failed"
    behave(url, refund="slow")
    slow = provider.refund("R-2", "O-1", 600, "r", ear.url)  # what failed holds nothing back
    assert slow.state == "processing"
    away(provider.refund, "R-3", "O-1", 1, "what is on its way counts", ear.url)
    assert processes.eventually(lambda: provider.find_refund("R-2") == payments.Outcome("done", slow.provider_id))
    assert processes.eventually(lambda: len(ear.heard) == 3)
    assert sorted(w.kind for w in ear.words()) == ["charge.paid", "refund.done", "refund.failed"]


def test_a_payout_goes_to_whoever_the_code_stands_for_once(provider: payments.Provider, url: str, ear: Ear) -> None:
    lin = code(url)
    paid = provider.pay_out("W-1", 123, lin, ear.url)
    assert paid.state == "done"
    assert provider.pay_out("W-1", 123, lin, ear.url) == paid == provider.find_payout("W-1")
    away(provider.pay_out, "W-1", 124, code(url), ear.url)
    away(provider.pay_out, "W-2", 123, lin, ear.url)
    assert provider.find_payout("W-2") is None
    assert (ledger(url)["people"], ledger(url)["out"]) == ({"lin": 123}, {"W-1": 123})
    behave(url, payout="failed")
    assert provider.pay_out("W-2", 5, code(url), ear.url).state == "failed"
    behave(url, payout="slow")
    assert provider.pay_out("W-3", 7, code(url, "wang"), ear.url).state == "processing"
    assert processes.eventually(lambda: ledger(url)["people"] == {"lin": 123, "wang": 7})
    assert processes.eventually(lambda: len(ear.heard) == 3)
    assert sorted(w.kind for w in ear.words()) == ["payout.done", "payout.done", "payout.failed"]


def test_a_reference_is_whatever_text(provider: payments.Provider, ear: Ear) -> None:
    assert provider.find_charge("O ? % # 一") is None
    charge(provider, ear, "O ? % # 一")
    assert provider.find_charge("O ? % # 一") == payments.ChargeState("open", 600, None)
    assert provider.close("never made") is None


def test_a_merchant_with_other_secrets_is_told_nothing(url: str, ear: Ear) -> None:
    good = payments.Provider(url, server.MERCHANT, (server.PAYMENT_SECRET,))
    press(charge(good, ear).pay_url, "pay")
    for stranger in (
        payments.Provider(url, server.MERCHANT, (OLD,)),
        payments.Provider(url, server.MERCHANT, (OLD, server.PAYMENT_SECRET)),
        payments.Provider(url, "somebody else", (server.PAYMENT_SECRET,)),
    ):
        away(stranger.find_charge, "O-1")
        away(stranger.refund, "R-1", "O-1", 600, "r", ear.url)
    assert ledger(url)["back"] == {}


# --- a provider that is not well -----------------------------------------------------------------------------------

STATE = {"charge_ref": "O-1", "state": "open", "amount_fen": 600, "transaction_id": None}


@dataclass
class Ill:
    """A provider that gives every request the same answer, made by `answer(path)`."""

    url: str = ""
    answer: Any = None

    def giving(self, answer: Any) -> payments.Provider:
        self.answer = answer
        return payments.Provider(self.url, "m", (NEW,))


@pytest.fixture(scope="module")
def ill() -> Iterator[Ill]:
    made, app = Ill(), Flask("ill")
    app.add_url_rule("/<path:path>", "any", lambda path: made.answer(path), methods=["GET", "POST"])
    with phones.serving(app) as made.url:
        yield made


def signed(told: Any, status: int = 200, secret: str = NEW, late_s: int = 0) -> Any:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()

    def answer(path: str) -> Response:
        return Response(body, status, payments.sign(secret, body, datetime.now(UTC) - timedelta(seconds=late_s)))

    return answer


def test_a_well_provider_is_believed(ill: Ill) -> None:
    assert ill.giving(signed(STATE)).find_charge("O-1") == payments.ChargeState("open", 600, None)
    assert ill.giving(signed({"code": "not_found", "charge_ref": "O-1"}, 404)).find_charge("O-1") is None


@pytest.mark.parametrize(
    "answer",
    [
        signed(STATE, secret=OLD), signed(STATE, late_s=400), lambda path: Response(json.dumps(STATE)),
        signed(b"<html>"), signed(b""), signed(b"[]"), signed(b"[" * 60_000), signed(b"\xff"),
        signed(STATE | {"charge_ref": "O-2"}), signed({"code": "not_found", "charge_ref": "O-2"}, 404),
        signed({"code": "not_found"}, 404), lambda path: Response("{}", 404), lambda path: Response("gone", 404),
        signed(STATE, 500), signed(STATE, 409), signed(STATE, 204), lambda path: Response("", 503),
        signed(STATE | {"state": "lost"}), signed(STATE | {"amount_fen": 6.0}), signed(STATE | {"amount_fen": 0}),
        signed(STATE | {"amount_fen": True}), signed(STATE | {"state": "paid"}),
        signed(STATE | {"paid_at": "yesterday"}), signed(STATE | {"state": "paid", "transaction_id": "x" * 3000}),
    ],
    ids=lambda _: "answer",
)  # fmt: skip
def test_an_answer_that_cannot_be_believed_is_none(ill: Ill, answer: Any) -> None:
    """Above all that something is unknown: on that word money goes back to a person who may have had it."""
    away(ill.giving(answer).find_charge, "O-1")


@pytest.mark.parametrize(
    "wrong", [{"amount_fen": 601}, {"amount_fen": None}, {"state": "gone"}, {"refund_id": ""}, {"refund_id": 7}]
)
def test_a_refund_of_something_else_is_no_answer(ill: Ill, wrong: dict[str, Any]) -> None:
    told = {"refund_ref": "R-1", "amount_fen": 600, "state": "done", "refund_id": "re_1"}
    wish = ("R-1", "O-1", 600, "r", "http://127.0.0.1/")
    assert ill.giving(signed(told)).refund(*wish) == payments.Outcome("done", "re_1")
    away(ill.giving(signed(told | wrong)).refund, *wish)


def test_a_page_to_pay_at_that_is_no_page_is_not_shown_to_buyers(ill: Ill, ear: Ear) -> None:
    sick = ill.giving(signed(STATE | {"charge_id": "1", "pay_url": "javascript:alert(1)"}))
    away(charge, sick, ear)


def test_no_redirect_is_followed(ill: Ill) -> None:
    asked: list[str] = []

    def answer(path: str) -> Response:
        asked.append(path)
        body = json.dumps(STATE).encode()
        return Response(body, 302, payments.sign(NEW, body, datetime.now(UTC)) | {"Location": "/elsewhere"})

    away(ill.giving(answer).find_charge, "O-1")
    assert asked == ["pay/v1/charges/O-1"]


def test_an_answer_without_end_is_left_unread(ill: Ill) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        while sent < 64 * 2**20:
            sent += 2**16
            yield b" " * 2**16

    away(ill.giving(lambda path: Response(pieces())).find_charge, "O-1")
    assert sent < 32 * 2**20  # what the sockets hold, and no more


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "drip by drip"])
def test_an_answer_that_takes_too_long_is_not_waited_for(
    ill: Ill, monkeypatch: pytest.MonkeyPatch, drips: bool
) -> None:
    monkeypatch.setattr(payments, "ANSWER_S", 0.4)

    sent = []

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            time.sleep(0.1)
            sent.append(1)
            if drips:
                yield b" "

    away(ill.giving(lambda path: Response(pieces())).find_charge, "O-1")
    assert len(sent) < 40  # it was left before the end


def test_nobody_there_is_a_problem_and_the_log_holds_neither_secret_nor_code(monkeypatch: pytest.MonkeyPatch) -> None:
    log = structlog.testing.CapturingLogger()
    monkeypatch.setattr(payments, "log", log)
    gone = payments.Provider(f"http://127.0.0.1:{free_port()}", "m", (NEW,))
    away(gone.pay_out, "W-1", 100, "a-code-of-lin", "http://127.0.0.1/")
    [line] = log.calls
    assert (line.args, line.kwargs["asked"]) == (("payment_provider_away",), "payouts")
    assert "a-code-of-lin" not in str(line)
    assert NEW not in str(line)
    assert NEW not in repr(gone)
