"""Our own login's cookie: its key, its length, its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from moonlight_jupyter.portal.cookie import MOST_BYTES, LoginCookies
from moonlight_jupyter.portal.refusals import LoginOver, LoginRefused
from moonlight_jupyter.portal.tokens import Claims

CLAIMS = Claims("alice", False, time.time() + 3600)


def test_the_key_is_made_once_and_is_the_services_alone(tmp_path: Path) -> None:
    key = tmp_path / "portal.key"
    value = LoginCookies(key).make(CLAIMS, None)
    assert key.stat().st_mode & 0o777 == 0o600
    assert LoginCookies(key).read(value).claims == CLAIMS
    key.chmod(0o640)
    with pytest.raises(ValueError, match="0600"):
        LoginCookies(key)
    key.chmod(0o600)
    key.write_text("short\n")
    with pytest.raises(ValueError, match="at least 32"):
        LoginCookies(key)
    with pytest.raises(ValueError, match="portal_key_file"):
        LoginCookies(tmp_path / "none" / "portal.key")


def test_a_new_key_goes_before_the_old_one(tmp_path: Path) -> None:
    key = tmp_path / "portal.key"
    old = LoginCookies(key).make(CLAIMS, None)
    first = key.read_text()
    key.write_text("n" * 44 + "\n" + first)
    both = LoginCookies(key)
    assert both.read(old).claims == CLAIMS
    new = both.make(CLAIMS, None)
    key.write_text("n" * 44 + "\n")
    assert LoginCookies(key).read(new).claims == CLAIMS
    with pytest.raises(LoginOver):
        LoginCookies(key).read(old)


def test_a_token_that_has_to_be_kept_fits_or_is_refused(tmp_path: Path) -> None:
    cookies = LoginCookies(tmp_path / "portal.key")
    token = os.urandom(1200).hex()
    value = cookies.make(CLAIMS, token)
    assert len(value) <= MOST_BYTES and cookies.read(value).token == token
    with pytest.raises(LoginRefused, match="too long"):
        cookies.make(CLAIMS, os.urandom(4000).hex())


def test_a_login_ends(tmp_path: Path) -> None:
    cookies = LoginCookies(tmp_path / "portal.key")
    over = cookies.make(Claims("alice", False, time.time() - 1), None)
    value = cookies.make(CLAIMS, None)
    cookies.end(cookies.read(value).id, CLAIMS.until)
    for one in (over, value):
        with pytest.raises(LoginOver):
            cookies.read(one)


def test_the_service_is_not_run_as_root() -> None:
    program = str(Path(sys.prefix, "bin/moonlight-hpc"))
    done = subprocess.run([program, "serve"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "not run as root" in done.stderr
