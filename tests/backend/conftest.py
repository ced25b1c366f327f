"""What several tests of the backend share: citizens with a phone, and a partner that two people are linked to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mobile_mock import server
from tests import phones
from tests.cast import Client, Stage
from tests.phones import Citizen, log_in


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The stand-in identity provider."""
    with phones.serving(server.create_app("http://127.0.0.1:9")) as url:
        yield url


@pytest.fixture
def lin(stage: Stage, provider: str, bikes: Client) -> Citizen:
    """Somebody who rides for `bikes`, logged in."""
    return log_in(stage.http, provider, "union-lin")
