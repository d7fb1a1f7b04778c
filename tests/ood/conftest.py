"""The app as an administrator installs it, and programs that take Moonlight HPC's place for its templates."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.ood.install import install
from moonlight_spawner.ood.portal import read_portal
from moonlight_spawner.site.options import MoonlightSite

from .ondemand import change_settings, command

MakeApp = Callable[..., Path]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Installed, with the program that is tested here."""
    directory = tmp_path / "apps" / "moonlight"
    directory.parent.mkdir()
    install(directory, MoonlightSite(), read_portal(tmp_path / "no-portal"))
    change_settings(directory, command=str(command()), cluster="lab")
    return directory


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose home is nobody's, so that nothing was remembered there."""
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def says(tmp_path: Path, app: Path) -> Callable[..., Path]:
    """Has the app ask a program that answers what no installation would; each call is noted."""

    def make(images: Any = None, session: Any = None, status: int = 0) -> Path:
        program, calls = tmp_path / "answers", tmp_path / "calls"
        answers = {"images": images, "session": session}
        for name, answer in answers.items():
            text = answer if isinstance(answer, str) else json.dumps(answer)
            (tmp_path / f"answer-{name}").write_text(text)
        program.write_text(
            f'#!/bin/sh\necho "$@" >> "{calls}"\ncat "{tmp_path}/answer-$1"\nexit {status}\n'
        )
        program.chmod(0o755)
        calls.touch()
        change_settings(app, command=str(program))
        return calls

    return make


@pytest.fixture
def apps() -> Iterator[Path]:
    """Where apps are: every user may read it, as pytest's own directories are not."""
    directory = Path(tempfile.mkdtemp(prefix="mlt-apps-", dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)
