"""Tries a finished image before anyone is given it."""

from __future__ import annotations

import re
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

from . import apptainer
from .failures import BuildFailed
from .runner import Runner

# Sunshine owns these, counted from `port`: GameStream HTTPS, HTTP, web UI, RTSP.
_PORTS = (-5, 0, 1, 21)
_START_SECONDS = 20.0
_COMMAND_SECONDS = 120.0
_PROGRAMS = ("/usr/bin/sunshine", "/opt/moonlight-web/web-server", "/opt/moonlight-web/streamer")
# What ldd says of a library, and of a symbol version. Apptainer itself says "not found" as well.
_MISSING = re.compile(r"^\s+(\S+) => not found|version `(\S+)' not found", re.M)
SELFTEST = "/usr/local/libexec/moonlight-hpc/selftest"
_NO_ENCODER = "Unable to find display or encoder"


def try_image(
    program: str,
    image: Path,
    version: str,
    runner: Runner,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    start_seconds: float = _START_SECONDS,
) -> None:
    """Run the programs of ``image`` as a session would, and look whether they work.

    Parameters
    ----------
    version
        The Sunshine version that has to be in the image.
    start_seconds
        How long Sunshine may take until its HTTP port answers.

    Raises
    ------
    BuildFailed
        A program does not run, lacks a library, or does not answer; the text says which.
    """
    output = runner.run(
        apptainer.run(program, image, ["sunshine", "--version"]),
        "Self-test: `sunshine --version` in the image",
        environment,
        _COMMAND_SECONDS,
    )
    if version not in output:
        raise BuildFailed(
            f"Self-test: the image should have Sunshine {version}, but `sunshine --version` says: "
            f"{output.strip()[-200:]!r}. The whole log: {runner.log}."
        )
    say(f"      Sunshine {version} runs")
    output = runner.run(
        apptainer.run(program, image, ["ldd", *_PROGRAMS]),
        "Self-test: `ldd` in the image",
        environment,
        _COMMAND_SECONDS,
    )
    missing = sorted({one or two for one, two in _MISSING.findall(output)})
    if missing:
        raise BuildFailed(
            f"Self-test: libraries are missing in the image: {', '.join(missing)}. Add their "
            f"packages to image_defs/packages.table. The whole log: {runner.log}."
        )
    say("      all libraries are there")
    seconds = _headless_start(program, image, runner, environment, start_seconds)
    say(f"      Sunshine streams from Xvfb: answered after {seconds:.1f} s")


def try_desktop(
    program: str,
    image: Path,
    name: str,
    runner: Runner,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """See that the desktop of an image that has no Sunshine starts under Xvfb.

    Raises
    ------
    BuildFailed
    """
    what = "Self-test: the desktop in the image"
    argv = apptainer.run(program, image, [SELFTEST, name])
    runner.run(argv, what, environment, _COMMAND_SECONDS)
    say("      its desktop starts under Xvfb")


def _headless_start(
    program: str, image: Path, runner: Runner, environment: Mapping[str, str], limit: float
) -> float:
    name = f"selftest-{secrets.token_hex(8)}"
    port = free_port()
    argv = apptainer.run(program, image, [SELFTEST, name, str(port)])
    start = runner.log.stat().st_size if runner.log.exists() else 0
    begun = time.monotonic()
    answer = ""
    with runner.started(argv, environment) as child:
        while time.monotonic() - begun < limit:
            answer = _server_info(port)
            # A neighbour's Sunshine would answer too, but not by this name.
            if f"<hostname>{name}</hostname>" in answer:
                break
            try:
                child.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise BuildFailed(
                f"Self-test: Sunshine ended with status {child.returncode} instead of running. "
                f"{_words(runner, start)} The whole log: {runner.log}."
            )
        else:
            other = " (something else answers there)" if answer else ""
            raise BuildFailed(
                f"Self-test: Sunshine's HTTP port {port} did not answer within {limit:g} s{other}. "
                f"{_words(runner, start)} The whole log: {runner.log}."
            )
        seconds = time.monotonic() - begun
    if _NO_ENCODER in runner.output(start):
        raise BuildFailed(
            "Self-test: Sunshine started, but found no display or no encoder in the image. "
            f"The whole log: {runner.log}."
        )
    return seconds


def free_port() -> int:
    """A base port of which Sunshine's four TCP ports are free on the loopback address.

    Outside the usual ephemeral range and the site's range of sessions.

    Raises
    ------
    BuildFailed
        There is none.
    """
    for _ in range(100):
        base = 20000 + 32 * secrets.randbelow(300)
        if all(_is_free(base + offset) for offset in _PORTS):
            return base
    raise BuildFailed("Self-test: no block of free ports was found between 20000 and 29600.")


def _is_free(port: int) -> bool:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _server_info(port: int) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        url = f"http://127.0.0.1:{port}/serverinfo?uniqueid=0123456789ABCDEF"
        with opener.open(url, timeout=2) as answer:
            return str(answer.read(65536).decode("utf-8", "replace"))
    except (URLError, OSError, HTTPException):
        return ""


def _words(runner: Runner, start: int) -> str:
    words = re.sub(r"\s+", " ", runner.last_words(300, start))
    return f"Its last words: {words}" if words else "It said nothing."
