"""``MoonlightSpawner``: batchspawner's Slurm spawner with this site's settings, checks and words."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jinja2
from batchspawner import SlurmSpawner
from batchspawner.batchspawner import format_template
from sqlalchemy.orm import object_session
from tornado import web
from traitlets import Bool, Dict, Instance, Integer, List, Unicode, default

from ..model.errors import InvalidRequest, MoonlightError, NotFound, SchedulerUnavailable
from ..model.job import JobInfo
from ..model.session import Resources
from ..site.options import MoonlightSite
from ..site.settings import load_site
from . import options as choice
from .port import replace_handler
from .slurm import HubSlurm, words_of

replace_handler()

_LOOK_SECONDS = 0.5
_CONNECT_SECONDS = 2.0
_STOP_SECONDS = 40.0  # Slurm kills what does not go after KillWait, 30 s
_CANCEL_SECONDS = 600.0
_AGAIN_SECONDS = 2.0
_STATUS = {"not_found": 404, "scheduler_unavailable": 503}


class MoonlightSpawner(SlurmSpawner):  # type: ignore[misc]  # batchspawner has no types
    """A Jupyter server as a Slurm job, and a desktop beside it in the same job.

    QoS, partition, account, limits and defaults are the site's (:class:`MoonlightSite`); traits of
    :class:`batchspawner.SlurmSpawner` that are set (``req_partition``, ``req_qos``, ``req_account``,
    ``req_reservation``, ``req_options``, ``req_prologue``, ``req_epilogue``, ``req_srun``) come
    before them. What users choose is checked against a list, field by field.
    """

    start_timeout = Integer(
        3600, help="Seconds from the submission to the server's answer, the queue included."
    ).tag(config=True)
    req_srun = Unicode(
        "", help="By what the server is started in the job; nothing: the job itself."
    ).tag(config=True)
    desktop = Bool(True, help="Whether a desktop is started beside the server by default.").tag(
        config=True
    )
    desktop_command = List(
        Unicode(), help="`moonlight-hpc here` as the nodes have it. Default: this Python's."
    ).tag(config=True)
    user_may = List(
        Unicode(),
        help="Traits that users may set by their options besides the form's fields, without `req_`: "
        "of partition, qos, account, reservation.",
    ).tag(config=True)
    job_log = Unicode(
        "{homedir}/.jupyterhub-%j.log", help="The job's log. `%j` is the job, as sbatch has it."
    ).tag(config=True)
    node_addresses = Dict(
        Unicode(),
        Unicode(),
        help="Names or addresses under which the Hub's proxy reaches nodes, where those are not Slurm's "
        "names of them.",
    ).tag(config=True)
    site = Instance(MoonlightSite)

    @default("site")
    def _load_site(self) -> MoonlightSite:
        return load_site(self.config)

    @default("desktop_command")
    def _default_desktop_command(self) -> list[str]:
        return [sys.executable, "-I", "-m", "moonlight_spawner", "here", "--door", "hub"]

    @default("batchspawner_singleuser_cmd")
    def _default_batchspawner_singleuser_cmd(self) -> str:
        return shlex.join([sys.executable, "-I", "-m", "moonlight_spawner.hub.server"])

    @default("batch_script")
    def _default_batch_script(self) -> str:
        return (Path(__file__).parent / "job.sh.j2").read_text("utf-8")

    @default("options_form")
    def _default_options_form(self) -> Any:
        return lambda spawner: choice.form(spawner.site, spawner.desktop)

    @default("options_from_form")
    def _default_options_from_form(self) -> Any:
        return self._from_form

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Any:
        return lambda spawner, options: None  # start() does: JupyterHub has this since 5.3

    def _from_form(self, data: dict[str, list[str]]) -> dict[str, Any]:
        chosen = choice.from_form(data)
        self._checked(chosen)
        return chosen

    async def start(self) -> tuple[str, int]:
        """Submit the job and wait until its server has told its port; address and port."""
        self.ip, self.port = "0.0.0.0", 0
        if self.server:
            self.server.port = 0
        self._news = "The job is handed to Slurm."
        resources, desktop, chosen, name = self._checked(self.user_options or {})
        script = self._script(resources, desktop, name)
        try:
            self.job_id = await self._slurm().submit(
                script, resources, self._job_options(chosen), self.get_env()
            )
        except MoonlightError as e:
            raise _told(e) from e
        self.log.info("job %s of %s was submitted", self.job_id, self._log_name)
        self._starting = True
        self._remember()
        while not await self._there():
            await self._follow()
            await asyncio.sleep(_LOOK_SECONDS)
        self._starting = False
        return self.ip, self.port

    async def poll(self) -> int | None:
        """None while the job is there, or nobody can tell; else the server has ended."""
        if not self.job_id:
            return 0
        if self._abandoned:
            self.log.warning("%s: its start ended with the Hub; so does its job", self._log_name)
            await self.stop()
        elif not await self._gone():
            return None
        self.clear_state()
        return 1

    async def stop(self, now: bool = False) -> None:
        """End the job: the server, the desktop, and all that they started.

        The Hub forgets the job when this returns, and when it fails: while Slurm does not answer it
        is asked again.
        """
        if not self.job_id:
            return
        clock = asyncio.get_running_loop().time
        deadline = clock() + _CANCEL_SECONDS
        while True:
            try:
                await self._slurm().cancel(self.job_id)
                break
            except SchedulerUnavailable as e:
                self.log.error("%s: %s", self._log_name, e)
                if await self._gone_now():
                    return
                if now or clock() > deadline:
                    raise
            await asyncio.sleep(_AGAIN_SECONDS)
        deadline = clock() + _STOP_SECONDS
        while not (now or await self._gone_now()):
            if clock() > deadline:
                self.log.warning("%s: job %s does not end yet", self._log_name, self.job_id)
                return
            await asyncio.sleep(_LOOK_SECONDS / 2)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What happens, for the Hub's page: the queue, Slurm's reason, its estimate, the start."""
        told = ""
        while True:
            if self._news != told:
                told = self._news
                yield {"message": told, "progress": 60 if self._node else 20}
            await asyncio.sleep(_LOOK_SECONDS)

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        return {**state, "starting": True} if self._starting else state

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self._abandoned = bool(state.get("starting"))

    def clear_state(self) -> None:
        super().clear_state()
        self._node = ""
        self._starting = self._abandoned = False

    _news = ""
    _node = ""
    _starting = False
    # Of a Hub that ended meanwhile: nobody waits for this server, and nobody knows its token.
    _abandoned = False

    def _remember(self) -> None:
        """Tell the Hub's database of the job; the Hub itself does so when the start is over.

        It may wait for hours in the queue, and without that the Hub's end would leave it to nobody.
        """
        known = self.user.spawners.get(self.name, self)  # where we are wrapped: who wraps us
        known.orm_spawner.state = known.get_state()
        if session := object_session(known.orm_spawner):  # Spawner.db is on its way out
            session.commit()

    async def _gone(self) -> bool:
        """Whether Slurm says for certain that the job has ended, or does not know it."""
        info, snapshot = await self._slurm().look(self.job_id)
        if info is not None:
            self._learn(info)
            return info.state.ended
        doubtful = self.job_id in snapshot.doubts or snapshot.stale_since is not None
        return snapshot.complete and not doubtful

    async def _gone_now(self) -> bool:
        self._slurm().expire()
        return await self._gone()

    async def _follow(self) -> None:
        """Look at the job while its server is awaited; one that has ended ends the waiting."""
        info, snapshot = await self._slurm().look(self.job_id)
        if snapshot.stale_since is not None:
            self._news = f"{snapshot.stale_reason} Your job is not lost; this goes on by itself."
            return
        if info is None:
            return  # not known yet; the Hub's own timeout bounds it
        self._learn(info)
        if info.state.ended:
            job_id = self.job_id
            self.clear_state()
            why = info.message or "It ended before its server had told its port."
            log = words_of(self.job_log.replace("%j", job_id), **self._variables())
            raise _failed(
                f"Slurm job {job_id} ended as {info.state.value}. {why} Its log: {log[0]}."
            )

    async def _there(self) -> bool:
        """Whether the server has told its port and listens there: from its job it may still die."""
        if not (self.port and self._node):
            return False
        self.ip = self.node_addresses.get(self._node, self._node)
        try:
            _, writer = await asyncio.wait_for(
                asyncio.open_connection(self.ip, self.port), _CONNECT_SECONDS
            )
        except (OSError, asyncio.TimeoutError):
            return False
        writer.close()
        return True

    def _learn(self, info: JobInfo) -> None:
        self.job_status = info.state.name
        self._news = _sentence(info)
        if info.node:
            self._node = info.node

    def _checked(self, options: Any) -> tuple[Resources, bool, dict[str, str], str]:
        try:
            resources, desktop, chosen, name = choice.check(options, self.site, self.user_may)
        except MoonlightError as e:
            raise _told(e) from e
        if "desktop" not in (options or {}):
            desktop = self.desktop
        return resources, desktop, chosen, name

    def _slurm(self) -> HubSlurm:
        if self.user.name.startswith(("#", "-")):  # to sudo `#0` is a number: root
            raise _http(400, f"{self.user.name} is no login name on the cluster.")
        return HubSlurm(self.site, words_of(self.exec_prefix, **self._variables()))

    def _variables(self) -> dict[str, str]:
        return {k: v for k, v in self.get_req_subvars().items() if isinstance(v, str)}

    def _job_options(self, chosen: dict[str, str]) -> list[str]:
        """For sbatch, after the site's own: of an option that is there twice the last counts."""
        variables = self._variables()
        log = format_template(self.job_log, **variables)
        options = [
            f"--job-name=jupyterhub-{_plain(self.user.name)}",
            f"--export={variables['keepvars']}",
            f"--chdir={variables['homedir']}",
            f"--output={log}",
        ]
        for name in ("partition", "qos", "account", "reservation"):
            if value := chosen.get(name) or getattr(self, f"req_{name}"):
                options.append(f"--{name}={value}")
        return options + shlex.split(self.req_options)

    def _script(self, resources: Resources, desktop: bool, name: str = "") -> str:
        environment = jinja2.Environment(
            autoescape=False, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
        )
        environment.filters["quote"] = shlex.quote
        # The job's share is what it has; the rest is what the desktop is asked for.
        request = resources.model_dump(include={"image", "resolution", "follow_window", "keyboard"})
        request |= {"name": name} if name else {}
        return environment.from_string(self.batch_script).render(
            environment=dict(self.site.job_environment),
            prologue="\n".join(filter(None, (self.site.job_prologue.strip(), self.req_prologue))),
            epilogue=self.req_epilogue,
            desktop=[*self.desktop_command, "--request", "-"] if desktop else [],
            request=json.dumps(request),
            cmd=" ".join(filter(None, (self.req_srun, self.cmd_formatted_for_batch()))),
        )


def _sentence(info: JobInfo) -> str:
    if info.state.name == "PENDING":
        at_least = "at least " if info.at_least else ""
        place = f" (place {at_least}{info.position} of {info.pending})" if info.position else ""
        estimate = info.estimated_start
        when = f" Slurm expects it to start at {estimate:%Y-%m-%d %H:%M} UTC." if estimate else ""
        return f"Waiting in the queue{place}: {info.message}{when}"
    if info.state.ended:
        return info.message or "The job has ended."
    return f"The job runs on {info.node or 'its node'}. Your server is being started."


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:64]


def _told(error: MoonlightError) -> Exception:
    """An error that the Hub shows as it is, on its form and by its API."""
    if isinstance(error, (InvalidRequest, NotFound)):
        return _http(400, error.message)
    return _http(_STATUS.get(error.code, 409), error.message)


def _http(status: int, message: str) -> Exception:
    error = web.HTTPError(status, message.replace("%", "%%"))
    error.jupyterhub_message = message  # type: ignore[attr-defined]
    return error


def _failed(message: str) -> Exception:
    error = RuntimeError(message)
    error.jupyterhub_message = message  # type: ignore[attr-defined]
    return error
