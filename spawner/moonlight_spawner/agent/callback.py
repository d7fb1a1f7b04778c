"""Tells the portal's service how the session is, where that launched it: the newest status, and no other.

In a thread of its own, for which nobody waits: what becomes of it is nothing to the session, whose word is
in ``status.json`` all the same. Not one of asyncio's: those are waited for at the end, and it may be
asking a name server that does not answer.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import random
import ssl
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from ..model.files import read_shared
from ..model.limits import MAX_STATUS_BYTES
from ..model.records import TURN_UNTIL, AgentStatus, Callback, TurnCredentials

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 10.0
_MOST_ANSWER_BYTES = 4096
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0
_MOST_NOTES = 8
# The service may not have it on record yet: a launch is answered when its job has begun already.
_UNKNOWN, _MOST_UNKNOWN = 404, 10
_LATER = (_UNKNOWN, 408, 425, 429)
# What to do about what is refused for good.
_ELSEWHERE = "portal_callback_url has to be where nginx leads /api/moonlight/ to the service"
_REFUSED = {
    401: "services beside each other need the same portal_key_file, with the older keys behind the newest"
}
# X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_OTHER_NAME = (62, 64)


class Refused(Exception):
    """The service will hear nothing of this session. The text says why."""


class Unheard(Exception):
    """It was not heard this time. The text says why."""

    def __init__(self, why: str, unknown: bool = False):
        super().__init__(why)
        self.unknown = unknown


class News:
    """What one session tells. ``token`` and certificates are those of ``callback``."""

    def __init__(self, callback: Callback):
        url = urlsplit(callback.url)
        self._https = url.scheme == "https"
        self._host, self._port = url.hostname or "", url.port
        self._path = url.path
        self._headers = {
            "Authorization": f"Bearer {callback.token}",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        self._ca = callback.ca
        self._changed = threading.Condition()
        self._newest: bytes | None = None  # that was not heard yet
        self._turn: Callable[[], str | None] = lambda: None
        self._take: Callable[[TurnCredentials], None] = lambda _: None
        self._over = False
        self._thread: threading.Thread | None = None

    @classmethod
    def of(cls, directory: Path) -> News | None:
        """That of the session in ``directory``, None if nobody wants to hear of it."""
        try:
            data = read_shared(directory / "callback.json")
            return cls(Callback.model_validate_json(data)) if data else None
        except (OSError, ValueError) as e:
            why = "it makes no sense" if isinstance(e, ValidationError) else e
            log.error("the portal is told nothing: %s/callback.json: %s", directory, why)
            return None

    def renew(
        self, turn: Callable[[], str | None], take: Callable[[TurnCredentials], None]
    ) -> None:
        """From now on the portal hears until when ``turn`` is good, a name of credentials for TURN if there
        is one, and may answer with others: ``take`` is called with them, in the thread that tells."""
        self._turn, self._take = turn, take

    def tell(self, status: AgentStatus) -> None:
        """Send it, in the place of what is not sent yet. Returns at once."""
        body = _as_body(status)
        if len(body) > MAX_STATUS_BYTES:
            body = _as_body(status.model_copy(update={"notes": status.notes[-_MOST_NOTES:]}))
        with self._changed:
            if self._over:
                return
            self._newest = body
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="news", daemon=True)
                self._thread.start()

    def end(self, seconds: float) -> bool:
        """Wait until what was told is heard, at most so long; whether it was."""
        with self._changed:
            heard = self._changed.wait_for(lambda: self._newest is None or self._over, seconds)
            heard = heard and not self._over
            self._over = True
            self._changed.notify_all()
        return heard

    def _run(self) -> None:
        try:
            self._keep_telling()
        except Refused as e:
            log.warning("the portal is told no more of this session: %s", e)
        except Exception:
            log.exception("the portal is told no more of this session")
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _keep_telling(self) -> None:
        pause, unknown, away = _FIRST_PAUSE_SECONDS, 0, False
        while (body := self._wait()) is not None:
            try:
                self._send(body)
            except Unheard as e:
                unknown = unknown + 1 if e.unknown else 0
                if unknown > _MOST_UNKNOWN:
                    raise Refused(str(e)) from e
                if not away:
                    log.warning("the portal cannot be told of this session, and will be: %s", e)
                away = True
                # Sessions that lost it together do not come again together.
                with self._changed:
                    seconds = pause * random.uniform(0.5, 1.0)
                    self._changed.wait_for(lambda: self._over, seconds)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            if away:
                log.info("the portal can be told again")
            pause, unknown, away = _FIRST_PAUSE_SECONDS, 0, False
            with self._changed:
                if self._newest is body:
                    self._newest = None
                self._changed.notify_all()

    def _wait(self) -> bytes | None:
        """What is to be sent, None when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._over)
            return None if self._over else self._newest

    def _send(self, body: bytes) -> None:
        """
        Raises
        ------
        Unheard, Refused
        """
        try:
            status, answer = self._post(body)
        except (OSError, http.client.HTTPException) as e:
            raise Unheard(_why(self._host, e)) from e
        if 200 <= status < 300:
            self._taken(answer)
            return
        what = f"{self._host} answers with status {status}"
        if status in _LATER or status >= 500:
            raise Unheard(what, status == _UNKNOWN)
        # A redirection too: the token is for this address alone.
        raise Refused(f"{what}: {_REFUSED.get(status, _ELSEWHERE)}")

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """The answer's status, and how it begins. Proxies that the environment names are the user's, and
        not asked."""
        until, _, named = (self._turn() or "").partition(":")
        headers = self._headers | ({TURN_UNTIL: until} if named else {})
        with contextlib.closing(self._connection()) as connection:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(_MOST_ANSWER_BYTES)

    def _taken(self, answer: bytes) -> None:
        """Nothing is answered as a rule, and by a service of before."""
        if not answer or not self._turn():
            return
        try:
            self._take(TurnCredentials.model_validate_json(answer))
        except ValidationError:  # what it names may be a secret
            log.warning(
                "new TURN credentials are not asked for any more: %s answers something else",
                self._host,
            )
            self._turn = lambda: None

    def _connection(self) -> http.client.HTTPConnection:
        if self._https:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=_ANSWER_SECONDS, context=self._tls
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=_ANSWER_SECONDS)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self._ca)


def _why(host: str, error: Exception) -> str:
    """What keeps the portal from hearing it, and what an administrator has to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OTHER_NAME:
            return (
                f"{host} shows a certificate of another name ({error.verify_message}): portal_callback_url "
                "has to have a name that is in it"
            )
        return (
            f"the certificate of {host} is not trusted on this node ({error.verify_message}): "
            "portal_callback_ca_file has to have its authority"
        )
    return (
        f"{host} does not answer this node ({error or type(error).__name__}): portal_callback_url has to be "
        "an address that the nodes reach"
    )


def _as_body(status: AgentStatus) -> bytes:
    return status.model_dump_json().encode("utf-8", "replace")
