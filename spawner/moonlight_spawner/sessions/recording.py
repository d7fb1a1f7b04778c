"""Puts a new session on record: its request, the user's limit and the first record as one step."""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import dataclass
from typing import Any

from ..model.errors import LimitReached, RecordsUnwritable
from ..model.records import Facts, Job, Name
from ..model.said import said_by
from ..model.session import Resources, Way, new_session_id, now
from ..scheduler.base import Scheduler
from ..site.images import Catalogue, follows_window
from ..site.options import MoonlightSite
from ..site.request import validate_name, validate_request, validate_request_key, validate_user
from ..store import FileStore
from .inside import JobHere
from .reading import SessionReader


@dataclass(frozen=True)
class NewSession:
    """A session that may be put on record: what was asked for is allowed."""

    user: str
    session_id: str
    resources: Resources
    name: str
    door: str
    request_key: str | None


class Recorder:
    """Checks what is asked for, and makes a record of it; starting it is others' work."""

    def __init__(
        self, site: MoonlightSite, store: FileStore, scheduler: Scheduler, reader: SessionReader
    ):
        self.images = Catalogue(site)
        self._site = site
        self._store = store
        self._scheduler = scheduler
        self._reader = reader

    def checked(self, user: str, body: Any, request_key: str | None, door: str) -> NewSession:
        """A request that any door was given.

        Raises
        ------
        InvalidRequest
        """
        validate_user(user)
        validate_request_key(request_key)
        resources = validate_request(body, self._site, self.images.default())
        name = validate_name(body)
        return NewSession(user, new_session_id(user), resources, name, door, request_key)

    async def record(
        self, new: NewSession, job: JobHere | None = None, way: Way = Way.JOB
    ) -> tuple[Facts | None, str]:
        """The new session's facts, None if its key has made one before; and the key's session.

        Raises
        ------
        NotFound, ImageUnavailable, LimitReached, RecordsUnwritable
            Nothing is on record.
        """
        try:
            # Key, count and record are one step, or requests at the same time all pass.
            async with self._store.exclusively(new.user):
                owner = self._claim(new.user, new.request_key, new.session_id)
                if owner != new.session_id:
                    return None, owner
                return await self._put_on_record(new, job, way), owner
        except OSError as e:
            raise self.unwritable(e, f"nothing was {'started' if job else 'submitted'}") from e

    def unwritable(self, error: OSError, therefore: str) -> RecordsUnwritable:
        what = "The session cannot be put on record in"
        why = said_by(error)
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            node = os.uname().nodename
            return RecordsUnwritable(
                f"{what} {self._store.root}, which {node} cannot write to: {why}. Name a directory in "
                f"the setting sessions_dir that all machines can write to; {therefore}."
            )
        return RecordsUnwritable(
            f"{what} {self._store.root}: {why}. Make room there and try again; {therefore}."
        )

    def _claim(self, user: str, request_key: str | None, session_id: str) -> str:
        """The session that ``request_key`` stands for: a new one, or that of an earlier request."""
        if request_key is None:
            return session_id
        owner = self._store.claim_key(user, request_key, session_id)
        if owner == session_id or self._reader.facts(user, owner):
            return owner
        # Key and record are made in one step: who made the key died before the record.
        self._store.release_key(user, request_key)
        return self._store.claim_key(user, request_key, session_id)

    async def _put_on_record(self, new: NewSession, job: JobHere | None, way: Way) -> Facts:
        user, session_id, resources = new.user, new.session_id, new.resources
        try:
            image = self.images.get(resources.image)
            host = image.streaming_host(resources.host)
            place, _ = await asyncio.gather(self._place(job), self._check_limit(user))
            facts = Facts(
                session_id=session_id,
                user=user,
                image_id=image.id,
                image_name=image.name,
                image_names=image.names,
                image_path=image.path,
                application=image.application,
                host=host,
                scheduler=self._scheduler.name,
                place=place,
                door=new.door,
                way=way,
                allocation=job.allocation if job else None,
                request=_as_can_be(resources, host),
            )
            if new.name:
                self._store.put(user, session_id, "name", Name(text=new.name, at=now()))
            if job:  # before the facts, which make it a session: one of a job is never without it
                self._store.put_once(user, session_id, "job", Job(job_id=job.job_id))
            self._store.put(user, session_id, "facts", facts)
        except BaseException:
            self._store.remove(user, session_id)  # with its key
            raise
        return facts

    async def _place(self, job: JobHere | None) -> str:
        return (job.cluster if job else "") or await self._scheduler.place()

    async def _check_limit(self, user: str) -> None:
        sessions = await self._reader.read(user, self._store.ids(user))
        live = sorted((s for s in sessions if s.live), key=lambda s: s.created_at, reverse=True)
        if len(live) >= self._site.max_sessions:
            names = ", ".join(s.session_id for s in live)
            raise LimitReached(
                f"You have {len(live)} live sessions, and this site allows {self._site.max_sessions}. "
                f"Stop one first: {names}."
            )


def _as_can_be(asked: Resources, host: str) -> Resources:
    """What is on record is what will be: not every host's screen follows its window."""
    return asked.model_copy(update={"follow_window": asked.follow_window and follows_window(host)})
