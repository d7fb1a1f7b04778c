"""The desktop's clipboard for the session's page: text, in the directions that the site allows.

It speaks to the X server, so it works whatever streams the picture. (Moonlight's own way is one
way: its client types what was pasted.) X has no place for a clipboard: the program that offers a
text has to live and hand it to whoever asks (ICCCM 2, "Peer-to-Peer Communication by Means of
Selections"), which is what the thread here does.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import threading
import time
from collections import deque
from typing import Any

from Xlib import X, Xatom, error
from Xlib.display import Display
from Xlib.protocol import event

from ...model.limits import MAX_CLIPBOARD_BYTES as MAX_BYTES
from ...model.said import said_by
from .screen import Screen
from .xclient import connection

_SECONDS = 5.0  # for all of a text: one that comes byte by byte is cut
_PART_WORDS = 1 << 16
_WINDOWS = 4  # that are kept after their question
_IDLE_SECONDS = 0.5
_FAILURES = (error.DisplayError, error.XError, error.ConnectionClosedError, OSError)

TO_DESKTOP = ("both", "to_desktop")
FROM_DESKTOP = ("both", "from_desktop")


class Clipboard:
    """Reads and sets the CLIPBOARD selection of one display.

    Parameters
    ----------
    policy
        ``both``, ``to_desktop``, ``from_desktop`` or ``off``.
    """

    def __init__(self, screen: Screen, policy: str):
        self._screen = screen
        self.policy = policy
        self._owner: _Owner | None = None
        self._setting = asyncio.Lock()
        self._asked: deque[contextlib.ExitStack] = deque()

    async def control(self, method: str, body: Any) -> tuple[int, Any]:
        """``GET /clipboard`` and ``PUT /clipboard``: status and JSON.

        A text that is too long to be read is cut at its end; ``length`` is in characters.
        """
        allowed = {"GET": FROM_DESKTOP, "PUT": TO_DESKTOP}.get(method)
        if allowed is None:
            return 405, {"message": "A clipboard is read or set.", "code": "method_not_allowed"}
        if self.policy not in allowed:
            where = "out of" if method == "GET" else "into"
            message = f"This site lets no clipboard text {where} the desktop."
            return 403, {"message": message, "code": "clipboard_off"}
        try:
            if method == "GET":
                text, truncated = await asyncio.to_thread(self._read)
                return 200, {"text": text, "truncated": truncated}
            return await self._put(body)
        except _FAILURES as e:
            message = f"The X server does not answer: {said_by(e)}. Try again in a moment."
            return 502, {"message": message, "code": "host_away"}

    def stop(self) -> None:
        """Give the selection up."""
        if self._owner:
            self._owner.stop()
            self._owner = None
        self._forget_windows(0)

    async def _put(self, body: Any) -> tuple[int, Any]:
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str):
            return 400, _wrong("text must be a text.")
        data = text.encode("utf-8", "replace")
        if len(data) > MAX_BYTES:
            message = f"text has {len(data)} bytes; at most {MAX_BYTES} are taken."
            return 413, _wrong(message, "text_too_long")
        async with self._setting:  # who is the last to take the selection is the one to remember
            owner = _Owner(self._screen, data)
            await asyncio.to_thread(owner.start)
            if self._owner:
                self._owner.stop()
            self._owner = owner
        return 200, {"length": len(text)}

    def _read(self) -> tuple[str, bool]:
        with contextlib.ExitStack() as stack:
            x = stack.enter_context(connection(self._screen))
            owner = x.get_selection_owner(x.intern_atom("CLIPBOARD"))
            if self._owner and self._owner.is_window(owner):
                return self._owner.data.decode(), False
            text = _ask_for_text(x)
            x.sync()
            # Who was asked may still speak to our window (xsel does, and slow programs), and X
            # programs die of a window that is gone.
            self._asked.append(stack.pop_all())
        self._forget_windows(_WINDOWS)
        return text

    def _forget_windows(self, keep: int) -> None:
        while len(self._asked) > keep:
            with contextlib.suppress(IndexError, *_FAILURES):  # another thread, or X has ended
                self._asked.popleft().close()


def _ask_for_text(x: Display) -> tuple[str, bool]:
    window = x.screen().root.create_window(
        0, 0, 1, 1, 0, X.CopyFromParent, event_mask=X.PropertyChangeMask
    )
    deadline = time.monotonic() + _SECONDS
    for target, encoding in (("UTF8_STRING", "utf-8"), ("STRING", "latin-1")):
        data, answered = _convert(x, window, target, deadline)
        if data is not None:
            text = data[:MAX_BYTES].decode(encoding, "ignore")
            return text, len(data) > MAX_BYTES or not answered
        if not answered:
            break
    return "", False


def _convert(x: Display, window: Any, target: str, deadline: float) -> tuple[bytes | None, bool]:
    """The selection as ``target``, None if its owner has none of that kind; and whether it has
    answered to the end."""
    selection, kind = x.intern_atom("CLIPBOARD"), x.intern_atom(target)
    place, incremental = x.intern_atom("MOONLIGHT_CLIPBOARD"), x.intern_atom("INCR")
    window.convert_selection(selection, kind, place, X.CurrentTime)
    answer = _next(x, X.SelectionNotify, lambda e: e.requestor == window, deadline)
    if answer is None or answer.property == X.NONE:
        return None, answer is not None
    found = _take(window, place)
    if found is None or found.property_type != incremental:
        return (None if found is None else _bytes(found.value)), True
    data = b""
    # To the end, whatever of it is kept: an owner that is left alone in the middle answers nobody
    # any more (xclip), and the user's text is lost.
    while part := _next_part(x, window, place, deadline):
        data += part if len(data) <= MAX_BYTES else b""
    return data, part is not None


def _next_part(x: Display, window: Any, place: int, deadline: float) -> bytes | None:
    """Empty at the end; None if it does not come."""
    x.flush()
    new = _next(
        x,
        X.PropertyNotify,
        lambda e: e.atom == place and e.state == X.PropertyNewValue,
        deadline,
    )
    part = _take(window, place) if new else None
    return None if part is None else _bytes(part.value)


def _take(window: Any, place: int) -> Any:
    found = window.get_full_property(place, X.AnyPropertyType, _PART_WORDS)
    window.delete_property(place)
    return found


def _bytes(value: Any) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else bytes(value)


def _next(x: Display, kind: int, wanted: Any, deadline: float) -> Any:
    while True:
        while x.pending_events():
            one = x.next_event()
            if one.type == kind and wanted(one):
                return one
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        select.select([x], [], [], left)


class _Owner:
    """Owns the selection and hands its text out until another program takes it."""

    def __init__(self, screen: Screen, data: bytes):
        self.data = data
        self._holds = False
        self._screen = screen
        self._stopping = threading.Event()
        self._x: Display
        self._window: Any

    def start(self) -> None:
        """Take the selection; the thread begins to answer."""
        with contextlib.ExitStack() as stack:
            self._x = stack.enter_context(connection(self._screen))
            self._window = self._x.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
            self._targets = self._x.intern_atom("TARGETS")
            self._utf8 = self._x.intern_atom("UTF8_STRING")
            self._window.set_selection_owner(self._x.intern_atom("CLIPBOARD"), X.CurrentTime)
            self._x.sync()
            self._holds = True
            threading.Thread(
                target=self._serve, args=(stack.pop_all(),), name="clipboard", daemon=True
            ).start()

    def stop(self) -> None:
        self._stopping.set()

    def is_window(self, window: Any) -> bool:
        """Whether that is its window. An id means another one once its connection is closed."""
        return bool(window) and window.id == self._window.id and self._holds

    def _serve(self, connected: contextlib.ExitStack) -> None:
        with contextlib.suppress(*_FAILURES), connected:
            try:
                self._answer_all()
            finally:
                self._holds = False

    def _answer_all(self) -> None:
        while self._answer_some():
            if self._stopping.is_set():
                # Who has asked before that still gets an answer: X programs wait for one for ever.
                self._window.destroy()
                self._x.sync()
                self._answer_some()
                return
            select.select([self._x], [], [], _IDLE_SECONDS)

    def _answer_some(self) -> bool:
        """Answer who has asked by now; False once the selection is another program's."""
        while self._x.pending_events():
            one = self._x.next_event()
            if one.type == X.SelectionClear:
                return False
            if one.type == X.SelectionRequest:
                self._hand_out(one)
        return True

    def _hand_out(self, request: Any) -> None:
        place = request.property or request.target  # obsolete clients name no property
        window = request.requestor
        if request.target == self._targets:
            offered = [self._targets, self._utf8, Xatom.STRING]
            window.change_property(place, Xatom.ATOM, 32, offered)
        elif request.target == self._utf8:
            window.change_property(place, self._utf8, 8, self.data)
        elif request.target == Xatom.STRING:
            text = self.data.decode().encode("latin-1", "replace")
            window.change_property(place, Xatom.STRING, 8, text)
        else:
            place = X.NONE
        answer = event.SelectionNotify(
            time=request.time,
            requestor=window,
            selection=request.selection,
            target=request.target,
            property=place,
        )
        window.send_event(answer)
        self._x.sync()  # what X has not read is lost if the connection is closed now


def _wrong(message: str, code: str = "invalid_request") -> dict[str, Any]:
    fields = [{"field": "text", "value": None, "message": message}]
    return {"message": message, "code": code, "fields": fields}
