"""One session of a test user, from its directory to the last trace of it on the machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from moonlight_spawner.model.records import AgentStatus, Stop
from websockets.asyncio.client import connect as connect_websocket

from tests.cluster.daemon import CLEAN_ENVIRONMENT
from tests.cluster.processes import Process, mentioning
from tests.cluster.users import TestUser, as_user, run_as
from tests.relay.gateway_process import RunningGateway
from tests.relay.wires import Answer, ask
from tests.support.blocks import block_range
from tests.support.reachable import no_gpu, reachable
from tests.support.site import site_env
from tests.support.waiting import GRACE, PATIENCE, wait_for, wait_until

from .hidden import without_programs


class Ranges:
    """Displays and ports of one test that nobody else uses, far from those of everybody else."""

    def __init__(self, displays: int = 4, blocks: int = 6):
        self.displays, self.blocks = displays, blocks
        self.display = random.randrange(1000, 50_000)
        self.port = block_range(blocks)

    def settings(self) -> dict[str, str]:
        return {
            "MOONLIGHT_HPC_DISPLAY_MIN": str(self.display),
            "MOONLIGHT_HPC_DISPLAY_MAX": str(self.display + self.displays - 1),
            "MOONLIGHT_HPC_PORT_MIN": str(self.port),
            "MOONLIGHT_HPC_PORT_MAX": str(self.port + 32 * self.blocks - 1),
        }


def settings(user: TestUser, ranges: Ranges | None = None, **more: str) -> dict[str, str]:
    """Settings of a machine without a batch system, with everything of the user's in his home."""
    return {
        **site_env(user.home),
        "MOONLIGHT_HPC_SCHEDULER": "local",
        "MOONLIGHT_HPC_SESSIONS_DIR": str(user.home / f"sessions-{random.randrange(10**9)}"),
        "MOONLIGHT_HPC_HOST_DESKTOP": "always",
        "MOONLIGHT_HPC_RESOLUTION": "1024x768",
        "MOONLIGHT_HPC_MAX_WIDTH": "1280",
        "MOONLIGHT_HPC_MAX_HEIGHT": "1024",
        **(ranges or Ranges()).settings(),
        **{f"MOONLIGHT_HPC_{name.upper()}": value for name, value in more.items()},
    }


