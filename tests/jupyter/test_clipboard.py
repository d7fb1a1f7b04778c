"""Text between the user and the clipboard of a real desktop, both ways, and where it may not go."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from moonlight_spawner.agent.display.clipboard import MAX_BYTES
from moonlight_spawner.model.files import write_private
from moonlight_spawner.model.job import JobState
from moonlight_spawner.model.session import End, Session, State
from moonlight_spawner.scheduler.local import read_job

from . import raw
from .clipboards import PROGRAMS, Display
from .conftest import Call
from .node import Node
from .process import Portal
from .selection_owner import LATIN_1
from .sessions import Records, contents, site_config, start_desktop, stop_all
from .test_api_answers import API_MD

KOREAN = "안녕하세요, 세계! 클립보드 🖥️"
TEXTS = [
    "plain",
    KOREAN,
    "two\nlines and a last one\n",
    "\ttabs, \r\n and \\ \" ' $(reboot) <b>&amp;</b>\x1b[31m",
    "x" * MAX_BYTES,
    "가" * (MAX_BYTES // 3),
]
SHORT = [repr(text)[:20] for text in TEXTS]
NO_TEXT = [
    *(b"", b"null", b"1", b'"text"', b"[]", b'[{"text": "x"}]', b"{}", b'{"text": null}'),
    *(b'{"text": 1}', b'{"text": true}', b'{"text": ["x"]}', b'{"text": {}}', b'{"Text": "x"}'),
    *(b"{", b"text=x", b"\xff", b'{"text": "\xff"}', b'{"text": NaN}', b'{"text": "x"} x'),
]


@pytest.fixture
def display(desktop: Session) -> Display:
    return Display(desktop)


@pytest.fixture
def path(desktop: Session) -> str:
    return f"/sessions/{desktop.session_id}/clipboard"


def refusal(answer: raw.Answer) -> tuple[int, str]:
    assert len(answer.body) < 1000, "an error repeats what was sent"
    assert f"\n| {answer.status} | `{answer.code}` |" in API_MD.read_text("utf-8")
    return answer.status, answer.code


class OfTheDesktop:
    """The server knows the desktop that another process started."""

    @pytest.fixture
    def sessions_dir(self, desktop_dir: Path, desktop: Session) -> Path:
        return desktop_dir


class TestIntoTheDesktop(OfTheDesktop):
    @pytest.mark.parametrize("program", PROGRAMS)
    @pytest.mark.parametrize("text", TEXTS, ids=SHORT)
    async def test_a_program_pastes_what_the_user_sent(
        self, api: Call, path: str, display: Display, program: str, text: str
    ) -> None:
        answer = await api("PUT", path, text=text)
        assert (answer.status, answer.json) == (200, {"length": len(text)})
        assert display.pasted(program) == text
        assert (await api("GET", path)).json == {"text": text, "truncated": False}

    async def test_an_empty_text_empties_it(self, api: Call, path: str, display: Display) -> None:
        await api("PUT", path, text="before")
        assert (await api("PUT", path, text="")).json == {"length": 0}
        assert display.pasted() == ""
        assert (await api("GET", path)).json == {"text": "", "truncated": False}

    async def test_half_a_character_becomes_a_mark(
        self, api: Call, path: str, display: Display
    ) -> None:
        assert (await api("PUT", path, body=b'{"text": "a\\ud83db"}')).status == 200
        assert display.pasted() == "a?b"

    async def test_every_character_may_be_an_escape(
        self, api: Call, path: str, display: Display
    ) -> None:
        text = "\x01" * MAX_BYTES
        assert (await api("PUT", path, text=text)).status == 200
        assert display.pasted() == text
        assert (await api("GET", path)).json == {"text": text, "truncated": False}

    async def test_of_texts_sent_at_once_one_is_there_whole(
        self, api: Call, path: str, display: Display
    ) -> None:
        texts = [f"{n} " * 1000 for n in range(8)]
        answers = await asyncio.gather(*[api("PUT", path, text=text) for text in texts])
        assert [answer.status for answer in answers] == [200] * 8
        found = display.pasted()
        assert found in texts
        assert (await api("GET", path)).json["text"] == found

    async def test_a_program_may_take_it_over_and_the_user_again(
        self, api: Call, path: str, display: Display
    ) -> None:
        await api("PUT", path, text="of the user")
        with display.copied("of a program"):
            assert (await api("GET", path)).json["text"] == "of a program"
            await api("PUT", path, text="of the user again")
            assert display.pasted() == "of the user again"
            assert (await api("GET", path)).json["text"] == "of the user again"

    @pytest.mark.parametrize(
        "text",
        [
            "x" * (MAX_BYTES + 1),
            "가" * (MAX_BYTES // 3 + 1),
            "é" * 1_000_000,  # fits the portal's limit as it is, not the node's as escapes
            "x" * 3_000_000,
        ],
        ids=["a byte", "korean", "escaped", "megabytes"],
    )
    async def test_too_much_is_refused_whole(
        self, api: Call, path: str, display: Display, text: str
    ) -> None:
        await api("PUT", path, text="before")
        body = json.dumps({"text": text}, ensure_ascii=False).encode()
        answer = await api("PUT", path, body=body)
        assert refusal(answer) == (413, "text_too_long")
        assert [field["field"] for field in answer.json["error"]["fields"]] == ["text"]
        assert f"at most {MAX_BYTES}" in answer.json["message"]
        assert f"{MAX_BYTES:,} bytes".replace(",", " ") in API_MD.read_text("utf-8")
        assert display.pasted() == "before"

    async def test_what_has_no_text_is_refused(
        self, api: Call, path: str, display: Display
    ) -> None:
        await api("PUT", path, text="before")
        for body in NO_TEXT:
            answer = await api("PUT", path, body=body)
            assert refusal(answer) == (400, "invalid_request"), body
            (field,) = answer.json["error"]["fields"]
            assert field["field"] in ("text", "body") and field["message"]
        assert display.pasted() == "before"

    async def test_nesting_of_any_depth_is_refused(self, api: Call, path: str) -> None:
        # Around its recursion limit one Python parses what the next cannot write or read.
        for depth in [2, 90, *range(700, 1000, 7), 5000, 32_000]:
            nested = "[" * depth + "]" * depth
            for body in (nested, f'{{"text": {nested}}}', f'{{"text": 1, "more": {nested}}}'):
                answer = await api("PUT", path, body=body.encode())
                assert refusal(answer) == (400, "invalid_request"), depth


class TestOutOfTheDesktop(OfTheDesktop):
    @pytest.mark.parametrize("program", PROGRAMS)
    @pytest.mark.parametrize("text", TEXTS, ids=SHORT)
    async def test_the_user_gets_what_a_program_copied(
        self, api: Call, path: str, display: Display, program: str, text: str
    ) -> None:
        with display.copied(text, program):
            answer = await api("GET", path)
        assert (answer.status, answer.json) == (200, {"text": text, "truncated": False})

    @pytest.mark.parametrize("program", PROGRAMS)
    @pytest.mark.parametrize("letter", ["x", "가"])
    async def test_the_beginning_of_more_than_that(
        self, api: Call, path: str, display: Display, program: str, letter: str
    ) -> None:
        text = letter * 500_000
        with display.copied(text, program):
            for _ in range(2):
                answer = (await api("GET", path)).json
                assert answer["truncated"] is True
                assert answer["text"] == letter * (MAX_BYTES // len(letter.encode()))
            assert display.pasted() == text, "others still get all of it"

    async def test_nothing_where_nobody_has_copied(
        self, api: Call, path: str, display: Display
    ) -> None:
        with display.copied("of a program that ends"):
            pass
        answer = await api("GET", path)
        assert (answer.status, answer.json) == (200, {"text": "", "truncated": False})

    @pytest.mark.parametrize("manners, text", [("latin-1", LATIN_1), ("picture", "")])
    async def test_an_owner_without_unicode(
        self, api: Call, path: str, display: Display, manners: str, text: str
    ) -> None:
        with display.owned(manners):
            answer = await api("GET", path)
            assert (answer.status, answer.json) == (200, {"text": text, "truncated": False})
            assert (await api("PUT", path, text="and then")).status == 200
            assert display.pasted() == "and then"

    @pytest.mark.parametrize("program", PROGRAMS)
    async def test_a_program_that_hangs_is_not_waited_for_and_not_harmed(
        self, api: Call, path: str, display: Display, program: str
    ) -> None:
        with display.copied("later", program) as process:
            process.suspend()
            answer = await api("GET", path)
            assert (answer.status, answer.json) == (200, {"text": "", "truncated": False})
            process.resume()
            assert display.pasted() == "later"
            assert (await api("GET", path)).json == {"text": "later", "truncated": False}

    async def test_an_owner_that_comes_to_no_end(
        self, api: Call, path: str, display: Display
    ) -> None:
        with display.owned("endless"):
            answer = await api("GET", path)
        assert (answer.status, answer.json["truncated"]) == (200, True)
        assert set(answer.json["text"]) <= {"x"}

    async def test_no_browser_keeps_it(self, api: Call, path: str) -> None:
        assert (await api("GET", path)).header("cache-control") == "no-store"


@pytest.fixture(scope="module", params=["to_desktop", "from_desktop", "off"])
def limited(
    request: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Session]]:
    """A running desktop, and where its records are. The server's own settings say nothing."""
    directory = tmp_path_factory.mktemp(request.param) / "sessions"
    try:
        session = start_desktop(site_config(directory, clipboard=request.param))
        assert session.clipboard == request.param
        yield directory, session
    finally:
        stop_all(directory)


