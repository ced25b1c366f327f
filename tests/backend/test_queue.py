"""The queue: a job that is waited for is asked for again whatever became of the worker that had it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import redis
from rq.registry import StartedJobRegistry

from backend import queue
from tests import cast, processes

WORK = "from backend.workers import jobs; jobs.work()"


def test_a_job_whose_worker_was_killed_waits_again_when_asked_for_again(database_url: str, redis_url: str) -> None:
    environ = os.environ | cast.environment(database_url, redis_url)
    with redis.Redis.from_url(redis_url) as connection:
        waiting = queue.named(connection)
        assert queue.enqueue(connection, "time.sleep", "render-1", 600)
        with subprocess.Popen([sys.executable, "-c", WORK], env=environ) as worker:
            try:
                began = processes.eventually(lambda: len(StartedJobRegistry(queue=waiting)) == 1)
            finally:
                for pid in (worker.pid, *processes.children(worker.pid)):
                    os.kill(pid, signal.SIGKILL)
            assert began
        assert waiting.count == 0
        assert queue.enqueue(connection, "time.sleep", "render-1", 600)
        assert queue.enqueue(connection, "time.sleep", "render-1", 600)
        assert waiting.count == 1
