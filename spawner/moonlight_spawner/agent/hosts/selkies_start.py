"""selkies' own process, begun before it can be told what to do: most of its start is loading libraries.

``python selkies_start.py PROGRAM ARGUMENT…``: it loads what selkies will load, waits on its standard input
for one line of JSON with more arguments and the environment, and becomes ``PROGRAM``, a script of this
very Python. An input that ends before that ends it, too.

Two of selkies' own times are shortened, where the version has them. It tells who looks what it encodes with
only a second after the first picture, and the start would wait for that. And it refuses who comes
within half a second of another from the same address: by a Unix socket all have the same one, and
the first page comes right behind the agent, which has just looked whether there is a picture.

Its web client, 2,000 files, is served from where it is installed: it would copy them for each session and
remove them at its end, which took longer than all the rest of its start.

And its other transport, WebRTC, is left out where the site does not have it: loading it is a third of its
libraries.

Characters of a layout's third and fourth level (AltGr) are typed with the keys that they need: it presses
the bare key for all that have a keysym of their own, such as the euro sign, which is right only as long as
the user holds the same key at the same time. A Mac's user does not, nor who types a dead key before it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import runpy
import sys
from types import ModuleType
from typing import Any

#: What selkies loads and others have made: its first own module parses the arguments.
LIBRARIES = (
    "aiohttp.web", "pixelflux", "prometheus_client", "psutil", "pulsectl_asyncio", "pynvml", "uvloop",
    "watchdog.observers",
)  # fmt: skip
#: Told where it is to have the WebSocket alone.
ALONE = "--enable-dual-mode=false"
#: Seconds from the first picture until selkies says what encodes it.
SETTLE_SECONDS = 0.05


def main() -> None:
    program, *arguments = sys.argv[1:]
    if not sys.flags.isolated:  # as the program itself has it, and not where this file is
        sys.path[0] = os.path.dirname(program)
    for name in LIBRARIES:
        # What is missing, selkies itself complains of, if it needs it.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        return
    _forget_input()
    told = json.loads(line)
    os.environ.update(told["environment"])
    sys.argv = [program, *web_client(), *arguments, *told["arguments"]]
    with contextlib.suppress(ImportError):  # then the program says why
        shorten()
        if ALONE in sys.argv:
            leave_out_webrtc()
        press_with_modifiers()
    runpy.run_path(program, run_name="__main__")


def web_client() -> list[str]:
    """The option that says where it is installed, if it is."""
    spec = importlib.util.find_spec("selkies")
    for place in (spec and spec.submodule_search_locations) or ():
        web = os.path.join(place, "selkies_web")
        if os.path.isfile(os.path.join(web, "index.html")):
            return [f"--web-root={web}"]
    return []


def shorten() -> None:
    """Take from selkies the pauses that are none for its users here."""
    from selkies import stream_stats, websockets_mode

    if hasattr(stream_stats, "SETTLE_S"):
        stream_stats.SETTLE_S = SETTLE_SECONDS
    server: Any = websockets_mode.DataStreamingServer
    made = server.__init__

    def make(self: Any, *arguments: Any, **options: Any) -> None:
        made(self, *arguments, **options)
        self.RECONNECT_DEBOUNCE_MS = 0

    server.__init__ = make


def leave_out_webrtc() -> None:
    """Put a service that does nothing in the place of selkies' WebRTC, which is not begun in this mode."""
    from selkies.stream_server import BaseStreamingService

    class WebRTCService(BaseStreamingService):  # type: ignore[misc]  # selkies has no types
        def __init__(self, server: Any):
            super().__init__("webrtc")

        def register_routes(self, prefix: str, router: Any) -> None: ...

        async def start(self) -> None: ...

        async def stop(self) -> None: ...

        async def announce_print_document(self, name: str, size: int) -> None: ...

        async def sessions(self) -> list[Any]:
            return []

        async def disconnect_session(self, session_id: str) -> bool:
            return False

    if not WebRTCService.__abstractmethods__:  # another version may want more of it
        module: Any = ModuleType("selkies.webrtc_mode")
        module.WebRTCService = WebRTCService
        sys.modules[module.__name__] = module


def press_with_modifiers() -> None:
    """Lead characters that are pressed as bare keys to where selkies looks which modifiers they need."""
    from selkies import input_handler

    keyboard: Any = getattr(input_handler, "_XTestKeyboard", None)
    if not hasattr(keyboard, "outside_base_group"):  # another version
        return
    elsewhere = keyboard.outside_base_group

    def more_than_a_key(self: Any, keysym: int) -> bool:
        is_key = input_handler.is_function_keysym(keysym)
        return elsewhere(self, keysym) or (
            not is_key and input_handler.keysym_to_character(keysym) is not None
        )

    keyboard.outside_base_group = more_than_a_key


def _forget_input() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


if __name__ == "__main__":
    main()
