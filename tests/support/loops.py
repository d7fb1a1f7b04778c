"""Both event loops that our own processes run on: what touches connections or programs is tried on each.

In pytest_plugins of tests/conftest.py.
"""

from __future__ import annotations

import asyncio

import pytest
import uvloop

LOOPS = ["asyncio", "uvloop"]


@pytest.fixture(params=LOOPS)
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test is run once with each in the place of ``asyncio.run``; the name of this one."""
    name = str(request.param)
    if name == "uvloop":
        monkeypatch.setattr(asyncio, "run", uvloop.run)
    return name
