"""`tanpuhui up`: the Procfile's processes, on embedded services unless the environment names others, until a signal."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

import click
import urllib3
from cryptography.hazmat.primitives.asymmetric import ed25519
from jwt.algorithms import OKPAlgorithm

from backend import config
from backend.embedded import postgres, process, valkey

DEFAULT_PORT = 8000
PATIENCE_S = 60  # for the first answer of the web process
STEADY_S = 30  # a service that lived so long is restarted at once, others after a growing delay
DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0)


class Service(Protocol):
    def start(self) -> None: ...
    def alive(self) -> bool: ...


class Program:
    """One line of the Procfile."""

    def __init__(self, line: str, environ: Mapping[str, str], pass_fds: tuple[int, ...] = ()) -> None:
        self.line, self.environ, self.pass_fds = line, environ, pass_fds
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.clear()
        command = ["/bin/sh", "-c", f"exec {self.line}"]
        self.process = process.spawn(command, env=self.environ, cwd=config.REPOSITORY, pass_fds=self.pass_fds)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        if self.process is not None and self.alive():
            self.process.terminate()

    def stop(self) -> None:
        if self.process is not None:
            process.stop(self.process, signal.SIGTERM, patience_s=15)
        self.clear()

    def clear(self) -> None:
        """Kill what a dead process has left in its group: a killed gunicorn leaves its workers behind."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Keeper:
    """Starts a service again when it has ended: at once or, if it keeps ending, after a growing delay."""

    def __init__(self, name: str, service: Service) -> None:
        self.name, self.service = name, service
        self.failures = 0
        self.started_at_s = time.monotonic()
        self.ended_at_s: float | None = None

    def look(self) -> None:
        if self.service.alive():
            return
        now_s = time.monotonic()
        if self.ended_at_s is None:
            self.ended_at_s = now_s
            self.failures = 0 if now_s - self.started_at_s > STEADY_S else self.failures + 1
        if self.failures and now_s - self.ended_at_s < DELAYS_S[min(self.failures, len(DELAYS_S)) - 1]:
            return
        say(f"{self.name} has ended, starting it again / {self.name} 已退出，正在重启")
        self.started_at_s, self.ended_at_s = now_s, None
        try:
            self.service.start()
        except process.EmbeddedError as error:
            say(str(error))


def say(text: str) -> None:
    click.echo(f"· {text}", err=True)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", envvar="PORT", type=click.IntRange(1, 65535), help="Default: the first free one from 8000 on.")
def up(host: str, port: int | None) -> None:
    """Run everything, until Ctrl-C; without DATABASE_URL or REDIS_URL on embedded services in TANPUHUI_HOME."""
    _stop_on_signals()
    try:
        run_up(config.home_of(os.environ), host, port)
    except (process.EmbeddedError, config.SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from None


def run_up(home: Path, host: str = "127.0.0.1", port: int | None = None) -> NoReturn:
    """Start all in order, print the base URL, keep all running; a signal (SystemExit) stops all in reverse order.

    Raises EmbeddedError, SettingsError or OSError when the start fails, having stopped what had started.
    """
    home.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(process.locked(home))
        environ = _environment(home)
        procfile = _procfile()
        keepers = []
        if not environ.get("DATABASE_URL"):
            database = stack.enter_context(postgres.prepared(home))
            database.start()
            environ["DATABASE_URL"] = database.url
            keepers.append(Keeper("postgres", database))
        if not environ.get("REDIS_URL"):
            cache = stack.enter_context(valkey.prepared(home))
            cache.start()
            environ["REDIS_URL"] = cache.url
            keepers.append(Keeper("valkey", cache))
        listener = stack.enter_context(_listen(host, port))
        listener.set_inheritable(True)
        _say_who_is_let_in(listener)
        environ |= {"PORT": str(listener.getsockname()[1]), "TANPUHUI_BIND": f"fd://{listener.fileno()}"}
        environ.setdefault("TANPUHUI_PUBLIC_URL", f"http://127.0.0.1:{environ['PORT']}")
        config.load(environ)
        _release(procfile.pop("release"), environ)
        programs = {
            name: Program(line, environ, (listener.fileno(),) if name == "web" else ())
            for name, line in procfile.items()
        }
        stack.enter_context(_running(programs))
        _wait_for_answer(f"http://{host}:{environ['PORT']}/healthz", programs["web"])
        keepers += [Keeper(name, program) for name, program in programs.items()]
        stack.enter_context(_noted(home, environ))
        click.echo(f"Tanpuhui is up: {environ['TANPUHUI_PUBLIC_URL']}")
        while True:
            for keeper in keepers:
                keeper.look()
            time.sleep(0.2)


def _stop_on_signals() -> None:
    def stop(*_: Any) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # one is enough
        os.write(2, "· stopping / 正在停止\n".encode())  # a handler must not use the buffered stream it may interrupt
        sys.exit(0)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def _environment(home: Path) -> dict[str, str]:
    """Ours, completed by the secrets of `home`, this Python's programs first, and a fresh folder for the metrics."""
    metrics = home / "metrics"  # of processes that are gone
    metrics.mkdir(exist_ok=True)
    for left in metrics.glob("*.db"):
        left.unlink()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    ours = {name: value for name, value in os.environ.items() if value}
    return {
        **_secrets(home),
        **ours,
        "PATH": path,
        "TANPUHUI_HOME": str(home),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }


def _secrets(home: Path) -> dict[str, str]:
    """The secret and the keys of `home`, each made when first asked for."""
    path = home / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    made = {
        "TANPUHUI_SECRET": secrets.token_urlsafe(48),
        "TANPUHUI_SIGNING_KEYS": _new_keys(),
        "TANPUHUI_PROOF_KEYS": _new_keys(),
    }
    if not made.keys() <= kept.keys():
        kept = made | kept
        _write_private(path, kept)
    return kept


def _new_keys() -> str:
    return json.dumps([OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True)])


