"""Moments as they are on record."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> datetime:
    """The present, in UTC and to the second: finer times are noise in a record."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def from_epoch(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=0)
