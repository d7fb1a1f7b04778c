"""A gateway in a process of its own, so that its memory is only its own.

``python -m tests.relay.gateway_process``: one JSON object of options comes in on standard input,
one with port and certificate goes out; it ends when standard input does.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE

TOKEN = "the-right-token-0123456789abcdefghijklmnop"
SESSION = "ml-alice-abcdefghij"


@dataclass(frozen=True)
class RunningGateway:
    port: int
    certificate: str
    pid: int
    page: str = ""

    def memory(self) -> int:
        """Most bytes that were resident since :meth:`forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def forget_peak(self) -> int:
        """Begin to measure anew; gives what is resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # proc(5): resets VmHWM
        return self.memory()


@contextmanager
def running_gateway(
    path: str | None = None,
    port: int = 0,
    *,
    plain: bool = True,
    signaling: str = "/api/websockets",
    headers: dict[str, str] | None = None,
    constants: dict[str, float] | None = None,
    address: str = "127.0.0.1",
    loop: str = "",
    files: dict[str, Any] | None = None,
) -> Iterator[RunningGateway]:
    """A gateway before the host at ``path`` or ``port``; ``constants`` are module attributes.

    ``files`` are the user's: ``ways``, ``home``, ``others``; ``largest``, the bytes that a file may have; and
    ``clock``, a file whose time is the time now.
    ``loop`` is ``asyncio`` or ``uvloop``, by default what the product takes.
    """
    options = {
        "path": path,
        "port": port,
        "plain": plain,
        "signaling": signaling,
        "headers": headers or {},
        "constants": constants or {},
        "address": address,
        "files": files,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.relay.gateway_process", loop],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin and process.stdout
    try:
        process.stdin.write(json.dumps(options) + "\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        yield RunningGateway(told["port"], told["certificate"], process.pid, told["page"])
        assert process.poll() is None, "the gateway did not survive the test"
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()


async def _serve(options: dict[str, Any]) -> None:
    from moonlight_spawner.agent.gateway import Gateway
    from moonlight_spawner.agent.gateway.door import Door
    from moonlight_spawner.agent.node.certificate import make_certificate
    from moonlight_spawner.relay.upstream import Target

    for name, value in options["constants"].items():
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
        setattr(importlib.import_module(module), attribute, value)
    with tempfile.TemporaryDirectory() as directory:
        tls, certificate = make_certificate(Path(directory), SESSION)
    target = Target(
        path=options["path"],
        addresses=("127.0.0.1",),
        port=options["port"],
        headers=[(k.encode(), v.encode()) for k, v in options["headers"].items()],
    )
    there = options["path"] or options["port"]
    door = Door(TOKEN, SESSION)
    gateway = Gateway(
        door,
        lambda: target if there else None,
        tls,
        options["plain"],
        options["signaling"],
        files=_files(**options["files"]) if options["files"] else None,
    )
    await gateway.start(options["address"])
    told = {"port": gateway.port, "certificate": certificate, "page": door.page}
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await gateway.stop()


def _files(
    home: str, ways: str = "both", others: Sequence[str] = (), largest: int = 0, clock: str = ""
) -> Any:
    from moonlight_spawner.agent.transfers.places import Places
    from moonlight_spawner.agent.transfers.service import Files

    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    places = Places(Path(home), [Path(other) for other in others])
    now = (lambda: os.stat(clock).st_mtime) if clock else time.time
    return Files(ways, places, 0o027, now)


if __name__ == "__main__":
    if sys.argv[1] == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]  # as where it is not installed
    from moonlight_spawner.processes import loop

    loop.run(_serve(json.loads(sys.stdin.readline())))
