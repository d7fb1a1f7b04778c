"""Users of their own for each test process, and sessions that end with their test."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.node.claims import BASE_OFFSET
from moonlight_spawner.model.job import JobState
from moonlight_spawner.model.limits import PORT_BLOCK

from tests.cluster.users import TestUser, ensure_users, remove_users, unique_names
from tests.support.small_desktop import make_small, make_whole
from tests.support.waiting import PATIENCE

from .desks import LocalDesk
from .jobs import Jobs, Make
from .sessions import AgentSession, Ranges, settings, start_agent

Launch = Callable[..., AgentSession]


@pytest.fixture(scope="session")
def _users() -> Iterator[list[TestUser]]:
    names = unique_names(2)
    try:
        yield ensure_users(names)
    finally:
        remove_users(names)


@pytest.fixture(scope="session")
def user(_users: list[TestUser]) -> TestUser:
    """Whose sessions they are; his desktops are small ones."""
    make_small(_users[0])
    return _users[0]


@pytest.fixture(scope="session")
def stranger(_users: list[TestUser]) -> TestUser:
    """Another user of the same machine, who is curious."""
    return _users[1]


@pytest.fixture(scope="module")
def whole_desktop(user: TestUser) -> Iterator[None]:
    """All of XFCE, for modules whose tests look at its panel."""
    make_whole(user)
    yield
    make_small(user)


@pytest.fixture
def launch(user: TestUser) -> Iterator[Launch]:
    """Start agents; what still runs of them after the test is ended."""
    started: list[AgentSession] = []

    def start(**options: object) -> AgentSession:
        started.append(start_agent(user, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for session in started:
        session.close()


@pytest.fixture(scope="module")
def running(user: TestUser) -> Iterator[AgentSession]:
    """A running session that the tests of a module look at and do not change.

    Each block of its ports has one that somebody else uses, which is nothing to selkies.
    """
    ranges = Ranges()
    bases = range(ranges.port + BASE_OFFSET, ranges.port + PORT_BLOCK * ranges.blocks, PORT_BLOCK)
    with contextlib.ExitStack() as others:
        for port in bases:
            others.enter_context(socket.create_server(("127.0.0.1", port)))
        session = start_agent(user, env=settings(user, ranges))
        others.callback(session.close)
        session.wait_running()
        yield session


@pytest.fixture
def desk(user: TestUser) -> Iterator[LocalDesk]:
    """The command line of a user on a machine without a batch system."""
    desk = LocalDesk(user, settings(user))
    yield desk
    desk.close()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Make]:
    """Queues of jobs that end with the test, and leave no ticket behind."""
    made: list[Jobs] = []

    def make(slots: int = 2) -> Jobs:
        made.append(Jobs(tmp_path / "root", slots))
        made[-1].root.mkdir(mode=0o700)
        return made[-1]

    yield make
    for each in made:
        for name in each.names:
            runner = each.runner(name) if not each.look(name).state.ended else None
            if runner:
                each.cancel(name)
                assert runner.wait(PATIENCE)
        if each.queue.exists():  # a runner that was killed leaves it to the next one
            each.submit("the-last", "exit 0\n")
            each.wait("the-last", JobState.COMPLETED)
        assert not each.queue.exists()
