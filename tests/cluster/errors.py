"""What goes wrong with a test cluster, in sentences."""

from __future__ import annotations


class ClusterError(Exception):
    """The test cluster cannot do what was asked; the message says what to do."""


class MissingProgram(ClusterError):
    """A program of the cluster is not installed."""


class DaemonFailed(ClusterError):
    """A daemon ended, or was not ready in time; the message carries the end of its log."""


class CommandFailed(ClusterError):
    """A Slurm command exited with an error."""

    def __init__(self, argv: list[str], returncode: int, output: str) -> None:
        super().__init__(f"{' '.join(argv)} exited {returncode}: {output.strip() or '(silent)'}")
        self.argv = argv
        self.returncode = returncode
        self.output = output
