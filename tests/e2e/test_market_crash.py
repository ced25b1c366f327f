"""kill -9 of web, worker and PostgreSQL at fourteen named places between a quote and the citizens' money.

What died comes back, whoever asked asks again with the same key, and each flow ends in the same state as undisturbed.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import urllib3

from backend.app import create_app
from backend.platform import Platform
from tests import cast, processes
from tests.backend import test_up
from tests.backend.test_deliver_messages import Receiver, receiver
from tests.cast import Client, Stage
from tests.e2e.test_crash import is_stuck, kill_all, running
from tests.market import RECEIVED, RETIREMENT, Market, ok

# step -> (what is killed, where it is): a table whose lock it waits for; "answer": the commit is made, the answer is
# not given; "receiver": it waits for a client's server.
Places = dict[str, tuple[str, str]]
FLOWS: tuple[Places, ...] = (
    {"quote": ("gunicorn", "quote"), "order": ("gunicorn", "order_line"), "declare": ("gunicorn", "order_step"),
     "confirm": ("gunicorn", "transfer"), "retire": ("gunicorn", "retirement"),
     "render": ("tanpuhui work", "certificate_pdf")},
    {"order": ("bin/postgres", "credit_block"), "confirm": ("bin/postgres", "payment"),
     "retire": ("bin/postgres", "certificate"), "settle": ("bin/postgres", "settlement")},
    {"order": ("gunicorn", "answer"), "confirm": ("gunicorn", "answer"), "retire": ("gunicorn", "answer"),
     "deliver": ("tanpuhui work", "receiver")},
)  # fmt: skip

# All that must not depend on what died on the way; numbers that were skipped, and times, may.
STATE = """
with told (what, n, amount) as (
  select concat_ws(' ', 'order', state, quantity_g, amount_fen), 1, 0 from purchase_order
  union all select 'quote', 1, amount_fen from quote where quote_id in (select quote_id from purchase_order)
  union all select concat_ws(' ', 'block', account), 1, upper(serials) - lower(serials)
  from credit_block where superseded_at is null
  union all select concat_ws(' ', book, debit, credit, reason), 1, amount from transfer
  union all select 'payment', 1, amount_fen from payment
  union all select 'retirement', 1, quantity_g from retirement
  union all select concat_ws(' ', 'certificate', canonical::json ->> 'quantity_g', canonical::json ->> 'serials'), 1, 0
  from certificate
  union all select 'pdf', 1, 0 from certificate_pdf
  union all select 'settlement', 1, citizens_fen from settlement
  union all select concat_ws(' ', 'message', kind), 1, 0 from message
  union all select 'waiting to be delivered', 1, 0 from delivery_due
  union all select 'answers kept', 1, 0 from idempotency
)
select what, sum(n)::bigint, sum(amount)::bigint from told group by what order by what
"""

State = list[tuple[str, int, int]]


def test_killed_at_fourteen_places_every_flow_ends_as_if_nothing_had_happened(home: Path) -> None:
    assert sum(map(len, FLOWS)) == 14
    calm = run(home / "calm", tuple({} for _ in FLOWS))
    rough = run(home / "rough", FLOWS)
    assert rough == calm


def run(home: Path, flows: tuple[Places, ...]) -> State:
    """One platform, and a flow after another on it, each disturbed at its places; the state at the end."""
    with receiver() as server, test_up.up(home, TANPUHUI_WEBHOOK_PRIVATE="1") as (up, base_url):
        note = json.loads((home / "up.json").read_text())
        scene = Scene(home, base_url, note["database_url"], note["environment"], server)
        for places in flows:
            flow(scene, places)
        # What a dead worker had taken is due again when its lease is over, after a minute.
        assert any(processes.eventually(lambda: scene.count("delivery_due") == 0) for _ in range(3))
        assert len({headers["webhook-id"] for headers, _ in server.got}) == scene.count(
            "message join webhook using (client_id)"
        )
        with scene.connected() as conn:
            state: State = conn.execute(STATE).fetchall()
        proof = ok(Answer(scene.ask("GET", "/v1/conservation?fresh=1", None, scene.market.operator)), 200)
        assert proof["ok"], [line for line in proof["identities"] if not line["ok"]]
        assert "unexpected_error" not in (home / "up.log").read_text()  # "come again" is a 503, never a 500
        scene.close()
        up.send_signal(signal.SIGTERM)
        assert up.wait() == 0
    assert processes.eventually(lambda: not running(home)), running(home)
    return state


@dataclass
class Answer:
    """An HTTP answer as the helpers of tests/market.py look at one."""

    raw: urllib3.BaseHTTPResponse
    status_code: int = field(init=False)

    def __post_init__(self) -> None:
        self.status_code = self.raw.status

    @property
    def json(self) -> Any:
        return self.raw.json()

    def get_data(self, *, as_text: bool) -> str:
        return self.raw.data.decode()


class Scene:
    """A running platform, a market on it, and callers who ask again until they are answered."""

    def __init__(self, home: Path, base_url: str, url: str, environment: dict[str, str], server: Receiver) -> None:
        self.home, self.base_url, self.url, self.server = home, base_url, url, server
        self.http = urllib3.PoolManager(retries=False, timeout=60)
        self.platform = Platform.open(
            os.environ | environment | {"TANPUHUI_HOME": str(home), "TANPUHUI_WEBHOOK_PRIVATE": "1"}
        )
        cast_base, cast.BASE = cast.BASE, base_url
        try:
            self.market = Market(Stage(self.platform, create_app(self.platform).test_client()))
            self.market.issued(*[1_000_000] * 30, price=7_000_000)
            ok(self.market.company.post("/v1/webhooks", {"url": server.url}), 201)
            assert self.market.operator.token
        finally:
            cast.BASE = cast_base

    def close(self) -> None:
        self.platform.close()

    def connected(self) -> psycopg.Connection[Any]:
        """A connection, as soon as the database is back."""
        found: list[psycopg.Connection[Any]] = []

        def connects() -> bool:
            with suppress(psycopg.OperationalError):
                found.append(psycopg.connect(self.url, autocommit=True))
            return bool(found)

        assert processes.eventually(connects)
        return found[0]

    def count(self, table: str) -> int:
        with self.connected() as conn:
            row = conn.execute(f"select count(*) from {table}").fetchone()  # type: ignore[arg-type]
        return int(row[0]) if row else 0

    def ask(self, method: str, path: str, body: Any, client: Client, key: str = "") -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"Bearer {client.token}", "Idempotency-Key": key or secrets.token_hex(8)}
        return self.http.request(method, self.base_url + path, json=body, headers=headers)

    def insist(self, path: str, body: Any, client: Client) -> Any:
        """POST with one key until it is answered: connections that break and 503 are asked again."""
        key, deadline = secrets.token_hex(8), time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(urllib3.exceptions.HTTPError):
                answer = self.ask("POST", path, body, client, key)
                if answer.status not in (502, 503):
                    return ok(Answer(answer), answer.status if answer.status in (200, 201) else 201)
            time.sleep(0.2)
        raise AssertionError(f"{path} was never answered: {(self.home / 'up.log').read_text()[-2000:]}")


def flow(scene: Scene, places: Places) -> None:
    """Quote, order, pay, retire, render, settle, deliver: one company's life with some grams."""
    market, company, operator = scene.market, scene.market.company, scene.market.operator

    def step(name: str, path: str, body: Any, client: Client) -> Any:
        with disturbed(scene, *places.get(name, ("", ""))):
            return scene.insist(path, body, client)

    quote = step("quote", "/v1/quotes", {"quantity_g": 3_000}, company)
    order = step("order", "/v1/orders", {"quote_id": quote["id"]}, company)
    assert (order["state"], order["quantity_g"]) == ("reserved", 3_000)
    path = f"/v1/orders/{order['id']}/payment"
    step("declare", path, {"payer": "x"}, company)
    told = RECEIVED | {"amount_fen": order["amount_fen"]}
    assert step("confirm", f"/v1/operator{path[3:]}", told, operator)["state"] == "paid"
    with disturbed(scene, *places.get("deliver", ("", ""))), disturbed(scene, *places.get("render", ("", ""))):
        number = step("retire", "/v1/retirements", RETIREMENT | {"quantity_g": 3_000}, company)["certificate"]["number"]
    rendered = f"/v1/certificates/{number}.pdf"
    assert any(processes.eventually(lambda: _is_there(scene, rendered)) for _ in range(3)), "no PDF"
    step("settle", "/v1/operator/settlements", None, operator)
    assert market.company.id


