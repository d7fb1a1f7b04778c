"""The server extension: settings in, handlers out, and an orderly end."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from moonlight_spawner import __version__
from moonlight_spawner.model.account import account
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.sessions.page_address import remember_page
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.settings import load_site

from . import api, choices, events, guest, node, page, picture, sharing, stream, websocket_check

_REAP_SECONDS = 3600.0


class MoonlightExtension(ExtensionApp):
    """Adds ``/api/moonlight`` and ``/moonlight`` to a Jupyter server."""

    name = "moonlight_jupyter"
    extension_url = "/moonlight/"
    load_other_extensions = True
    classes = [MoonlightSite]

    _watchers: events.Watchers | None = None
    _reaper: asyncio.Task[None] | None = None

    def initialize_settings(self) -> None:
        """Read the site's settings and make the one manager of this server."""
        site = load_site(self.config)
        manager = SessionManager(site)
        # Sessions belong to the account that this server runs as: whoever may log in to the
        # server has that account's terminals too. Its name is not always $USER: a Hub puts the
        # name of the Hub's user there.
        user = account().name
        self._watchers = events.Watchers(manager)
        self.settings.update(
            moonlight_manager=manager,
            moonlight_user=user,
            moonlight_watchers=self._watchers,
            moonlight_remember_page=partial(remember_page, manager.store),
        )
        # For our card in JupyterLab: it is installed also where this server is not ours.
        self.settings.setdefault("page_config_data", {})["moonlight"] = "on"
        self.log.info(
            "Moonlight HPC %s: sessions by %s, records in %s",
            __version__,
            site.batch_system,
            site.sessions_dir,
        )

    def initialize_handlers(self) -> None:
        self.handlers.extend(
            api.HANDLERS
            + choices.HANDLERS
            + node.HANDLERS
            + sharing.HANDLERS
            + guest.HANDLERS
            + picture.HANDLERS
            + events.HANDLERS
            + websocket_check.HANDLERS  # before what passes all other paths below a desktop's
            + stream.HANDLERS
            + page.HANDLERS
        )

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        self._reaper = asyncio.ensure_future(self._reap())

    async def stop_extension(self) -> None:
        """End what this server does for sessions. The sessions go on."""
        if self._reaper:
            self._reaper.cancel()
        if self._watchers:
            await self._watchers.close()
        manager = self.settings.get("moonlight_manager")
        if manager:
            await manager.close()

    async def _reap(self) -> None:
        while True:
            try:
                manager = self.settings["moonlight_manager"]
                forgotten = await manager.reap(self.settings["moonlight_user"])
                if forgotten:
                    self.log.info("forgot ended sessions: %s", ", ".join(forgotten))
            except Exception:
                self.log.exception("cannot tidy up ended sessions")
            await asyncio.sleep(_REAP_SECONDS)
