"""Terminals of any charset: no sign ends a command, and files stay UTF-8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.locales import CHARSETS, make_locales
from tests.support.waiting import PATIENCE

SITE = {"MOONLIGHT_HPC_SCHEDULER": "local", "MOONLIGHT_HPC_HOST_DESKTOP": "always"}
COMMANDS = [
    ["session", "create", "--image", "nosuch…✓"],
    ["session", "list", "--all"],
    ["session", "list", "--all", "--json"],
    ["session", "stop", "ml-없음-✓"],
    ["images"],
    ["images", "build", "nosuch✓"],
    ["doctor", "--node"],
    ["agent", "/nonexistent/✓"],
    ["nosuch✓"],
]
TERMINALS: dict[str, dict[str, str]] = {
    **{name: {"LC_ALL": name} for name in CHARSETS},
    "C": {"LC_ALL": "C"},
    "C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "PYTHONIOENCODING": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii"},
    "PYTHONIOENCODING and EUC-KR": {"LC_ALL": "ko_KR.EUC-KR", "PYTHONIOENCODING": "latin-1:strict"},
    "unknown": {"LC_ALL": "xx_XX.KLINGON"},
}
SHOWN_IN = {
    "ko_KR.EUC-KR": "euc-kr",
    "ja_JP.EUC-JP": "euc-jp",
    "en_US.ISO-8859-1": "latin-1",
    "PYTHONIOENCODING and EUC-KR": "latin-1",
}


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_locales(tmp_path_factory.mktemp("locales"))


@pytest.fixture
def env(locales: dict[str, str], tmp_path: Path) -> dict[str, str]:
    # An agent that says odd things and fails: its words are shown by the commands.
    says = "import sys; sys.stderr.buffer.write('끝 ✓ é \\u2014 日本\\n'.encode()); sys.exit(1)"
    more = {
        "MOONLIGHT_HPC_SESSIONS_DIR": str(tmp_path / "sessions"),
        "MOONLIGHT_HPC_AGENT_COMMAND": json.dumps([sys.executable, "-I", "-c", says]),
    }
    names = ("PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL", "LANG", "LANGUAGE")
    inherited = {k: v for k, v in os.environ.items() if k not in names}
    return {**inherited, **locales, **SITE, **more}


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "moonlight_spawner", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize("terminal", TERMINALS)
def test_a_session_is_told_in_any_charset(env: dict[str, str], terminal: str) -> None:
    env = {**env, **TERMINALS[terminal]}
    waited = run(env, "session", "create", "--wait")
    assert waited.returncode == 1, waited.stderr
    shown = waited.stdout.decode(SHOWN_IN.get(terminal, "utf-8"), "strict")
    assert "its log ends with:" in shown
    if terminal in ("ko_KR.EUC-KR", "C"):
        assert "끝" in shown  # the terminal's own charset
    assert b"Traceback" not in waited.stderr


def test_no_command_dies_of_a_sign(env: dict[str, str]) -> None:
    env["LC_ALL"] = "ko_KR.EUC-KR"
    run(env, "session", "create", "--wait")
    for command in COMMANDS:
        done = run(env, *command)
        said = done.stderr + done.stdout
        assert b"Traceback" not in said and b"codec" not in said, (command, said)


def test_records_and_settings_are_utf8_whatever_the_terminal(
    env: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    prologue = {"job_prologue": "echo '머리말 ✓'", "job_environment": {"SITE": "값 ✓"}}
    config.write_text(json.dumps({"MoonlightSite": prologue}, ensure_ascii=False), "utf-8")
    env |= {"MOONLIGHT_HPC_CONFIG": str(config), "LC_ALL": "ko_KR.EUC-KR"}
    created = json.loads(run(env, "session", "create", "--wait", "--json").stdout)
    assert "끝 ✓" in created["reason"]
    script = next((tmp_path / "sessions").glob("*/*/job.sh")).read_text("utf-8")
    assert "echo '머리말 ✓'" in script and "값 ✓" in script
    (listed,) = json.loads(
        run({**env, "LC_ALL": "C.UTF-8"}, "session", "list", "--all", "--json").stdout
    )
    assert listed["session_id"] == created["session_id"]


def test_a_place_whose_name_is_no_utf8_is_used_all_the_same(
    env: dict[str, str], tmp_path: Path
) -> None:
    home = os.fsdecode(os.fsencode(tmp_path) + b"/\xc8\xab\xb1\xe6")  # EUC-KR
    for charset in ("C.UTF-8", "ko_KR.EUC-KR"):
        there = {**env, "MOONLIGHT_HPC_SESSIONS_DIR": f"{home}/sessions", "LC_ALL": charset}
        there["MOONLIGHT_HPC_SANDBOXES_DIR"] = f"{home}/sandboxes"
        done = run(there, "session", "create", "--wait")
        assert b"its log ends with:" in done.stdout, done.stderr + done.stdout


@pytest.mark.parametrize(
    "command",
    [
        [str(Path(sys.executable).with_name("moonlight-hpc"))],
        [sys.executable, "-m", "moonlight_spawner"],
    ],
    ids=["script", "module"],
)
def test_another_pydantic_of_the_callers_is_not_taken(tmp_path: Path, command: list[str]) -> None:
    """As a module of the site's or the user's own PYTHONPATH brings it; what was typed arrives."""
    (tmp_path / "pydantic.py").write_text("raise RuntimeError('another one')")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    typed = [*command, "session", "stop", "ml-nobody-abcdefghij"]
    done = subprocess.run(typed, env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "no session ml-nobody-abcdefghij of" in done.stderr, done.stderr