class TestWhereTheSiteAllowsLess:
    @pytest.fixture
    def sessions_dir(self, limited: tuple[Path, Session]) -> Path:
        return limited[0]

    async def test_text_goes_the_allowed_way_only(
        self, api: Call, limited: tuple[Path, Session]
    ) -> None:
        session = limited[1]
        display, path = Display(session), f"/sessions/{session.session_id}/clipboard"
        with display.copied("of a program"):
            out = await api("GET", path)
            if session.clipboard == "from_desktop":
                assert (out.status, out.json["text"]) == (200, "of a program")
            else:
                assert refusal(out) == (403, "clipboard_off")
            into = await api("PUT", path, text="of the user")
            if session.clipboard == "to_desktop":
                assert into.status == 200 and display.pasted() == "of the user"
            else:
                assert refusal(into) == (403, "clipboard_off")
                assert display.pasted() == "of a program"


class TestWhereNoDesktopRuns:
    @pytest.fixture(params=["GET", "PUT"])
    def ask(self, api: Call, request: Any) -> Any:
        """A call that would be right for a desktop that runs."""

        def ask(session_id: str) -> Any:
            fields = {"text": "x"} if request.param == "PUT" else {}
            return api(request.param, f"/sessions/{session_id}/clipboard", **fields)

        return ask

    async def test_it_waits_in_the_queue(self, api: Call, ask: Any, records: Records) -> None:
        session_id = records.add()
        directory = records.store.directory(session_id)
        (directory / "status.json").unlink()
        job = read_job(directory)
        assert job
        job.state, job.started_at = JobState.PENDING, None
        write_private(directory / "local.json", job.model_dump_json())
        assert (await api("GET", f"/sessions/{session_id}")).json["status"] == "pending"
        assert refusal(await ask(session_id)) == (409, "not_running")

    async def test_it_starts(self, ask: Any, records: Records) -> None:
        assert refusal(await ask(records.add("starting"))) == (409, "not_running")

    async def test_it_has_ended(self, ask: Any, records: Records, node: Node) -> None:
        end = End(state=State.COMPLETED, code="LoggedOut", reason="You logged out.")
        session_id = records.add("ended", gateway=node.gateway, end=end)
        assert refusal(await ask(session_id)) == (409, "not_running")
        assert node.control.asked == []

    async def test_it_cannot_be_reached(self, ask: Any, node: Node, recorded: str) -> None:
        node.go_away()
        assert refusal(await ask(recorded)) == (502, "node_away")

    async def test_nobody_knows_it(self, ask: Any) -> None:
        assert refusal(await ask("ml-root-aaaaaaaaaa")) == (404, "not_found")

    async def test_it_is_another_users(self, ask: Any, records: Records, node: Node) -> None:
        theirs = records.of_another("mallory", records.add(gateway=node.gateway))
        assert refusal(await ask(theirs)) == (404, "not_found")
        assert node.control.asked == []


