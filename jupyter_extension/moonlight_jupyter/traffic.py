"""What passes between browsers and desktops, counted: WebSockets, and the bodies of HTTP."""

from __future__ import annotations

from typing import Literal

from moonlight_spawner.relay.pipe import Pipe

Direction = Literal["to_browser", "from_browser"]


class Traffic:
    """What one stream has carried so far, in bytes. ``begun``: when (monotonic), 0 before it has."""

    def __init__(self) -> None:
        self.begun = 0.0
        self._counted = {"to_browser": 0, "from_browser": 0}
        self._pipe: Pipe | None = None

    @property
    def to_browser(self) -> int:
        return self._pipe.to_first if self._pipe else self._counted["to_browser"]

    @property
    def from_browser(self) -> int:
        return self._pipe.to_second if self._pipe else self._counted["from_browser"]

    def by(self, pipe: Pipe) -> Pipe:
        """The pipe counts by itself, and is asked."""
        self._pipe = pipe
        return pipe

    def add(self, direction: Direction, data: bytes) -> bytes:
        self._counted[direction] += len(data)
        return data


class Relayed:
    """Of all that this process has passed on: what is open, and the bytes."""

    def __init__(self) -> None:
        self._bodies = Traffic()
        self._open: set[Traffic] = set()
        self._over = {"to_browser": 0, "from_browser": 0}

    def begin(self, stream: Traffic) -> None:
        self._open.add(stream)

    def end(self, stream: Traffic) -> None:
        self._open.discard(stream)
        self._over["to_browser"] += stream.to_browser
        self._over["from_browser"] += stream.from_browser

    def body(self, direction: Direction, part: bytes) -> bytes:
        """A part of a body of HTTP is passed on."""
        return self._bodies.add(direction, part)

    def bytes(self) -> dict[str, int]:
        """By direction, since this process began."""
        now = [self._bodies, *self._open]
        return {
            "to_browser": self._over["to_browser"] + sum(one.to_browser for one in now),
            "from_browser": self._over["from_browser"] + sum(one.from_browser for one in now),
        }


relayed = Relayed()
