"""What the keys of a keyboard say, by the system's own layouts (libxkbcommon)."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import cache

_KEYCODES = {  # of X, by the names that browsers have for keys (W3C, UI Events KeyboardEvent code Values)
    "Backquote": 49, "Minus": 20, "Equal": 21, "BracketLeft": 34, "BracketRight": 35, "Semicolon": 47,
    "Quote": 48, "Backslash": 51, "IntlBackslash": 94, "Comma": 59, "Period": 60, "Slash": 61,
    **{f"Digit{n % 10}": 9 + n for n in range(1, 11)},
    **{f"Key{letter}": 24 + i for i, letter in enumerate("QWERTYUIOP")},
    **{f"Key{letter}": 38 + i for i, letter in enumerate("ASDFGHJKL")},
    **{f"Key{letter}": 52 + i for i, letter in enumerate("ZXCVBNM")},
}  # fmt: skip
#: Two more keys, of Japanese and Brazilian keyboards.
_MORE = {"jp": {"IntlYen": 132, "IntlRo": 97}, "br": {"IntlRo": 97}}
#: The keys are numbered as on a keyboard for the USA, whose own name this is.
LEVELS = ("", "Shift", "AltGr", "Shift+AltGr")
_LETTERS = "aeiounczsAEIOUNCZS "


@dataclass(frozen=True)
class Stroke:
    """A key pressed with what is held, after a dead key perhaps."""

    code: str
    keycode: int
    level: int
    text: str  # what it is to write
    dead: bool = False  # it writes nothing until the next one
    after: Stroke | None = None

    @property
    def held(self) -> str:
        return LEVELS[self.level]


class _Names(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_char_p) for name in ("rules", "model", "layout", "variant", "options")
    ]


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libxkbcommon.so.0")
    for name in (
        "xkb_context_new",
        "xkb_keymap_new_from_names",
        "xkb_compose_table_new_from_locale",
    ):
        getattr(library, name).restype = ctypes.c_void_p
    library.xkb_compose_state_new.restype = ctypes.c_void_p
    return library


def keysym_name(keysym: int) -> str:
    text = ctypes.create_string_buffer(64)
    _library().xkb_keysym_get_name(keysym, text, 64)
    return text.value.decode()


def _text(keysym: int) -> str:
    text = ctypes.create_string_buffer(16)
    length = _library().xkb_keysym_to_utf8(keysym, text, 16)
    return text.value.decode() if length > 0 else ""


@cache
def _context() -> ctypes.c_void_p:
    return ctypes.c_void_p(_library().xkb_context_new(0))


def _keysyms(layout: str) -> dict[tuple[str, int], int]:
    """By key and level."""
    match = re.fullmatch(r"(\w+)(?:\(([\w-]+)\))?", layout)
    assert match, layout
    name, variant = match[1].encode(), (match[2] or "").encode()
    names = _Names(b"evdev", b"pc105", name, variant, b"")
    x = _library()
    keymap = ctypes.c_void_p(x.xkb_keymap_new_from_names(_context(), ctypes.byref(names), 0))
    assert keymap, layout
    found = {}
    for code, keycode in {**_KEYCODES, **_MORE.get(match[1], {})}.items():
        for level in range(min(4, x.xkb_keymap_num_levels_for_key(keymap, keycode, 0))):
            got = ctypes.POINTER(ctypes.c_uint32)()
            if (
                x.xkb_keymap_key_get_syms_by_level(keymap, keycode, 0, level, ctypes.byref(got))
                == 1
            ):
                found[code, level] = got[0]
    return found


def composed(dead: int, keysym: int) -> str:
    """What a dead key and a letter make; empty if nothing."""
    x = _library()
    table = _compose_table()
    state = ctypes.c_void_p(x.xkb_compose_state_new(table, 0))
    x.xkb_compose_state_feed(state, dead)
    x.xkb_compose_state_feed(state, keysym)
    text = ctypes.create_string_buffer(16)
    x.xkb_compose_state_get_utf8(state, text, 16)
    x.xkb_compose_state_unref(state)
    return text.value.decode()


@cache
def _compose_table() -> ctypes.c_void_p:
    return ctypes.c_void_p(
        _library().xkb_compose_table_new_from_locale(_context(), b"en_US.UTF-8", 0)
    )


def strokes(layout: str) -> list[Stroke]:
    """All that can be written with it, key by key; each dead key with one letter that takes it."""
    keysyms = _keysyms(layout)
    plain = [
        Stroke(code, _keycode(layout, code), level, text)
        for (code, level), keysym in keysyms.items()
        if (text := _text(keysym)) and text.isprintable()
    ]
    by_text = {stroke.text: stroke for stroke in reversed(plain)}
    dead = []
    for (code, level), keysym in keysyms.items():
        if not keysym_name(keysym).startswith("dead_"):
            continue
        first = Stroke(code, _keycode(layout, code), level, "", dead=True)
        for letter in _LETTERS:
            made = composed(keysym, ord(letter))
            if letter in by_text and made and made != letter:
                second = by_text[letter]
                dead.append(Stroke(second.code, second.keycode, second.level, made, after=first))
                break
    return plain + dead


def _keycode(layout: str, code: str) -> int:
    return {**_KEYCODES, **_MORE.get(layout.partition("(")[0], {})}[code]
