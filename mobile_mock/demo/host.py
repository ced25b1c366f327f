"""Starting and stopping: `tanpuhui up` and the phone side, as processes, with everything they say in log files."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mobile_mock import server

PATIENCE_S = 120


class Failed(Exception):
    """A process did not do what it should; the message says where to look."""


@dataclass(frozen=True)
class Place:
    """A running platform: where it answers, where the phone page is, and a folder for what the demo makes."""

    base_url: str
    phone_url: str
    out: Path
    environ: dict[str, str]
    up: subprocess.Popen[str]

    def tanpuhui(self, *arguments: str) -> str:
        """Run the command line as an operator would; its standard output."""
        command = [program("tanpuhui"), *arguments]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"tanpuhui {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def wait(self) -> None:
        """Until Ctrl-C, or until the platform ends."""
        with suppress(KeyboardInterrupt):
            self.up.wait()


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@contextmanager
def serving(home: Path) -> Iterator[Place]:
    """The platform and the phone side, until the block ends. Raises Failed when one does not start."""
    out = home / "demo"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    phone = f"http://127.0.0.1:{_free_port()}"
    environ = os.environ | {
        "TANPUHUI_HOME": str(home), "TANPUHUI_IDENTITY_URL": phone, "TANPUHUI_IDENTITY_APPID": server.APPID,
        "TANPUHUI_IDENTITY_SECRET": server.SECRET, "TANPUHUI_CORS_ORIGINS": phone,
        "TANPUHUI_PAYMENT_URL": phone, "TANPUHUI_PAYMENT_MERCHANT": server.MERCHANT,
        "TANPUHUI_PAYMENT_SECRETS": server.PAYMENT_SECRET,
    }  # fmt: skip
    with _started([program("tanpuhui"), "up"], environ, out / "platform.log") as up:
        base_url = _announced(up, "Tanpuhui is up: ", out / "platform.log")
        command = [
            sys.executable,
            "-m",
            "mobile_mock.server",
            "--port",
            phone.rpartition(":")[2],
            "--api-base",
            base_url,
        ]
        with _started(command, environ, out / "phone.log") as side:
            _announced(side, "http", out / "phone.log")
            yield Place(base_url, phone, out, dict(environ), up)


@contextmanager
def _started(command: Sequence[str], environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _announced(process: subprocess.Popen[str], prefix: str, log: Path) -> str:
    """The rest of the line by which a process says that it is ready."""
    began = time.monotonic()
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(prefix):
            return line.removeprefix(prefix).strip()
        if time.monotonic() - began > PATIENCE_S:
            break
    last = "\n".join(log.read_text().splitlines()[-12:])
    raise Failed(f"{prefix!r} was never said; {log} ends with:\n{last}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
