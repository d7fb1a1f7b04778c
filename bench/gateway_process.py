"""The session's gateway in front of a port of the loopback. ``python -m bench.gateway_process PORT LOOP``

Reads the session's token from stdin; writes one line of JSON: the gateway's record, as an agent writes it.
It is the agent's own gateway, on the event loop ``asyncio`` or ``uvloop``; it speaks HTTP beside HTTPS so
that both can be measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from moonlight_spawner.agent.gateway import Gateway
from moonlight_spawner.agent.gateway.door import Door
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.model.session import Gateway as Record
from moonlight_spawner.processes import loop
from moonlight_spawner.processes.mark import this_machine
from moonlight_spawner.relay.upstream import Target


async def main(port: int) -> None:
    token = sys.stdin.readline().strip()
    target = Target(addresses=("127.0.0.1",), port=port)
    with tempfile.TemporaryDirectory(prefix="mlb-", dir="/tmp") as directory:
        tls, certificate = make_certificate(Path(directory), "bench")
        gateway = Gateway(Door(token, "bench"), lambda: target, tls, plain_http=True)
        await gateway.start("127.0.0.1")
        gateway.open_near(Path(directory) / "gateway")
        record = Record(
            hosts=["127.0.0.1"],
            port=gateway.port,
            certificate=certificate,
            socket=f"{directory}/gateway",
            machine=this_machine(),
        )
        print(record.model_dump_json(), flush=True)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await gateway.stop()


if __name__ == "__main__":
    if sys.argv[2] == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]  # as where it is not installed
    with contextlib.suppress(KeyboardInterrupt):
        loop.run(main(int(sys.argv[1])))
