"""What a launch by the REST API comes to, and what it cannot."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.session import End, State, new_session_id, now
from moonlight_spawner.store import FileStore

from tests.support.waiting import PATIENCE

from .conftest import Call
from .raw import Answer
from .sessions import Records

UNFINISHED = ("pending", "starting", "running", "stopping")


async def until(api: Call, session_id: str, *statuses: str) -> Any:
    async def poll() -> Any:
        while True:
            session = (await api("GET", f"/sessions/{session_id}")).json
            if session["status"] in statuses:
                return session
            assert session["status"] in UNFINISHED, session
            await asyncio.sleep(0.1)

    return await asyncio.wait_for(poll(), PATIENCE)


def number_of_jobs(sessions_dir: Path) -> int:
    return len(list(sessions_dir.glob("*/ml-*/local.json")))


class TestALaunch:
    async def test_from_nothing_to_a_desktop_and_to_its_end(
        self, api: Call, call: Call, jp_base_url: str
    ) -> None:
        launched = await api("POST", "/sessions")  # all defaults
        session_id = launched.json["session_id"]
        assert launched.status == 201
        assert launched.header("location") == f"{jp_base_url}api/moonlight/sessions/{session_id}"
        assert launched.json["status"] in ("pending", "starting")
        assert (launched.json["door"], launched.json["way"]) == ("api", "job")

        session = await until(api, session_id, "running")
        steps = ["claim", "xserver", "desktop", "host", "picture", "gateway"]
        assert [(s["id"], s["state"]) for s in session["steps"]] == [(s, "done") for s in steps]
        assert session["display_num"] >= 10 and session["node"] and session["started_at"]
        logs = (await api("GET", f"/sessions/{session_id}/logs")).json["logs"]
        assert "gateway: done" in logs[0]["text"]
        assert (await call("GET", f"/moonlight/sessions/{session_id}/desktop/")).status == 200

        stopped = await api("DELETE", f"/sessions/{session_id}")
        assert (stopped.status, stopped.json["status"]) == (202, "stopping")
        ended = await until(api, session_id, "cancelled")
        assert (ended["reason"], ended["reason_code"]) == ("You stopped it.", "StoppedByUser")
        again = await api("DELETE", f"/sessions/{session_id}")
        assert (again.status, again.json["ended_at"]) == (200, ended["ended_at"])
        gone = await call("GET", f"/moonlight/sessions/{session_id}/desktop/")
        assert (gone.status, gone.code) == (410, "ended")
        assert "You stopped it." in gone.json["message"]

    async def test_takes_what_was_asked_for(self, api: Call) -> None:
        wish = {"image": "host-desktop", "hours": 0.2, "cpus": 2, "memory_gb": 1.5, "gpus": 0}
        wish |= {"resolution": "1024x768", "fps": 25, "bitrate_kbps": 5000, "keyboard": "kr"}
        wish |= {"host": "selkies", "follow_window": False, "picture": False}
        wish |= {"begin": None, "mail": False, "mail_to": ""}
        answer = await api("POST", "/sessions", **wish)
        assert (answer.status, answer.json["request"]) == (201, wish)


class TestAnEndedSession:
    async def test_stays_as_it_was(self, api: Call, records: Records) -> None:
        """When it started and where does not change with its end, nor after it."""
        later = now() + timedelta(seconds=30)  # the agent's start, after the job's
        session_id = records.add(started_at=later)
        running = (await api("GET", f"/sessions/{session_id}")).json
        end = End(state=State.COMPLETED, code="LoggedOut", reason="You logged out.")
        records.say(session_id, "ended", started_at=later, end=end)
        ended = (await api("GET", f"/sessions/{session_id}")).json
        assert ended["status"] == "completed"
        assert ended["started_at"] == running["started_at"]
        for _ in range(2):
            assert (await api("GET", f"/sessions/{session_id}")).json == ended


class TestTheSameKey:
    async def test_ten_times_at_once_is_one_session(self, api: Call, sessions_dir: Path) -> None:
        key = {"Idempotency-Key": "press-0815"}
        calls = [api("POST", "/sessions", headers=key) for _ in range(10)]
        answers: list[Answer] = await asyncio.gather(*calls)
        assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
        assert len({answer.json["session_id"] for answer in answers}) == 1
        assert number_of_jobs(sessions_dir) == 1

    async def test_later_gives_the_session_as_it_is_then(
        self, api: Call, sessions_dir: Path
    ) -> None:
        key = {"Idempotency-Key": "~" * 128}
        session_id = (await api("POST", "/sessions", headers=key)).json["session_id"]
        await api("DELETE", f"/sessions/{session_id}")
        await until(api, session_id, "cancelled")
        again = await api("POST", "/sessions", headers=key)
        assert (again.status, again.json["status"]) == (200, "cancelled")
        assert again.json["session_id"] == session_id
        assert number_of_jobs(sessions_dir) == 1

    async def test_after_a_refusal_may_be_tried_again(self, api: Call) -> None:
        key = {"Idempotency-Key": "k"}
        for _ in range(2):
            answer = await api("POST", "/sessions", headers=key, image="no-such-image")
            assert answer.status == 404
        assert (await api("POST", "/sessions", headers=key)).status == 201

    async def test_of_a_launch_that_died_before_its_record_is_free(
        self, api: Call, sessions_dir: Path
    ) -> None:
        store = FileStore(sessions_dir)
        dead = new_session_id(store.user)
        assert store.claim_key(store.user, "k", dead) == dead
        key = {"Idempotency-Key": "k"}
        launched = await api("POST", "/sessions", headers=key)
        assert launched.status == 201 and launched.json["session_id"] != dead
        again = await api("POST", "/sessions", headers=key)
        assert (again.status, again.json["session_id"]) == (200, launched.json["session_id"])


class TestNoLaunch:
    async def test_of_an_unknown_image(self, api: Call) -> None:
        answer = await api("POST", "/sessions", image="no-such-image")
        assert (answer.status, answer.code) == (404, "not_found")
        assert "no-such-image" in answer.json["message"]
        assert "host-desktop" in answer.json["message"]

    async def test_of_an_image_without_a_file(self, api: Call) -> None:
        answer = await api("POST", "/sessions", image="desktop")
        assert (answer.status, answer.code) == (409, "image_unavailable")
        assert "not installed here" in answer.json["message"]

    async def test_of_an_image_that_anyone_may_write(self, api: Call, tmp_path: Path) -> None:
        (tmp_path / "images").mkdir()
        image = tmp_path / "images" / "sunshine_mine.sif"
        image.write_bytes(b"")
        image.chmod(0o666)
        answer = await api("POST", "/sessions", image="mine")
        assert (answer.status, answer.code) == (409, "image_unavailable")
        assert "others could exchange its file" in answer.json["message"]

    async def test_leaves_no_record(self, api: Call) -> None:
        await api("POST", "/sessions", image="desktop")
        assert (await api("GET", "/sessions")).json == {"sessions": []}


class TestTheLimitOfSessions:
    @pytest.fixture
    def site_settings(self) -> dict[str, Any]:
        return {"max_sessions": 2, "local_sessions": 1}

    async def test_refuses_and_names_the_sessions(self, api: Call, records: Records) -> None:
        ids = [records.add(), records.add("starting")]
        answer = await api("POST", "/sessions")
        assert (answer.status, answer.code) == (409, "limit_reached")
        assert "allows 2" in answer.json["message"]
        assert all(session_id in answer.json["message"] for session_id in ids)

    async def test_holds_for_launches_at_the_same_time(self, api: Call) -> None:
        answers = await asyncio.gather(*[api("POST", "/sessions") for _ in range(5)])
        assert sorted(answer.status for answer in answers) == [201, 201, 409, 409, 409]
        assert len((await api("GET", "/sessions")).json["sessions"]) == 2

    async def test_counts_no_ended_session(self, api: Call, records: Records) -> None:
        for session_id in (records.add(), records.add()):
            end = {"state": "completed", "reason": "You logged out.", "code": "LoggedOut"}
            records.say(session_id, "ended", end=end)
        assert (await api("POST", "/sessions")).status == 201
