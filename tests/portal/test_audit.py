"""Who did what: one line each, whatever users send; to a file that is the service's alone."""

from __future__ import annotations

import grp
import gzip
import io
import json
import logging
import os
import pwd
import re
import shutil
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_jupyter.portal.audit import Audit
from moonlight_jupyter.portal.lines import Lines
from moonlight_jupyter.traffic import Traffic

from tests.support.waiting import wait_for

from .place import Place

LOGROTATE = Path(__file__).resolve().parents[2] / "deploy/logrotate/moonlight-hpc"
SESSIONS = "/api/moonlight/sessions"


@pytest.fixture
def audit(tmp_path: Path) -> Any:
    logging.getLogger("moonlight_hpc.audit").setLevel(logging.INFO)
    made = Audit(str(tmp_path / "audit.log"))
    yield made
    made.close()


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


@pytest.mark.parametrize(
    "words", ['x\n{"action": "login", "user": "root"}', "\r\x1b[2J", '"}', "가\u2028\ud800", "\0"]
)
def test_what_users_send_makes_no_second_line(audit: Audit, tmp_path: Path, words: str) -> None:
    audit.tell("stop", user=words, session=words)
    (line,) = _lines(tmp_path / "audit.log")
    assert line["action"] == "stop"
    raw = (tmp_path / "audit.log").read_bytes()
    assert raw.count(b"\n") == 1 and all(32 <= byte < 127 for byte in raw[:-1])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\x0b", "\x1b[1A"])
def test_no_words_of_others_make_a_line_of_the_services_log(end: str) -> None:
    """A side's error, a path, an exception: they are repeated, and must not read like the audit's."""
    forged = 'INFO moonlight_hpc.audit: {"action": "stop", "user": "root"}'
    log, out = logging.Logger("moonlight_spawner.portal.manager"), io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Lines("%(levelname)s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.info("%s's side: %s", "mallory", f"x{end}{forged}")
    try:
        raise ValueError(f"x{end}{forged}")
    except ValueError:
        log.exception("it failed")
    lines = re.split("[\r\n\x0b\x85\u2028]", out.getvalue())
    assert lines[0].startswith("INFO moonlight_spawner.portal.manager: mallory's side: x")
    assert not any(line.startswith(forged) for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_text_of_any_length_is_cut(audit: Audit, tmp_path: Path) -> None:
    audit.tell("access", session="x" * 100_000)
    assert (tmp_path / "audit.log").stat().st_size < 1000


def test_the_file_is_private_is_found_again_after_logrotate_and_is_no_link(
    audit: Audit, tmp_path: Path
) -> None:
    file, old = tmp_path / "audit.log", tmp_path / "audit.log.1"
    audit.tell("login", user="alice")
    assert file.stat().st_mode & 0o777 == 0o600
    file.rename(old)
    audit.tell("logout", user="alice")
    assert [line["action"] for line in _lines(old)] == ["login"]
    assert [line["action"] for line in _lines(file)] == ["logout"]
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(ValueError, match="cannot be written"):
        Audit(str(tmp_path / "link"))
    with pytest.raises(ValueError, match="cannot be written"):
        Audit(str(tmp_path / "none/audit.log"))


def test_who_asks_for_something_gets_it_where_the_file_cannot_be_written(
    audit: Audit, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The line is in the service's log then, and the next ones in the file as soon as that can be."""
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "audit.log").rename(away / "audit.log")
    (tmp_path / "audit.log").mkdir()
    audit.tell("login", user="alice")
    audit.tell("logout", user="alice")
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len([text for text in said if "its directory has to be the service's" in text]) == 2
    assert '"action": "login"' in said[-2] and '"action": "logout"' in said[-1]
    (tmp_path / "audit.log").rmdir()
    for action in ("stop", "create"):
        audit.tell(action, user="alice")
    assert [one["action"] for one in _lines(tmp_path / "audit.log")] == ["stop", "create"]


def test_logrotate_loses_no_line_and_leaves_no_file_to_others(tmp_path: Path) -> None:
    """The shipped rules, and a service that goes on telling meanwhile."""
    directory = tmp_path / "audit"
    directory.mkdir(mode=0o700)
    rules = tmp_path / "rules"
    me = f"su {pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
    text = LOGROTATE.read_text("utf-8").replace("su moonlight-hpc moonlight-hpc", me)
    rules.write_text(text.replace("/var/log/moonlight-hpc-audit/", f"{directory}/"))
    rules.chmod(0o644)
    program = shutil.which("logrotate", path="/usr/sbin:/usr/bin")
    assert program, "logrotate is not installed: tools/packages test"
    logging.getLogger("moonlight_hpc.audit").setLevel(logging.INFO)
    audit, told, enough = Audit(str(directory / "audit.log")), [0], threading.Event()

    def go_on() -> None:
        while not enough.is_set():
            audit.tell("stop", session=str(told[0]))
            told[0] += 1

    telling = threading.Thread(target=go_on)
    telling.start()
    try:
        for _ in range(3):
            before = told[0]
            wait_for(lambda before=before: told[0] > before + 20)
            argv = [program, "--state", str(tmp_path / "state"), "--force", str(rules)]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
        before = told[0]
        wait_for(lambda: told[0] > before + 20)
    finally:
        enough.set()
        telling.join()
        audit.close()
    names = ["audit.log.3.gz", "audit.log.2.gz", "audit.log.1", "audit.log"]
    assert sorted(names) == sorted(path.name for path in directory.iterdir())
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    lines = []
    for name in names:
        path = directory / name
        kept = gzip.decompress(path.read_bytes()) if name.endswith("gz") else path.read_bytes()
        assert kept, f"{name} is empty"
        lines += [int(json.loads(line)["session"]) for line in kept.splitlines()]
    assert lines == list(range(told[0]))


def test_streams_tell_how_long_and_how_much(audit: Audit, tmp_path: Path) -> None:
    who = SimpleNamespace(
        current_user=SimpleNamespace(username="alice"), request=SimpleNamespace(remote_ip="::1")
    )
    traffic = Traffic()
    audit.stream(who, "ml-alice-4k7q2mzj5a", traffic, over=False)
    traffic.add("to_browser", b"12345")
    audit.stream(who, "ml-alice-4k7q2mzj5a", traffic, over=True)
    opened, closed = _lines(tmp_path / "audit.log")
    assert opened["action"] == "stream_opened" and "seconds" not in opened
    assert (closed["action"], closed["bytes_to_browser"]) == ("stream_closed", 5)
    assert closed["seconds"] >= 0 and closed["bytes_from_browser"] == 0


def test_what_is_done_at_a_portal_is_in_its_log(place: Place) -> None:
    token = place.token(place.alice)
    with place.client() as client:
        refused = client.post("/api/moonlight/login", headers={"Authorization": "Bearer x.y.z"})
        assert refused.status_code == 401
        assert client.post("/api/moonlight/login", params={"user": "root"}).status_code == 401
        client.post("/api/moonlight/login", headers={"Authorization": f"Bearer {token}"})
        proof = {"X-XSRFToken": client.cookies["_xsrf"]}
        assert client.post(SESSIONS, json={"hours": -1}, headers=proof).status_code == 400
        assert client.delete(f"{SESSIONS}/a%0Ab%22", headers=proof).status_code == 404
        assert client.get(SESSIONS, params={"user": "root"}).status_code == 404
        assert client.post("/api/moonlight/logout", headers=proof).status_code == 204
    with place.client("not.a.token") as client:
        assert client.get(SESSIONS).status_code == 401
    log = place.log.read_text()
    alice = {"user": str(place.alice), "address": "127.0.0.1"}
    for expected in (
        {"action": "login", "result": "refused", "reason": "token_refused"},
        {"action": "login", "result": "done", **alice},
        {"action": "logout", "result": "done", **alice},
        {"action": "create", "result": "refused", "reason": "invalid_request", "door": "portal"},
        {"action": "stop", "result": "refused", "reason": "not_found", "session": r'a\nb"'},
        {"action": "list", "result": "refused", "user": "root", "admin": str(place.alice)},
        {"action": "access", "result": "refused", "reason": "token_refused"},
    ):
        assert place.audited(**expected), expected
    assert '"action": "login", "user": "root"' not in log, "nobody has said who he is"
    assert token not in log and proof["X-XSRFToken"] not in log