def _write_private(path: Path, content: Mapping[str, object]) -> None:
    new = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    new.rename(path)


def _procfile() -> dict[str, str]:
    lines = (config.REPOSITORY / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines if line.strip())}


def _listen(host: str, port: int | None) -> socket.socket:
    """A listening socket, ours over all restarts of web: callers wait meanwhile, and nobody takes the port."""
    try:
        return socket.create_server((host, port or DEFAULT_PORT), backlog=1024)
    except OSError as error:
        if port:
            raise process.EmbeddedError(
                f"port {port} of {host} cannot be used ({error.strerror}): set another PORT / 端口不可用，请更换 PORT"
            ) from None
    for other in range(DEFAULT_PORT + 1, DEFAULT_PORT + 1000):
        with contextlib.suppress(OSError):
            listener = socket.create_server((host, other), backlog=1024)
            say(f"port {DEFAULT_PORT} is in use, taking {other} / 端口 {DEFAULT_PORT} 已被占用，改用 {other}")
            return listener
    raise process.EmbeddedError(f"no free port from {DEFAULT_PORT} on: set PORT")


def _say_who_is_let_in(listener: socket.socket) -> None:
    address = listener.getsockname()[0]
    if not ipaddress.ip_address(address).is_loopback:
        english = "for other machines too: in production put a buffering reverse proxy with TLS in front"
        chinese = "其他机器也可访问：生产环境须在前面部署带缓冲的反向代理并启用 TLS"
        say(f"listening on {address}, {english} (backend/README.md, Operation) / {chinese}")


def _release(line: str, environ: Mapping[str, str]) -> None:
    program = Program(line, environ)
    program.start()
    assert program.process is not None
    if program.process.wait() != 0:
        raise process.EmbeddedError(f"`{line}` failed, see above / `{line}` 失败，见上文")


@contextlib.contextmanager
def _running(programs: Mapping[str, Program]) -> Iterator[None]:
    """Start the programs; at the end ask all to stop, then wait for each."""
    try:
        for program in programs.values():
            program.start()
        yield
    finally:
        for program in programs.values():
            program.ask_to_stop()
        for program in programs.values():
            program.stop()


def _wait_for_answer(url: str, web: Program) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while web.alive() and time.monotonic() < deadline:
        try:
            if urllib3.request("GET", url, headers={"Connection": "close"}, timeout=5, retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    raise process.EmbeddedError("the web process did not answer, see above / web 进程没有响应，见上文")


@contextlib.contextmanager
def _noted(home: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Leave a note by which commands in another shell find what is running here (config.load reads it)."""
    names = ("DATABASE_URL", "REDIS_URL", "TANPUHUI_SECRET", "TANPUHUI_SIGNING_KEYS", "TANPUHUI_PROOF_KEYS", "PORT",
             "TANPUHUI_PUBLIC_URL")  # fmt: skip
    note = {"pid": os.getpid(), "base_url": environ["TANPUHUI_PUBLIC_URL"]}
    note |= {"database_url": environ["DATABASE_URL"], "redis_url": environ["REDIS_URL"]}
    _write_private(home / "up.json", {**note, "environment": {name: environ[name] for name in names}})
    try:
        yield
    finally:
        (home / "up.json").unlink(missing_ok=True)
