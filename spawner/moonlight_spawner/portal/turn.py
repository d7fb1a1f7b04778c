"""TURN credentials that the portal's service makes for its users' sessions, so that no user has to be able
to read the secret of which they are made.

A launch is given some that last as long as the session should (:class:`.protocol.Create`). A session that
was given more time, or has waited for longer, gets new ones with the answer to what it tells of itself.
"""

from __future__ import annotations

from datetime import datetime

from ..model.records import TurnCredentials
from ..model.session import Resources, name_in_ids, now
from ..sessions.turn import QUEUE_SECONDS, lasting, made_for
from ..site.options import MoonlightSite

_LEAST_SECONDS = 12 * 3600.0  # new ones are made when those of before last no longer
_AFTER_THE_END_SECONDS = 3600.0


def for_launch(site: MoonlightSite, user: str, request: Resources) -> TurnCredentials | None:
    """Those of a session that is about to be launched: its id is not known yet, and its user is."""
    return made_for(site, name_in_ids(user), lasting(request))


def anew(
    site: MoonlightSite, user: str, until: float, ends_at: datetime | None
) -> TurnCredentials | None:
    """Others for a session whose credentials last until ``until`` and that says it ends at ``ends_at``;
    None where those last.

    When it ends is its user's word, so these are no longer good than those of the longest launch.
    """
    clock = now().timestamp()
    if ends_at is None or until >= ends_at.timestamp() or until - clock >= _LEAST_SECONDS:
        return None
    most = site.max_hours * 3600 + QUEUE_SECONDS
    seconds = min(most, ends_at.timestamp() + _AFTER_THE_END_SECONDS - clock)
    return made_for(site, name_in_ids(user), seconds) if seconds > 0 else None


__all__ = ["anew", "for_launch"]
