"""An XFCE of session, window manager and settings alone, for the tests that look at nothing else of it.

Panel, background and file manager are a quarter of what a session computes.
"""

from __future__ import annotations

from pathlib import Path

from tests.cluster.users import TestUser, run_as

_SMALL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-session" version="1.0"><property name="sessions" type="empty">
<property name="Failsafe" type="empty"><property name="Count" type="int" value="2"/></property>
</property></channel>
"""


def make_small(user: TestUser) -> None:
    """By the user's own settings."""
    file = _file(user)
    run_as(user, ["mkdir", "-p", str(file.parent)], check=True)
    run_as(user, ["tee", str(file)], input=_SMALL, check=True)


def make_whole(user: TestUser) -> None:
    """As it is by default."""
    _file(user).unlink(missing_ok=True)


def _file(user: TestUser) -> Path:
    return user.home / ".config/xfce4/xfconf/xfce-perchannel-xml/xfce4-session.xml"
