"""Sits on a Unix socket as another user might, and tells what it hears there.

``python -m tests.agent.squatter NAME``, with ``@`` before an abstract name: it prints ``ready``,
then one line for each connection with the bytes that came.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

from tests.cluster.users import TestUser, as_user
from tests.support.reachable import reachable
from tests.support.waiting import STILL


def main(name: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0" + name[1:] if name.startswith("@") else name)
    listener.listen()
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        connection.settimeout(STILL)
        heard = b""
        with connection, contextlib.suppress(OSError):
            while part := connection.recv(4096):
                heard += part
        print(heard.hex(), flush=True)


class Squatter:
    def __init__(self, process: subprocess.Popen[str]):
        self._process = process

    def heard(self) -> str:
        """All bytes that anybody sent, after it has been ended."""
        self._process.kill()
        assert self._process.stdout
        return self._process.stdout.read().replace("\n", "")


@contextlib.contextmanager
def squatting(user: TestUser, name: str) -> Iterator[Squatter]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.agent.squatter", name],
        stdout=subprocess.PIPE,
        text=True,
        **(as_user(user) | {"cwd": reachable()}),
    )
    assert process.stdout
    try:
        assert process.stdout.readline() == "ready\n"
        yield Squatter(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    main(sys.argv[1])
