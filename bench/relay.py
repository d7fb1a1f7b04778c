"""What our relays do to WebSocket messages, beside a direct connection and jupyter-server-proxy.

The server behind is always the same one. Routes: ``direct``, one hop through the gateway (plain
and TLS), and the whole way through a Jupyter server, once by our extension and the gateway, once
by jupyter-server-proxy in that same Jupyter server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .jupyter import jupyter_server, register_session
from .processes import CpuMeter, Program, answers, free_port
from .report import Aim, Measure, Part
from .websocket_client import Route, echo_ms, percentile, push_mb_per_s, tick_ms

DIRECT, DIRECT_TLS = "direct", "direct, TLS"
GATEWAY, GATEWAY_TLS = "gateway, plain", "gateway, TLS"
OURS, PEER = "ours: extension + gateway TLS", "jupyter-server-proxy"

_SOCKETS, _TICK_BYTES, _HERTZ = 50, 8192, 30.0


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    small_echoes: int
    large_echoes: int
    push_seconds: float
    tick_seconds: float


# Many short rounds: the ratios are taken within a round, and the machine's mood changes slowly.
FULL = Size(rounds=16, small_echoes=400, large_echoes=250, push_seconds=0.5, tick_seconds=1.2)
QUICK = Size(rounds=1, small_echoes=200, large_echoes=100, push_seconds=0.3, tick_seconds=0.7)


def run(directory: Path, options: argparse.Namespace, say: Callable[[str], None]) -> Part:
    """Measure; ``directory`` takes logs and records."""
    size = QUICK if options.quick else FULL
    part = Part("relay")
    with _routes(directory) as routes:
        for number in range(size.rounds):
            # Each round begins with another route, so that none always follows the same one.
            turned = routes[number % len(routes) :] + routes[: number % len(routes)]
            asyncio.run(_round(part, turned, size))
            say(f"relay: round {number + 1} of {size.rounds}")
    return part


async def _round(part: Part, routes: list[Route], size: Size) -> None:
    for label, bytes_, count in (
        ("64 B", 64, size.small_echoes),
        ("64 KiB", 65536, size.large_echoes),
    ):
        for route in routes:
            times = await echo_ms(route, bytes_, count)
            for percent in (50, 95):
                measure = _less(part, f"echo {label}, p{percent}", Aim(OURS, PEER, 1.0))
                measure.add(route.name, percentile(times, percent))
    for label, bytes_ in (("64 KiB", 65536), ("16 KiB", 16384)):
        aims = (
            Aim(GATEWAY, DIRECT, 0.6),
            Aim(GATEWAY_TLS, DIRECT_TLS, 0.6),
            Aim(OURS, PEER, 1.0),
        )
        push = part.measure(f"push {label}", "MB/s", True, aims)
        cpu = part.measure(f"push {label}, relays' CPU per GB", "s", False, [Aim(OURS, PEER, 1.0)])
        for route in routes:
            with CpuMeter(route.pids) as meter:
                speed = await push_mb_per_s(route, bytes_, size.push_seconds)
            push.add(route.name, speed)
            if route.pids:
                cpu.add(route.name, meter.percent / 100 / (speed / 1e3))
    for route in routes:
        with CpuMeter(route.pids) as meter:
            ages = await tick_ms(route, _SOCKETS, _TICK_BYTES, _HERTZ, size.tick_seconds)
        name = f"{_SOCKETS} sockets, {_TICK_BYTES // 1024} KiB at {_HERTZ:g} Hz"
        for percent in (50, 99):
            measure = _less(part, f"{name}, p{percent}", Aim(OURS, PEER, 1.0))
            measure.add(route.name, percentile(ages, percent))
        if route.pids:
            cpu = part.measure(f"{name}, relays' CPU", "% of a core", False)
            cpu.add(route.name, meter.percent)


def _less(part: Part, name: str, aim: Aim) -> Measure:
    return part.measure(name, "ms", False, [aim])


@contextmanager
def _routes(directory: Path) -> Iterator[list[Route]]:
    with ExitStack() as stack:
        port, tls_port = free_port(), free_port()
        argv = [sys.executable, "-m", "bench.echo_server", str(port), str(tls_port)]
        echo = stack.enter_context(Program("echo", argv, directory))
        echo.wait_until(lambda: answers(port) and answers(tls_port), "does not answer")

        argv = [sys.executable, "-m", "bench.gateway_process", str(port)]
        gateway = stack.enter_context(Program("gateway", argv, directory, piped=True))
        token = secrets.token_urlsafe(32)
        assert gateway.process.stdin
        gateway.process.stdin.write(token + "\n")
        gateway.process.stdin.flush()
        told = json.loads(gateway.read_line())

        jupyter = stack.enter_context(jupyter_server(directory))
        session_id = register_session(jupyter, told["port"], told["certificate"], token)
        bearer = {"Authorization": f"Bearer {token}"}
        here, there = gateway.process.pid, jupyter.program.process.pid
        web = f"ws://127.0.0.1:{jupyter.port}"
        node = f"127.0.0.1:{told['port']}"
        yield [
            Route(DIRECT, f"ws://127.0.0.1:{port}/"),
            Route(DIRECT_TLS, f"wss://127.0.0.1:{tls_port}/", tls=_trust_anyone()),
            Route(GATEWAY, f"ws://{node}/", bearer, pids=(here,)),
            Route(GATEWAY_TLS, f"wss://{node}/", bearer, _trust_anyone(), (here,)),
            Route(
                OURS,
                f"{web}/moonlight/sessions/{session_id}/desktop/",
                jupyter.headers,
                pids=(there, here),
            ),
            Route(PEER, f"{web}/proxy/{port}/", jupyter.headers, pids=(there,)),
        ]


def _trust_anyone() -> ssl.SSLContext:
    """For the client of the benchmark only, which knows whom it started."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
