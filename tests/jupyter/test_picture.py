"""The small picture of a real desktop: true, its user's alone, gone when it is hidden."""

from __future__ import annotations

import contextlib
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from moonlight_jupyter.picture import _jpeg
from moonlight_spawner.model.limits import MAX_PICTURE_BYTES
from moonlight_spawner.model.session import Session
from PIL import Image, ImageChops

from tests.support.waiting import wait_for

from . import raw
from .clipboards import Display
from .conftest import Call
from .node import Node
from .process import Portal
from .sessions import contents
from .test_api_answers import API_MD

RED = (0xC0, 0x10, 0x20)


@pytest.fixture
def path(desktop: Session) -> str:
    return f"/sessions/{desktop.session_id}/picture"


@pytest.fixture
def shown(api: Call, path: str, jp_asyncio_loop: Any) -> Iterator[None]:
    """However a test leaves it."""
    yield
    jp_asyncio_loop.run_until_complete(api("PUT", path, shown=True))


class OfTheDesktop:
    """The server knows the desktop that another process started."""

    @pytest.fixture
    def sessions_dir(self, desktop_dir: Path, desktop: Session) -> Path:
        return desktop_dir


def refusal(answer: raw.Answer) -> tuple[int, str]:
    assert f"\n| {answer.status} | `{answer.code}` |" in API_MD.read_text("utf-8")
    return answer.status, answer.code


@pytest.mark.usefixtures("shown")
class TestOfADesktop(OfTheDesktop):
    async def test_the_session_says_whether_it_is_shown(
        self, api: Call, path: str, desktop: Session
    ) -> None:
        async def said() -> str:
            state: str = (await api("GET", f"/sessions/{desktop.session_id}")).json["picture"]
            return state

        assert await said() == "shown"
        await api("PUT", path, shown=False)
        assert await said() == "hidden"

    async def test_it_is_in_no_file_of_the_session(
        self, call: Call, path: str, desktop: Session, desktop_dir: Path
    ) -> None:
        answer = await call("GET", "/api/moonlight" + path)
        headers = ("content-type", "cache-control", "x-content-type-options")
        told = [answer.header(name) for name in headers]
        assert told == ["image/jpeg", "no-store", "nosniff"]
        data = answer.body
        assert data[:3] == b"\xff\xd8\xff" and len(data) <= MAX_PICTURE_BYTES
        places = [Display(desktop).runtime, *desktop_dir.glob(f"*/{desktop.session_id}")]
        files = [file for place in places for file in place.rglob("*") if file.is_file()]
        assert len(files) > 5
        assert not [file for file in files if data[200:300] in contents(file)]

    async def test_what_is_no_word_about_it_is_refused(self, api: Call, path: str) -> None:
        for body in (b"{}", b"true", b'{"shown": 1}', b'{"shown": true, "x": 1}', b"[]", b"{"):
            assert refusal(await api("PUT", path, body=body)) == (400, "invalid_request"), body


class TestOfNoDesktop:
    async def test_that_runs(self, api: Call, records: Any) -> None:
        path = f"/sessions/{records.add('starting')}/picture"
        assert refusal(await api("GET", path)) == (409, "not_running")
        assert refusal(await api("PUT", path, shown=True)) == (409, "not_running")

    async def test_whose_node_sends_something_else(
        self, api: Call, node: Node, recorded: str
    ) -> None:
        """A node is its user's: what it calls a picture is none until it looks like one."""
        path = f"/sessions/{recorded}/picture"
        assert refusal(await api("GET", path)) == (502, "node_away")
        assert node.control.asked == ["GET /picture"]


@pytest.mark.parametrize(
    "sent",
    [None, 1, "", "x", "PHNjcmlwdD4=", "/9j/4A", ["/9j/"], "/9j/" + "A" * 200_000, "/9j/\n4AAQ"],
)
def test_what_does_not_look_like_a_picture_is_none(sent: Any) -> None:
    assert _jpeg(sent) is None


def test_what_looks_like_one_is_one() -> None:
    assert _jpeg("/9j/4AAQ") == b"\xff\xd8\xff\xe0\x00\x10"


def test_it_shows_what_is_on_the_screen_and_then_what_is_new_there(
    portal: Portal, desktop: Session
) -> None:
    address = f"api/moonlight/sessions/{desktop.session_id}/picture"
    with portal.client() as client:

        def new() -> httpx.Response:
            """Not the one that is kept for half a minute."""
            for shown in (False, True):
                assert client.put(address, json={"shown": shown}).json() == {"shown": shown}
            return client.get(address)

        with covered(Display(desktop), RED):
            wait_for(lambda: is_of(new(), RED))
            first = client.get(address)
            etag = {"If-None-Match": first.headers["etag"]}
            again = client.get(address, headers=etag)
            assert (again.status_code, again.content) == (304, b"")
        wait_for(lambda: not is_of(new(), RED))
        assert client.get(address, headers=etag).status_code == 200


def test_it_needs_the_login_and_the_xsrf_token(portal: Portal, desktop: Session) -> None:
    path = f"api/moonlight/sessions/{desktop.session_id}/picture"

    def refused(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["error"]["code"]

    with portal.client(login=False) as stranger:
        assert refused(stranger.get(path)) == (403, "forbidden")
        assert refused(stranger.put(path, json={"shown": True})) == (403, "forbidden")
    with portal.browser() as browser:
        assert refused(browser.put(path, json={"shown": False})) == (403, "forbidden")
        answer = browser.get(path)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@contextlib.contextmanager
def covered(display: Display, colour: tuple[int, int, int]) -> Iterator[None]:
    """The screen under one window, as a program has it that takes all of it."""
    name = "#{:02x}{:02x}{:02x}".format(*colour)
    argv = ["xterm", "-geometry", "400x200+0+0", "-b", "0", "+sb"]
    argv += ["-bg", name, "-fg", name, "-cr", name, "-e", "sleep", "1000"]
    with subprocess.Popen(argv, env=display.env) as process:
        try:
            yield
        finally:
            process.kill()


def is_of(answer: httpx.Response, colour: tuple[int, int, int]) -> bool:
    """Whether most of the picture is of that colour."""
    assert answer.status_code == 200, answer.text
    found = Image.open(io.BytesIO(answer.content)).convert("RGB")
    flat = Image.new("RGB", found.size, colour)
    apart = ImageChops.difference(found, flat).convert("L").histogram()
    return sum(apart[:30]) > sum(apart) / 2
