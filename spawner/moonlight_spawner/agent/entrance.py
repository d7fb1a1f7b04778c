"""The way in to a session: its gateway on the node, and what that asks of the session itself."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from .. import __version__
from ..model.files import read_shared
from ..model.limits import MAX_BODY_BYTES
from ..model.records import Spec
from ..model.session import End, now
from ..model.session import Gateway as Address
from ..processes.mark import this_machine
from ..processes.umask import of_the_user
from ..relay.headers import Headers
from ..relay.one_session import OneSession
from ..relay.upstream import Target
from ..relay.viewer import Viewer
from .desktop.home import private_home
from .display.clipboard import Clipboard
from .display.screen import Screen
from .gateway import Gateway
from .gateway.door import Door
from .hosts import Host
from .idle import IdleWatch
from .idle.looks import Looks
from .idle.warning import OnDesktop
from .node.addresses import listen_and_announce
from .node.certificate import make_certificate
from .own_session import OwnSession
from .preview import Preview
from .sharing import Guests, Invitations
from .sharing.guests import Shown
from .status import StatusFile
from .transfers.places import Places
from .transfers.service import Files

log = logging.getLogger(__name__)

_NEAR = "gateway"


class Entrance:
    """Opened once the streaming host gives pictures.

    Parameters
    ----------
    look
        Called when somebody comes while the host is away.
    """

    def __init__(self, spec: Spec, host: Host, screen: Screen, look: Callable[[], None]):
        self._spec = spec
        self._host = host
        self._screen = screen
        self._look = look
        self._clipboard = Clipboard(screen, spec.clipboard)
        self._files = Files(spec.files, _places(spec, host.env), of_the_user())
        self._preview = Preview(screen, spec.previews, spec.request.picture, self._shows)
        # What cannot be shown to somebody who only watches is not shared.
        self._invitations = Invitations(spec.sharing if host.watching else "off", self._looked_at)
        self._gateway: Gateway | None = None
        self._status: StatusFile | None = None
        self._idle: IdleWatch | None = None
        self._own: OwnSession | None = None

    async def open(self, directory: Path, runtime: Path, file: StatusFile) -> None:
        """Listen, and put into the status where, with which certificate, and what is allowed there.

        Raises
        ------
        OSError
        NoSuchAddress
        """
        spec, status = self._spec, file.status
        token = (read_shared(directory / "token") or b"").decode().strip()
        address, hosts = listen_and_announce(spec.gateway_address)
        names = list(dict.fromkeys([os.uname().nodename, *hosts]))
        tls, certificate = make_certificate(runtime, spec.session_id, names)
        self._own = own = OwnSession(
            directory, spec, status, self.control, lambda: self._invitations.here
        )
        shared = self._invitations.most != "off"
        guests = Guests(self._invitations, Shown.of(self._host, self._target), spec.session_id)
        settings = {"user": own.session().user, "version": __version__, "only": spec.session_id}
        self._gateway = Gateway(
            Door(token, spec.session_id),
            self._target,
            tls,
            spec.gateway_plain_http,
            self._host.signaling_path,
            self,
            await _viewer(own),
            {**settings, "sharing": self._invitations.most} if shared else settings,
            self._files,
            guests if shared else None,
        )
        await self._gateway.start(address)
        near = str(runtime / _NEAR)
        try:
            self._gateway.open_near(Path(near))
        except OSError as e:  # then its own machine comes by the port, as all others do
            log.warning("the gateway has no socket at %s: %s", near, e)
            near = ""
        self._status = file
        looks = Looks(self._screen, self._gateway.watching, self._host.env, spec.request.gpus)
        self._idle = IdleWatch(spec, file, looks, OnDesktop(self._screen))
        status.clipboard = spec.clipboard
        status.files = spec.files
        status.picture = self._preview.state
        status.sharing = self._invitations.most
        status.gateway = Address(
            hosts=hosts,
            port=self._gateway.port,
            certificate=certificate,
            socket=near,
            machine=this_machine(),
        )

    async def passes(self) -> End:
        """Until the session has to end because nobody uses it."""
        assert self._idle
        return await self._idle.passes()

    async def end(self, reason: str) -> None:
        """Tell the pages that are open how the session ended."""
        if self._gateway and self._own:
            await self._gateway.end(reason, self._own.as_json())

    async def stop(self) -> None:
        """Close the port and every connection."""
        self._clipboard.stop()
        if self._idle:
            self._idle.stop()
        if self._gateway:
            await self._gateway.stop()
        self._files.stop()

    def _target(self) -> Target | None:
        if self._host.away or not all(child.running for child in self._host.children):
            self._look()
            return None
        return self._host.target()

    def _looked_at(self, guests: int) -> None:
        if self._status:
            self._status.status.guests = guests
            self._status.write()

    def _shows(self, picture: str) -> None:
        if self._status:
            self._status.status.picture = picture
            self._status.write()

    # What the gateway asks (gateway.passage.Local).

    @property
    def absence(self) -> str:
        return self._host.absence

    @property
    def one_start_at_a_time(self) -> bool:
        return self._host.one_start_at_a_time

    def around_stream(self, path: str) -> AbstractAsyncContextManager[None]:
        return self._host.around_stream(path)

    def starts_stream(self, method: str, path: str) -> bool:
        return self._host.starts_stream(method, path)

    def begun(self, kind: int, data: bytes) -> bool:
        return self._host.begun(kind, data)

    def health(self) -> dict[str, Any]:
        return {"restarts": self._host.restarts, "pausing": self._host.pausing}

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        return self._host.refusal(method, path, websocket)

    def answer(self, path: str) -> tuple[int, Headers, bytes] | None:
        return self._host.answer(path)

    async def control(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/clipboard":
            return await self._clipboard.control(method, body)
        if path == "/keep" and self._idle:
            return await self._idle.control(method)
        if path == "/picture":
            return await self._preview.control(method, body)
        if path == "/sharing" or path.startswith("/sharing/"):
            return await self._invitations.control(method, path, body)
        if (method, path) == ("GET", "/status") and self._status:
            said = self._status.status.model_copy(update={"beat": now()})
            return 200, said.model_dump(mode="json")
        return await self._host.control(method, path, body)


def _places(spec: Spec, env: Mapping[str, str]) -> Places:
    """Below the home that the desktop has: an image may have one of its own."""
    user = env["USER"]
    others = [Path(path.replace("{user}", user)) for path in spec.files_folders]
    return Places(private_home(spec, user) or Path(env["HOME"]), others)


async def _viewer(own: OwnSession) -> OneSession | None:
    """The page around the host's, for who comes here directly; None where it is not built."""
    viewer = await asyncio.to_thread(Viewer)
    if not viewer.built:
        log.warning("the viewer is not built: who comes here directly gets the host's own page")
        return None
    return OneSession(viewer, own.ask, MAX_BODY_BYTES)
