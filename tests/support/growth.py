"""What the suite's time went into: its slowest files, for whoever reads the end of a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

#: Files that are named, and of how many files a run has to be for that.
_NAMED, _MANY = 12, 30

_seconds: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid.partition("::")[0]] += report.duration


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if len(_seconds) < _MANY or config.cache is None:
        return
    text = table(_seconds)
    terminalreporter.section("slowest files")
    terminalreporter.write(text)
    # tools/run_tests says it again at its own end.
    kept = Path(config.cache.mkdir("growth"), "slowest-files.txt")
    kept.write_text(text, encoding="utf-8")


def table(seconds: Counter[str]) -> str:
    """Set-ups of what is shared count for the file that came first."""
    lines = [f"{time:7.1f} s  {file}" for file, time in seconds.most_common(_NAMED)]
    all_of_them = f"{seconds.total():7.1f} s  in {len(seconds)} files, one after the other"
    return "\n".join([*lines, all_of_them, ""])
