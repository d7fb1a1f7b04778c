"""TURN for the portal's users: the service has the secret, a session has credentials, and nobody else has
either."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.records import SunshineOptions

from tests.cluster.processes import of_user
from tests.cluster.users import TestUser, run_as
from tests.turn.coturn import Coturn, coturn
from tests.turn.gathering import gathering

from .portal import Portal

HOURS = 2
BEGIN = """
    session, _ = await manager.create(args[0], {"image": "host-desktop", "hours": float(args[1]), "gpus": 0})
    session_id = session.session_id
    while session.live and session.status.value != "running":
        session = await manager.get(args[0], session_id)
    return [session_id, session.status.value, session.reason]
"""
STOP = """
    session = await manager.stop(*args)
    while session.live:
        session = await manager.get(*args)
    return session.reason_code
"""


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    with coturn(tmp_path_factory.mktemp("coturn")) as one:
        yield one


@pytest.fixture
def settings(place: Portal, turn: Coturn) -> Iterator[dict[str, Any]]:
    """The site's, by which its service and its users' sides know of the same server."""
    directory = place.config.parent / "turn"
    directory.mkdir(mode=0o755)
    secret = directory / "turn.secret"
    secret.touch(mode=0o600)
    secret.write_text(f"{turn.secret}\n")
    shutil.chown(secret, place.service.uid, place.service.gid)
    made = {"webrtc": True, "turn_uris": turn.uris, "turn_secret_file": str(secret)}
    before = place.config.read_text()
    lines = "".join(f"c.MoonlightSite.{name} = {value!r}\n" for name, value in made.items())
    place.config.write_text(before + lines)
    try:
        yield made | {"user_side_seconds": 200}  # as long as the place gives a side
    finally:
        place.config.write_text(before)
        shutil.rmtree(directory)


def _spec(user: TestUser, session_id: str) -> Path:
    return user.home / "sessions" / user.name / session_id / "spec.json"


def test_coturn_takes_what_a_session_was_given_whose_user_cannot_read_the_secret(
    place: Portal, alice: TestUser, bob: TestUser, turn: Coturn, settings: dict[str, Any]
) -> None:
    for user in (alice, bob):
        looked = run_as(user, ["cat", settings["turn_secret_file"]])
        assert looked.returncode and "Permission denied" in looked.stderr
    begun = time.time()
    session_id, status, reason = place.serve(BEGIN, alice, HOURS, **settings)
    assert status == "running", reason
    spec = _spec(alice, session_id)
    info = spec.stat()
    assert (info.st_uid, info.st_mode & 0o7777) == (alice.uid, 0o600)
    assert run_as(bob, ["cat", str(spec)]).returncode

    options = SunshineOptions.model_validate(json.loads(spec.read_text())["sunshine"])
    end, _, name = (options.turn_username or "").partition(":")
    assert name == f"ml-{alice}" and int(end) >= begun + HOURS * 3600
    with gathering() as gather:
        assert gather(options) == turn.accepted

    credentials = {options.turn_username, options.turn_credential}
    for path in [*alice.home.rglob("*"), *Path("/tmp").glob(f"moonlight-*{session_id[-10:]}*")]:
        said = path.read_bytes() if path.is_file() else b""
        assert turn.secret.encode() not in said, path
        if any(str(word).encode() in said for word in credentials):
            info = path.stat()
            assert (info.st_uid, info.st_mode & 0o7777) == (alice.uid, 0o600), path
            assert path.suffix != ".log", path
    words = " ".join(of_user(alice.uid).values())
    assert not [word for word in (turn.secret, *credentials) if str(word) in words]
    assert place.serve(STOP, alice, session_id, **settings) == "StoppedByUser"


def test_a_secret_that_the_service_cannot_read_costs_turn_alone(
    place: Portal, alice: TestUser, settings: dict[str, Any]
) -> None:
    shutil.chown(settings["turn_secret_file"], 0, 0)
    session_id, status, reason = place.serve(BEGIN, alice, HOURS, **settings)
    assert status == "running", reason
    told = json.loads(_spec(alice, session_id).read_text())["sunshine"]
    assert (told["turn_uris"], told["turn_username"], told["turn_credential"]) == ([], None, None)
    assert place.serve(STOP, alice, session_id, **settings) == "StoppedByUser"