class DeskSession:
    """A session's directory and what runs for it."""

    def __init__(self, user: TestUser, directory: Path):
        self.user = user
        self.directory = directory
        self.id = directory.name

    @property
    def status(self) -> AgentStatus:
        return AgentStatus.model_validate_json((self.directory / "status.json").read_bytes())

    @property
    def token(self) -> str:
        return (self.directory / "token").read_text()

    def log(self, name: str = "agent") -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.directory / f"{name}.log").read_text("utf-8", "replace")
        return ""

    def wait(self, condition: Callable[[AgentStatus], object]) -> AgentStatus:
        """Wait for a status; one that has ended comes too, for the test to be surprised at."""

        met: list[AgentStatus] = []

        def there() -> bool:
            with contextlib.suppress(FileNotFoundError):
                status = self.status
                if condition(status) or status.end:
                    met.append(status)
            return bool(met)

        assert wait_until(there, interval=0.05), f"{self.id}: it never came to be\n{self.log()}"
        return met[0]

    def wait_running(self) -> AgentStatus:
        status = self.wait(lambda s: s.phase == "running")
        assert status.end is None, f"{status.end}\n{self.log()}\n{self.log('stream')}"
        return status

    def wait_ended(self) -> AgentStatus:
        return self.wait(lambda s: s.end)

    def ask_to_stop(self) -> None:
        """As the manager does: ``stop.json`` is there, whole, from one moment to the next."""
        path = self.directory / "stop.json"
        new = path.with_suffix(".new")
        new.write_text(Stop().model_dump_json())
        os.chown(new, self.user.uid, self.user.gid)
        new.rename(path)

    def processes(self) -> dict[int, str]:
        """What runs with the session's id in its command line or environment."""
        return mentioning(self.id)

    def find(self, *names: str) -> int:
        """The one process of the session whose program has one of these names; it may just be coming."""

        def found() -> int:
            return min(
                (
                    pid
                    for pid, command in self.processes().items()
                    if any(Path(word).name in names for word in command.split()[:4])
                ),
                default=0,
            )

        return wait_for(found)

    def desktop_environment(self) -> dict[str, str]:
        """What the programs of the desktop have in their environment."""
        entries = Path(f"/proc/{self.find('xfwm4', 'openbox')}/environ").read_text().split("\0")
        return dict(entry.split("=", 1) for entry in entries if "=" in entry)

    def leftovers(self) -> list[str]:
        """Every trace on the machine besides the session's own directory."""
        found = [f"{pid} {command}" for pid, command in self.processes().items()]
        for path in Path("/tmp").glob("moonlight-*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_uid == self.user.uid:
                    found.append(str(path))
        display = self.status.display_num if (self.directory / "status.json").exists() else None
        if display is not None:
            for name in (f"/tmp/.X{display}-lock", f"/tmp/.X11-unix/X{display}"):
                if os.path.lexists(name):
                    found.append(name)
            for line in Path("/proc/net/unix").read_text().splitlines():
                if line.endswith((f"/X{display}", f"moonlight-hpc/display/{display}")):
                    found.append(line)
        return found

    def assert_nothing_left(self) -> None:
        assert wait_until(lambda: not self.leftovers(), interval=0.1), self.leftovers()

    @property
    def gateway(self) -> RunningGateway:
        gateway = self.status.gateway
        assert gateway
        return RunningGateway(gateway.port, gateway.certificate, 0)

    def ask(
        self,
        path: str,
        token: str | None = None,
        *more: str,
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: portal\r\n{bearer}{''.join(more)}"
        return ask(self.gateway, head, body, tls=True)

    def first_frame(self) -> bytes:
        """Join the stream as a browser does, through the gateway; its first video frame."""

        async def join() -> bytes:
            context = ssl.create_default_context(cadata=self.gateway.certificate)
            context.check_hostname = False
            async with connect_websocket(
                f"wss://127.0.0.1:{self.gateway.port}/signaling",
                ssl=context,
                server_hostname="",
                additional_headers={"Authorization": f"Bearer {self.token}"},
                max_size=None,
                proxy=None,
            ) as stream:
                wish = {"displayId": "primary", "initialClientWidth": 1024}
                wish |= {"initialClientHeight": 768, "framerate": 30}
                await stream.send("SETTINGS," + json.dumps(wish))
                async for message in stream:
                    if isinstance(message, bytes) and message[:1] == b"\x04":
                        return message
            raise AssertionError("the stream ended before a frame came")

        return asyncio.run(asyncio.wait_for(join(), PATIENCE))


class AgentSession(DeskSession):
    """Run by the agent alone, as under a batch system that does nothing but signal it."""

    def __init__(self, user: TestUser, directory: Path, process: subprocess.Popen[bytes]):
        super().__init__(user, directory)
        self.process = process

    @property
    def guardian(self) -> Process:
        return Process.of(self.process.pid)

    @property
    def agent(self) -> Process:
        """The guardian's only child."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert len(children) == 1, children
        return Process.of(int(children[0]))

    def wait_exit(self) -> int:
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


def prepare(
    user: TestUser, body: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
) -> Path:
    """The directory of a new session."""
    argv = [sys.executable, "-m", "tests.agent.prepare", json.dumps(body or {})]
    done = run_as(user, argv, env=env or settings(user), cwd=reachable(), check=True)
    return Path(done.stdout.strip())


def start_agent(
    user: TestUser,
    body: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    job: Mapping[str, str] | None = None,
    argv: list[str] | None = None,
    hidden: Collection[str] = (),
    directory: Path | None = None,
) -> AgentSession:
    """Start a session's agent as ``user``.

    ``directory`` is that of a session which was prepared before.
    ``job`` is what the job's environment has besides, ``argv`` another way to start an agent, and
    ``hidden`` are programs that this node does not have. No node has a GPU of this machine.
    """
    directory = directory or prepare(user, body, env)
    log = os.open(directory / "agent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchown(log, user.uid, user.gid)
    command = [*(argv or [sys.executable, "-m", "moonlight_spawner", "agent"]), str(directory)]
    options = as_user(user, {"PATH": f"{no_gpu()}:{CLEAN_ENVIRONMENT['PATH']}", **(job or {})})
    if hidden:
        command = [*without_programs(hidden), f"{user.uid}", *command]
        options = {key: options[key] for key in ("umask", "env", "cwd")}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **options,
        )
    finally:
        os.close(log)
    return AgentSession(user, directory, process)
