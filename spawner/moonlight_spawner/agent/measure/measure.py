"""Measures one after the other: the session's kind of stream, then TigerVNC, each with the same picture of
the same size, by a client that counts and does not decode."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from pydantic import Field

from ...model.records import Spec, SunshineOptions
from ...model.said import said_by
from ...model.session import Model
from ...processes.child import Child, family, listening, output_of
from ...processes.environment import job_environment, parts_environment
from ...processes.meter import CpuMeter
from ..desktop.container import Node
from ..display.screen import Screen
from ..display.xserver import XServerFailed
from ..hosts.base import HostContext, HostFailed
from ..hosts.selkies import SelkiesHost
from ..node.claims import NothingFree
from ..node.memory import SharedMemory
from ..own_display import DisplaysTaken, OwnDisplay
from . import pattern, vnc
from .probe import Probe
from .rfb import RfbProbe
from .stream import StreamProbe

log = logging.getLogger(__name__)

_CLICKS_PER_SECOND, _LEAST_CLICKS, _MOST_CLICKS = 2, 4, 40
_FIRST_SECONDS = 30.0  # until the picture moves
_WARM_FRAMES = 20
_LOOK_SECONDS = 0.02  # between two looks whether it is shown
_QUIET_SECONDS, _MOST_QUIET_SECONDS = 0.3, 10.0
_CLICK_SECONDS = 3.0
_ENCODER = ["nvidia-smi", "--query-gpu=utilization.encoder", "--format=csv,noheader,nounits"]


class Unmeasurable(Exception):
    """It cannot be measured here. The text says why and what to do."""


class Figures(Model):
    """Of one way. Times are in ms, traffic in kB/s (10^3 bytes), CPU in percent of one core; None: it could
    not be measured."""

    name: str
    frames_per_second: float
    traffic_kb_per_s: float
    cpu_percent: float
    encoder_percent: float | None = None
    click_ms: float | None = None  # the median
    click_ms_p95: float | None = None
    clicks: int = 0


class Measured(Model):
    """What came of it; the session's own way first."""

    session_id: str
    node: str
    resolution: str
    fps: int
    seconds: float
    ways: list[Figures] = Field(default_factory=list)


async def measured(spec: Spec, resolution: str, seconds: float, runtime: Path) -> Measured:
    """Measure both for ``seconds`` each, besides the clicks.

    Parameters
    ----------
    resolution
        Of the session's screen, ``1280x720``.
    runtime
        A private directory, whose path is short enough for sockets.

    Raises
    ------
    Unmeasurable
    """
    if spec.host != "selkies":
        raise Unmeasurable(
            f"This session streams by {spec.host}, of which a second one cannot run beside it. Measure a "
            "session of the host selkies: moonlight-hpc session create --host selkies."
        )
    node = os.uname().nodename
    found = await vnc.program()
    if found is None:
        raise Unmeasurable(vnc.MISSING.format(node=node))
    request = spec.request.model_copy(update={"resolution": resolution})
    width, height = request.size
    own = spec.model_copy(
        update={
            "request": request,
            "max_width": width,
            "max_height": height,
            "x_server_command": [],
            "clipboard": "off",
            "files": "off",
            "sharing": "off",
            "sunshine": SunshineOptions(),  # no WebRTC: all is on one WebSocket
        }
    )
    path, name = found
    socket = runtime / "vnc.sock"
    try:
        ways = [
            await _stream(own, runtime, seconds),
            await _vnc(vnc.with_vnc(own, path, socket), name, socket, runtime, seconds),
        ]
    except (XServerFailed, NothingFree, DisplaysTaken, HostFailed, OSError) as e:
        raise Unmeasurable(f"It could not be measured on node {node}: {said_by(e)}") from e
    return Measured(
        session_id=spec.session_id,
        node=node,
        resolution=resolution,
        fps=request.fps,
        seconds=seconds,
        ways=ways,
    )


async def _stream(spec: Spec, runtime: Path, seconds: float) -> Figures:
    async with AsyncExitStack() as ends:
        env = _environment(runtime)
        display = OwnDisplay(spec, runtime / "stream.xauthority", runtime / "stream-x.log")
        ends.push_async_callback(display.stop)
        x = await display.start(env, "")
        env["DISPLAY"] = x.screen.name
        host = SelkiesHost(
            HostContext(
                spec=spec,
                env={**env, "XAUTHORITY": str(runtime / "stream.xauthority")},
                runtime=runtime,
                log_dir=runtime,
                directory=runtime,
                container=Node(),
                ports=0,
                claim_ports=lambda: 0,  # it binds none
                memory=SharedMemory(runtime, os.getpid()),
                note=lambda said: log.info("%s", said),
            )
        )
        ends.push_async_callback(host.stop)
        await host.start()
        encoder = await host.picture()
        path = host.target().path
        assert path
        probe = StreamProbe(Path(path), host.signaling_path, spec.request.size, spec.request.fps)
        servers = [*family(host.child.pid), x.screen.pid]
        name = f"Moonlight ({host.name}, {encoder})"
        return await _figures(name, probe, x.screen, servers, runtime, seconds)


