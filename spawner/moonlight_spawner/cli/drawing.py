"""Pictures of figures, where matplotlib is installed: bars, in a PNG or SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def look_at_plot(file: Path, instead: str) -> None:
    """Before anything is asked or measured for it.

    Parameters
    ----------
    instead
        A sentence about what needs no picture.

    Raises
    ------
    ValueError
        It cannot be drawn here.
    """
    if file.suffix not in (".png", ".svg"):
        raise ValueError(f"--plot {file}: its name has to end with .png or .svg.")
    try:
        import matplotlib  # noqa: F401
    except ImportError as e:
        raise ValueError(
            f"--plot needs {e.name}, which is not installed here: pip install 'moonlight-hpc[report]'. "
            f"{instead}"
        ) from e


def new_picture(width: float, height: float) -> Any:
    """Empty, of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def bars_in(axes: Any, name: str, groups: Sequence[str], values: Sequence[float]) -> None:
    """One bar for each group, the first at the top, with its value beside it."""
    bars = axes.barh([group.replace("$", r"\$") for group in groups], values)
    axes.bar_label(bars, padding=3)
    axes.invert_yaxis()
    axes.set_xlabel(name)


def keep(picture: Any, file: Path) -> None:
    """
    Raises
    ------
    ValueError
    """
    try:
        picture.savefig(file)
    except OSError as e:
        raise ValueError(f"--plot {file} cannot be written: {e.strerror}.") from e
