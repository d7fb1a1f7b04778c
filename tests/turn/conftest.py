"""A TURN server, and a browser that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.turn.coturn import Coturn, coturn
from tests.turn.gathering import Gather, gathering


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    with coturn(tmp_path_factory.mktemp("coturn")) as one:
        yield one


@pytest.fixture(scope="module")
def gather() -> Iterator[Gather]:
    with gathering() as one:
        yield one
