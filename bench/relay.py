"""What our relays do to WebSocket messages, beside a direct connection and jupyter-server-proxy.

The server behind is always the same one. Routes: ``direct``, one hop through the gateway (plain
and TLS), and the whole way through a Jupyter server: by our extension and a gateway on the same machine (a
Unix socket) or on another node (TCP and TLS), and by jupyter-server-proxy in that same Jupyter server.
The gateway runs on either event loop. The peer has no TLS: what that costs by itself, in memory, is
measured in the same rounds, and our way to another node is compared with the peer and that as well.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from moonlight_spawner.model.session import Gateway as Record

from .jupyter import jupyter_server, register_session
from .processes import CpuMeter, Program, answers, free_port
from .report import Aim, Measure, Part
from .tls_alone import TLSAlone
from .websocket_client import Route, echo_ms, percentile, push_mb_per_s, tick_ms

DIRECT, DIRECT_TLS = "direct", "direct, TLS"
PEER = "jupyter-server-proxy"
TLS_ALONE, PEER_AND_TLS = "TLS alone, both ends", f"{PEER} and TLS alone"

# The gateway's event loop; the Jupyter server's own is what that has.
LOOPS = ("uvloop", "asyncio")
GATEWAY = {on: f"gateway, plain, {on}" for on in LOOPS}
GATEWAY_TLS = {on: f"gateway, TLS, {on}" for on in LOOPS}
HERE = {on: f"ours, one machine, {on}" for on in LOOPS}
ELSEWHERE = {on: f"ours, another node, {on}" for on in LOOPS}
OURS = (HERE["uvloop"], ELSEWHERE["uvloop"])

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
    tls = TLSAlone()
    with _routes(directory) as routes:
        for number in range(size.rounds):
            # Each round begins with another route, so that none always follows the same one.
            turned = routes[number % len(routes) :] + routes[: number % len(routes)]
            asyncio.run(_round(part, turned, size, tls))
            say(f"relay: round {number + 1} of {size.rounds}")
    return part


async def _round(part: Part, routes: list[Route], size: Size, tls: TLSAlone) -> None:
    for label, bytes_, count in (
        ("64 B", 64, size.small_echoes),
        ("64 KiB", 65536, size.large_echoes),
    ):
        for route in routes:
            times = await echo_ms(route, bytes_, count)
            for percent in (50, 95):
                measure = _less(part, f"echo {label}, p{percent}", *_as_the_peer())
                measure.add(route.name, percentile(times, percent))
    for label, bytes_ in (("64 KiB", 65536), ("16 KiB", 16384)):
        aims = (
            Aim(GATEWAY["uvloop"], DIRECT, 0.6),
            Aim(GATEWAY_TLS["uvloop"], DIRECT_TLS, 0.6),
            *_as_the_peer(),
        )
        push = part.measure(f"push {label}", "MB/s", True, aims)
        cpu = part.measure(f"push {label}, relays' CPU per GB", "s", False, _of_cpu())
        for route in routes:
            with CpuMeter(route.pids) as meter:
                speed = await push_mb_per_s(route, bytes_, size.push_seconds)
            push.add(route.name, speed)
            if route.pids:
                cpu.add(route.name, meter.percent / 100 / (speed / 1e3))
        _add_tls(cpu, tls.seconds_per_gb(bytes_, size.large_echoes * 8))
    for route in routes:
        with CpuMeter(route.pids) as meter:
            ages = await tick_ms(route, _SOCKETS, _TICK_BYTES, _HERTZ, size.tick_seconds)
        name = f"{_SOCKETS} sockets, {_TICK_BYTES // 1024} KiB at {_HERTZ:g} Hz"
        for percent in (50, 99):
            measure = _less(part, f"{name}, p{percent}", *_as_the_peer())
            measure.add(route.name, percentile(ages, percent))
        if route.pids:
            cpu = part.measure(f"{name}, relays' CPU", "% of a core", False, _of_cpu())
            cpu.add(route.name, meter.percent)
    gb_per_s = _SOCKETS * _TICK_BYTES * _HERTZ / 1e9
    _add_tls(cpu, 100 * gb_per_s * tls.seconds_per_gb(_TICK_BYTES, size.large_echoes * 8))


def _add_tls(cpu: Measure, alone: float) -> None:
    cpu.add(TLS_ALONE, alone)
    cpu.add(PEER_AND_TLS, cpu.values[PEER][-1] + alone)


def _of_cpu() -> list[Aim]:
    return [*_as_the_peer(), Aim(ELSEWHERE["uvloop"], PEER_AND_TLS, 1.0)]


def _as_the_peer() -> list[Aim]:
    """Not worse than it in anything, by a socket or with TLS."""
    return [Aim(route, PEER, 1.0) for route in OURS]


def _less(part: Part, name: str, *aims: Aim) -> Measure:
    return part.measure(name, "ms", False, aims)


@contextmanager
def _routes(directory: Path) -> Iterator[list[Route]]:
    with ExitStack() as stack:
        port, tls_port = free_port(), free_port()
        argv = [sys.executable, "-m", "bench.echo_server", str(port), str(tls_port)]
        echo = stack.enter_context(Program("echo", argv, directory))
        echo.wait_until(lambda: answers(port) and answers(tls_port), "does not answer")

        jupyter = stack.enter_context(jupyter_server(directory))
        there = jupyter.program.process.pid
        web = f"ws://127.0.0.1:{jupyter.port}"

        def ours(name: str, gateway: _Gateway, record: Record) -> Route:
            session_id = register_session(jupyter, record, gateway.token)
            url = f"{web}/moonlight/sessions/{session_id}/desktop/"
            return Route(name, url, jupyter.headers, pids=(there, gateway.pid))

        routes = [
            Route(DIRECT, f"ws://127.0.0.1:{port}/"),
            Route(DIRECT_TLS, f"wss://127.0.0.1:{tls_port}/", tls=_trust_anyone()),
        ]
        for on in LOOPS:
            gateway = _Gateway.begin(stack, directory, port, on)
            node = f"127.0.0.1:{gateway.record.port}"
            bearer, pids = {"Authorization": f"Bearer {gateway.token}"}, (gateway.pid,)
            elsewhere = gateway.record.model_copy(update={"machine": "another"})
            routes += [
                Route(GATEWAY[on], f"ws://{node}/", bearer, pids=pids),
                Route(GATEWAY_TLS[on], f"wss://{node}/", bearer, _trust_anyone(), pids),
                ours(HERE[on], gateway, gateway.record),
                ours(ELSEWHERE[on], gateway, elsewhere),
            ]
        yield [*routes, Route(PEER, f"{web}/proxy/{port}/", jupyter.headers, pids=(there,))]


@dataclass(frozen=True)
class _Gateway:
    """A process of its own."""

    pid: int
    token: str
    record: Record

    @classmethod
    def begin(cls, stack: ExitStack, directory: Path, port: int, on: str) -> _Gateway:
        argv = [sys.executable, "-m", "bench.gateway_process", str(port), on]
        program = stack.enter_context(Program(f"gateway-{on}", argv, directory, piped=True))
        token = secrets.token_urlsafe(32)
        assert program.process.stdin
        program.process.stdin.write(token + "\n")
        program.process.stdin.flush()
        record = Record.model_validate_json(program.read_line())
        return cls(program.process.pid, token, record)


def _trust_anyone() -> ssl.SSLContext:
    """For the client of the benchmark only, which knows whom it started."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