def _is_there(scene: Scene, path: str) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return scene.http.request("GET", scene.base_url + path).status == 200
    return False


@contextmanager
def disturbed(scene: Scene, name: str, place: str) -> Iterator[None]:
    """While the block runs, kill `name` once it has come to `place`; the block must get to its end all the same."""
    if not name:
        yield
        return
    ready, done = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            {"answer": kill_before_answer, "receiver": kill_at_receiver}.get(place, kill_at_table)(
                scene, name, place, ready
            )
        except BaseException as error:  # told in the test's own thread
            failed.append(error)
        finally:
            ready.set()
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    yield
    thread.join()
    assert done.is_set()
    assert not failed, failed


def kill_at_table(scene: Scene, name: str, table: str, ready: threading.Event) -> None:
    """Amid a transaction: it waits for a table, with all that it wrote before uncommitted."""
    watching = scene.connected()  # by another connection: within a transaction activity looks the same for ever
    with suppress(psycopg.OperationalError), watching, psycopg.connect(scene.url) as conn:
        conn.execute(f"lock table only {table} in share mode")  # type: ignore[arg-type]
        ready.set()
        assert processes.eventually(lambda: is_stuck(watching, table, "relation")), f"nobody came to {table}"
        kill_all(scene.home, name)


def kill_before_answer(scene: Scene, name: str, _: str, ready: threading.Event) -> None:
    """Between commit and answer: the commit waits for a standby that does not exist."""
    with scene.connected() as conn:
        set_standby(conn, "set synchronous_standby_names = 'nobody'")
        ready.set()
        waits = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
        assert processes.eventually(lambda: bool((conn.execute(waits).fetchone() or (0,))[0])), "nothing was committed"
        kill_all(scene.home, name)
        set_standby(conn, "reset synchronous_standby_names")


def set_standby(conn: psycopg.Connection[Any], how: str) -> None:
    conn.execute(f"alter system {how}")  # type: ignore[arg-type]
    conn.execute("select pg_reload_conf()")


def kill_at_receiver(scene: Scene, name: str, _: str, ready: threading.Event) -> None:
    """While a client's server has the message and has not answered."""
    scene.server.release = threading.Event()
    before = len(scene.server.got)
    ready.set()
    assert processes.eventually(lambda: len(scene.server.got) > before), "nothing was delivered"
    kill_all(scene.home, name)
    scene.server.release.set()
