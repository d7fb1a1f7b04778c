"""Why somebody is not let in."""

from __future__ import annotations

from moonlight_spawner.model.errors import MoonlightError


class LoginRefused(MoonlightError):
    """Who asked brought something to be known by, and it does not count."""

    code = "token_refused"
    #: Whether another login at the portal may help: a browser is sent there.
    again = False


class LoginOver(LoginRefused):
    """It counted once."""

    again = True


class LoginUnclear(LoginRefused):
    """Whether it counts cannot be found out now, so it does not."""

    code = "token_unclear"
