"""The few things the agent itself asks of the X server. All block for a moment: call in a thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from Xlib import X, display, error
from Xlib.ext import randr
from Xlib.protocol import display as protocol
from Xlib.protocol import rq
from Xlib.support import connect

from .screen import COOKIE_KIND, Screen

FAILURES = (error.DisplayError, error.XError, error.ConnectionClosedError, OSError)


def window_manager_present(screen: Screen) -> bool:
    """``_NET_SUPPORTING_WM_CHECK`` names a window that is there (EWMH 1.5), or somebody holds
    SubstructureRedirect. One that was killed leaves the property behind, and its window not.

    Looked at, not tried out: one client at a time has that, and a window manager that started while
    we had it would take us for another one and end.
    """
    try:
        with connection(screen) as x:
            root = x.screen().root
            if root.get_attributes().all_event_masks & X.SubstructureRedirectMask:
                return True
            name = x.intern_atom("_NET_SUPPORTING_WM_CHECK")
            said = root.get_full_property(name, X.AnyPropertyType)
            window = x.create_resource_object("window", said.value[0]) if said else None
            return bool(window and window.get_full_property(name, X.AnyPropertyType))
    except FAILURES:
        return False


def size(screen: Screen) -> str | None:
    """How large the screen is, ``1280x720``; None if that cannot be learned."""
    try:
        with connection(screen) as x:
            geometry = x.screen().root.get_geometry()
            return f"{geometry.width}x{geometry.height}"
    except FAILURES:
        return None


def untouched(screen: Screen) -> float | None:
    """Seconds since the last key or move of the pointer; None where X does not say (MIT-SCREEN-SAVER).
    A program that plays a film and holds the screen saver back counts as somebody."""
    try:
        with connection(screen) as x:
            return float(x.screen().root.screensaver_query_info().idle) / 1000
    except (*FAILURES, AttributeError):
        return None


def resize(screen: Screen, width: int, height: int) -> bool:
    """Make the screen ``width`` x ``height`` pixels, within the size that Xvfb began with.

    Xvfb takes no size over its first one, so it begins with the largest a user may ask for.
    """
    try:
        with connection(screen) as x:
            root = x.screen().root
            resources = root.xrandr_get_screen_resources()
            crtc, output = resources.crtcs[0], resources.outputs[0]
            name = f"{width}x{height}"
            # (id, width, height, dot clock, 3 horizontal, skew, 3 vertical, name length, flags):
            # no monitor hangs on it, so no timing matters.
            mode = (0, width, height, 0, 0, 0, 0, 0, 0, 0, 0, len(name), 0)
            mode_id = root.xrandr_create_mode(mode, name).mode
            x.xrandr_add_output_mode(output, mode_id)
            now = resources.config_timestamp
            x.xrandr_set_crtc_config(crtc, now, 0, 0, mode_id, randr.Rotate_0, [output])
            millimetres = [round(side * 25.4 / 96) for side in (width, height)]
            root.xrandr_set_screen_size(width, height, *millimetres)
            x.sync()
            geometry = root.get_geometry()
            return (geometry.width, geometry.height) == (width, height)
    except (*FAILURES, IndexError, AttributeError):
        return False


class _UseExtension(rq.ReplyRequest):  # type: ignore[misc]  # Xlib has no types
    """XkbUseExtension (XKB protocol 1.0, chapter 16): nothing else is answered before it."""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(0),
        rq.RequestLength(),
        rq.Card16("major"),
        rq.Card16("minor"),
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Bool("supported"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card16("server_major"),
        rq.Card16("server_minor"),
        rq.Pad(20),
    )


class _LatchLockState(rq.Request):  # type: ignore[misc]
    """XkbLatchLockState: here it locks a group and leaves the modifiers alone."""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(5),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card8("affect_mod_locks"),
        rq.Card8("mod_locks"),
        rq.Bool("lock_group"),
        rq.Card8("group_lock"),
        rq.Card8("affect_mod_latches"),
        rq.Pad(2),
        rq.Bool("latch_group"),
        rq.Card16("group_latch"),
    )


_CORE_KEYBOARD = 0x100


def lock_keyboard_group(screen: Screen, group: int) -> bool:
    """Put a group of the keyboard's layouts in force, 0 for the first; False if X has no XKB."""
    try:
        with connection(screen) as x:
            opcode = x.query_extension("XKEYBOARD").major_opcode
            if not _UseExtension(x.display, opcode=opcode, major=1, minor=0).supported:
                return False
            _LatchLockState(
                x.display,
                opcode=opcode,
                device=_CORE_KEYBOARD,
                affect_mod_locks=0,
                mod_locks=0,
                lock_group=True,
                group_lock=group,
                affect_mod_latches=0,
                latch_group=False,
                group_latch=0,
            )
            x.sync()
            return True
    except (*FAILURES, AttributeError):
        return False


class _OwnWay:
    """Where python-xlib asks for a connection and a cookie.

    Its own way leads to the file of whoever owns /tmp/.X11-unix and, where that refuses, to whoever
    has a TCP port of this machine, with the cookie each time.
    """

    asked = threading.local()
    get_display = staticmethod(connect.get_display)

    @classmethod
    def get_socket(cls, name: str, *way: Any) -> Any:
        screen = getattr(cls.asked, "screen", None)
        return screen.connect() if screen else connect.get_socket(name, *way)

    @classmethod
    def get_auth(cls, *connected: Any) -> Any:
        screen = getattr(cls.asked, "screen", None)
        if screen is None:
            return connect.get_auth(*connected)
        return (COOKIE_KIND, screen.cookie) if screen.cookie else (b"", b"")


protocol.connect = _OwnWay


@contextlib.contextmanager
def connection(screen: Screen) -> Iterator[display.Display]:
    """A connection to the session's X server, and to nobody else.

    Raises
    ------
    Xlib.error.DisplayError, OSError
    """
    _OwnWay.asked.screen = screen
    try:
        connection = display.Display(screen.name)
    finally:
        del _OwnWay.asked.screen
    try:
        yield connection
    finally:
        connection.close()
