"""The settings of what a portal's service runs as its users, by sudo."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from traitlets import Float, Int, List, TraitError, Unicode, default, validate
from traitlets.config import LoggingConfigurable


class SideSettings(LoggingConfigurable):
    """A part of :class:`.options.MoonlightSite`."""

    user_side_command = List(
        Unicode(),
        help="For the portal: what its service runs by sudo as a user, exactly as the sudoers rule has "
        "it. With `--config FILE` where the settings do not lie in /etc/moonlight-hpc.",
    ).tag(config=True)
    user_side_seconds = Float(
        30.0,
        min=0.5,
        max=200.0,
        help="For the portal: how long a user's side may take for an answer, and a request may wait to "
        "be begun.",
    ).tag(config=True)
    user_sides = Int(
        16, min=1, help="For the portal: requests to users' sides that are begun at once."
    ).tag(config=True)
    user_sides_each = Int(
        4, min=1, help="For the portal: processes of one user's side at a time."
    ).tag(config=True)

    @default("user_side_command")
    def _user_side_command(self) -> list[str]:
        return [os.path.join(sys.prefix, "bin", "moonlight-hpc"), "user-side"]

    @validate("user_side_command")
    def _whole_path(self, proposal: Mapping[str, list[str]]) -> list[str]:
        command = proposal["value"]
        if not command or not os.path.isabs(command[0]):
            raise TraitError(
                f"user_side_command is {command}, but must begin with an absolute path: sudo compares "
                "it with that of its rule."
            )
        return command
