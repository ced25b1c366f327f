"""Jobs and the clock: certificates are rendered after the answer, and what was lost is asked for again."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend import queue
from backend.usecases import draw_certificate, retire_credits
from backend.workers import jobs, schedule
from tests import cast
from tests.cast import Stage
from tests.market import Market, keyed, ok


@pytest.fixture
def stage(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage whose services the workers find in the environment."""
    for name, value in cast.environment(database_url, redis_url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(schedule, "RENDERING_TAKES", timedelta(0))
    jobs.platform.cache_clear()
    with cast.stage(database_url, redis_url) as made:
        yield made


@pytest.fixture
def market(stage: Stage) -> Market:
    made = Market(stage)
    made.issued(1_000_000)
    made.paid(900)
    return made


def pdf(market: Market, number: str) -> tuple[int, bytes]:
    answer = market.stage.http.get(f"/v1/certificates/{number}.pdf")
    return answer.status_code, answer.data


def run_schedule(market: Market, at: datetime) -> None:
    schedule.run_due(market.platform, dict.fromkeys(range(len(schedule.ROUND)), at), at)


def test_a_certificate_is_rendered_by_a_worker_after_the_retirement(market: Market) -> None:
    number = market.retired(100)["certificate"]["number"]
    answer = market.stage.http.get(f"/v1/certificates/{number}.pdf")
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
    jobs.work(burst=True)
    status, content = pdf(market, number)
    assert (status, content[:5]) == (200, b"%PDF-")
    assert draw_certificate.draw_certificate(market.stage.http.get(f"/v1/certificates/{number}").json) == content


def test_a_rendering_that_was_lost_is_asked_for_again(market: Market) -> None:
    number = market.retired(100)["certificate"]["number"]
    market.platform.redis.flushall()
    jobs.work(burst=True)
    assert pdf(market, number)[0] == 202
    run_schedule(market, datetime.now(UTC))
    jobs.work(burst=True)
    assert pdf(market, number)[0] == 200
    run_schedule(market, datetime.now(UTC))
    assert queue.named(market.platform.redis).count == 0


def test_a_rendering_that_failed_is_tried_again(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    number = market.retired(100)["certificate"]["number"]
    with monkeypatch.context() as patched:
        patched.setattr(draw_certificate, "FONT_FILE", Path("/nowhere/font.ttf"))
        draw_certificate.load_font.cache_clear()
        jobs.work(burst=True)
    assert pdf(market, number)[0] == 202
    run_schedule(market, datetime.now(UTC))
    jobs.work(burst=True)
    assert pdf(market, number)[0] == 200


def test_a_retirement_holds_when_the_queue_is_away(market: Market) -> None:
    alone = dataclasses.replace(market.platform, redis=queue.connect("redis://127.0.0.1:1"))
    request, wish = keyed(market.company.id), market.company_wish(100)
    number = retire_credits.retire_credits(alone, request, wish, datetime.now(UTC))["certificate"]["number"]
    run_schedule(market, datetime.now(UTC))
    jobs.work(burst=True)
    assert pdf(market, number)[0] == 200


def test_the_clock_releases_reservations_and_forgets_assertions(market: Market) -> None:
    market.ordered(50)
    assert ok(market.stage.http.get("/v1/offers"), 200)["items"] == []
    assert market.stage.count("used_assertion") > 0
    run_schedule(market, datetime.now(UTC) + timedelta(hours=1))
    assert market.stage.count("used_assertion") == 0
    assert ok(market.stage.http.get("/v1/offers"), 200)["items"][0]["available_g"] == 50


def test_two_schedulers_are_harmless(market: Market) -> None:
    orders = [market.ordered(5) for _ in range(8)]
    late = datetime.now(UTC) + timedelta(hours=1)
    threads = [threading.Thread(target=run_schedule, args=(market, late)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = {ok(market.company.get(f"/v1/orders/{order['id']}"), 200)["state"] for order in orders}
    assert states == {"expired"}
    assert market.conservation()["ok"]


@pytest.mark.parametrize("process", ["jobs.work", "schedule.schedule"])
def test_a_worker_and_a_scheduler_end_at_one_signal(market: Market, process: str) -> None:
    number = market.retired(100)["certificate"]["number"]
    order = market.ordered(10)
    market.set_order_expiry(order["id"], datetime.now(UTC))
    done = {
        "jobs.work": lambda: pdf(market, number)[0] == 200,
        "schedule.schedule": lambda: market.stage.count("order_step where state = 'expired'") == 1,
    }[process]
    program = f"from backend.workers import jobs, schedule; {process}()"
    running = subprocess.Popen([sys.executable, "-c", program], env=os.environ.copy())
    try:
        while running.poll() is None and not done():
            time.sleep(0.05)
        assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
