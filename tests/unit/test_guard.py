"""What of a guest's WebSocket goes on to the streaming host: every kind of message that selkies knows, and
bytes that no browser sends."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from moonlight_spawner.agent.sharing.guard import MAX_MESSAGE_BYTES, Guard, NotAllowed

MASK = b"\x12\x34\x56\x78"
TEXT, BINARY = 0x81, 0x82
WATCHES = ['SETTINGS,{"displayId":"primary"}', "START_VIDEO", "STOP_VIDEO", "REQUEST_KEYFRAME"]
ACTS = [
    "kd,97",
    "ku,97",
    "kh,97,98",
    "kh",
    "kr",
    "m,1,2,0,0",
    "m,-1,2,1,0,77",
    "m2,1,-2,0,0",
    "co,end,ä",
]


def framed(payload: bytes, first: int = TEXT, mask: bytes = MASK) -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes([first, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([first, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, 0x80 | 127]) + size.to_bytes(8, "big")
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def said(text: str) -> bytes:
    return framed(text.encode())


def passed(text: str) -> bytes:
    return framed(text.encode(), mask=bytes(4))


def guarded(data: bytes) -> tuple[bytes, list[str]]:
    acted: list[str] = []
    return Guard(acted.append)(data), acted


def verbs() -> set[str]:
    """The first word of every message that the selkies of this environment understands."""
    spec = find_spec("selkies")
    assert spec and spec.submodule_search_locations
    place = Path(spec.submodule_search_locations[0])
    handler = (place / "input_handler.py").read_text("utf-8")
    server = (place / "websockets_mode.py").read_text("utf-8")
    found = set(re.findall(r"""msg_type == "(\w+)\"""", handler))
    for group in re.findall(r"msg_type in [\[(]([^\])]+)", handler):
        found |= set(re.findall(r'"(\w+)"', group))
    found |= set(re.findall(r"""message(?:\.startswith\(| == )"(\w+)""", server))
    for name in ("VIEWER_COLLAB_EXTRA_PREFIXES", "VIEWER_ALLOWED_PREFIXES"):
        [group] = re.findall(rf"^{name} = \((.+?)^\)", handler, re.MULTILINE | re.DOTALL)
        found |= set(re.findall(r'"(\w+)', group))
    [secure] = re.findall(r"^SECURE_INPUT_PREFIXES = .+?\(\((.+?)\)\)", server, re.M | re.DOTALL)
    return found | set(re.findall(r'"(\w+)"', secure))


def test_what_a_watching_client_says_goes_on() -> None:
    for text in WATCHES:
        assert guarded(said(text)) == (passed(text), []), text


def test_what_types_and_points_goes_its_own_way() -> None:
    for text in ACTS:
        assert guarded(said(text)) == (b"", [text]), text


def test_nothing_else_that_selkies_understands_goes_anywhere() -> None:
    known = verbs()
    assert {"cw", "cr", "cmd", "js", "r", "s", "REQUEST_CLIPBOARD", "START_AUDIO"} <= known
    assert len(known) > 40
    allowed = {text.partition(",")[0] for text in [*WATCHES, *ACTS]}
    for verb in known - allowed:
        for more in ("", ",", ",1", ",1,1,1,1", " 1", ",b,0,0,1", ",xterm", ",aGk="):
            assert guarded(said(verb + more)) == (b"", []), verb + more


LOOKS_LIKE_IT = [
    "kd,97,98",
    "kd,",
    "kd,x",
    " kd,97",
    "kd,97\n",
    "m,1,2,0",
    "m,1,2,0,0,0,0",
    "co,end,",
]
LOOKS_LIKE_IT += ["co,x,a", "co,end," + "a" * 257, "START_VIDEO,", "SETTINGS,x", "_gz,1", ""]
LOOKS_LIKE_IT += ["kh" + ",1" * 65]


@pytest.mark.parametrize("text", LOOKS_LIKE_IT)
def test_what_only_looks_like_it_does_not(text: str) -> None:
    assert guarded(said(text)) == (b"", [])


def test_no_bytes_that_are_no_text_do() -> None:
    for first in (0x02, 0x04, 0x05, 0x06):
        assert guarded(framed(bytes([first]) + b"kd,97", BINARY)) == (b"", [])


def test_messages_in_parts_are_judged_whole_and_parts_of_frames_wait() -> None:
    parts = framed(b"START_", 0x01) + framed(b"hi", 0x89) + framed(b"VIDEO", 0x80)
    ping = framed(b"hi", 0x89, bytes(4))
    assert guarded(parts) == (ping + passed("START_VIDEO"), [])
    assert guarded(framed(b"k", 0x01) + framed(b"d,97", 0x80)) == (b"", ["kd,97"])
    acted: list[str] = []
    guard = Guard(acted.append)
    long = said(f'SETTINGS,{{"a":"{"x" * 300}"}}')
    together = b"".join(guard(bytes([byte])) for byte in long + said("m,1,2,0,0"))
    assert (len(together), acted) == (len(long), ["m,1,2,0,0"])


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x05kd,97",  # without a mask
        framed(b"kd,97", 0xC1),  # compressed
        framed(b"kd,97", 0x80),  # goes on with nothing
        framed(b"kd", 0x01) + framed(b",97", 0x81),
        framed(b"x" * 126, 0x89),
        framed(b"x", 0x09),
        framed(b"\xff"),
        framed(b"x" * (MAX_MESSAGE_BYTES + 1)),
        (framed(b"x" * MAX_MESSAGE_BYTES, 0x01) + framed(b"x", 0x80)),
        b"\x81\xff" + b"\xff" * 8,
    ],
)
def test_what_no_browser_sends_ends_the_connection(data: bytes) -> None:
    with pytest.raises(NotAllowed):
        guarded(data)
