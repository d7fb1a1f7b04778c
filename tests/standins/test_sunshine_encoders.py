"""Which encoder is found, what is advertised, and what a client gets of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE

from .client import Client, GameStreamError
from .client_stream import Frame, Stream, StreamFailed
from .sunshine_install import install
from .sunshine_running import Sunshine, sunshine

_DESKTOP = 958645192
_BOTH = {"NVENC": "1", "NVENC_AV1": "1"}
_H264, _H264_444 = 0x1, 0x40000
_HEVC, _MAIN10, _HEVC_444 = 0x100, 0x200, 0x80000
_AV1, _AV1_MAIN10 = 0x10000, 0x20000
_SOFTWARE = _H264 | _H264_444  # serverinfo-http.txt: 262145
_NVENC = _SOFTWARE | _HEVC | _HEVC_444
_FATAL = "Fatal: Unable to find display or encoder during startup."


def _knobs(knobs: dict[str, str]) -> dict[str, str]:
    return {f"STANDIN_SUNSHINE_{name}": value for name, value in knobs.items()}


def _codecs(host: Sunshine) -> int:
    return int(host.client().serverinfo()["ServerCodecModeSupport"])


def _said(host: Sunshine) -> list[str]:
    return [line.split("]: ", 1)[1] for line in host.log.read_text().splitlines()]


def _paired(host: Sunshine) -> Client:
    client = host.client()
    host.pair(client)
    return client


@pytest.mark.parametrize(
    ("wanted", "knobs", "found", "codecs"),
    [
        ("", {}, "libx264 [software]", _SOFTWARE),
        ("nvenc", {}, "libx264 [software]", _SOFTWARE),
        ("nosuch", {}, "libx264 [software]", _SOFTWARE),
        ("nvenc", {"NVENC": "1"}, "h264_nvenc [nvenc]", _NVENC),
        ("nvenc", {"NVENC": "1", "NVENC_HEVC": "0"}, "h264_nvenc [nvenc]", _SOFTWARE),
        ("", _BOTH, "h264_nvenc [nvenc]", _NVENC | _AV1),
        ("software", {"NVENC": "1"}, "libx264 [software]", _SOFTWARE),
        ("", {"VAAPI": "1"}, "h264_vaapi [vaapi]", _H264 | _HEVC | _MAIN10),
    ],
)
def test_the_log_says_which_encoder(
    tmp_path: Path, wanted: str, knobs: dict[str, str], found: str, codecs: int
) -> None:
    """preseed-variants.txt for the line; the fallback is silent (sunshine.md)."""
    with sunshine(tmp_path, environment=_knobs(knobs), encoder=wanted) as host:
        assert host.lines(f"Info: Found H.264 encoder: {found}")
        assert _codecs(host) == codecs
        failed = host.lines("Error: Couldn't open [h264_nvenc]")  # env-failures.txt: twice
        assert len(failed) == (2 if "NVENC" not in knobs and wanted != "software" else 0)
        none = host.lines(f"Error: Couldn't find any working encoder matching [{wanted}]")
        assert bool(none) == (wanted in {"nvenc", "nosuch"} and "NVENC" not in knobs)


def test_the_lines_of_an_nvenc_with_everything(tmp_path: Path) -> None:
    """(source), in the order of video.cpp"""
    with sunshine(tmp_path, environment=_knobs(_BOTH), encoder="nvenc") as host:
        said = _said(host)
        start = said.index("Info: Trying encoder [nvenc]")
        end = said.index("Info: Found AV1 encoder: av1_nvenc [nvenc]")
        assert said[start + 1] == "Info: Screencasting with X11"
        assert said[end - 6 : end] == [
            "Info: // Testing for available encoders, this may generate errors. "
            "You can safely ignore those errors. //",
            "Info: ",
            "Info: // Ignore any errors mentioned above, they are not relevant. //",
            "Info: ",
            "Info: Found H.264 encoder: h264_nvenc [nvenc]",
            "Info: Found HEVC encoder: hevc_nvenc [nvenc]",
        ]
        assert "Info: Trying encoder [software]" not in said
        assert "Info: Creating encoder [av1_nvenc]" in said[start:end]
        assert host.client().serverinfo()["MaxLumaPixelsHEVC"] == "1869449984"


@pytest.mark.parametrize(
    ("knobs", "config", "codecs", "warning"),
    [
        (_BOTH, {"hevc_mode": "1"}, _SOFTWARE | _AV1, ""),
        (_BOTH, {"hevc_mode": "1", "av1_mode": "1"}, _SOFTWARE, ""),
        (_BOTH, {"hevc_mode": "2", "av1_mode": "2"}, _NVENC | _AV1, ""),
        (_BOTH, {"hevc_mode": "9", "av1_mode": "-1"}, _NVENC | _AV1, ""),
        # Never ten bits from an X server: the warning, then as with 0.
        (_BOTH, {"hevc_mode": "3", "av1_mode": "1"}, _NVENC, "HEVC Main10"),
        ({"NVENC": "1"}, {"av1_mode": "2"}, _NVENC, "AV1"),
        # The real one looks at the wrong variable: AV1 is advertised, and nothing can encode it.
        ({"NVENC": "1"}, {"av1_mode": "3"}, _NVENC | _AV1 | _AV1_MAIN10, ""),
        ({}, {"hevc_mode": "2"}, _SOFTWARE | _HEVC | _HEVC_444, ""),
        ({"SOFTWARE_HEVC": "0"}, {"hevc_mode": "2"}, _SOFTWARE, "HEVC"),
        ({}, {"av1_mode": "2"}, _SOFTWARE, "AV1"),
    ],
)
def test_the_modes_of_hevc_and_av1(
    tmp_path: Path, knobs: dict[str, str], config: dict[str, Any], codecs: int, warning: str
) -> None:
    """(source)"""
    wanted = "nvenc" if "NVENC" in knobs else "software"
    with sunshine(tmp_path, environment=_knobs(knobs), encoder=wanted, **config) as host:
        assert _codecs(host) == codecs
        words = f"Warning: Encoder [{wanted}] does not support {warning} on this system"
        assert bool(host.lines(words)) == bool(warning)
        assert bool(host.lines("does not support")) == bool(warning)


def test_a_codec_is_preferred_to_the_first_encoder(tmp_path: Path) -> None:
    """Without ``encoder`` the first that can do what the modes ask for is taken (source)."""
    knobs = {"NVENC": "1", "NVENC_HEVC": "0", "VAAPI": "1"}
    with sunshine(tmp_path, environment=_knobs(knobs), hevc_mode="3") as host:
        assert host.lines("Found HEVC encoder: hevc_vaapi [vaapi]")
        assert not host.lines("Found H.264 encoder: h264_nvenc [nvenc]")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("codec", ["Error: Couldn't open [h264_nvenc]"]),
        ("cuda", ["Error: Couldn't load cuda: -1"]),
        (
            "driver",
            [
                "Driver does not support the required nvenc API version. Required: 13.0 Found: 12.1",
                "The minimum required Nvidia driver for nvenc is 570.0 or newer",
                "Error: Could not open codec [h264_nvenc]: Function not implemented",
            ],
        ),
        (
            "hardware",
            [
                "OpenEncodeSessionEx failed: unsupported device (2): (no details)",
                "Error: Could not open codec [h264_nvenc]: Function not implemented",
            ],
        ),
    ],
)
def test_why_nvenc_failed(tmp_path: Path, how: str, words: list[str]) -> None:
    """``codec`` is recorded, the others are from the sources and public logs."""
    knobs = _knobs({"NVENC_FAILS": how})
    with sunshine(tmp_path, environment=knobs, encoder="nvenc") as host:
        assert [len(host.lines(text)) for text in words] == [2] * len(words)
        assert host.lines("Info: Encoder [nvenc] failed")
        assert host.lines("Info: Found H.264 encoder: libx264 [software]")


def test_no_encoder_although_there_is_a_display(tmp_path: Path) -> None:
    with sunshine(tmp_path, environment=_knobs({"SOFTWARE": "0"})) as host:
        assert host.lines(_FATAL)
        assert _codecs(host) == 1


@pytest.mark.parametrize("value", ["superfats", "fastest"])
def test_a_preset_that_does_not_exist_leaves_no_encoder(tmp_path: Path, value: str) -> None:
    """(source) x264 refuses it, and nothing else is left."""
    with sunshine(tmp_path, encoder="software", sw_preset=value) as host:
        words = f"Error setting preset/tune {value}/zerolatency."
        assert host.lines(words) and host.lines(_FATAL)
        client = _paired(host)
        with pytest.raises(GameStreamError, match="503"):
            client.launch(_DESKTOP)


@pytest.mark.parametrize("value", ["ultrafast", "Faster", "3"])
def test_presets_of_x264(tmp_path: Path, value: str) -> None:
    with sunshine(tmp_path, encoder="software", sw_preset=value, min_threads="8") as host:
        assert host.lines("Found H.264 encoder: libx264 [software]")


def test_a_gpu_that_is_full_at_the_launch_is_found_out_then(tmp_path: Path) -> None:
    """(source) The encoder is chosen anew at the first launch; the log says it a second time."""
    installed = install(tmp_path / "opt", knobs={"NVENC": "1", "TERM_HANG": "never"})
    knobs = tmp_path / "opt" / "standins" / "sunshine_knobs.json"
    with sunshine(tmp_path / "run", program=installed / "sunshine", encoder="nvenc") as host:
        client = _paired(host)
        assert host.lines("Found H.264 encoder: h264_nvenc [nvenc]")
        knobs.write_text(json.dumps({"NVENC": "0", "TERM_HANG": "never"}))
        client.launch(_DESKTOP)
        assert len(host.lines("Found H.264 encoder")) == 2
        assert host.lines("Found H.264 encoder")[-1].endswith("libx264 [software]")


@pytest.mark.parametrize(("knobs", "probes"), [({"NVENC": "1"}, 2), ({}, 3)])
def test_how_often_it_is_chosen(tmp_path: Path, knobs: dict[str, str], probes: int) -> None:
    """(source) At the start and at the first launch; with the CPU at every launch."""
    with sunshine(tmp_path, environment=_knobs(knobs)) as host:
        client = _paired(host)
        for _ in range(2):
            client.launch(_DESKTOP)
            client.cancel()
        assert len(host.lines("Found H.264 encoder")) == probes


@pytest.mark.parametrize(
    ("codecs", "agreed", "starts"),
    [
        ({"h264"}, "h264", b"\x00\x00\x00\x01\x67"),
        ({"h264", "hevc"}, "hevc", b"\x00\x00\x00\x01\x40"),
        ({"h264", "hevc", "av1"}, "av1", b"\x12\x00"),
    ],
)
def test_a_client_gets_the_best_that_both_have(
    tmp_path: Path, codecs: set[str], agreed: str, starts: bytes
) -> None:
    frames: list[Frame] = []
    with sunshine(tmp_path, environment=_knobs(_BOTH)) as host:
        session = _paired(host).launch(_DESKTOP)
        stream = Stream(session, codecs=codecs, on_frame=frames.append)
        stream.start()
        assert stream.first.wait(PATIENCE)
        assert stream.codec == agreed
        stream.stop()
    assert frames[0].idr and frames[0].data.startswith(starts)


def test_what_is_off_is_not_offered_and_not_given(tmp_path: Path) -> None:
    with sunshine(tmp_path, environment=_knobs(_BOTH), hevc_mode="1", av1_mode="1") as host:
        client = _paired(host)
        stream = Stream(client.launch(_DESKTOP), codecs=("h264", "hevc", "av1"))
        stream.start()
        assert stream.codec == "h264"
        stream.stop()
        client.cancel()
        rude = Stream(client.launch(_DESKTOP))
        rude._description = lambda: Stream._description(rude).replace(  # type: ignore[method-assign]
            "bitStreamFormat:0", "bitStreamFormat:1"
        )
        with pytest.raises(StreamFailed, match=r"ANNOUNCE.*400 BAD REQUEST"):
            rude.start()
        assert host.lines("Warning: HEVC is disabled, yet the client requested HEVC")


def test_an_av1_that_is_only_advertised_has_no_picture(tmp_path: Path) -> None:
    with sunshine(tmp_path, environment=_knobs({"NVENC": "1"}), av1_mode="3") as host:
        stream = Stream(_paired(host).launch(_DESKTOP), codecs=("h264", "av1"))
        stream.start()
        assert not stream.first.wait(0.5)
        assert host.lines("Error: nvenc: av1_nvenc mode not supported")
        stream.stop()


@pytest.mark.parametrize(
    ("limit", "asked", "encoded"),
    [
        # 20 % for error correction, 512 for sound, 500 for the rest.
        ("0", 10000, 6988000),
        ("10000", 10000, 6988000),
        ("5000", 10000, 5000000),
        ("-1", 2000, 1152000),
    ],
)
def test_the_bitrate(tmp_path: Path, limit: str, asked: int, encoded: int) -> None:
    """(source) max_bitrate bounds what is left of the client's figure."""
    with sunshine(tmp_path, max_bitrate=limit) as host:
        stream = Stream(_paired(host).launch(_DESKTOP), kbps=asked)
        stream.start()
        assert stream.first.wait(PATIENCE)
        assert host.lines("Info: Streaming bitrate is")[-1].endswith(f" {encoded}")
        stream.stop()


@pytest.mark.parametrize("config", [{"adapter_name": "/dev/dri/renderD128"}, {"output_name": "1"}])
def test_a_chosen_adapter_changes_the_advice(tmp_path: Path, config: dict[str, Any]) -> None:
    """(source) With X and NVENC it means nothing else."""
    with sunshine(tmp_path, environment=_knobs({"SOFTWARE": "0"}), **config) as host:
        assert host.lines("Fatal: Please ensure your manually chosen GPU and monitor are connected")
