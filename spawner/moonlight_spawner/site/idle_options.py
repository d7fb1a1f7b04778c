"""The settings of what is done with a desktop that nobody uses."""

from __future__ import annotations

import math
from collections.abc import Mapping

from traitlets import Bool, Float, TraitError, validate
from traitlets.config import LoggingConfigurable


class IdleSettings(LoggingConfigurable):
    """A part of :class:`.options.MoonlightSite`."""

    idle_minutes = Float(
        0.0,
        min=0,
        help="After so many minutes in which nobody watched a desktop, typed into it or computed with "
        "it, it is ended and its GPU given back; 0: never. Not where it is a guest of another job, which "
        "would keep the GPU.",
    ).tag(config=True)
    idle_warning_minutes = Float(
        5.0,
        min=0,
        help="How long before that its user is told, on the desktop and in the page, and may keep it; at "
        "most three quarters of `idle_minutes`.",
    ).tag(config=True)
    idle_watching_minutes = Float(
        0.0,
        min=0,
        help="A browser that has the desktop open counts as somebody for so long after the last key or "
        "move of the pointer; 0: as long as it is open.",
    ).tag(config=True)
    idle_cpu_percent = Float(
        10.0,
        min=0,
        help="A job that needs more CPU time than this computes, in percent of one CPU.",
    ).tag(config=True)
    idle_gpu_percent = Float(
        5.0, min=0, help="A job whose GPU is busier than this computes, as nvidia-smi says."
    ).tag(config=True)
    idle_ends_busy = Bool(
        False,
        help="End desktops that compute as well, if nobody watches them or types into them.",
    ).tag(config=True)

    @validate(
        *("idle_minutes", "idle_warning_minutes", "idle_watching_minutes"),
        *("idle_cpu_percent", "idle_gpu_percent"),
    )
    def _a_number(self, proposal: Mapping[str, float]) -> float:
        if not math.isfinite(value := proposal["value"]):
            raise TraitError(f"{proposal['trait'].name} is {value}, but must be a number.")  # type: ignore[attr-defined]
        return value
