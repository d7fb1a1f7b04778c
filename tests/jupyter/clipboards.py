"""Programs in a session's display that copy and paste: real ones, and owners with odd manners."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
from moonlight_spawner.model.session import Session

from tests.support.waiting import PATIENCE, wait_for

_COPY = {
    "xclip": ["xclip", "-quiet", "-selection", "clipboard", "-in"],
    "xsel": ["xsel", "--clipboard", "--input", "--nodetach"],
}
_PASTE = {
    "xclip": ["xclip", "-selection", "clipboard", "-out", "-target", "UTF8_STRING"],
    "xsel": ["xsel", "--clipboard", "--output"],
}
PROGRAMS = sorted(_COPY)


class Display:
    """The display of a running session, for programs of its user."""

    def __init__(self, session: Session):
        self.env = _environment(session.session_id)

    @property
    def runtime(self) -> Path:
        """The session's private directory on the node."""
        return Path(self.env["XAUTHORITY"]).parent

    @contextlib.contextmanager
    def copied(self, text: str, program: str = "xclip") -> Iterator[psutil.Process]:
        """A program holds ``text`` in the clipboard until the end, when it is killed."""
        data = text.encode()
        with self._running(_COPY[program], data) as process:
            wait_for(lambda: self._paste("xclip") == data)
            yield psutil.Process(process.pid)

    @contextlib.contextmanager
    def owned(self, manners: str) -> Iterator[None]:
        """An owner of :mod:`.selection_owner` holds the clipboard until the end."""
        with self._running([sys.executable, "-m", "tests.jupyter.selection_owner", manners]) as it:
            assert it.stdout and it.stdout.readline() == b"it is mine\n"
            yield

    def pasted(self, program: str = "xclip") -> str | None:
        """What a program gets out of the clipboard; None if it is refused."""
        data = self._paste(program)
        return data if data is None else data.decode()

    @contextlib.contextmanager
    def _running(self, argv: list[str], data: bytes = b"") -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.env,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdin and process.stdout
        try:
            process.stdin.write(data)
            process.stdin.close()
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def _paste(self, program: str) -> bytes | None:
        done = subprocess.run(
            _PASTE[program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self.env,
            timeout=PATIENCE,
            check=False,
        )
        return None if done.returncode else done.stdout


def _environment(session_id: str) -> dict[str, str]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            env = process.environ()
            if env.get("MOONLIGHT_SESSION") == session_id and "XAUTHORITY" in env:
                return {name: env[name] for name in ("DISPLAY", "XAUTHORITY", "PATH")}
    raise AssertionError(f"nothing of {session_id} runs")
