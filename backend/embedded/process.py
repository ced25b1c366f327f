"""Child processes that cannot outlive us, and the few things two launchers need alike."""

import contextlib
import ctypes
import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PREDECESSOR_S = 5.0  # that a killed predecessor's children may take to end
# Loaded here, not in the child: there it may already run as a user who cannot read the interpreter's files.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class EmbeddedError(Exception):
    """An embedded service could not do what was asked; the message says what to do."""


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    user: tuple[int, int] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own (Ctrl-C is ours); the kernel sends it `death_signal` when we die.

    Output goes to the file `log` (an inherited pipe would keep our caller waiting after our death) or to our stderr.
    The kernel watches the thread that forks, not the process: hence the main thread only. It does so on Linux only.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("spawn from the main thread: a child is told of the death of the thread that started it")
    parent = os.getpid()

    def tie_to_parent() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
            if os.getppid() != parent:  # died before the tie was made
                os._exit(1)

    with contextlib.ExitStack() as stack:
        output = stack.enter_context(open(log, "ab", opener=_private)) if log else None
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output or 2,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=tie_to_parent,
            pass_fds=pass_fds,
            user=user[0] if user else None,
            group=user[1] if user else None,
            extra_groups=[] if user else None,
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def stop(process: subprocess.Popen[bytes], first: signal.Signals, *, patience_s: float = 10) -> None:
    """Ask `process` to end with the signal `first`, and kill it after `patience_s` seconds."""
    if process.poll() is None:
        process.send_signal(first)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience_s)
    process.kill()
    process.wait()


def wait_until_ready(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, *, patience_s: float = 300
) -> None:
    """Poll `ready` until it holds. Raises EmbeddedError with the end of `log` when it ends or takes too long."""
    deadline, pause_s = time.monotonic() + patience_s, 0.02
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process, signal.SIGKILL)
            raise EmbeddedError(f"a service did not start; the end of {log}:\n{tail(log)}")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.2, 0.25)  # a recovery takes seconds, and asking costs it a process and a log line


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def free_port() -> int:
    """A free loopback port, below the range the kernel gives to outgoing connections: it can be bound again later."""
    for port in random.sample(range(20_000, 32_000), 200):
        if is_free(port):
            return port
    raise EmbeddedError("no free port between 20000 and 32000 on 127.0.0.1")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold `folder` alone. Yields the lock's descriptor, to be inherited: it is free only when all children are gone.

    Raises EmbeddedError when somebody else holds it, and goes on holding it for PREDECESSOR_S.
    """
    deadline = time.monotonic() + PREDECESSOR_S
    with (folder / "lock").open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"{folder} is in use by another process: stop that one, or set TANPUHUI_HOME to another folder"
                        f" / {folder} 正被另一进程使用：请先停止它，或把 TANPUHUI_HOME 设为其他目录"
                    ) from None
                time.sleep(0.05)
        yield file.fileno()
