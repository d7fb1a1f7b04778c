"""Real desktops in a job's surroundings; and what an image gets to see (rules: tests/unit)."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.users import TestUser

from .conftest import Launch
from .nodes import a_node
from .sessions import settings

SECRETS = {
    "JUPYTERHUB_API_TOKEN": "hub-s3cret",
    "AWS_SECRET_ACCESS_KEY": "aws-s3cret",
    "MY_PASSWORD": "own-s3cret",
    "http_proxy": "http://me:proxy-s3cret@proxy:3128",
}


@pytest.fixture
def own(user: TestUser) -> Iterator[Path]:
    """A directory of programs in his home."""
    own = user.home / "bin"
    own.mkdir()
    yield own
    shutil.rmtree(own)


@pytest.fixture
def conda() -> Iterator[Path]:
    """An environment as conda makes them, with a D-Bus that breaks every desktop."""
    with tempfile.TemporaryDirectory(prefix="mlt-conda-", dir="/var/tmp") as name:
        root = Path(name)
        for directory in (
            "conda-meta",
            "bin",
            "lib",
            "share/man",
            "envs/x/conda-meta",
            "envs/x/bin",
        ):
            (root / directory).mkdir(parents=True)
        for program in ("dbus-daemon", "xfce4-session", "Xvfb", "selkies"):
            for place in ("bin", "envs/x/bin"):
                path = root / place / program
                path.write_text("#!/bin/sh\necho broken by conda >&2\nexit 77\n")
                path.chmod(0o755)
        for directory in (root, *root.rglob("*")):
            directory.chmod(0o755)
        yield root


def test_a_desktop_starts_in_spite_of_conda_and_keeps_its_parts_from_secrets(
    launch: Launch, own: Path, conda: Path
) -> None:
    shutil.copy(conda / "bin" / "dbus-daemon", own)
    os.chmod(own / "dbus-daemon", 0o755)
    job = {
        "PATH": f"{conda}/envs/x/bin:{conda}/bin:{own}:/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": f"{conda}/lib",
        "LD_PRELOAD": f"{conda}/lib/libx.so",
        "PYTHONPATH": f"{conda}/lib",
        "CONDA_PREFIX": str(conda),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        "XDG_RUNTIME_DIR": "/nonexistent",
        "SLURM_JOB_ID": "4711",
        **SECRETS,
    }
    session = launch(job=job)
    session.wait_running()
    assert "broken by conda" not in session.log("desktop") + session.log("xserver")
    for name in ("xfwm4", "dbus-daemon", "selkies", "Xvfb"):
        found = Path(f"/proc/{session.find(name)}/environ").read_text()
        # CONDA_PREFIX and the like are for shells, where conda's programs are.
        assert str(conda) not in found and str(own) not in found, name
        assert "hub-s3cret" not in found, name  # a server's, never a login's
        # The rest was in the job: a login's, or the site's word. The desktop has it, our parts do not.
        assert ("own-s3cret" in found) == (name in ("xfwm4", "dbus-daemon")), name
        assert "SLURM_JOB_ID=4711" in found


def test_an_image_is_started_with_nothing_secret_in_sight(launch: Launch, user: TestUser) -> None:
    site = {"OMP_NUM_THREADS": "4", "https_proxy": "http://site:word@proxy:1"}
    nasty = {"SLURM_JOB_NAME": 'it\'s $(id) "x"', "LC_ALL": "C.UTF-8"}
    with a_node() as node:
        node.add_apptainer()
        images = node.add_image("desktop", {"moonlight-desktop": "exec openbox"})
        named = json.dumps({**site, "PATH": "/x"})
        env = settings(
            user, streaming_host="selkies", images_dir=str(images), job_environment=named
        )
        session = launch(
            env=env, body={"image": "desktop"}, job={**SECRETS, **site, **nasty, **node.job}
        )
        status = session.wait_running()
        assert session.find("openbox")
        assert len(session.first_frame()) > 100
        runtime = Path(session.desktop_environment()["XAUTHORITY"]).parent
        cookie = (runtime / "xauthority").read_bytes()[-16:]
        files = list(runtime.glob("*.env"))
        calls = node.calls()
    assert next(s.detail for s in status.steps if s.id == "desktop") == "sunshine_desktop.sif"
    assert files and all(file.stat().st_mode & 0o077 == 0 for file in files)
    for call in calls:
        argv, inside = call["argv"], call["env_file"]
        for secret in (session.token, cookie.hex(), "s3cret"):
            assert secret not in " ".join(argv) and secret not in inside
        # Where it unpacks, and nothing of APPTAINERENV_ either.
        assert call["environment"] == ["APPTAINER_TMPDIR"]
    (desktop,) = [c for c in calls if c["argv"][-1] == "/usr/local/bin/moonlight-desktop"]
    inside = dict(line.split("=", 1) for line in shlex.split(desktop["env_file"]))
    assert inside["DISPLAY"] == f":{status.display_num}"
    assert {name: inside.get(name) for name in nasty} == nasty
    assert inside["MOONLIGHT_SESSION"] == session.id
    assert {name: inside.get(name) for name in site} == site
    assert not {"LD_LIBRARY_PATH", "HOME", "PATH"} & inside.keys()
