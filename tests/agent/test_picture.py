"""The small picture of a desktop: of any screen, small and true, and only while its user shows it."""

from __future__ import annotations

import asyncio
import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.agent.display.screen import Screen
from moonlight_spawner.agent.display.xclient import connection
from moonlight_spawner.agent.preview import Preview
from moonlight_spawner.agent.preview.grab import MAX_HEIGHT, MAX_WIDTH, encoded, picture
from moonlight_spawner.agent.preview.preview import SECONDS
from moonlight_spawner.model.limits import MAX_PICTURE_BYTES as MAX_BYTES
from PIL import Image
from Xlib import X

from .bare_x import Server

RED, BLUE = 0xE01010, 0x1010E0


@pytest.fixture(params=["320x200", "3840x2160", "5120x720"])
def server(request: Any) -> Iterator[Server]:
    server = Server(request.param)
    yield server
    server.end()


@pytest.fixture
def small() -> Iterator[Server]:
    server = Server()
    yield server
    server.end()


class Painted:
    """The left half of a screen in one colour, by a window as programs have them; the right in another."""

    def __init__(self, screen: Screen):
        self._screen = screen

    def __enter__(self) -> Painted:
        self._connection = connection(self._screen)
        self._x = self._connection.__enter__()
        self.paint(RED, BLUE)
        return self

    def paint(self, left: int, right: int) -> None:
        screen = self._x.screen()
        width, height = screen.width_in_pixels, screen.height_in_pixels
        for at, fill in ((0, left), (width // 2, right)):
            window = screen.root.create_window(
                at, 0, width // 2, height, 0, X.CopyFromParent, background_pixel=fill
            )
            window.map()
        self._x.sync()

    def clear(self) -> None:
        screen = self._x.screen()
        width, height = screen.width_in_pixels, screen.height_in_pixels
        window = screen.root.create_window(
            0, 0, width, height, 0, X.CopyFromParent, background_pixel=0
        )
        window.map()
        self._x.sync()

    def __exit__(self, *failed: Any) -> None:
        self._connection.__exit__(*failed)


def preview(server: Server, allowed: bool = True, shown: bool = True) -> Preview:
    return Preview(server.screen, allowed, shown, lambda _: None)


def ask(one: Preview, method: str = "GET", **body: Any) -> tuple[int, Any]:
    return asyncio.run(one.control(method, body))


def image(answer: tuple[int, Any]) -> Image.Image:
    assert answer[0] == 200, answer
    data = base64.b64decode(answer[1]["jpeg"], validate=True)
    assert len(data) <= MAX_BYTES
    return Image.open(io.BytesIO(data))


def colour(found: Image.Image, at: float) -> str:
    r, g, b = found.convert("RGB").getpixel((int(found.width * at), found.height // 2))  # type: ignore[misc]
    assert g < 60
    return "red" if r > 150 > b else "blue" if b > 150 > r else f"{r},{g},{b}"


def test_it_is_all_of_the_screen_and_small(server: Server) -> None:
    with Painted(server.screen) as painted:
        found = image(ask(preview(server)))
        screen = painted._x.screen()
        ratio = screen.width_in_pixels / screen.height_in_pixels
    assert found.width <= MAX_WIDTH and found.height <= MAX_HEIGHT
    assert found.width == min(MAX_WIDTH, screen.width_in_pixels)
    assert abs(found.width / found.height / ratio - 1) < 0.02
    seen = [colour(found, at) for at in (0.02, 0.25, 0.48, 0.52, 0.75, 0.98)]
    assert seen == ["red"] * 3 + ["blue"] * 3


def test_lines_of_a_pixel_are_seen_in_it_and_none_is_left_out(small: Server) -> None:
    """Each pixel of a large screen counts: what is small there is pale, not gone."""
    big = Server("1920x1080")
    try:
        with connection(big.screen) as x:
            window = x.screen().root.create_window(
                0, 0, 1920, 1080, 0, X.CopyFromParent, background_pixel=0xFFFFFF
            )
            window.map()
            gc = window.create_gc(foreground=0)
            for left in range(0, 1880, 4):
                window.line(gc, left, 0, left, 1080)
            x.sync()
            found = image(ask(preview(big))).convert("L")
            found = found.crop((0, 0, 460, 270))
    finally:
        big.end()
    lightest, darkest = found.getextrema()[::-1]  # type: ignore[misc]
    assert 150 < darkest <= lightest < 230  # a quarter is black


def test_noise_is_no_larger_than_may_be() -> None:
    noise = Image.frombytes("RGB", (MAX_WIDTH, MAX_HEIGHT), os.urandom(MAX_WIDTH * MAX_HEIGHT * 3))
    assert len(encoded(noise)) <= MAX_BYTES
    assert Image.open(io.BytesIO(encoded(noise))).format == "JPEG"


def test_whoever_asks_within_half_a_minute_gets_the_same(
    small: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = preview(small)
    clock = [1000.0]
    monkeypatch.setattr("moonlight_spawner.agent.preview.preview.monotonic", lambda: clock[0])
    with Painted(small.screen) as painted:
        first = ask(one)
        painted.paint(BLUE, RED)
        clock[0] += SECONDS - 0.1
        assert ask(one) == first and colour(image(first), 0.25) == "red"
        clock[0] += 0.2
        assert colour(image(ask(one)), 0.25) == "blue"


def test_a_desktop_that_has_drawn_nothing_yet_is_looked_at_again(
    small: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Painted(small.screen) as painted:
        drawn = picture(small.screen)
        painted.clear()
        blank = picture(small.screen)
    assert (drawn[1], blank[1]) == (False, True)
    looks = iter([blank, blank, drawn])
    module = "moonlight_spawner.agent.preview.preview"
    monkeypatch.setattr(f"{module}.picture", lambda _: next(looks))
    monkeypatch.setattr(f"{module}._BLANK_SECONDS", 0.0)
    assert base64.b64decode(ask(preview(small))[1]["jpeg"]) == drawn[0]
    monkeypatch.setattr(f"{module}.picture", lambda _: blank)
    assert base64.b64decode(ask(preview(small))[1]["jpeg"]) == blank[0], "some screens are black"


def test_many_who_ask_at_once_have_it_taken_once(
    small: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setattr(
        "moonlight_spawner.agent.preview.preview.picture",
        lambda screen: (taken.append(screen), (b"picture", False))[1],
    )

    async def all_at_once() -> None:
        one = preview(small)
        answers = await asyncio.gather(*[one.control("GET", None) for _ in range(20)])
        assert {status for status, _ in answers} == {200}

    asyncio.run(all_at_once())
    assert len(taken) == 1


def test_what_its_user_has_hidden_is_not_taken_and_not_kept(small: Server) -> None:
    heard: list[str] = []
    one = Preview(small.screen, True, True, heard.append)
    with Painted(small.screen):
        first = image(ask(one))
    assert ask(one, "PUT", shown=False) == (200, {"shown": False})
    assert (heard, one.state, ask(one)[0], ask(one)[1]["code"]) == (
        ["hidden"],
        "hidden",
        409,
        "picture_hidden",
    )
    assert one._data == b""
    ask(one, "PUT", shown=False)
    with Painted(small.screen) as painted:
        painted.paint(BLUE, RED)
        assert ask(one, "PUT", shown=True) == (200, {"shown": True})
        assert heard == ["hidden", "shown"], "each change once"
        assert image(ask(one)).tobytes() != first.tobytes(), "not the one from before"


def test_what_was_under_way_while_it_was_hidden_is_not_shown(
    small: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hide_meanwhile() -> None:
        one = preview(small)

        def taken(screen: Screen) -> tuple[bytes, bool]:
            loop.call_soon_threadsafe(one._show, {"shown": False})
            return b"confidential", False

        monkeypatch.setattr("moonlight_spawner.agent.preview.preview.picture", taken)
        loop = asyncio.get_running_loop()
        assert (await one.control("GET", None))[0] == 409
        one._show({"shown": True})
        assert one._data == b""

    asyncio.run(hide_meanwhile())


def test_a_desktop_may_begin_hidden_and_a_site_has_none(small: Server) -> None:
    hidden = preview(small, shown=False)
    assert (hidden.state, ask(hidden)[1]["code"]) == ("hidden", "picture_hidden")
    off = preview(small, allowed=False)
    for method, body in (("GET", {}), ("PUT", {"shown": True})):
        status, answer = ask(off, method, **body)
        assert (status, answer["code"], off.state) == (403, "picture_off", "off")


@pytest.mark.parametrize("shown", [None, 1, "true", [], {}])
def test_what_is_no_answer_to_whether_it_is_shown_changes_nothing(
    small: Server, shown: Any
) -> None:
    one = preview(small)
    status, answer = ask(one, "PUT", shown=shown)
    assert (status, answer["fields"][0]["field"], one.state) == (400, "shown", "shown")
    assert ask(one, "DELETE")[0] == 405


def test_an_x_server_that_is_gone_is_told(small: Server) -> None:
    small.end()
    status, answer = ask(preview(small))
    assert (status, answer["code"]) == (502, "picture_failed")


def test_another_who_sits_on_the_display_is_asked_for_nothing(small: Server) -> None:
    """The X server alone is spoken to, by its process."""
    other = Screen(small.screen.display, os.getpid(), b"cookie")
    one = Preview(other, True, True, lambda _: None)
    status, answer = ask(one)
    assert status == 502 and "another process" in answer["message"]


def test_it_is_in_no_file(small: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with Painted(small.screen):
        image(ask(preview(small)))
    assert list(tmp_path.iterdir()) == []
