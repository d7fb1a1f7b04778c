"""`moonlight-hpc session measure`: what is refused, what is counted and what is said of it. It really
measures in tests/slurm/test_sessions.py."""

from __future__ import annotations

import asyncio
import os
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_spawner.agent.measure import measure, vnc
from moonlight_spawner.agent.measure.here import run
from moonlight_spawner.agent.measure.measure import Figures, Measured, Unmeasurable, measured
from moonlight_spawner.agent.measure.rfb import RfbProbe
from moonlight_spawner.cli import main
from moonlight_spawner.cli.measure import command, table
from moonlight_spawner.model.session import Gateway
from moonlight_spawner.processes.mark import this_machine

from .desk import spec

SESSION = "ml-alice-aaaaaaaaaa"
LENGTH = 10.0
FOUND = Measured(
    session_id=SESSION,
    node="n1",
    resolution="1280x720",
    fps=60,
    seconds=LENGTH,
    ways=[
        Figures(
            name="Moonlight (selkies, x264 h264)",
            frames_per_second=58.9,
            traffic_kb_per_s=450.2,
            cpu_percent=34.0,
            encoder_percent=12,
            click_ms=30.1,
            click_ms_p95=37.2,
            clicks=20,
        ),
        Figures(
            name="TigerVNC 1.12.0",
            frames_per_second=18.8,
            traffic_kb_per_s=7876,
            cpu_percent=28.0,
        ),
    ],
)


def test_both_are_beside_each_other_and_what_is_not_known_is_a_dash() -> None:
    lines = table(FOUND).splitlines()
    assert lines[0].startswith(f"{SESSION} on n1: 1280x720, 60 frames a second asked for")
    rows = {line.split("  ")[0]: line.split()[-2:] for line in lines[3:9]}
    assert rows["frames (1/s)"] == ["58.9", "18.8"]
    assert rows["click to picture, median (ms)"] == ["30.1", "–"]
    assert rows["GPU encoder (%)"] == ["12", "–"]


def asked(slurm_job_id: str | None, machine: str) -> list[str]:
    site = SimpleNamespace(
        agent_command=["/opt/hpc/bin/moonlight-hpc", "agent"],
        slurm_command=lambda name: f"/s/{name}",
    )
    store = SimpleNamespace(directory=lambda session_id: Path("/home/alice/s") / session_id)
    manager: Any = SimpleNamespace(site=site, store=store)
    session: Any = SimpleNamespace(
        session_id=SESSION,
        slurm_job_id=slurm_job_id,
        node="n1",
        screen="1280x720",
        gateway=Gateway(hosts=["n1"], port=1, certificate="", machine=machine),
    )
    return command(manager, session, 2.5)


def test_it_is_measured_in_the_sessions_job_or_on_its_own_machine_alone() -> None:
    measuring = ["/opt/hpc/bin/moonlight-hpc", "agent", "--measure", f"/home/alice/s/{SESSION}"]
    measuring += ["1280x720", "2.5"]
    in_job = asked("7", "whichever")
    assert in_job[-len(measuring) :] == measuring
    assert in_job[0] == "/s/srun" and {"--jobid=7", "--overlap", "--nodelist=n1"} < set(in_job)
    assert asked(None, this_machine()) == measuring
    with pytest.raises(ValueError, match="another machine"):
        asked(None, "another one")


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "301", "nan", "inf"])
def test_a_length_that_is_none_is_refused_before_anything_is_done(seconds: str) -> None:
    with pytest.raises(SystemExit):
        main(["session", "measure", SESSION, "--seconds", seconds])


def test_a_session_without_a_second_stream_of_its_kind_is_told(tmp_path: Path) -> None:
    sunshine = spec(SESSION).model_copy(update={"host": "sunshine"})
    with pytest.raises(Unmeasurable, match="--host selkies"):
        asyncio.run(measured(sunshine, "800x600", 1, tmp_path))


def test_without_tigervnc_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = program(tmp_path, "Xvnc", "echo 'Xvnc Free Edition 4.1' >&2")
    monkeypatch.setattr(vnc, "find", lambda name: str(other) if name == "Xvnc" else None)
    assert asyncio.run(vnc.program()) is None, "that of somebody else is none"
    there = spec(SESSION).model_copy(update={"host": "selkies"})
    (tmp_path / "spec.json").write_text(there.model_dump_json())
    (tmp_path / "spec.json").chmod(0o600)
    assert run(str(tmp_path), "800x600", "1") == 1
    assert "tigervnc-standalone-server" in capsys.readouterr().err


