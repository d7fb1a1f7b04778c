"""What a session takes over from its job and what it does not; and what an image gets to see."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.environment import desktop_environment

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


def test_a_desktop_starts_in_spite_of_conda_and_without_the_jobs_secrets(
    launch: Launch, user: TestUser, conda: Path
) -> None:
    own = user.home / "bin"
    own.mkdir(exist_ok=True)
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
        assert str(conda) not in found and str(own) not in found, name
        assert "s3cret" not in found, name
        assert "SLURM_JOB_ID=4711" in found
    shutil.rmtree(own)


def test_path_lists_lose_what_is_condas_or_the_users_own(conda: Path) -> None:
    home = os.path.expanduser("~root")
    env = desktop_environment(
        {
            "PATH": f"{conda}/bin:/opt/site/bin:{home}/.local/bin::/usr/bin:{conda}/envs/x/bin",
            "LD_LIBRARY_PATH": f"{conda}/lib",
            "MANPATH": f"{conda}/share/man:/opt/site/man",
            "XDG_DATA_DIRS": f"/opt/site/share:/usr/share:{home}/share",
        }
    )
    assert env["PATH"].split(":")[:2] == ["/opt/site/bin", "/usr/bin"]
    assert {"/usr/local/bin", "/bin"} <= set(env["PATH"].split(":"))
    assert "LD_LIBRARY_PATH" not in env
    assert env["MANPATH"] == "/opt/site/man"
    assert env["XDG_DATA_DIRS"] == "/opt/site/share:/usr/share:/usr/local/share"


def test_a_link_into_conda_is_condas(conda: Path, tmp_path: Path) -> None:
    (tmp_path / "tools").symlink_to(conda / "bin")
    env = desktop_environment({"PATH": f"{tmp_path}/tools:/usr/bin"})
    assert str(tmp_path) not in env["PATH"]


@pytest.mark.parametrize(
    "kept",
    [
        "SLURM_JOB_ID",
        "CUDA_VISIBLE_DEVICES",
        "LANG",
        "LC_TIME",
        "TZ",
        "MODULEPATH",
        "LM_LICENSE_FILE",
    ],
)
def test_what_programs_of_the_desktop_need_is_kept(kept: str) -> None:
    assert desktop_environment({kept: "value"})[kept] == "value"


@pytest.mark.parametrize(
    "name",
    [*SECRETS, "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "BASH_ENV", "ENV", "XAUTHORITY", "DISPLAY",
     "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "GTK_MODULES", "QT_PLUGIN_PATH", "IFS"],
)  # fmt: skip
def test_the_rest_is_not(name: str) -> None:
    assert name not in desktop_environment({name: SECRETS.get(name, "value")})


def test_who_the_user_is_comes_from_the_account() -> None:
    env = desktop_environment({"HOME": "/nonexistent", "USER": "other", "SHELL": "/bin/false"})
    assert (env["USER"], env["HOME"]) == ("root", os.path.expanduser("~root"))
    assert env["SHELL"] != "/bin/false"


def test_an_image_is_started_with_nothing_secret_in_sight(launch: Launch, user: TestUser) -> None:
    nasty = {"SLURM_JOB_NAME": 'it\'s $(id) "x"', "LC_ALL": "C.UTF-8"}
    with a_node() as node:
        node.add_apptainer()
        images = node.add_image("desktop", {"moonlight-desktop": "exec openbox"})
        env = settings(user, streaming_host="selkies", images_dir=str(images))
        session = launch(env=env, body={"image": "desktop"}, job={**SECRETS, **nasty, **node.job})
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
        assert call["environment"] == [], "nothing of APPTAINERENV_ either"
    (desktop,) = [c for c in calls if c["argv"][-1] == "/usr/local/bin/moonlight-desktop"]
    inside = dict(line.split("=", 1) for line in shlex.split(desktop["env_file"]))
    assert inside["DISPLAY"] == f":{status.display_num}"
    assert {name: inside.get(name) for name in nasty} == nasty
    assert inside["MOONLIGHT_SESSION"] == session.id
    assert "LD_LIBRARY_PATH" not in inside and "HOME" not in inside
