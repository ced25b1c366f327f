"""The jobs, named in the queue by these functions' dotted names, and the process that runs them.

A job is repeatable: what it has to do stands in PostgreSQL, and doing it twice does it once.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache

from rq import Worker

from backend import config, logs, queue
from backend.platform import Platform
from backend.usecases import deliver_messages, render_certificate, sequence_log


@cache
def platform() -> Platform:
    """This process's platform, opened when the first job needs it: after the worker has forked."""
    opened = Platform.open(os.environ)
    logs.configure(opened.settings.log_level)
    return opened


def render(number: str) -> None:
    """Make a certificate's PDF."""
    render_certificate.render_certificate(platform(), number, datetime.now(UTC))


def deliver() -> None:
    """Deliver what waits in the outbox."""
    deliver_messages.deliver_messages(platform(), datetime.now(UTC))


def sequence() -> None:
    """Give what waits its place in the log."""
    sequence_log.sequence_log(platform(), datetime.now(UTC))


def work(*, burst: bool = False) -> None:
    """Run jobs until SIGTERM, then finish the one at hand. `burst`: until none waits."""
    connection = queue.connect(config.load(os.environ).redis_url)
    waiting = queue.named(connection)
    Worker([waiting], connection=connection, serializer=waiting.serializer).work(burst=burst, logging_level="WARNING")
