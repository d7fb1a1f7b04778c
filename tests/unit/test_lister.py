"""What the tests' waits for sessions ask is what the command would have said, each time anew."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster.users import TestUser, ensure_users, remove_users, unique_names
from tests.support.cli import UserCli, lister


@pytest.fixture(scope="module")
def user() -> Iterator[TestUser]:
    names = unique_names(1)
    try:
        yield ensure_users(names)[0]
    finally:
        remove_users(names)


def test_each_question_is_asked_anew_and_as_the_user(user: TestUser) -> None:
    agent = json.dumps(["/bin/true"])
    cli = UserCli(user, {"MOONLIGHT_HPC_SCHEDULER": "local", "MOONLIGHT_HPC_AGENT_COMMAND": agent})
    cli.env["MOONLIGHT_HPC_HOST_DESKTOP"] = "always"
    with lister(user, cli.env) as listed:
        assert listed() == []
        created = cli.create()
        (found,) = listed()
        assert found["session_id"] == created["session_id"] and found["user"] == user.name
    cli.wait(created["session_id"], lambda s: s["ended_at"])
    with pytest.raises(AssertionError, match="ended_at"):
        cli.wait(created["session_id"], "running")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"MOONLIGHT_HPC_MAX_HOURS": "many"}, "MOONLIGHT_HPC_MAX_HOURS is 'many'"),
        ({"PYTHONHOME": "/nonexistent"}, "PYTHONHOME = '/nonexistent'"),
    ],
    ids=["refused", "dead"],
)
def test_what_cannot_be_asked_fails_the_test_with_the_reason(
    user: TestUser, env: dict[str, str], words: str
) -> None:
    with (
        lister(user, {**UserCli(user, {}).env, **env}) as listed,
        pytest.raises(AssertionError, match=words),
    ):
        listed()
