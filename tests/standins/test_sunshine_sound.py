"""Sound, with a real PulseAudio (source: audio.cpp; nothing of it is in the recordings)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE, wait_for

from .client import Client
from .client_stream import Stream
from .pulse_running import Pulse
from .sunshine_running import Sunshine, sunshine

_SUNSHINE = ["sink-sunshine-stereo", "sink-sunshine-surround51", "sink-sunshine-surround71"]
_DESKTOP = 958645192
_UNABLE = "Error: Unable to initialize audio capture. The stream will not have audio."


@pytest.fixture
def pulse() -> Iterator[Pulse]:
    server = Pulse()
    yield server
    server.remove()


def _paired(host: Sunshine) -> Client:
    client = host.client()
    host.pair(client)
    return client


def _stream(client: Client, **more: Any) -> Stream:
    running = client.serverinfo()["state"].endswith("BUSY")
    stream = Stream((client.resume if running else client.launch)(_DESKTOP, **more))
    stream.start()
    assert stream.first.wait(PATIENCE)
    return stream


def _with(pulse: Pulse, **more: str) -> dict[str, str]:
    own = {"PULSE_SERVER": pulse.server, "XDG_RUNTIME_DIR": str(pulse.folder)}
    return {**own, "STANDIN_SUNSHINE_TERM_HANG": "never", **more}


def test_what_is_played_is_heard_and_the_sinks_are_left_as_they_were(
    tmp_path: Path, pulse: Pulse
) -> None:
    with sunshine(tmp_path, environment=_with(pulse)) as host:
        assert pulse.sinks() == ["output"], "only a stream changes anything"
        stream = _stream(_paired(host))
        assert stream.audio_first.wait(PATIENCE)
        assert stream.audio_loud == 0
        assert (pulse.sinks(), pulse.default()) == (["output", *_SUNSHINE], _SUNSHINE[0])
        with pulse.tone():
            assert stream.audio_heard.wait(PATIENCE)
        said = [line.split("]: ", 1)[1] for line in host.log.read_text().splitlines()]
        start = said.index("Info: Setting default sink to: [sink-sunshine-stereo]")
        assert said[start + 1 : start + 3] == [
            "Info: Found default monitor by name: sink-sunshine-stereo.monitor",
            "Info: Opus initialized: 48 kHz, 2 channels, 512 kbps (total), LOWDELAY",
        ]
        assert host.post("/api/apps/close").json == {"status": True}
        wait_for(lambda: pulse.sinks() == ["output"])
        assert pulse.default() == "output"
        assert host.lines("Info: Setting default sink to: [output]")


def test_with_sound_on_the_host_nothing_is_switched(tmp_path: Path, pulse: Pulse) -> None:
    with sunshine(tmp_path, environment=_with(pulse)) as host, pulse.tone("output"):
        stream = _stream(_paired(host), on_host=True)
        assert stream.audio_heard.wait(PATIENCE)
        assert pulse.default() == "output"
        assert not host.lines("Setting default sink")
        stream.stop()


def test_a_configured_sink_is_recorded_and_the_default_moves_away_from_it(
    tmp_path: Path, pulse: Pulse
) -> None:
    with sunshine(tmp_path, environment=_with(pulse), audio_sink="output") as host:
        stream = _stream(_paired(host))
        assert stream.audio_first.wait(PATIENCE)
        assert host.lines("Info: Found default monitor by name: output.monitor")
        assert pulse.default() == _SUNSHINE[0]
        with pulse.tone():
            seen = stream.audio_packets
            wait_for(lambda: stream.audio_packets > seen + 50)
            assert stream.audio_loud == 0
        with pulse.tone("output"):
            assert stream.audio_heard.wait(PATIENCE)
        stream.stop()


def test_a_sink_that_is_not_there(tmp_path: Path, pulse: Pulse) -> None:
    with sunshine(tmp_path, environment=_with(pulse), audio_sink="nosuch") as host:
        stream = _stream(_paired(host))
        wait_for(lambda: host.lines(_UNABLE))
        assert host.lines("Error: pa_simple_new() failed: Invalid argument")
        stream.stop()


def test_two_streams_share_the_sinks(tmp_path: Path, pulse: Pulse) -> None:
    with sunshine(tmp_path, environment=_with(pulse)) as host:
        first, second = _paired(host), _paired(host)
        one, two = _stream(first), _stream(second)
        assert one.audio_first.wait(PATIENCE) and two.audio_first.wait(PATIENCE)
        uuid = host.clients()[0]["uuid"]
        host.post("/api/clients/update", {"uuid": uuid, "enabled": False})
        assert one.ended.wait(PATIENCE)
        seen = two.audio_packets
        wait_for(lambda: two.audio_packets > seen + 20)
        assert pulse.default() == _SUNSHINE[0]
        assert len(host.lines("Setting default sink to")) == 1
        host.post("/api/apps/close")
        wait_for(lambda: pulse.sinks() == ["output"])
        assert len(host.lines("Setting default sink to: [output]")) == 1
        assert pulse.default() == "output"


def test_term_leaves_the_sinks_as_they_were(tmp_path: Path, pulse: Pulse) -> None:
    with sunshine(tmp_path, environment=_with(pulse)) as host:
        assert _stream(_paired(host)).audio_first.wait(PATIENCE)
        assert host.term() == 0
        assert (pulse.sinks(), pulse.default()) == (["output"], "output")


def test_kill_leaves_its_sinks_and_the_next_one_takes_them_away(
    tmp_path: Path, pulse: Pulse
) -> None:
    with sunshine(tmp_path, environment=_with(pulse)) as host:
        client = _paired(host)
        assert _stream(client).audio_first.wait(PATIENCE)
        host.process.kill()
        host.process.wait()
        assert pulse.default() == _SUNSHINE[0]
        host.start()
        host.ready()
        assert _stream(client).audio_first.wait(PATIENCE)
        assert not host.lines("Setting default sink")
        host.post("/api/apps/close")
        wait_for(lambda: pulse.sinks() == ["output"])


@pytest.mark.parametrize(
    ("server", "first"),
    [
        ("unix:/nonexistent/native", "Error: Couldn't connect to pulseaudio: Access denied"),
        ("tcp:127.0.0.1:1", "Warning: There will be no audio"),
    ],
)
def test_without_pulseaudio_there_is_a_picture(tmp_path: Path, server: str, first: str) -> None:
    with sunshine(tmp_path, environment={"PULSE_SERVER": server}) as host:
        stream = _stream(_paired(host))
        wait_for(lambda: host.lines(_UNABLE))
        said = [line.split("]: ", 1)[1] for line in host.log.read_text().splitlines()]
        end = said.index(_UNABLE)
        assert {first, "Warning: There will be no audio"} <= {*said[:end]}
        assert bool(host.lines("Couldn't connect to pulseaudio")) == first.startswith("Error")
        seen = stream.frames
        wait_for(lambda: stream.frames > seen + 10)
        assert stream.audio_packets == 0
        stream.stop()


@pytest.mark.parametrize("value", ["disabled", "Enabled"])
def test_without_sound_it_touches_nothing(tmp_path: Path, pulse: Pulse, value: str) -> None:
    """Only small letters say yes (source: to_bool)."""
    with sunshine(tmp_path, environment=_with(pulse), stream_audio=value) as host:
        stream = _stream(_paired(host))
        wait_for(lambda: stream.frames > 20)
        assert pulse.sinks() == ["output"]
        assert not host.lines("audio capture")
        stream.stop()


def test_pulseaudio_that_dies_takes_the_end_of_the_stream_with_it(
    tmp_path: Path, pulse: Pulse
) -> None:
    with sunshine(tmp_path, environment=_with(pulse, STANDIN_SUNSHINE_HANG_SECONDS="0.2")) as host:
        stream = _stream(_paired(host))
        assert stream.audio_first.wait(PATIENCE)
        pulse.stop()
        wait_for(lambda: host.lines("Error: pa_simple_read() failed: Connection terminated"))
        seen = stream.frames
        wait_for(lambda: stream.frames > seen + 10)
        host.post("/api/apps/close")
        assert host.process.wait(PATIENCE) == -5
        assert host.lines("Fatal: Hang detected! Session failed to terminate in 10 seconds.")
