"""How a build can fail. Each text says what was found and what to do."""

from __future__ import annotations

from pathlib import Path

from ..model.errors import MoonlightError


class BuildFailed(MoonlightError):
    """An image was not built; the old one, if there was one, is still in place."""

    code = "build_failed"


class NotReady(BuildFailed):
    """The machine, the options or the downloads do not allow a build; nothing was started."""

    code = "build_not_ready"

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


class CommandFailed(BuildFailed):
    """A program of a step ended with an error.

    Attributes
    ----------
    status
        Its exit status; negative for a signal.
    log
        Where its whole output is.
    """

    def __init__(self, what: str, status: int, log: Path, last_words: str):
        shown = f" Its last words: {last_words}" if last_words else ""
        super().__init__(f"{what} ended with status {status}.{shown} The whole log: {log}.")
        self.status = status
        self.log = log


class Interrupted(BaseException):
    """The build was asked to end (Ctrl-C, TERM or HUP); its children are gone already.

    Not an ``Exception``: no handler of ordinary failures may take it for one.
    """

    def __init__(self, signal_number: int):
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number
