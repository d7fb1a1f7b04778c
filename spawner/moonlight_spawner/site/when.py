"""When a session is to begin, and whether its user gets mail then: Slurm's own words for it, checked."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from ..model.session import from_epoch, now
from .options import MoonlightSite

# As sbatch(1) has it for --begin.
_RELATIVE = re.compile(r"now(?:\+([0-9]{1,7})(second|minute|hour|day|week|)s?)?", re.ASCII)
_SECONDS = {"": 1, "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
# Slurm hands it to a program for mail: nothing that such a one could take for an option or a second address.
ADDRESS = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9._+%-]{0,63}@[A-Za-z0-9][A-Za-z0-9-]{0,62}(\.[A-Za-z0-9][A-Za-z0-9-]{0,62})*",
    re.ASCII,
)


def begins_later(site: MoonlightSite) -> bool:
    """Whether a session may be told to begin at a time."""
    return site.batch_system == "slurm" and site.begin_days > 0


def sends_mail(site: MoonlightSite) -> bool:
    """Whether there is mail when a session begins."""
    return site.mail and site.batch_system == "slurm"


def begin_of(value: Any, site: MoonlightSite) -> datetime | None:
    """The moment that is asked for; None: at once, as for one that has passed.

    Raises
    ------
    ValueError
        Why it cannot be that one; the end of a sentence.
    """
    if value is None or value == "":
        return None
    begin = _moment(value)
    if begin is None:
        raise ValueError(
            "must be a time with its zone like 2026-11-30T08:00:00+09:00, or like now+2hours"
        )
    if begin <= now():
        return None
    if site.batch_system != "slurm":
        raise ValueError("without Slurm desktops begin at once")
    if begin > now() + timedelta(days=site.begin_days):
        days = f"{site.begin_days:g}"
        raise ValueError(
            f"this site takes times within {days} days"
            if site.begin_days
            else "this site takes none"
        )
    return begin


def mail_of(value: Any, site: MoonlightSite) -> bool:
    """Whether mail is wanted.

    Raises
    ------
    ValueError
    """
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    if value and not sends_mail(site):
        raise ValueError("this site sends no mail")
    return value


def address_of(value: Any) -> str:
    """An address for that mail, empty for the user's own.

    Raises
    ------
    ValueError
    """
    if not isinstance(value, str) or (value and not ADDRESS.fullmatch(value)):
        raise ValueError("must be an address like alice@site.org")
    return value


def mail_to(asked: str, user: str, site: MoonlightSite) -> str:
    """Where mail goes: where it was asked to, else the user's address in the site's domain; empty: what
    Slurm takes for it."""
    own = f"{user}@{site.mail_domain}" if site.mail_domain else ""
    return asked or (own if ADDRESS.fullmatch(own) else "")


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) > 64:
        return None
    if match := _RELATIVE.fullmatch(value):
        return now() + timedelta(seconds=int(match[1] or 0) * _SECONDS[match[2] or ""])
    try:
        # Python 3.10 knows no Z, and takes no other signs for a zone.
        moment = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", value))
        return from_epoch(moment.timestamp()) if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