def test_the_busiest_encoder_of_the_job_counts_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for said, found in (("echo 7; echo 41", 41.0), ("echo '[N/A]'", None), ("exit 9", None)):
        program(tmp_path, "nvidia-smi", said)
        assert asyncio.run(measure._encoder()) == found


def program(directory: Path, name: str, said: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{said}\n")
    path.chmod(0o755)
    return path


HELLO = b"RFB 003.008\n" + b"\x01\x01" + bytes(4)
HELLO += struct.pack(">HH16xI", 640, 480, 4) + b"name"


def update(*rectangles: bytes) -> bytes:
    return struct.pack(">BxH", 0, len(rectangles)) + b"".join(rectangles)


def rectangle(width: int, height: int, encoding: int, data: bytes) -> bytes:
    return struct.pack(">HHHHi", 0, 0, width, height, encoding) + data


#: All forms in which a rectangle comes, each with a length that only its own rule gives.
TIGHT = {
    "fill": (9, 9, b"\x80" + b"rgb"),
    "JPEG, a byte of length": (9, 9, b"\x90\x05" + b"j" * 5),
    "JPEG, two": (9, 9, b"\x90" + bytes([0x80 | 3, 0x04]) + b"j" * (3 + (4 << 7))),
    "JPEG, three": (9, 9, b"\x90" + bytes([0x81, 0x80, 0x02]) + b"j" * (1 + (2 << 14))),
    "plain, short": (3, 1, b"\x00" + b"p" * 9),
    "plain, compressed": (9, 9, b"\x00\x07" + b"z" * 7),
    "gradient": (9, 9, b"\x40\x02\x07" + b"z" * 7),
    "two colours, short": (17, 3, b"\x40\x01\x01" + b"c" * 6 + b"b" * 9),
    "two colours, compressed": (64, 64, b"\x40\x01\x01" + b"c" * 6 + b"\x07" + b"z" * 7),
    "five colours": (64, 64, b"\x40\x01\x04" + b"c" * 15 + b"\x07" + b"z" * 7),
    "filter that copies": (9, 9, b"\x40\x00\x07" + b"z" * 7),
}


async def read(directory: Path, sent: bytes) -> RfbProbe:
    """A client to which a server has said that, and then no more.

    Raises
    ------
    ConnectionError
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        writer.write_eof()
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(serve, str(directory / "s")):
        probe = RfbProbe(directory / "s")
        try:
            await probe.join()
            await probe.read()
        except ConnectionError as e:
            if "has ended the connection" not in str(e):
                raise
        finally:
            await probe.leave()
        return probe


def test_a_frame_is_taken_apart_to_its_end_whatever_it_is_made_of(tmp_path: Path) -> None:
    rectangles = [rectangle(w, h, 7, data) for w, h, data in TIGHT.values()]
    rectangles += [rectangle(3, 2, 0, b"r" * 24), rectangle(9, 9, 1, b"copy")]
    colours = struct.pack(">BxHH", 1, 0, 2) + bytes(12)
    between = b"\x02" + struct.pack(">BxxxI", 3, 4) + b"text" + colours
    sent = HELLO + update(*rectangles) + between + update(rectangles[0])
    probe = asyncio.run(read(tmp_path, sent))
    assert (probe.frames, probe.received, probe.size) == (2, len(sent), (640, 480))


@pytest.mark.parametrize(
    "sent, words",
    [
        (b"SSH-2.0-thing\n", "speaks no VNC"),
        (b"RFB 003.008\n\x01\x02", "wants a login"),
        (b"RFB 003.008\n\x01\x01\x00\x00\x00\x01", "refuses"),
        (HELLO + update(rectangle(9, 9, 5, b"")), "unknown encoding 5"),
        (HELLO + update(rectangle(9, 9, 7, b"\xa0")), "Tight of the unknown kind"),
        (HELLO + b"\x09", "unknown kind 9"),
        (HELLO + update(rectangle(65535, 65535, 0, b"")), "announces"),
    ],
)
def test_what_is_no_vnc_is_told(tmp_path: Path, sent: bytes, words: str) -> None:
    with pytest.raises(ConnectionError, match=words):
        asyncio.run(read(tmp_path, sent))
