"""Owners of the CLIPBOARD that are not as the usual programs: ``… selection_owner MANNERS``.

``latin-1`` has only a STRING, ``picture`` has no text, and ``endless``
sends a text of which every byte takes a while and none is the last (ICCCM 2, "INCR Properties").
"""

from __future__ import annotations

import sys
import time
from typing import Any

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.protocol import event

LATIN_1 = "Grüße, ÿ und ±1 °C"
_PAUSE_SECONDS = 0.2


def main(manners: str) -> None:
    x = Display()
    window = x.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
    window.set_selection_owner(x.intern_atom("CLIPBOARD"), X.CurrentTime)
    x.sync()
    print("it is mine", flush=True)
    while True:
        request = x.next_event()
        if request.type == X.SelectionRequest:
            _answer(x, request, manners)


def _answer(x: Display, request: Any, manners: str) -> None:
    has = {
        "latin-1": Xatom.STRING,
        "picture": x.intern_atom("image/png"),
        "endless": x.intern_atom("UTF8_STRING"),
    }[manners]
    place = request.property if request.target == has else X.NONE
    if place and manners == "endless":
        request.requestor.change_attributes(event_mask=X.PropertyChangeMask)
        request.requestor.change_property(place, x.intern_atom("INCR"), 32, [1])
    elif place:
        request.requestor.change_property(place, has, 8, LATIN_1.encode("latin-1"))
    answer = event.SelectionNotify(
        time=request.time,
        requestor=request.requestor,
        selection=request.selection,
        target=request.target,
        property=place,
    )
    request.requestor.send_event(answer)
    x.flush()
    while place and manners == "endless":
        taken = x.next_event()
        if taken.type == X.PropertyNotify and taken.state == X.PropertyDelete:
            time.sleep(_PAUSE_SECONDS)
            request.requestor.change_property(place, has, 8, b"x")
            x.flush()


if __name__ == "__main__":
    main(sys.argv[1])
