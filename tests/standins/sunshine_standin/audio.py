"""Sound of the streams (source: audio.cpp, platform/linux/audio.cpp; the words of a PulseAudio that
cannot be reached are libpulse's, tried with libpulse 16.1).

With the first stream three null sinks are made, ``sink-sunshine-stereo`` and two for surround, and
one of them becomes the default; with the last one the old default comes back and they go. Only
``audio_sink`` decides what is recorded before that: the default changes nevertheless.
``virtual_sink`` means nothing on Linux.
"""

from __future__ import annotations

import array
import os
import signal
import struct
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from . import knobs, pulse
from .config import Config
from .log import Log

_POSITIONS = "front-left front-right front-center lfe rear-left rear-right side-left side-right"
_NULLS = {
    2: ("stereo", "stereo"),
    6: ("surround51", "surround-51"),
    8: ("surround71", "surround-71"),
}
_KBPS = {(2, False): 96, (2, True): 512, (6, False): 256, (6, True): 1536, (8, False): 450}
_UNABLE = "Unable to initialize audio capture. The stream will not have audio."


@dataclass(frozen=True)
class Sound:
    """What one stream wants."""

    channels: int
    high_quality: bool
    packet_ms: int
    on_host: bool


@dataclass
class Control:
    """A connection to PulseAudio; ``nulls`` is empty unless all three sinks are there."""

    host: str
    nulls: dict[int, str] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    requested: str = ""
    swapped: bool = False
    restore: bool = False
    lost: bool = False


