"""The batch script: what it sets and starts is exactly what was meant, whatever the values hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from moonlight_spawner.sessions.job import job_script
from moonlight_spawner.site.options import MoonlightSite

from tests.support.waiting import PATIENCE

ID = "ml-alice-abcdefghij"
# The agent's place is taken by a program that tells what it was given.
TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getpid()]))"
NASTY = {
    "SINGLE": "it's",
    "DOUBLE": 'say "hi"',
    "LINES": "one\ntwo\n\nfour\n",
    "COMMAND": "$(touch /tmp/should-not-be)`id`",
    "VARIABLE": "$HOME ${PATH} $$ !!",
    "BACKSLASH": "a\\b\\\\c\\n\\",
    "SPACES": "  a  b\t",
    "END": "x; exit 1 #",
    "JINJA": "{{ session_id }}{% raw %}{# #}",
    "PERCENT": "%s%n%%",
    "UNICODE": "한국어 \U0001f600 é",
    "COMMA": "a,b=c,d",
    "EMPTY": "",
    "GLOB": "* ? [a-z] ~ {a,b}",
    "HEREDOC": "<<EOF\nEOF\n",
    "QUOTES": "'\"'\"''",
    "CONTROL": "\x01\x7f\r",
}


def run(site: MoonlightSite, directory: Path) -> tuple[list[str], dict[str, str], int, str]:
    """Arguments, environment and pid of the agent, and all that the script printed before."""
    script = directory.parent / "job.sh"
    script.write_text(job_script(site, ID, directory))
    started = subprocess.Popen(
        ["/bin/bash", str(script)],
        env={"PATH": "/usr/bin:/bin", "HOME": "/root"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, _ = started.communicate(timeout=PATIENCE)
    assert started.returncode == 0, said
    *before, last = said.splitlines()
    arguments, environment, pid = json.loads(last)
    assert pid == started.pid, "the agent is not the job's own process"
    return arguments, environment, pid, "\n".join(before)


@pytest.fixture
def telling(site: MoonlightSite) -> MoonlightSite:
    site.agent_command = [sys.executable, "-I", "-c", TELL]
    return site


def test_the_agent_gets_the_directory_and_becomes_the_job(
    telling: MoonlightSite, tmp_path: Path
) -> None:
    arguments, _, _, said = run(telling, tmp_path / ID)
    assert (arguments, said) == ([str(tmp_path / ID)], "")


@pytest.mark.parametrize("name", NASTY)
def test_values_arrive_to_the_letter(telling: MoonlightSite, tmp_path: Path, name: str) -> None:
    value = NASTY[name]
    telling.job_environment = {name: value, "AFTER": "still here"}
    telling.agent_command = [*telling.agent_command, value]
    directory = tmp_path / (value.replace("/", "_").replace("\n", " ") or "empty")
    arguments, environment, _, said = run(telling, directory)
    assert environment[name] == value
    assert environment["AFTER"] == "still here"
    assert arguments == [value, str(directory)]
    assert said == ""
    assert not Path("/tmp/should-not-be").exists()


def test_all_values_together(telling: MoonlightSite, tmp_path: Path) -> None:
    telling.job_environment = NASTY
    _, environment, _, _ = run(telling, tmp_path / ID)
    assert {name: environment[name] for name in NASTY} == NASTY


@pytest.mark.parametrize(
    "name", ["", "A-B", "A B", "1A", "A=B", "A;id", "A\n", "$(id)", "Ä", "a.b", "A\x00"]
)
def test_a_name_that_no_shell_takes_is_refused(
    telling: MoonlightSite, tmp_path: Path, name: str
) -> None:
    telling.job_environment = {name: "x"}
    with pytest.raises(ValueError, match="no name of a variable"):
        job_script(telling, ID, tmp_path)


def test_the_sites_prologue_is_shell_and_runs_before_the_agent(
    telling: MoonlightSite, tmp_path: Path
) -> None:
    telling.job_environment = {"FIRST": "1"}
    telling.job_prologue = '\n  echo "prologue sees $FIRST"\nexport SECOND=$((FIRST + 1))\n\n'
    _, environment, _, said = run(telling, tmp_path / ID)
    assert said == "prologue sees 1"
    assert environment["SECOND"] == "2"


def test_what_the_site_and_the_user_make_has_the_mode_they_want(
    telling: MoonlightSite, tmp_path: Path
) -> None:
    """The agent itself keeps its files private."""
    telling.job_prologue = "umask"
    before = os.umask(0o027)
    try:
        assert run(telling, tmp_path / ID)[3] == "0027"
    finally:
        os.umask(before)


def test_the_script_holds_no_secret_and_names_its_session(
    telling: MoonlightSite, tmp_path: Path
) -> None:
    script = job_script(telling, ID, tmp_path / ID)
    assert script.startswith("#!/bin/bash\n") and script.endswith("\n")
    assert f"session {ID}." in script
    assert "token" not in script.lower()


# In the agent's place: a program that cannot start with, or without, a module's libraries.
PICKY = """import json, os, sys
if "{name}" {wrong} os.environ: sys.exit("cannot start so")
if sys.argv[1:] == ["--version"]: sys.exit(0)
print(json.dumps([sys.argv[1:], dict(os.environ), os.getpid()]))"""


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME"])
@pytest.mark.parametrize("wrong", ["in", "not in"])
@pytest.mark.parametrize("strict", ["", "set -euo pipefail\n"])
def test_a_modules_libraries_are_kept_from_the_agent_unless_it_needs_them(
    site: MoonlightSite, tmp_path: Path, name: str, wrong: str, strict: str
) -> None:
    site.agent_command = [sys.executable, "-I", "-c", PICKY.format(name=name, wrong=wrong)]
    site.job_prologue = strict + f"export {name}='/opt/my-lib' MPI_HOME=/opt/mpi"
    arguments, environment, _, _ = run(site, tmp_path / ID)
    kept = f"MOONLIGHT_KEPT_{name}" if wrong == "in" else name
    assert arguments == [str(tmp_path / ID)]
    assert environment[kept] == "/opt/my-lib"
    assert (name in environment) == (wrong == "not in")
    assert environment["MPI_HOME"] == "/opt/mpi"
