"""What a server says on a WebSocket, told from its bytes as they pass: how each message begins."""

from __future__ import annotations

from collections.abc import Iterator

_ENOUGH_BYTES = 2048  # of a message
_CONTINUED = 0x0


class Beginnings:
    """Reads frames as a server sends them, without masks (RFC 6455, 5.2)."""

    def __init__(self) -> None:
        self._unread = b""
        self._left = 0  # bytes of the frame that are still to come
        self._kind = 0
        self._final = False
        self._begun: bytes | None = None  # of a message that has not been told

    def of(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Opcode and beginning of each message of which enough has come, each once."""
        self._unread += data
        while self._left or self._next_frame():
            part = self._unread[: self._left]
            self._unread, self._left = self._unread[self._left :], self._left - len(part)
            if self._begun is not None:
                self._begun += part[:_ENOUGH_BYTES]
                if len(self._begun) >= _ENOUGH_BYTES or (self._final and not self._left):
                    yield self._kind, self._begun
                    self._begun = None
            if self._left:
                return

    def _next_frame(self) -> bool:
        """Read a frame's head, if it is there."""
        head = self._unread[:10]
        if len(head) < 2:
            return False
        short = head[1] & 0x7F
        size = 2 + {126: 2, 127: 8}.get(short, 0)
        if len(head) < size:
            return False
        self._unread = self._unread[size:]
        self._left = int.from_bytes(head[2:size], "big") if size > 2 else short
        self._final = bool(head[0] & 0x80)
        if (kind := head[0] & 0x0F) != _CONTINUED:
            self._kind, self._begun = kind, b""
        return True