class Audio:
    """All streams share one connection: made with the first, given up with the last."""

    def __init__(self, config: Config, log: Log):
        self._config, self._log = config, log
        self._lock = threading.Lock()
        self._users = 0
        self._control: Control | None = None
        self._threads: list[threading.Thread] = []

    def play(self, sound: Sound, send: Callable[[bytes], None], over: threading.Event) -> None:
        """From the client's first ping on the audio port until ``over``."""
        thread = threading.Thread(target=self._capture, args=(sound, send, over), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def join(self) -> None:
        """Until the sinks are as they were; for ever if PulseAudio is gone."""
        for thread in self._threads:
            thread.join()

    def _capture(self, sound: Sound, send: Callable[[bytes], None], over: threading.Event) -> None:
        if not self._config.on("stream_audio", True):
            return
        with self._lock:
            if self._users == 0:
                self._control = self._connect()
            self._users += 1
            source = None if self._control is None else self._route(self._control, sound)
        try:
            recorder = self._recorder(source, sound)
            if recorder is None:
                self._log.error(_UNABLE)
            else:
                self._record(recorder, sound, send, over)
            over.wait()
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0 and self._control is not None:
                    self._give_up(self._control)

    def _connect(self) -> Control | None:
        if not pulse.reachable():
            if not pulse.is_tcp():  # by TCP it fails later, and silently
                self._log.error("Couldn't connect to pulseaudio: Access denied")
            self._log.warning("There will be no audio")
            return None
        try:
            there = pulse.sinks()
            control = Control(pulse.default_sink())
        except pulse.PulseError as e:
            self._log.error(f"Couldn't get pulseaudio sink info: {e}")
            self._log.warning("There will be no audio")
            return None
        nulls = {}
        for channels, (suffix, shown) in _NULLS.items():
            name = f"sink-sunshine-{suffix}"
            try:
                if name in there:
                    control.modules.append(there[name].module)
                else:
                    control.modules.append(self._load(name, channels))
                nulls[channels] = name
            except pulse.PulseError as e:
                self._log.warning(f"Couldn't create virtual sink for {shown}: {e}")
        if not control.host:
            text = "Couldn't find an active default sink. Continuing with virtual audio only."
            self._log.warning(text)
        if len(nulls) == len(_NULLS):
            control.nulls = nulls
        return control

    def _load(self, name: str, channels: int) -> str:
        positions = ",".join(_POSITIONS.split()[:channels])
        given = f"rate=48000 sink_name={name} format=float channels={channels} "
        given += f"channel_map={positions} sink_properties=device.description={name}"
        self._log.debug(f"null-sink args: {given}")
        return pulse.ask("load-module", "module-null-sink", given).strip()

    def _route(self, control: Control, sound: Sound) -> str | None:
        """The monitor to record from; None if the default sink could not be changed."""
        own = self._config.text("audio_sink")
        sink = own or control.host
        if control.nulls and (not sound.on_host or not sink):
            sink = control.nulls.get(sound.channels, sink)
        if not control.swapped:
            control.swapped = True
            control.restore = control.host != sink
            if control.restore and not self._set_default(control, sink):
                return None
        try:
            name = own or control.requested or pulse.default_sink()
            there = pulse.sinks()
        except pulse.PulseError:
            return None
        monitor = there[name].monitor if name in there else ""
        self._log.info(f"Found default monitor by name: {monitor}")
        if not monitor:
            self._log.error("pa_simple_new() failed: Invalid argument")
            return None
        return monitor

    def _set_default(self, control: Control, sink: str) -> bool:
        self._log.info(f"Setting default sink to: [{sink}]")
        if control.lost:
            self._log.error("Couldn't create set default-sink operation: Bad state")
            return False
        try:
            pulse.ask("set-default-sink", sink)
        except pulse.PulseError as e:
            self._log.error(f"Couldn't set default-sink [{sink}]: {e}")
            return False
        control.requested = sink
        return True

    def _recorder(self, source: str | None, sound: Sound) -> subprocess.Popen[bytes] | None:
        if source is None:
            return None
        try:
            return pulse.record(source, sound.channels, sound.packet_ms)
        except OSError as e:
            self._log.error(f"pa_simple_new() failed: {e.strerror}")
            return None

    def _record(
        self,
        recorder: subprocess.Popen[bytes],
        sound: Sound,
        send: Callable[[bytes], None],
        over: threading.Event,
    ) -> None:
        kbps = _KBPS.get((sound.channels, sound.high_quality), 2048)
        self._log.info(
            f"Opus initialized: 48 kHz, {sound.channels} channels, {kbps} kbps (total), LOWDELAY"
        )
        assert recorder.stdout is not None
        threading.Thread(target=_end_with, args=(recorder, over), daemon=True).start()
        size = sound.packet_ms * 48 * sound.channels * 4
        number, padding = 0, bytes(kbps * sound.packet_ms // 8)  # a constant bitrate
        while len(raw := recorder.stdout.read(size)) == size and not over.is_set():
            samples = array.array("f", raw)
            peak = min(1.0, max(max(samples), -min(samples)))
            send(struct.pack(">4sIH", b"MLAF", number, round(peak * 65535)) + padding)
            number += 1
        if not over.is_set():
            why = pulse.last_words(recorder)
            self._log.error(f"pa_simple_read() failed: {why}")
            if self._control is not None and why == "Connection terminated":
                self._control.lost = True
        recorder.wait()

    def _give_up(self, control: Control) -> None:
        """With PulseAudio gone the real one waits for an answer that never comes (source)."""
        control.lost = control.lost or not pulse.reachable()
        back = control.host or self._config.text("audio_sink")
        if control.restore and back:
            self._set_default(control, back)
        self._control = None
        if control.lost:
            trap = threading.Timer(knobs.number("HANG_SECONDS"), self._hang)
            trap.start()
            trap.join()
        for module in control.modules:
            try:
                pulse.ask("unload-module", module)
            except pulse.PulseError as e:
                self._log.error(f"Couldn't unload null-sink with index [{module}]: {e}")

    def _hang(self) -> None:
        self._log.fatal("Hang detected! Session failed to terminate in 10 seconds.")
        os.kill(os.getpid(), signal.SIGTRAP)


def _end_with(recorder: subprocess.Popen[bytes], over: threading.Event) -> None:
    over.wait()
    recorder.kill()
