"""What a reader of sessions cannot do by itself: it knows records, and no files, jobs or processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..model.records import Facts, Job
from ..model.session import Session


class Hands(Protocol):
    """Of the user's own process they reach his files and jobs (:class:`.launch.Launcher`)."""

    def elsewhere(self, facts: Facts, place: str) -> bool:
        """Whether its job is of another machine or cluster than ``place``: its id means nothing here."""

    async def confirm(self, unconfirmed: Sequence[Facts]) -> dict[str, Job]:
        """Look for jobs whose submission was not answered; those found, by their sessions' ids."""

    def cancel_again(self, facts: Facts) -> None:
        """Repeat a stop that the batch system did not take, now and then."""

    def last_words(self, session: Session) -> tuple[str, str] | None:
        """Why a job failed whose agent never spoke: a reason and its code, None if nobody knows."""
