"""From the site's settings to credentials that coturn takes."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from moonlight_spawner.model.records import Facts, SunshineOptions
from moonlight_spawner.model.session import Resources
from moonlight_spawner.sessions.launch import sunshine_options
from moonlight_spawner.site.settings import load_site

from tests.turn.coturn import Coturn
from tests.turn.gathering import Gather, ice_servers

HOURS = 2.0
STUN = "stun:127.0.0.1:3478"
URIS = ["turn:127.0.0.1:3478"]

Options = Callable[..., SunshineOptions]


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """What a session gets at a site whose file has these settings."""

    def made(**settings: object) -> SunshineOptions:
        path = tmp_path / "site.json"
        path.write_text(json.dumps({"MoonlightSite": {"webrtc": True, **settings}}))
        environ = {"MOONLIGHT_HPC_CONFIG": str(path), "XDG_CONFIG_HOME": str(tmp_path / "none")}
        request = Resources(
            image="desktop",
            hours=HOURS,
            cpus=1,
            memory_gb=1.0,
            gpus=0,
            resolution="1280x720",
            fps=30,
        )
        facts = Facts(
            session_id="ml-alice-4k7q2mzj5a",
            user="alice",
            image_id="desktop",
            image_name="Desktop",
            host="sunshine",
            scheduler="slurm",
            request=request,
        )
        return sunshine_options(load_site(environ=environ), facts)

    return made


def test_coturn_takes_what_the_settings_give_for_the_whole_session(
    turn: Coturn, gather: Gather, options: Options
) -> None:
    made = options(turn_uris=turn.uris, turn_secret_file=str(turn.secret_file))
    assert gather(made) == turn.accepted
    assert made.turn_username
    end, _, name = made.turn_username.partition(":")
    assert name == "ml-alice-4k7q2mzj5a"
    assert int(end) > time.time() + HOURS * 3600


@pytest.mark.parametrize("file", ["missing", "directory"])
def test_without_a_readable_secret_there_is_no_turn_and_the_log_says_so(
    options: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str
) -> None:
    path = tmp_path / "secret"
    if file == "directory":
        path.mkdir()
    with caplog.at_level(logging.WARNING, logger="moonlight_spawner"):
        made = options(turn_uris=URIS, stun_uris=[STUN], turn_secret_file=str(path))
    assert ice_servers(made) == [{"urls": [STUN]}]
    assert (made.turn_username, made.turn_credential) == (None, None)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "no TURN" in record.getMessage() and str(path) in record.getMessage()
