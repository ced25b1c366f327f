"""What every test may ask for: a real PostgreSQL and a real Valkey, a fresh database, a browser, shared data.

Each xdist worker has services of its own, in a folder that goes with it.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest
import redis

from backend.embedded import postgres, valkey

REPOSITORY = Path(__file__).parents[1]
TEMPLATE = "template_tanpuhui"

# No time limits in tests: shared machines are slow at times. The gate repeats its examples; --long looks for new ones.
hypothesis.settings.register_profile("gate", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("long", deadline=None, max_examples=1000, database=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="many more examples and steps in the property tests")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("long" if config.getoption("--long") else "gate")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """No ids of bytes and long texts: xdist wants the same ones in every worker, and a gzip holds its time."""
    return argname if isinstance(val, bytes) or (isinstance(val, str) and len(val) > 60) else None


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Was ./run test --long asked for?"""
    return bool(request.config.getoption("--long"))


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that goes afterwards, open to others (root runs PostgreSQL as one), in memory if it fits.

    A schema of 900 relations is as many files: copying it takes 0.02 s in memory, 0.3 s and more on a disk.
    """
    memory = Path("/dev/shm")
    fits = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 2**30
    with tempfile.TemporaryDirectory(prefix="tanpuhui-test-", dir=memory if fits else None) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def home() -> Iterator[Path]:
    """A TANPUHUI_HOME with nothing in it, for this test alone."""
    with _folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def services_home() -> Iterator[Path]:
    """The TANPUHUI_HOME of the services that tests share."""
    with _folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_url(services_home: Path) -> Iterator[str]:
    """The server's own database: for tests that make databases themselves."""
    with postgres.running(services_home, durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> str:
    """A database migrated once, copied for each test (40 ms, where migrating takes longer)."""
    from backend.store import migrate

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE}")
    migrate.upgrade(_in(postgres_url, TEMPLATE))
    return TEMPLATE


def _in(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"


def _fresh_database(postgres_url: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        yield _in(postgres_url, name)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def database_url(postgres_url: str, _template: str) -> Iterator[str]:
    """A database of the newest schema, empty, for this test alone."""
    yield from _fresh_database(postgres_url, _template)


@pytest.fixture(scope="module")
def module_database_url(postgres_url: str, _template: str) -> Iterator[str]:
    """The same for all tests of a module, for those that build on one another or only read."""
    yield from _fresh_database(postgres_url, _template)


@pytest.fixture(scope="session")
def valkey_url(services_home: Path) -> Iterator[str]:
    with valkey.running(services_home) as url:
        yield url


@pytest.fixture
def redis_url(valkey_url: str) -> str:
    """A Valkey with nothing in it, for this test alone."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium. Without one it skips aloud, or fails where TANPUHUI_REQUIRE_BROWSER=1 (the gate)."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    reason = "no Chromium here: apt install chromium, or set CHROMIUM to its path"
    if os.environ.get("TANPUHUI_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """The path of a file of the shared data, which is no part of the repository; skips where it is absent."""
    folder = Path(os.environ.get("TANPUHUI_SHARED") or REPOSITORY.parent / "shared")

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"{path} is not here: set TANPUHUI_SHARED to the folder that has {name}")
        return path

    return find
