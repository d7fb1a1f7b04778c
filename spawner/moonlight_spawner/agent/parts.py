"""What a session consists of on its node: started in order, ended in reverse order."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.account import account
from ..model.errors import UnsafeDirectory
from ..model.files import private_directory
from ..model.records import Spec, TurnCredentials
from ..model.sentences import Said
from ..model.session import End, StepState
from ..processes.child import Child
from ..processes.environment import desktop_environment, job_environment, parts_environment
from ..processes.tasks import first_of, together
from .desktop.changes import Changes, ChangesFailed
from .desktop.container import Apptainer, Container, NoApptainer, Node
from .desktop.desktop import Desktop, DesktopFailed
from .desktop.gpu import Gpu, job_gpu
from .desktop.graphics import Graphics, look
from .desktop.home import NoHome, look_at_home, own_places, private_home
from .desktop.input_method import around_desktop
from .desktop.manifest import Manifest, read_manifest
from .desktop.shell import shell_for_terminals
from .desktop.sound import Sound
from .display.keyboard import set_layout
from .display.notice import Notice, language_of
from .display.xserver import XServer, XServerFailed
from .hosts import Host, HostContext, HostFailed, host_named
from .node import claims
from .node.addresses import NoSuchAddress, native_address
from .node.memory import SharedMemory
from .node.places import temporary
from .own_display import DisplaysTaken, OwnDisplay
from .status import StatusFile, failure
from .supervise import Supervisor

if TYPE_CHECKING:
    from .entrance import Entrance

#: Every way in which a start fails with words for the user.
START_FAILURES = (
    claims.NothingFree,
    DisplaysTaken,
    XServerFailed,
    DesktopFailed,
    HostFailed,
    NoApptainer,
    ChangesFailed,
    NoHome,
    NoSuchAddress,
    UnsafeDirectory,
)


class Parts:
    """Claims, X server, sound, desktop, streaming host and gateway of one session."""

    def __init__(self, spec: Spec, directory: Path, runtime: Path, status: StatusFile):
        self._spec = spec
        self._directory = directory
        self._runtime = runtime
        self._status = status
        self._logs = Path(spec.log_dir)
        self._display: OwnDisplay | None = None
        self._ports: claims.Claim | None = None
        self._changes: Changes | None = None
        self._x: XServer | None = None
        self._sound: Sound | None = None
        self._desktop: Desktop | None = None
        self._ahead: Child | None = None
        self._kind_of_host = host_named(spec.host)
        self._host: Host | None = None
        self._entrance: Entrance | None = None
        self._supervisor: Supervisor | None = None
        self._notice: Notice | None = None
        self._native_address: str | None = None
        self._memory = SharedMemory(runtime, os.getpid())

    async def start(self) -> None:
        """Start everything.

        Raises
        ------
        OSError or one of START_FAILURES
        """
        step = self._status.step
        step("claim", StepState.RUNNING)
        if self._logs != self._directory:
            private_directory(self._logs)  # its way as this node has it
        self._display = OwnDisplay(
            self._spec, self._runtime / "xauthority", self._logs / "xserver.log"
        )
        self._status.status.display_num = self._display.number
        ports = self._claim_ports()
        self._native_address = native_address(self._spec.gateway_address)
        step("claim", StepState.DONE, _claimed(self._display.number, ports))

        self._memory.begin()

        step("xserver", StepState.RUNNING)
        env = self._environment()
        shown = {**env, "DISPLAY": f":{self._display.number}"}
        self._ahead = await self._kind_of_host.ahead(self._spec, shown, self._runtime, self._logs)
        # What the gateway needs takes longest to load, and is needed last.
        way_in = asyncio.ensure_future(asyncio.to_thread(import_module, f"{__package__}.entrance"))
        gpu = await job_gpu(env)
        container = self._container(env, gpu)
        await self._start_x(env, gpu)
        step("xserver", StepState.DONE, self._spec.request.resolution)

        step("desktop", StepState.RUNNING)
        self._look_at_home(container, env)
        looks = partial(self._look_at_graphics, container, dict(env), gpu)
        manifest, changed, audio, _, *seen = await together(
            read_manifest(container, env),
            self._open_changes(container, env),
            self._start_sound(env, container),
            self._set_keyboard(env, container),
            *([looks()] if gpu else []),
        )
        graphics = seen[0] if seen else Graphics(None)
        if self._sound and audio:
            env |= self._sound.environment
        env |= graphics.environment
        application = self._spec.application
        around = graphics.vglrun if application or manifest.opengl == "desktop" else ()
        desktop_env, config_dirs = self._desktop_environment(container, env)
        around = (*around_desktop(self._spec, desktop_env, self._runtime), *around)
        self._desktop = Desktop(
            desktop_env, env, self._runtime, self._logs, changed, around, config_dirs, application
        )

        # Neither waits for the other: together they take half the time.
        step("host", StepState.RUNNING)
        await together(
            self._start_desktop(),
            self._start_host(self._desktop.parts_env, container, ports, gpu, audio, manifest),
            # Without a GPU what OpenGL draws with changes nothing that is started: it is only told.
            *([] if gpu else [looks()]),
        )

        step("gateway", StepState.RUNNING)
        assert self._host and self._x
        self._entrance = (await way_in).Entrance(self._spec, self._host, self._x.screen, self._look)
        assert self._entrance
        await self._entrance.open(self._directory, self._runtime, self._status)
        step("gateway", StepState.DONE)
        self._status.status.phase = "running"
        self._status.write()

    async def watch(self) -> End:
        """Supervise what was started until the session has to end; how it ends."""
        assert self._x and self._sound and self._desktop and self._host and self._entrance
        self._supervisor = Supervisor(self._x, self._sound, self._desktop, self._host, self._status)
        return await first_of(self._supervisor.watch(), self._entrance.passes())

    def renew_turn(self, turn: TurnCredentials) -> None:
        """Use these from now on."""
        self._spec.sunshine.take(turn)
        if self._host:
            self._host.servers_changed()

    def warn(self, minutes: int) -> None:
        """Say on the desktop that it ends within ``minutes``."""
        assert self._x
        if self._notice:
            self._notice.close()
        self._notice = Notice.time(self._x.screen, language_of(os.environ), minutes)

    async def stop(self, reason: str) -> None:
        """Reverse order; what does not depend on each other ends together. Under 5 s in all.

        ``reason`` is what who looks at the desktop is told first.
        """
        if self._entrance:
            await self._entrance.end(reason)
        if self._notice:
            self._notice.close()
        first = [part.stop() for part in (self._entrance, self._host, self._desktop) if part]
        if self._ahead and not self._host:
            first.append(self._ahead.stop(0.0))
        await asyncio.gather(*first, return_exceptions=True)
        self._memory.stop()
        if self._sound:
            await self._sound.stop()
        if self._desktop:
            await self._desktop.stop_bus()
        if self._display:
            await self._display.stop()
        if self._ports:
            self._ports.release()

    def _environment(self) -> dict[str, str]:
        """Of what is started; with ``DISPLAY`` once there is one."""
        xdg = self._runtime / "run"
        xdg.mkdir(mode=0o700)
        # Where a node cannot mount images, Apptainer unpacks them, and leaves that if it is killed.
        image = {"APPTAINER_TMPDIR": str(temporary(self._runtime).resolve())}
        return parts_environment(job_environment()) | {
            **(image if self._spec.image_path else {}),
            "XAUTHORITY": str(self._runtime / "xauthority"),
            "XDG_RUNTIME_DIR": str(xdg),
            "TMPDIR": str(temporary(self._runtime)),
            "MOONLIGHT_SESSION": self._spec.session_id,
            "MOONLIGHT_KEYBOARD": self._spec.request.keyboard,
        }

    def _desktop_environment(
        self, container: Container, parts: dict[str, str]
    ) -> tuple[dict[str, str], list[str]]:
        """That of the desktop and what it starts: the job's, and what is true of this session.

        The second value is where the desktop finds settings that it cannot write.
        """
        job = job_environment()
        before = parts_environment(job)
        added = {name: value for name, value in parts.items() if value != before.get(name)}
        shell = shell_for_terminals(self._runtime, job, account().shell)
        env = {**desktop_environment(job), **added, "SHELL": shell}
        if not isinstance(container, Node):  # its home may be another one
            return env, []
        places, readable, words = own_places(env, self._runtime)
        for word in words:
            self._status.note(word)
        return {**env, **places}, readable

    def _look_at_home(self, container: Container, env: dict[str, str]) -> None:
        if isinstance(container, Node) or self._spec.image.home == "bound":
            look_at_home(env)

    def _container(self, env: dict[str, str], gpu: Gpu | None) -> Container:
        if self._spec.image_path is None:
            return Node()
        options = self._spec.image
        own = private_home(self._spec, env["USER"])
        source = str(private_directory(own, parents=True)) if own else None
        return Apptainer(
            self._spec.image_path,
            self._runtime,
            env["HOME"],
            gpu=gpu is not None and self._spec.request.gpus > 0,
            home_source=source,
            binds=tuple(options.binds),
            passed=tuple(self._spec.environment),
        )

    async def _start_x(self, env: dict[str, str], gpu: Gpu | None) -> None:
        assert self._display
        claimed = self._display.number
        try:
            self._x = await self._display.start(env, gpu.x_bus_id if gpu else "")
        finally:
            self._status.status.display_num = self._display.number
        env["DISPLAY"] = self._x.screen.name
        if self._display.number != claimed:
            said = Said.by(
                "AnotherDisplay",
                "display {display} (somebody else took :{taken} meanwhile)",
                display=self._x.screen.name,
                taken=claimed,
            )
            self._status.step("claim", StepState.DONE, said)
        width, height = self._spec.request.size
        if not await self._x.resize(width, height):
            self._status.note(
                Said.by(
                    "SizeRefused",
                    "The X server would not take the resolution {size}.",
                    size=f"{width}x{height}",
                )
            )
        self._status.status.screen = await self._x.size()

    async def _open_changes(self, container: Container, env: dict[str, str]) -> Container:
        if not isinstance(container, Apptainer):
            return container
        self._changes = Changes(self._spec.image, env["USER"], self._spec.image_id, self._logs)
        return await self._changes.open(container, env, self._status.note)

    async def _start_sound(self, env: dict[str, str], container: Container) -> bool:
        self._sound = Sound(env, self._runtime, self._logs, container)
        if not self._spec.audio:
            return False
        why = await self._sound.start()
        if why:
            self._status.note(Said.by("Silent", "The desktop is silent: {why}.", why=why))
        return not why

    async def _set_keyboard(self, env: dict[str, str], container: Container) -> None:
        layout = self._spec.request.keyboard
        assert self._x
        keys = self._spec.host == "sunshine"
        why = await set_layout(layout, container, env, self._x.screen, keys)
        if why:
            self._status.note(
                Said.by(
                    "KeyboardNotSet",
                    "The keyboard layout {layout} could not be set: {why}.",
                    layout=layout,
                    why=why,
                )
            )

    async def _look_at_graphics(
        self, container: Container, env: dict[str, str], gpu: Gpu | None
    ) -> Graphics:
        spec = self._spec
        graphics = await look(container, env, gpu, spec.request.gpus, spec.virtualgl)
        self._status.status.gl_renderer = graphics.renderer
        if graphics.note:
            self._status.note(graphics.note)
        return graphics

    async def _start_desktop(self) -> None:
        assert self._desktop and self._x
        try:
            await self._desktop.start()
            there = await self._desktop.wait(self._x.window_manager_present)
        except (DesktopFailed, OSError) as e:
            self._status.step("desktop", StepState.FAILED, failure(e))
            raise
        if not there:
            self._status.note(
                Said.by(
                    "NoWindowManager",
                    "No window manager has shown itself yet; the desktop may be slow.",
                )
            )
        self._status.step("desktop", StepState.DONE, self._desktop.name)

    async def _start_host(
        self,
        env: dict[str, str],
        container: Container,
        ports: int,
        gpu: Gpu | None,
        audio: bool,
        manifest: Manifest,
    ) -> None:
        spec, status = self._spec, self._status
        self._host = self._kind_of_host(
            HostContext(
                spec=spec,
                env=env,
                runtime=self._runtime,
                log_dir=self._logs,
                directory=self._directory,
                container=container,
                ports=ports,
                claim_ports=self._claim_ports,
                memory=self._memory,
                note=status.note,
                address=self._native_address,
                gpu=gpu,
                audio=audio,
                application=manifest.application,
                ahead=self._ahead,
            )
        )
        step = "host"
        try:
            await self._host.start()
            status.step("host", StepState.DONE, spec.host)
            step = "picture"
            status.step(step, StepState.RUNNING)
            status.status.encoder = await self._host.picture()
        except (HostFailed, OSError) as e:
            status.step(step, StepState.FAILED, failure(e))
            raise
        status.status.audio = audio
        status.step(step, StepState.DONE, status.status.encoder)

    def _look(self) -> None:
        """Somebody looks: what has ended for good may be tried again."""
        if self._supervisor:
            self._supervisor.look()

    def _claim_ports(self) -> int:
        """The session's block of ports; a second call gives it back and claims another one."""
        number = self._ports.number if self._ports else None
        bound = self._kind_of_host.binds_ports(self._spec)
        ports = claims.claim_ports(self._spec.port_min, self._spec.port_max, number, bound)
        if self._ports:
            self._ports.release()
            self._status.detail("claim", _claimed(self._status.status.display_num, ports.number))
        self._ports = ports
        self._status.status.sunshine_port = ports.number
        self._status.write()
        return ports.number


def _claimed(display: int | None, ports: int) -> Said:
    return Said.by("Claimed", "display :{number}, ports from {ports}", number=display, ports=ports)
