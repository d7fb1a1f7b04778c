"""The session's gateway in front of a port of the loopback. ``python -m bench.gateway_process PORT``

Reads the session's token from stdin; writes one line of JSON with its port and its certificate.
It is the agent's own gateway, with HTTP beside HTTPS so that both can be measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from pathlib import Path

from moonlight_spawner.agent.gateway import Gateway
from moonlight_spawner.agent.gateway.door import Door
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.relay.upstream import Target


async def main(port: int) -> None:
    token = sys.stdin.readline().strip()
    target = Target(addresses=("127.0.0.1",), port=port)
    with tempfile.TemporaryDirectory(prefix="mlb-") as directory:
        tls, certificate = make_certificate(Path(directory), "bench")
    gateway = Gateway(Door(token, "bench"), lambda: target, tls, plain_http=True)
    await gateway.start("127.0.0.1")
    print(json.dumps({"port": gateway.port, "certificate": certificate}), flush=True)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await gateway.stop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
