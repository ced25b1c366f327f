"""The web process as the Procfile starts it, for tests and measurements over real HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

REPOSITORY = Path(__file__).parents[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def web(environ: dict[str, str], port: int) -> Iterator[str]:
    """Serve the platform of `environ`; its base URL, once it answers."""
    line = next(x for x in (REPOSITORY / "Procfile").read_text().splitlines() if x.startswith("web:"))
    environ = os.environ | environ | {
        "PORT": str(port), "TANPUHUI_BIND": f"127.0.0.1:{port}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    process = subprocess.Popen(["/bin/sh", "-c", "exec " + line.split(":", 1)[1]], env=environ, cwd=REPOSITORY)
    try:
        base = f"http://127.0.0.1:{port}"
        urllib3.PoolManager().request("GET", f"{base}/healthz", retries=urllib3.Retry(connect=60, backoff_factor=0.05))
        yield base
    finally:
        process.terminate()
        process.wait()
