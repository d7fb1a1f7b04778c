"""v2's child process: a line of JSON for each message, on standard input and output."""

from __future__ import annotations

import base64
import json
import sys
import threading
from typing import Any

from .stream import Session


def main(_argv: list[str]) -> None:
    lock = threading.Lock()

    def send(message: dict[str, Any] | bytes) -> None:
        line: dict[str, Any]
        if isinstance(message, bytes):
            line = {"binary": base64.b64encode(message).decode()}
        else:
            line = {"text": message}
        with lock:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    session: Session | None = None
    for line in sys.stdin:
        message = json.loads(line)
        if "init" in message:
            session = Session(message["init"], send)
            session.begin()
        elif session and "binary" in message:
            session.binary(base64.b64decode(message["binary"]))
        elif session and "text" in message:
            session.text(message["text"])
    if session:
        session.stop()
