"""How the agent finds out that a desktop's window manager is there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from moonlight_spawner.agent.display import xclient
from moonlight_spawner.agent.display.screen import Screen
from moonlight_spawner.agent.display.xclient import connection, window_manager_present
from Xlib import X, error
from Xlib.display import Display

from .bare_x import Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.end()


def begin(x: Display) -> bool:
    """As a window manager begins; False if there seems to be another one, and it would end."""
    refused = error.CatchError(error.BadAccess)
    x.screen().root.change_attributes(event_mask=X.SubstructureRedirectMask, onerror=refused)
    x.sync()
    return refused.get_error() is None


def test_one_is_found_by_what_it_holds_or_by_what_it_says(server: Server) -> None:
    assert not window_manager_present(server.screen)
    manager = Display(server.display)
    assert begin(manager)
    assert window_manager_present(server.screen)
    manager.close()
    assert not window_manager_present(server.screen)
    other = Display(server.display)
    root = other.screen().root
    name = other.intern_atom("_NET_SUPPORTING_WM_CHECK")
    root.change_property(name, other.intern_atom("WINDOW"), 32, [root.id])
    other.sync()
    assert window_manager_present(server.screen)
    own = root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
    for window in (root, own):
        window.change_property(name, other.intern_atom("WINDOW"), 32, [own.id])
    other.sync()
    assert window_manager_present(server.screen)
    other.close()
    assert not window_manager_present(server.screen), "the property stays when its window goes"


def test_none_ends_because_it_is_looked_for_while_it_begins(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = Display(server.display)
    began = []

    @contextlib.contextmanager
    def held(screen: Screen) -> Iterator[Any]:
        with connection(screen) as x:
            yield x
            began.append(begin(manager))

    monkeypatch.setattr(xclient, "connection", held)
    xclient.window_manager_present(server.screen)
    assert began == [True], "it took the one who looks for another window manager"
    manager.close()
