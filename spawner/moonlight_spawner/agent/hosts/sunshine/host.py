"""Sunshine (GameStream) with moonlight-web-stream: the production host.

Facts measured on v2026.817. A taken port never gives a clean error: Sunshine exits with 0, or stays
half-dead while a neighbour's 200 looks like its own. So "started" means that the process we started
owns all four TCP sockets, its API takes our password under our certificate, and its log names an
encoder.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import Any

from ....model.account import account
from ....model.records import Spec
from ....model.sentences import Said
from ....processes.child import Child, listening
from ....relay.upstream import Target
from ...desktop.container import NoApptainer, Node
from ...node import uinput
from ...node.claims import WEB_OFFSET, udp_ports_free
from ..base import Answer, Host, HostContext, HostFailed
from . import files, words
from .api import ApiError, SunshineApi
from .encoding import Encoding
from .native import BROWSER, NativeClients, remembered
from .web_client import WebClient

_ATTEMPTS = 3
_START_SECONDS = 60.0
_MOST_LOG = 1 << 20


class SunshineHost(Host):
    """One Sunshine and one web client in the session's port block."""

    name = "sunshine"
    one_start_at_a_time = True

    @classmethod
    def binds_ports(cls, spec: Spec) -> bool:
        return True

    def __init__(self, context: HostContext):
        super().__init__(context)
        self._options = context.spec.sunshine
        self._paths = files.Paths(context.runtime / "sunshine")
        self._password = secrets.token_urlsafe(24)
        self._memory = context.directory.parent  # the user's own, shared by all sessions
        self._identity = files.user_identity(self._memory / "sunshine-identity.json")
        self._browser = files.make_key_pair(BROWSER)
        self._encoding = Encoding.for_request(context.request, context.gpu)
        self._base = context.ports
        self._log_start = 0
        self._child: Child | None = None
        self._web: WebClient | None = None
        self._native: NativeClients | None = None
        self._native_only = False
        # Glibc's arenas grow with every stream: one cuts the memory to a third.
        self.env |= {"MALLOC_ARENA_MAX": "1", "CONFIGURATION_DIRECTORY": str(self._paths.directory)}
        if isinstance(context.container, Node):
            # An AppImage mounts itself by a set-user-ID program, which it may not have here. Told
            # so, it unpacks itself instead, into TMPDIR.
            self.env["APPIMAGE_EXTRACT_AND_RUN"] = "1"

    @property
    def child(self) -> Child:
        assert self._child
        return self._child

    @property
    def native(self) -> bool:
        """Whether this session takes native clients."""
        return self._options.native_clients and self.context.address is not None

    async def start(self) -> None:
        self._paths.directory.mkdir(mode=0o700, exist_ok=True)
        if self._options.native_clients and not self.native:
            self.context.note(
                Said.by(
                    "NativeNoAddress",
                    "Native clients cannot connect: this node has no IPv4 address.",
                )
            )
        attempts = 1
        while not (await self._start_sunshine() and await self._start_web()):
            await self.stop()
            if attempts == _ATTEMPTS:
                raise HostFailed(
                    f"Sunshine found its ports taken {attempts} times, last from {self._base}. Other "
                    f"programs on node {os.uname().nodename} use the range of the settings "
                    "`port_min` and `port_max`."
                )
            attempts += 1
            self._base = self.context.claim_ports()
        self._native = NativeClients(
            self._memory / "paired-clients.json",
            self._paths,
            self._api(),
            {"available": self.native, "address": self.context.address, "port": self._base},
        )

    async def picture(self) -> str:
        said = self._said()
        used = said.encoders.get("H.264") or next(iter(said.encoders.values()), "an encoder")
        for note in self._encoding.notes(said.software):
            self.context.note(note)
        return used

    @property
    def children(self) -> list[Child]:
        return [self.child, *([self._web.child] if self._web and self._web.child else [])]

    def target(self) -> Target | None:
        web = self._web
        return web.target if web and web.child and web.child.running else None

    @property
    def signaling_path(self) -> str:
        return self._web.websocket_path if self._web else "/"

    @property
    def absence(self) -> str:
        return "native_only" if self._native_only else "host_away"

    def starts_stream(self, method: str, path: str) -> bool:
        return self._web is not None and self._web.starts_stream(method, path)

    def begun(self, kind: int, data: bytes) -> bool:
        return self._web is None or self._web.begun(kind, data)

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        return self._web.refusal(method, path, websocket) if self._web else ""

    def answer(self, path: str) -> Answer | None:
        return self._web.answer(path) if self._web else None

    async def control(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if self._native is None:
            return 503, {"message": "Sunshine is starting.", "code": "host_away"}
        if not self.native:
            wanted = self._options.native_clients
            why = "This node has no IPv4 address for" if wanted else "This site takes no"
            return 404, {"message": f"{why} native clients.", "code": "not_found"}
        return await self._native.control(method, path, body)

    async def restart(self) -> None:
        """The web client alone where Sunshine still runs: native clients keep their streams."""
        if self.child.running and self._web:
            await self._web.stop()
            if await self._start_web():
                return
        await self.stop()
        if not udp_ports_free(self._base):
            self._base = self.context.claim_ports()
        await self.start()

    async def stop(self) -> None:
        stopping = [self._end_sunshine()]
        web, self._web = self._web, None
        if web:
            stopping.append(web.stop())
        await asyncio.gather(*stopping)

    async def _start_sunshine(self) -> bool:
        """Start it on the block of ``_base``; False if a port of it turned out to be taken."""
        clients = [files.new_client(BROWSER, self._browser.certificate)]
        if self.native:
            clients += remembered(self._memory / "paired-clients.json")
        files.write(
            self._paths, self._identity, self._password, clients, self._config(), self._apps()
        )
        program = self.context.container.which(self._options.command[0], self.env)
        if program is None:
            raise HostFailed(
                f"Sunshine ({self._options.command[0]}) is not installed on node "
                f"{os.uname().nodename}. An administrator has to install it there, or use an image."
            )
        command = [program, *self._options.command[1:], str(self._paths.conf)]
        # An image has no such devices, and Apptainer itself may need rights of its own.
        node = isinstance(self.context.container, Node)
        if node:
            command = uinput.without(uinput.writable(), command)
        log = self.context.log_dir / "stream.log"
        # What an earlier start said there must not be taken for this one's words.
        self._log_start = log.stat().st_size if log.exists() else 0
        try:
            argv = self.context.container.argv(command, self.env)
            # Sunshine's package gives it file capabilities, and we could not see its sockets.
            home = self.env["HOME"]
            cwd = home if os.access(home, os.X_OK) else "/"
            # Of Apptainer's programs some may be set-user-ID; then what is watched has to do.
            made = self.context.memory.made if node else None
            self._child = Child("host", argv, self.env, log, cwd, plain=node, made=made)
            await self._child.start()
        except NoApptainer as e:
            raise HostFailed(str(e)) from e
        except OSError as e:
            raise HostFailed(f"{program} cannot be run: {e.strerror}.") from e
        return await self._wait()

    async def _start_web(self) -> bool:
        """Start the browser's client; False if its port turned out to be taken.

        Where it cannot run, native clients still have their desktop.
        """
        self._web = web = WebClient(
            self.context,
            {"http": self._base, "web": self._base + WEB_OFFSET},
            self._browser,
            self._identity.keys,
            self._encoding.browser_codecs(self._said().encoders),
            self._encoding.bitrate_kbps,
            self._bind_address(),
        )
        try:
            started = await web.start()
        except HostFailed as e:
            if not self.native:
                raise
            await web.stop()
            self._web, self._native_only = None, True
            self.context.note(
                Said.by(
                    "NativeOnly",
                    "{why} Only native Moonlight clients can show this desktop.",
                    why=e,
                )
            )
            return True
        if started and self.native and web.version == 3:
            self.context.note(
                Said.by(
                    "NoPictureEncrypted",
                    "With native clients everything is encrypted, which moonlight-web-stream v3 "
                    "cannot read yet: the browser shows no picture. The administrator may install v2.",
                )
            )
        return started

    async def _wait(self) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while loop.time() < deadline:
            said = self._said()
            if said.ports_taken:
                return False
            if said.bad_address:
                raise HostFailed(f"Sunshine cannot use the address {self._bind_address()}.")
            if said.no_encoder:
                raise HostFailed(
                    "Sunshine found no display or no encoder that works. Its log `stream` has the "
                    "details; without a GPU it needs its software encoder (libx264)."
                )
            if not self.child.running:
                raise HostFailed(f"Sunshine ended at once: {self.child.last_words(2)}")
            if said.encoders and self._owns_its_ports() and await self._api_is_ours():
                return True
            await asyncio.sleep(0.1)
        raise HostFailed(
            f"Sunshine is not ready after {_START_SECONDS:g} s. It said: {self.child.last_words(2)}"
        )

    def _owns_its_ports(self) -> bool:
        """A 200 could come from a neighbour; the kernel knows whose sockets they are.

        Raises
        ------
        HostFailed
            They are open to other addresses than Sunshine was told.
        """
        there = listening(self.child.pid)
        ours = [self._base + offset for offset in files.TCP_OFFSETS.values()]
        other = {ip for port in ours for ip in there.get(port, ())} - {self._bind_address()}
        if other:
            raise HostFailed(
                f"Sunshine listens on {' and '.join(sorted(other))}, though it was told "
                f"{self._bind_address()}: others could reach it. It is too old; v2026.816 or newer "
                "is needed."
            )
        return all(port in there for port in ours)

    async def _api_is_ours(self) -> bool:
        try:
            await self._api().clients()
            return True
        except ApiError:
            return False

    def _api(self) -> SunshineApi:
        return SunshineApi(
            self._bind_address(),
            self._base + files.TCP_OFFSETS["api"],
            self._identity.keys.certificate,
            files.USER,
            self._password,
        )

    def _said(self) -> words.Said:
        try:
            with self.child.log.open("rb") as log:
                log.seek(self._log_start)
                return words.read(log.read(_MOST_LOG).decode("utf-8", "replace"))
        except OSError:
            return words.read("")

    def _bind_address(self) -> str:
        return self.context.address or "127.0.0.1" if self.native else "127.0.0.1"

    def _config(self) -> dict[str, str]:
        options = {
            "port": str(self._base),
            "bind_address": self._bind_address(),
            "sunshine_name": f"{self.context.spec.image_id} of {account().name} on "
            f"{os.uname().nodename}",
            # XTest has whole steps only: a touchpad's fine ones would each count as one.
            "high_resolution_scrolling": "disabled",
            "stream_audio": "enabled" if self.context.audio else "disabled",
            # `lan` refuses a node with a public address, `pc` even the node's own address. The
            # random password is what protects it.
            "origin_web_ui_allowed": "wan" if self.native else "pc",
        }
        if self.native:  # what leaves the node is encrypted, or not sent
            options |= {"lan_encryption_mode": "2", "wan_encryption_mode": "2"}
        return options | self._encoding.options

    def _apps(self) -> dict[str, Any]:
        return files.applications(self.context.application)

    async def _end_sunshine(self) -> None:
        """TERM can hang for ever once a pairing is or was pending, so KILL follows soon."""
        if self._child:
            await self._child.stop(1.0)
            self.context.memory.remove_of(self._child.pid)
