"""What the portal's service may do by sudo: this one command, as the portal's users."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cluster.users import TestUser, as_user, run_as
from tests.support.waiting import wait_for

from .portal import SHIPPED, Portal, sides_of

REQUEST = '{"operation": "look"}\n'


def test_the_shipped_rule_is_one_that_sudo_reads() -> None:
    done = subprocess.run(
        ["visudo", "-cf", str(SHIPPED)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rule_allows_the_command_as_a_user_of_the_portal(place: Portal, bob: TestUser) -> None:
    argv = ["/usr/bin/sudo", "-n", "-u", bob.name, "--", *place.command]
    done = run_as(place.service, argv, input=REQUEST)
    assert json.loads(done.stdout) == {"sessions": []}, done.stderr


@pytest.mark.parametrize("user", ["root", "#0", "other", "service", "hostile", "#other"])
def test_as_nobody_else(place: Portal, user: str) -> None:
    name, uid = user.lstrip("#"), user.startswith("#")
    account = getattr(place, name, None)
    if account:
        name = f"#{account.uid}" if uid else account.name
    else:
        name = user
    done = place.sudo("-u", name, "--", *place.command)
    assert done.returncode == 1 and not done.stdout
    # As itself sudo wants no password, and has no rule all the same.
    itself = "is not allowed to execute" in done.stderr and user == "service"
    assert "sudo: a password is required" in done.stderr or itself


@pytest.mark.parametrize(
    "command",
    [
        ["/bin/sh", "-c", "id"],
        ["{program}"],
        ["{program}", "session", "list"],
        ["{program}", "user-side"],
        ["{program}", "user-side", "--config", "/tmp/own.py"],
        ["{program}", "user-side", "--config", "{config}", "--config", "/tmp/own.py"],
        ["{program}", "user-side", "--config={config}"],
        ["{program}", "agent", "/tmp"],
    ],
)
def test_nothing_else_and_with_no_other_arguments(
    place: Portal, alice: TestUser, command: list[str]
) -> None:
    names = {"program": place.command[0], "config": str(place.config)}
    done = place.sudo("-u", alice.name, "--", *(word.format(**names) for word in command))
    assert done.returncode == 1 and not done.stdout
    assert "sudo: a password is required" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        *(["-E"], ["--preserve-env=HOME"], ["PYTHONPATH=/tmp"], ["-D", "/tmp"], ["-R", "/tmp"]),
        *(["-i"], ["-s"], ["-T", "9"], ["-e"], ["-C", "9"], ["-g", "root"]),
    ],
)
def test_not_in_another_way(place: Portal, alice: TestUser, options: list[str]) -> None:
    done = place.sudo("-u", alice.name, *options, *place.command)
    assert done.returncode == 1 and not done.stdout and "sudo: " in done.stderr, done


def test_no_variable_of_the_service_comes_along(place: Portal, alice: TestUser) -> None:
    """Not those either that sudo keeps by itself, and what runs has the account's own."""
    kept = ["DISPLAY", "LANG", "XAUTHORITY", "TZ", "PATH", "MOONLIGHT_HPC_MAX_HOURS", "PYTHONPATH"]
    env = {name: "/from-the-service" for name in [*kept, "XDG_CONFIG_HOME", "SLURM_CONF"]}
    argv = ["/usr/bin/sudo", "-n", "-u", alice.name, "--", *place.command]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **as_user(place.service, env)
    )
    (side,) = wait_for(lambda: sides_of(alice))
    variables = Path("/proc", str(side), "environ").read_bytes()
    out, _ = process.communicate(REQUEST.encode())
    assert json.loads(out) == {"sessions": []}
    assert b"from-the-service" not in variables and b"PATH=/usr/local/sbin:" in variables


def test_the_account_reads_no_home(place: Portal, alice: TestUser) -> None:
    secret = alice.home / "secret"
    secret.write_text("of alice\n")
    os.chown(secret, alice.uid, alice.gid)
    assert run_as(place.service, ["cat", str(secret)]).returncode != 0
    assert run_as(place.service, ["ls", str(alice.home)]).returncode != 0
    assert run_as(place.service, ["kill", "-0", str(os.getpid())]).returncode != 0


def test_the_units_hardening_leaves_sudo_what_it_needs(place: Portal, alice: TestUser) -> None:
    """Its capabilities, and /usr, /boot and /etc that nobody can write (ProtectSystem=full)."""
    unit = (SHIPPED.parents[1] / "systemd/moonlight-hpc.service").read_text()
    (kept,) = re.findall("^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)
    bounds = ",".join(["-all", *(f"+{cap.removeprefix('CAP_').lower()}" for cap in kept.split())])
    account = place.service
    as_service = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--init-groups"]
    as_service += [f"--bounding-set={bounds}", "/usr/bin/sudo", "-n", "-u", alice.name, "--"]
    mount = "for d in /usr /boot /etc; do mount --bind $d $d && mount -o remount,bind,ro $d; done"
    argv = ["unshare", "--mount", "/bin/sh", "-c", f'{mount} && exec "$@"', "sh", *as_service]
    done = subprocess.run(
        [*argv, *place.command], input=REQUEST, capture_output=True, text=True, check=False, cwd="/"
    )
    assert (done.stdout.strip(), done.stderr) == ('{"sessions": []}', "")


def test_sudo_ends_what_does_not_end_by_itself(place: Portal, bob: TestUser) -> None:
    rule = Path("/etc/sudoers.d", place.service.name)
    text = rule.read_text()
    assert "command_timeout=300" in text
    argv = ["/usr/bin/sudo", "-n", "-u", bob.name, "--", *place.command]
    try:
        rule.write_text(text.replace("command_timeout=300", "command_timeout=1"))
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, **as_user(place.service))
        wait_for(lambda: process.poll() is not None)
        wait_for(lambda: not sides_of(bob))
    finally:
        rule.write_text(text)
