"""The REST API. Handlers translate; rules live in the manager."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from moonlight_spawner import __version__
from moonlight_spawner.model.errors import FieldError, InvalidRequest, shorten
from moonlight_spawner.model.session import Session
from moonlight_spawner.sessions.inside import JobHere
from moonlight_spawner.site.images import may_put
from moonlight_spawner.site.request import keyboards, limits
from tornado.web import authenticated

from .base import MoonlightAPIHandler, NothingHere
from .listing import PARAMETERS, Listing
from .openapi import document

_MAX_BODY_BYTES = 64 * 1024
_MAX_TAIL_BYTES = 1024 * 1024
_MAX_NESTING = 100
#: In the place of a user's name: an admin's list of all users' sessions, of so many if none is said.
EVERYBODY = "all"
_MOST_OF_ALL = 100


class HealthHandler(MoonlightAPIHandler):
    """``GET /api/moonlight/health``"""

    @authenticated
    @authorized
    async def get(self) -> None:
        trouble = await self.manager.scheduler.check()
        self.finish(
            {
                "status": "degraded" if trouble else "ok",
                "version": __version__,
                "user": self.user,
                "scheduler": {
                    "name": self.manager.scheduler.name,
                    "available": trouble is None,
                    "message": trouble,
                },
            }
        )


class SiteHandler(MoonlightAPIHandler):
    """``GET /api/moonlight/site``"""

    @authenticated
    @authorized
    async def get(self) -> None:
        site, job = self.manager.site, await self.manager.job_here()
        slurm = site.batch_system == "slurm"
        self.finish(
            {
                "scheduler": site.batch_system,
                "partition": site.partition if slurm else None,
                "qos": site.qos if slurm else None,
                "defaults": {
                    "image": self.manager.images.default(),
                    "hours": site.hours,
                    "cpus": site.cpus,
                    "memory_gb": site.memory_gb,
                    "gpus": site.gpus,
                    "resolution": site.resolution,
                    "follow_window": True,
                    "fps": site.fps,
                    "bitrate_kbps": site.bitrate_kbps,
                    "keyboard": site.keyboard,
                    "where": self.manager.where_by_default(job),
                    **({"picture": True} if site.previews else {}),
                },
                "limits": limits(site),
                "keyboards": keyboards(site),
                "names": True,
                "begin_days": site.begin_days if slurm else 0,
                "mail": site.mail and slurm,
                "where": _where(self.manager, job),
                "here": self._as_json(job) if job else None,
            }
        )

    @staticmethod
    def _as_json(job: JobHere) -> dict[str, Any]:
        return {"job_id": job.job_id, **json.loads(job.allocation.model_dump_json())}


class BudgetHandler(MoonlightAPIHandler):
    """``GET /api/moonlight/budget``"""

    @authenticated
    @authorized
    async def get(self) -> None:
        # The batch system is asked, of this user, by whoever serves him: also for many it is one
        # question that needs nobody's own process.
        self.finish((await self.manager.scheduler.budget(self.user)).model_dump(mode="json"))


class ImagesHandler(MoonlightAPIHandler):
    """``GET /api/moonlight/images``"""

    @authenticated
    @authorized
    async def get(self) -> None:
        # A manager of many users' sessions asks what each can read.
        of = getattr(self.manager, "images_of", None)
        images = await of(self.user) if of else self.manager.images.all()
        if not self._may_mend(of is not None):
            images = [image.model_copy(update={"unavailable_detail": None}) for image in images]
        self.finish({"images": [image.model_dump() for image in images]})

    def _may_mend(self, of_many: bool) -> bool:
        """Whether it concerns who asks where an image's file has to lie: an admin of the portal; and who
        may put it there himself, on a machine of his own."""
        if of_many:
            return bool(getattr(self.current_user, "admin", False))
        return may_put(Path(self.manager.site.images_dir))


class SessionsHandler(MoonlightAPIHandler):
    """``GET``, ``POST`` and ``DELETE /api/moonlight/sessions``"""

    parameters = {"GET": (*PARAMETERS, "user"), "DELETE": ("live",)}

    @authenticated
    @authorized
    async def get(self) -> None:
        query = {name: self.get_query_arguments(name, strip=False) for name in PARAMETERS}
        whose = self.whose()
        listing = Listing.read(query, _MOST_OF_ALL if whose == EVERYBODY else None)
        page = listing.page(await self._sessions(whose))
        self.set_header("X-Total-Count", str(page.total))
        if page.next is not None:
            more = {} if whose == self.user else {"user": whose}
            there = f"{self.base_url}api/moonlight/sessions?{listing.query(page.next, **more)}"
            self.set_header("Link", f'<{there}>; rel="next"')
        self.finish(self.list_as_json(page.sessions))

    async def _sessions(self, whose: str) -> list[Session]:
        if whose != EVERYBODY:
            return await self.manager.sessions(whose)
        known = getattr(self.manager, "known_sessions", None)
        if known is None:
            message = (
                f"user is {EVERYBODY!r}, but this portal keeps no list of everybody's sessions: it has no "
                "Redis. Name one user."
            )
            raise InvalidRequest([FieldError("user", EVERYBODY, message)])
        sessions: list[Session] = await known()
        return sessions

    def compute_etag(self) -> str | None:
        """Of the body and of what is said about the rest of the list."""
        said = [self._headers.get(name, "").encode() for name in ("X-Total-Count", "Link")]
        parts = b"\n".join([*said, *self._write_buffer])
        return f'"{hashlib.sha256(parts).hexdigest()[:40]}"'

    @authenticated
    @authorized
    async def post(self) -> None:
        # Who sends a token in a header is a program: pages have the login's cookie.
        page = self.settings.get("moonlight_door", "jupyterlab")
        door = "api" if getattr(self, "token_authenticated", False) else page
        body = _body(self)
        if limits := self.settings.get("moonlight_limits"):
            limits.launch(self)
        session, created = await self.manager.launch(
            self.user, body, self.request.headers.get("Idempotency-Key"), door
        )
        self.settings["moonlight_watchers"].look(self.user)
        self.set_status(201 if created else 200)
        self.set_header("Location", f"{self.base_url}api/moonlight/sessions/{session.session_id}")
        self.finish(self.as_json(session))

    @authenticated
    @authorized
    async def delete(self) -> None:
        """All that have ended; it has to be said so, because a call that forgets an id is no wish."""
        if self.get_query_arguments("live") != ["false"]:
            message = "Say ?live=false to delete what is on record of all sessions that have ended."
            raise InvalidRequest([FieldError("live", None, message)])
        await _forget(self)


class SessionHandler(MoonlightAPIHandler):
    """``GET``, ``PATCH`` and ``DELETE /api/moonlight/sessions/<id>``"""

    parameters = {"GET": ("user",), "DELETE": ("user",)}

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        self.finish(self.as_json(await self.manager.get(self.whose(), session_id)))

    @authenticated
    @authorized
    async def patch(self, session_id: str) -> None:
        session = await self.manager.rename(self.user, session_id, _body(self))
        self.settings["moonlight_watchers"].look(self.user)
        self.finish(self.as_json(session))

    @authenticated
    @authorized
    async def delete(self, session_id: str) -> None:
        whose = self.whose()
        session = await self.manager.stop(whose, session_id)
        self.settings["moonlight_watchers"].look(whose)
        self.set_status(202 if session.live else 200)
        self.finish(self.as_json(session))


class RecordHandler(MoonlightAPIHandler):
    """``DELETE /api/moonlight/sessions/<id>/record``"""

    @authenticated
    @authorized
    async def delete(self, session_id: str) -> None:
        await _forget(self, session_id)


class LogsHandler(MoonlightAPIHandler):
    """``GET /api/moonlight/sessions/<id>/logs``"""

    parameters = {"GET": ("tail", "user")}

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        text = " ".join(self.get_query_arguments("tail", strip=False) or ["65536"])
        if not text.isascii() or not text.isdigit() or not 0 < len(text) < 9:
            raise InvalidRequest(
                [FieldError("tail", shorten(text), "tail must be a number of bytes.")]
            )
        whose = self.whose()
        logs = await self.manager.logs(whose, session_id, min(int(text), _MAX_TAIL_BYTES))
        self.finish({"logs": [vars(log) for log in logs]})


class OpenAPIHandler(MoonlightAPIHandler):
    """``GET /api/moonlight/openapi.json``"""

    @authenticated
    @authorized
    async def get(self) -> None:
        portal = self.settings.get("moonlight_door") == "portal"
        where = _where(self.manager, await self.manager.job_here())
        self.finish(document(self.base_url, self.manager.site, portal, where))


def _where(manager: Any, job: JobHere | None) -> list[str]:
    """Where a launch from this server may run."""
    return (["here"] if job else []) + (["job"] if manager.can_submit else [])


async def _forget(handler: Any, session_id: str | None = None) -> None:
    deleted = await handler.manager.forget(handler.user, session_id)
    handler.settings["moonlight_watchers"].look(handler.user)
    handler.deleted = len(deleted)  # for the portal's audit
    handler.finish({"deleted": deleted})


def _body(handler: MoonlightAPIHandler) -> Any:
    data = handler.body
    if len(data) > _MAX_BODY_BYTES:
        raise _wrong(f"The request has {len(data)} bytes; at most {_MAX_BODY_BYTES} are taken.")
    if data.count(b"[") + data.count(b"{") > _MAX_NESTING:
        raise _wrong("The request is nested too deeply; it is one object with plain values.")
    try:
        return json.loads(data or b"{}")
    except (ValueError, RecursionError) as e:
        raise _wrong(f"The request is not JSON: {shorten(str(e), 120)}.") from e


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest([FieldError("body", None, message)])


HANDLERS = [
    ("/api/moonlight/health", HealthHandler),
    ("/api/moonlight/site", SiteHandler),
    ("/api/moonlight/budget", BudgetHandler),
    ("/api/moonlight/images", ImagesHandler),
    ("/api/moonlight/sessions", SessionsHandler),
    (r"/api/moonlight/sessions/([^/]+)", SessionHandler),
    (r"/api/moonlight/sessions/([^/]+)/record", RecordHandler),
    (r"/api/moonlight/sessions/([^/]+)/logs", LogsHandler),
    ("/api/moonlight/openapi.json", OpenAPIHandler),
]
LAST_HANDLERS = [(r"/api/moonlight(?:/.*)?", NothingHere)]
