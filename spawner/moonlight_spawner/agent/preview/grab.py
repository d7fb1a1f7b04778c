"""What is on the screen, made small by the X server and encoded here. Blocks: call it in a thread."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from Xlib import X

from ...model.limits import MAX_PICTURE_BYTES
from ...model.said import said_by
from ..display.screen import Screen
from ..display.xclient import FAILURES, connection
from . import render

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_WIDTH, MAX_HEIGHT = 480, 300
# Noise as large as the picture may need the last; a usual desktop has 20 kB with the first.
_QUALITIES = (75, 50, 25, 8)
# Two pixels in each direction make one, so what is much larger is taken over first.
_SMOOTHED = 2
_BAND_BYTES = 1 << 16  # python-xlib puts an answer together in the square of its length


class NoPicture(Exception):
    """The X server gives none; the text says why."""


def picture(screen: Screen) -> tuple[bytes, bool]:
    """The whole screen, all its monitors, as a JPEG of at most 480x300 pixels and 100 kB; and whether
    it is of one colour.

    Raises
    ------
    NoPicture
    """
    from PIL import Image  # loaded when somebody looks, and not by the thread that relays

    refused: list[Any] = []
    try:
        with connection(screen) as x:
            x.set_error_handler(lambda error, _: refused.append(error))
            size, pixels = _small(x)
    except FAILURES as e:
        raise NoPicture(f"the X server does not answer: {said_by(e)}") from e
    if refused or len(pixels) != size[0] * size[1] * 4:
        raise NoPicture(f"the X server refused it: {refused[:1]}")
    image = Image.frombytes("RGB", size, pixels, "raw", "BGRX")
    return encoded(image), image.getcolors(maxcolors=1) is not None


def encoded(image: Image) -> bytes:
    """As a JPEG, no larger than may be."""
    for quality in _QUALITIES:
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality)
        if data.tell() <= MAX_PICTURE_BYTES:
            return data.getvalue()
    return encoded(image.reduce(2))


def _small(x: Any) -> tuple[tuple[int, int], bytes]:
    """Width and height, and the pixels of it, four bytes each: blue, green, red, nothing."""
    root, info = x.screen().root, x.display.info
    depth = x.screen().root_depth
    bits = {one.depth: one.bits_per_pixel for one in info.pixmap_formats}
    extension = x.query_extension("RENDER")
    if not extension.present or depth != 24 or bits[depth] != 32 or info.image_byte_order != 0:
        raise NoPicture("the X server has no RENDER extension, or pixels that are not known here")
    opcode = extension.major_opcode
    render.QueryVersion(x.display, opcode=opcode, major=0, minor=11)
    kind = render.format_of(x, opcode, x.screen().root_visual)
    if kind is None:
        raise NoPicture("the X server cannot draw what is on its screen")
    whole = root.get_geometry()
    ratio = max(whole.width / MAX_WIDTH, whole.height / MAX_HEIGHT, 1.0)
    small = max(1, int(whole.width / ratio)), max(1, int(whole.height / ratio))

    def drawn_on(drawable: Any) -> int:
        name: int = x.display.allocate_resource_id()
        render.CreatePicture(
            x.display,
            opcode=opcode,
            picture=name,
            drawable=drawable.id,
            format=kind,
            subwindows=render.INCLUDE_INFERIORS,
        )
        return name

    of_root = drawn_on(root)
    source, left = of_root, ratio
    if ratio > _SMOOTHED:
        between = small[0] * _SMOOTHED, small[1] * _SMOOTHED
        pixmap = root.create_pixmap(*between, depth)
        source, left = drawn_on(pixmap), float(_SMOOTHED)
        render.scaled(x, opcode, of_root, source, ratio / _SMOOTHED, between)
    target = root.create_pixmap(*small, depth)
    render.scaled(x, opcode, source, drawn_on(target), left, small)
    # What was drawn goes with the connection.
    rows = max(1, _BAND_BYTES // (small[0] * 4))
    bands = []
    for top in range(0, small[1], rows):
        height = min(rows, small[1] - top)
        bands.append(target.get_image(0, top, small[0], height, X.ZPixmap, 0xFFFFFFFF).data)
    return small, b"".join(bands)
