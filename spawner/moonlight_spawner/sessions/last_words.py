"""What is known of a job that ended before its agent could say a word: its log, or that there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..model.files import tail

_LINES = 3
_LONGEST = 400


def last_words(
    log: Path, directory: Path, command: Sequence[str], node: str | None
) -> tuple[str, str]:
    """What was run, what it said, where, and what to do; and a code for it.

    Parameters
    ----------
    log
        The job's output. The node makes it before it runs anything: where there is none, the node
        does not have its directory (Slurm's FAILED with exit code 0:53, measured on 22.05).
    directory
        The session's own.
    command
        The agent.
    """
    where = f"node {node}" if node else "its node"
    if not log.exists():
        return (
            f"The job failed on {where} before it began, and has no log {log}. Most often the node "
            f"does not see that directory, nor {directory}: do they lie on this machine's own disk? "
            "See the settings sessions_dir and logs_dir, and XDG_DATA_HOME; `moonlight-hpc doctor` "
            "looks for that."
        ), "NoLog"
    text, _ = tail(log, 4000)
    lines = [line.strip() for line in text.splitlines() if line.strip()][-_LINES:]
    said = " / ".join(lines)[-_LONGEST:] or "nothing"
    return (
        f"The job failed on {where} before the desktop could report why. It was to run "
        f"{' '.join(command)}, and its log ends with: {said} (Look at its log. On that node, "
        "`moonlight-hpc doctor --node` finds what is missing.)"
    ), "FAILED"
