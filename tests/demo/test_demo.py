"""`make demo` as a new user runs it: a link, a desktop, and nothing left behind."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.users import TestUser, as_user, ensure_users, remove_users, unique_names
from tests.support.reachable import reachable
from tests.support.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]

#: An ordinary home; the first of them would name places in it.
LEFT_ALONE = {
    ".bashrc": "export MARK=mine\n",
    ".config/xfce4/helpers.rc": "TerminalEmulator=xterm\n",
    "Desktop/notes.txt": "before\n",
}


@pytest.fixture
def user() -> Iterator[TestUser]:
    names = unique_names(1)
    try:
        (one,) = ensure_users(names)
        for name, text in LEFT_ALONE.items():
            path = one.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for path in one.home.rglob("*"):
            shutil.chown(path, one.uid, one.gid)
        yield one
    finally:
        remove_users(names)


def contents(home: Path) -> dict[str, tuple[int, float, bytes]]:
    """All of a home: mode, time of the last change and content of each entry, and of itself."""
    found = {}
    for path in (home, *home.rglob("*")):
        info = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(home))] = (info.st_mode, info.st_mtime, data)
    return found


def test_a_desktop_of_the_demo_leaves_the_home_as_it_was(user: TestUser) -> None:
    program = reachable() / "tools" / "demo.py"
    program.parent.mkdir(exist_ok=True)
    shutil.copy(ROOT / "tools" / "demo.py", program)
    before = contents(user.home)
    env = {"XDG_CONFIG_HOME": str(user.home / ".config"), "MOONLIGHT_HPC_RESOLUTION": "640x480"}
    demo = subprocess.Popen(
        [sys.executable, str(program)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        **as_user(user, env),
    )
    try:
        url, token = _link(demo)
        news = _api(url, token, "lab/api/settings/@jupyterlab/apputils-extension:notification")
        assert news["schema"]["properties"]["fetchNews"]["default"] == "false", "no pop-up asks"
        made = _api(url, token, "api/moonlight/sessions", {"hours": 1})

        def running() -> bool:
            told = _api(url, token, f"api/moonlight/sessions/{made['session_id']}")
            assert not told["ended_at"], told
            return bool(told["status"] == "running")

        assert wait_until(running, interval=0.2), "the desktop does not start"
        own = next(Path("/var/tmp").glob(f"moonlight-demo-*/home/sessions/*/{made['session_id']}"))
        home = own.parents[2]
        assert wait_until((home / ".config" / "xfce4").is_dir), "the desktop has the demo's home"
    finally:
        demo.send_signal(signal.SIGINT)
        said, _ = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 0, said
    assert not home.parent.exists()
    assert contents(user.home) == before


def _link(demo: subprocess.Popen[str]) -> tuple[str, str]:
    assert demo.stdout
    said = []
    for line in demo.stdout:
        said.append(line)
        if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\S+)", line):
            assert said[0] == "Starting JupyterLab …\n", "what is waited for is told at once"
            return found[1], found[2]
    raise AssertionError("no link: " + "".join(said))


def _api(url: str, token: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{url}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {token}"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())
