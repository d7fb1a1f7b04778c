"""The agent's clipboard and its X server: who owns the selection, and what when X is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from moonlight_spawner.agent.display.clipboard import Clipboard
from Xlib import X
from Xlib.display import Display

from tests.support.waiting import wait_until

from .bare_x import Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.end()


@pytest.fixture
def clipboard(server: Server) -> Iterator[Clipboard]:
    clipboard = Clipboard(server.screen, "both")
    yield clipboard
    clipboard.stop()


def ask(clipboard: Clipboard, method: str, text: str | None = None) -> tuple[int, Any]:
    return asyncio.run(clipboard.control(method, {"text": text}))


def owners() -> int:
    return sum(thread.name == "clipboard" for thread in threading.enumerate())


def test_it_gives_the_selection_up_when_it_is_stopped(server: Server, clipboard: Clipboard) -> None:
    assert ask(clipboard, "PUT", "mine") == (200, {"length": 4})
    assert server.pasted() == "mine"
    clipboard.stop()
    assert wait_until(lambda: server.pasted() is None)
    assert ask(clipboard, "GET") == (200, {"text": "", "truncated": False})


def test_one_owner_is_left_of_many(server: Server, clipboard: Clipboard) -> None:
    for n in range(20):
        assert ask(clipboard, "PUT", f"text {n}")[0] == 200
    assert wait_until(lambda: owners() == 1), owners()
    assert server.pasted() == "text 19"


def test_an_owner_with_the_window_id_of_an_earlier_one_is_another(
    server: Server, clipboard: Clipboard
) -> None:
    other = Clipboard(server.screen, "both")
    assert ask(clipboard, "PUT", "mine")[0] == 200
    assert ask(other, "PUT", "of another")[0] == 200
    assert wait_until(lambda: owners() == 1)
    for n in range(3):  # X gives ids of connections that are closed again
        assert ask(other, "PUT", f"of another, {n}")[0] == 200
        assert ask(clipboard, "GET")[1]["text"] == f"of another, {n}"
    other.stop()


def test_who_asked_just_before_another_program_took_over_is_answered(
    server: Server, clipboard: Clipboard
) -> None:
    x = Display(server.display)
    name, place = x.intern_atom("CLIPBOARD"), x.intern_atom("PLACE")

    def answered() -> bool:
        return any(x.next_event().type == X.SelectionNotify for _ in range(x.pending_events()))

    for n in range(50):
        assert ask(clipboard, "PUT", f"text {n}")[0] == 200
        window = x.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        window.convert_selection(name, x.intern_atom("UTF8_STRING"), place, X.CurrentTime)
        window.set_selection_owner(name, X.CurrentTime)  # both arrive there at once
        x.sync()
        assert wait_until(answered), f"no answer at {n}"
        assert window.get_full_property(place, X.AnyPropertyType).value == f"text {n}".encode()
        window.destroy()
    x.close()


def test_it_says_so_when_there_is_no_x_server(server: Server, clipboard: Clipboard) -> None:
    other = Clipboard(server.screen, "both")
    assert ask(other, "PUT", "of another")[0] == 200
    assert ask(clipboard, "GET")[0] == 200  # it knows the server, and has a window there
    server.end()
    for method in ("GET", "PUT"):
        for each in (clipboard, other):
            status, answer = ask(each, method, "x")
            assert (status, answer["code"]) == (502, "host_away")
            assert "X server" in answer["message"]
    other.stop()
    clipboard.stop()
    assert wait_until(lambda: owners() == 0)
