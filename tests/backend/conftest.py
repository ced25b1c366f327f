"""What tests of the backend share: a platform of its own for each, its market, citizens with a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mobile_mock import server
from tests import cast, phones
from tests.cast import Client, Stage
from tests.market import Market
from tests.phones import Citizen, log_in


@pytest.fixture
def stage(database_url: str, redis_url: str) -> Iterator[Stage]:
    """A platform on a fresh database."""
    with cast.stage(database_url, redis_url) as made:
        yield made


@pytest.fixture
def market(stage: Stage) -> Market:
    return Market(stage)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The stand-in identity provider."""
    with phones.serving(server.create_app("http://127.0.0.1:9")) as url:
        yield url


@pytest.fixture
def lin(stage: Stage, provider: str, bikes: Client) -> Citizen:
    """Somebody who rides for `bikes`, logged in."""
    return log_in(stage.http, provider, "union-lin")