async def _vnc(spec: Spec, name: str, socket: Path, runtime: Path, seconds: float) -> Figures:
    async with AsyncExitStack() as ends:
        env = _environment(runtime)
        display = OwnDisplay(spec, runtime / "vnc.xauthority", runtime / "vnc.log")
        ends.push_async_callback(display.stop)
        x = await display.start(env, "")
        if ports := listening(x.screen.pid):
            raise OSError(f"{name} listens on TCP ports, though it was told not to: {list(ports)}")
        return await _figures(name, RfbProbe(socket), x.screen, [x.screen.pid], runtime, seconds)


async def _figures(
    name: str, probe: Probe, screen: Screen, servers: Sequence[int], runtime: Path, seconds: float
) -> Figures:
    async with probe:
        async with _Shown("motion", screen, runtime):
            warm = probe.frames + _WARM_FRAMES
            while probe.frames < warm:
                if not await probe.next_frame(_FIRST_SECONDS):
                    raise ConnectionError(f"{name} shows nothing that moves.")
            frames, received = probe.frames, probe.received
            began = asyncio.get_running_loop().time()
            with CpuMeter(servers) as cpu:
                await asyncio.sleep(seconds / 2)
                encoder = await _encoder()
                left = began + seconds - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, left))
            taken = asyncio.get_running_loop().time() - began
            frames, received = probe.frames - frames, probe.received - received
        async with _Shown("click", screen, runtime):
            clicks = int(min(max(_LEAST_CLICKS, _CLICKS_PER_SECOND * seconds), _MOST_CLICKS))
            times = sorted(await _clicks(probe, clicks))
        return Figures(
            name=name,
            frames_per_second=round(frames / taken, 1),
            traffic_kb_per_s=round(received / taken / 1e3, 1),
            cpu_percent=round(cpu.percent, 1),
            encoder_percent=encoder,
            click_ms=_percentile(times, 50),
            click_ms_p95=_percentile(times, 95),
            clicks=len(times),
        )


async def _clicks(probe: Probe, clicks: int) -> list[float]:
    """Times in ms from each press to the picture that it makes; without those that made none, and where a
    screen that stands still brings pictures, without all: nobody knows then which is which."""
    times = []
    loop = asyncio.get_running_loop()
    for _ in range(clicks + 1):
        deadline = loop.time() + _MOST_QUIET_SECONDS
        while await probe.next_frame(_QUIET_SECONDS):
            if loop.time() > deadline:
                return []
        began = loop.time()
        await probe.press(True)
        if await probe.next_frame(_CLICK_SECONDS):
            times.append(round((loop.time() - began) * 1e3, 1))
        await probe.press(False)
    return times[1:]  # the first has what is done once


class _Shown:
    """A pattern on a display, by a process of its own."""

    def __init__(self, mode: str, screen: Screen, runtime: Path):
        argv = [
            sys.executable,
            *(["-I"] if sys.flags.isolated else []),
            "-m",
            pattern.__name__,
            mode,
        ]
        log = runtime / f"{mode}-{screen.display}.log"
        self._child = Child("pattern", argv, _environment(runtime), log, told=True)
        self._screen = screen

    async def __aenter__(self) -> None:
        """
        Raises
        ------
        OSError
        """
        await self._child.start()
        try:
            self._child.tell(pattern.told(self._screen))
            while pattern.SHOWN not in self._child.log.read_text("utf-8", "replace"):
                if not self._child.running:
                    raise OSError(f"what is to be shown has ended: {self._child.last_words()}")
                await asyncio.sleep(_LOOK_SECONDS)
        except BaseException:
            await self._child.stop(0.0)
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._child.stop(0.0)


async def _encoder() -> float | None:
    """How busy the encoder of the job's busiest GPU is, in percent; None without one that says so."""
    said = await output_of(_ENCODER, parts_environment(job_environment()))
    numbers = [line.strip() for line in (said or "").splitlines()]
    return max((float(n) for n in numbers if n.isdigit()), default=None)


def _environment(runtime: Path) -> dict[str, str]:
    """Of a part of a session, without one."""
    env = parts_environment(job_environment())
    return env | {"XDG_RUNTIME_DIR": str(runtime), "TMPDIR": str(runtime)}


def _percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