def test_it_is_written_nowhere(
    desktop_dir: Path, desktop: Session, display: Display, tmp_path: Path
) -> None:
    """Not even by a server that tells everything, and not of what is refused."""
    into, out = secrets.token_hex(16), secrets.token_hex(16)
    path = f"api/moonlight/sessions/{desktop.session_id}/clipboard"
    wrong = [f'{{"text": "{into}"', f'{{"text": ["{into}"]}}', f'"{into}"', f"{into}", f"[{into}"]
    with Portal(tmp_path, desktop_dir, server={"log_level": "DEBUG"}) as portal:
        with portal.client() as client:
            assert client.put(path, json={"text": into}).status_code == 200
            assert display.pasted() == into
            answers = [client.put(path, content=body) for body in wrong]
            answers.append(client.put(path, json={"text": into * 10_000}))
            answers.append(client.put(path.replace("-", "_"), json={"text": into}))
            assert [answer.status_code for answer in answers] == [400] * 5 + [413, 404]
            assert not any(into in answer.text for answer in answers)
            with display.copied(out):
                assert client.get(path).json()["text"] == out
        assert path in portal.log()
    records = desktop_dir.glob(f"*/{desktop.session_id}")
    for directory in (tmp_path, display.runtime, *records):
        files = [found for found in directory.rglob("*") if found.is_file()]
        assert files
        for file in files:
            data = contents(file)
            assert into.encode() not in data and out.encode() not in data, file


def test_it_needs_the_login_and_the_xsrf_token(portal: Portal, desktop: Session) -> None:
    path = f"api/moonlight/sessions/{desktop.session_id}/clipboard"

    def refused(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["error"]["code"]

    with portal.client(login=False) as stranger:
        assert refused(stranger.get(path)) == (403, "forbidden")
        assert refused(stranger.put(path, json={"text": "x"})) == (403, "forbidden")
    with portal.browser() as browser:
        assert refused(browser.put(path, json={"text": "x"})) == (403, "forbidden")
        browser.get("moonlight/")
        headers = {"X-XSRFToken": browser.cookies["_xsrf"]}
        assert browser.put(path, json={"text": KOREAN}, headers=headers).status_code == 200
        assert browser.get(path).json()["text"] == KOREAN
