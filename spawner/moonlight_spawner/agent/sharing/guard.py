"""What of a guest's words reaches the streaming host: his WebSocket, read frame by frame on the way there.

Three kinds are told apart by a list of what is allowed, so that whatever another version of the host
understands besides is not. What a watching client says goes on; keyboard and mouse go to :mod:`.hands`,
if the invitation has control at that moment; everything else (clipboard, sizes, settings, commands, gamepads,
microphone, compressed texts) ends here. The host holds a viewer to less than that by itself (selkies'
``input_handler.VIEWER_ALLOWED_PREFIXES``), which this does not rely on.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..hosts.joined import TEXT

_CONTINUED, _CLOSE, _PING, _PONG = 0x0, 0x8, 0x9, 0xA
_LAST, _RESERVED, _MASKED = 0x80, 0x70, 0x80
#: Of one message; selkies' own longest, its settings, has some 2 KiB.
MAX_MESSAGE_BYTES = 1 << 16

_WATCHES = re.compile(r"SETTINGS,\{.*\}|START_VIDEO|STOP_VIDEO|REQUEST_KEYFRAME", re.DOTALL)
_NUMBER = r"-?[0-9]{1,9}"
_ACTS = re.compile(
    rf"k[du],[0-9]{{1,10}}|kh(,[0-9]{{1,10}}){{0,64}}|kr|m2?(,{_NUMBER}){{4,5}}|co,end,.{{1,256}}",
    re.DOTALL,
)


class NotAllowed(Exception):
    """These bytes are no WebSocket as a browser speaks it: the connection has to end."""


class Guard:
    """Called with what comes, gives what goes on.

    Parameters
    ----------
    act
        Gets what is typed and pointed at, message by message.
    """

    def __init__(self, act: Callable[[str], None]):
        self._act = act
        self._unread = b""
        self._kind = 0  # of a message that has begun
        self._begun = b""

    def __call__(self, data: bytes) -> bytes:
        """
        Raises
        ------
        NotAllowed
        """
        self._unread += data
        passed = b""
        while (frame := self._next()) is not None:
            first, payload = frame
            passed += self._take(first & 0x0F, bool(first & _LAST), payload)
        return passed

    def _take(self, kind: int, last: bool, payload: bytes) -> bytes:
        if kind in (_CLOSE, _PING, _PONG):
            if not last or len(payload) > 125:
                raise NotAllowed("a control frame in parts")
            return _frame(kind, payload)
        if (kind == _CONTINUED) != bool(self._kind):
            raise NotAllowed("a message within a message")
        self._kind = self._kind or kind
        self._begun += payload
        if len(self._begun) > MAX_MESSAGE_BYTES:
            raise NotAllowed("a message that is too long")
        if not last:
            return b""
        kind, whole = self._kind, self._begun
        self._kind, self._begun = 0, b""
        return self._decide(whole) if kind == TEXT else b""

    def _decide(self, message: bytes) -> bytes:
        try:
            text = message.decode()
        except UnicodeDecodeError as e:
            raise NotAllowed("a text that is none") from e
        if _WATCHES.fullmatch(text):
            return _frame(TEXT, message)
        if _ACTS.fullmatch(text):
            self._act(text)
        return b""

    def _next(self) -> tuple[int, bytes] | None:
        """The next frame's first byte and payload, if all of it is there."""
        head = self._unread[:10]
        if len(head) < 2:
            return None
        first, second = head[0], head[1]
        if first & _RESERVED or not second & _MASKED:  # RFC 6455, 5.1 and 5.2
            raise NotAllowed("a frame that no browser sends")
        size, at = second & 0x7F, 2
        if size > 125:
            at = {126: 4, 127: 10}[size]
            if len(head) < at:
                return None
            size = int.from_bytes(head[2:at], "big")
        if size > MAX_MESSAGE_BYTES:
            raise NotAllowed("a message that is too long")
        if len(self._unread) < at + 4 + size:
            return None
        mask, payload = self._unread[at : at + 4], self._unread[at + 4 : at + 4 + size]
        self._unread = self._unread[at + 4 + size :]
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        return first, (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


def _frame(kind: int, payload: bytes) -> bytes:
    """As a client sends it; of the mask see :mod:`..hosts.joined`."""
    size = len(payload)
    if size < 126:
        head = bytes([_LAST | kind, _MASKED | size])
    elif size < 1 << 16:
        head = bytes([_LAST | kind, _MASKED | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([_LAST | kind, _MASKED | 127]) + size.to_bytes(8, "big")
    return head + bytes(4) + payload
