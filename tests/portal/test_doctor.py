"""`moonlight-hpc doctor --portal`: a portal in order, and one thing wrong at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.users import TestUser, as_user
from tests.support.redis import RedisServer, redis_server
from tests.support.waiting import PATIENCE

from .place import Place, free_ports

ACL = Path(__file__).resolve().parents[2] / "deploy/redis/moonlight.acl"
NAMES = [
    *("portal's services", "our ports", "portal's APIs", "our API", "Redis", "images"),
    *("QoS and partition", "nginx", "directories", "processes", "sharing", "isolation"),
]


class Doctor:
    """Looks at the portal with its own settings, and more where a test adds some."""

    def __init__(self, place: Place):
        self.place = place
        self._settings = place.config.read_text("utf-8")
        self._changed = place.config.stat()
        issuer = int(place.issuer.origin.rpartition(":")[2])
        self.others: list[dict[str, Any]] = [
            {
                "name": "auth",
                "port": issuer,
                "url": f"{place.issuer.origin}/keys",
                "redis_prefix": "auth:*",
            },
            {"name": "portal", "url": f"{place.origin}/api/", "displays": "1-9"},
        ]

    def look(
        self, account: TestUser | None = None, trusting: bool = True, **settings: object
    ) -> dict[str, dict[str, Any]]:
        # Far from where the kernel takes those of the services here.
        ports = {"port_min": 12_000, "port_max": 12_999}
        lines = {"portal_neighbours": self.others, "host_desktop": "always", **ports, **settings}
        added = "".join(f"c.MoonlightSite.{name} = {value!r}\n" for name, value in lines.items())
        self.place.config.write_text(self._settings + added, "utf-8")
        # Not newer than the service, which would be a word about that.
        os.utime(self.place.config, (self._changed.st_atime, self._changed.st_mtime))
        program = str(Path(sys.prefix, "bin/moonlight-hpc"))
        argv = [program, "doctor", "--portal", "--config", str(self.place.config), "--json"]
        env = {"SSL_CERT_FILE": str(self.place.certificate)} if trusting else {}
        how: dict[str, Any] = {"env": {**os.environ, **env}}
        how = as_user(account, env) if account else how
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=PATIENCE, check=False, **how
        )
        assert done.stdout, done.stderr
        found = {finding["name"]: finding for finding in json.loads(done.stdout)}
        assert list(found) == NAMES, "no finding is lost, whatever another one is"
        assert done.returncode == (0 if all(f["good"] for f in found.values()) else 1)
        assert all(f["text"] for f in found.values())
        assert all(f["fix"] for f in found.values() if not f["good"])
        return found

    def red(self, **how: Any) -> dict[str, str]:
        return {n: f["text"] for n, f in self.look(**how).items() if not f["good"]}

    def as_before(self) -> None:
        self.place.config.write_text(self._settings, "utf-8")
        os.utime(self.place.config, (self._changed.st_atime, self._changed.st_mtime))


@pytest.fixture
def doctor(place: Place) -> Iterator[Doctor]:
    one = Doctor(place)
    try:
        yield one
    finally:
        one.as_before()


def test_a_portal_in_order_is_all_green(doctor: Doctor, place: Place) -> None:
    for account in (None, place.side.service):
        found = doctor.look(account)
        assert [f for f in found.values() if not f["good"] or f["odd"]] == []
        assert f"sudo lets {place.side.service} run it" in found["directories"]["text"]
        assert f"as {place.side.service}" in found["processes"]["text"]
        assert f"{place.port} and {place.signaling} on 127.0.0.1" in found["our ports"]["text"]


def test_a_users_process_of_that_name_is_not_the_service(doctor: Doctor, place: Place) -> None:
    """Or an administrator would be told to give him the service's keys."""
    argv = ["moonlight-hpc", "serve", "--config", str(place.config)]
    with subprocess.Popen(
        [*argv[:1], "-c", "read line", *argv],
        executable="/bin/bash",
        stdin=subprocess.PIPE,
        **as_user(place.bob),
    ) as his:
        assert his.stdin
        try:
            found = doctor.look()
            assert [f for f in found.values() if not f["good"] or f["odd"]] == []
            assert f"as {place.side.service}" in found["processes"]["text"]
            place.stop()
            try:
                found = doctor.look()
            finally:
                place.start()
        finally:
            his.stdin.close()
    assert "no process of" in found["processes"]["text"]
    assert str(place.bob) not in json.dumps(list(found.values()))


def test_services_that_do_not_run(doctor: Doctor) -> None:
    (port,) = free_ports(1)
    away = {"name": "VNC", "port": port, "url": f"http://127.0.0.1:{port}/"}
    red = doctor.red(portal_neighbours=[*doctor.others, away])
    assert (
        list(red) == ["portal's services"] and f"VNC, 127.0.0.1:{port}" in red["portal's services"]
    )


def test_ports_of_other_settings_than_the_services(doctor: Doctor) -> None:
    (port,) = free_ports(1)
    assert doctor.red(portal_signaling_port=port) == {
        "our ports": f"nothing listens on {port}, though the service runs"
    }


def test_a_port_that_somebody_else_holds(doctor: Doctor, place: Place) -> None:
    port = int(place.issuer.origin.rpartition(":")[2])
    red = doctor.red(portal_signaling_port=port, portal_neighbours=[])
    assert list(red) == ["our ports"] and f"(pid {os.getpid()})" in red["our ports"]


def test_apis_that_do_not_answer_as_they_did(doctor: Doctor, place: Place) -> None:
    place.issuer.answer = 503, b""
    try:
        red = doctor.red()
    finally:
        place.issuer.answer = None
    assert list(red) == ["portal's APIs"] and "it answered 503" in red["portal's APIs"]


def test_paths_of_others_that_are_led_to_us(doctor: Doctor, place: Place) -> None:
    ours = f"http://127.0.0.1:{place.port}/api/moonlight/../jobs"
    taken = {"name": "jobs", "url": ours.replace("/moonlight/../jobs", "/jobs")}
    red = doctor.red(portal_neighbours=[taken])
    assert list(red) == ["portal's APIs"] and "it answered 404" in red["portal's APIs"]


def test_an_api_that_is_not_where_it_should_be(doctor: Doctor) -> None:
    red = doctor.red(portal_base_url="/desktops/")
    assert list(red) == ["our API"] and "not of our service" in red["our API"]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """With the shipped user, and keys of others."""
    with redis_server() as one, one.client() as client:
        rules = ACL.read_text("ascii").split()[1:]
        client.execute_command("ACL", "SETUSER", *rules, "on", f">{one.password}")
        client.mset({"auth:token": "a", "vnc:session:1": "b"})
        yield one


def test_a_redis_with_a_user_of_our_own(doctor: Doctor, server: RedisServer, place: Place) -> None:
    password = place.config.parent / "service/redis.password"
    settings = server.settings(server.password_file(password, place.side.service))
    found = doctor.look(portal_redis_user="moonlight", **settings)["Redis"]
    assert found["good"] and not found["odd"] and "moonlight:* and nothing else" in found["text"]
    all_mighty = doctor.look(**settings)["Redis"]
    assert all_mighty["odd"] and "keys of others as well" in all_mighty["text"]
    with server.client() as client:
        assert sorted(client.keys()) == [b"auth:token", b"vnc:session:1"], "something is left"
        asked = set(client.info("commandstats"))
        assert not asked & {"cmdstat_scan", "cmdstat_flushall", "cmdstat_config|get"}
    red = doctor.red(portal_redis_user="moonlight", portal_redis_prefix="auth:", **settings)
    assert (
        list(red) == ["Redis", "isolation"] and "does not let its service do that" in red["Redis"]
    )
    away = {**settings, "portal_redis_url": "redis://127.0.0.1:1/0"}
    red = doctor.red(portal_redis_user="moonlight", **away)
    assert list(red) == ["Redis"] and "cannot be reached" in red["Redis"]
    with server.client() as client:
        client.replicaof("127.0.0.1", 1)
        try:
            red = doctor.red(portal_redis_user="moonlight", **settings)
        finally:
            client.replicaof("NO", "ONE")
    assert list(red) == ["Redis"] and "a copy that takes no changes" in red["Redis"]
    password.write_text("another one")
    red = doctor.red(portal_redis_user="moonlight", **settings)
    assert list(red) == ["Redis"] and "does not let its service in" in red["Redis"]


def test_images_that_are_not_there(doctor: Doctor) -> None:
    assert list(doctor.red(host_desktop="never")) == ["images"]


def test_a_batch_system_that_is_not_there(doctor: Doctor) -> None:
    red = doctor.red(scheduler="slurm", slurm_bin="/var/empty")
    assert list(red) == ["QoS and partition"] and "controller" in red["QoS and partition"]


def test_an_nginx_that_leads_elsewhere(doctor: Doctor, place: Place) -> None:
    red = doctor.red(portal_url=place.issuer.origin)
    assert list(red) == ["nginx"] and "not of our service" in red["nginx"]


def test_a_certificate_that_browsers_do_not_trust(doctor: Doctor) -> None:
    alone = [other for other in doctor.others if other["name"] == "auth"]
    red = doctor.red(trusting=False, portal_neighbours=alone)
    assert list(red) == ["nginx"] and "CERTIFICATE_VERIFY_FAILED" in red["nginx"]


def test_a_key_that_others_can_read(doctor: Doctor, place: Place) -> None:
    key = place.config.parent / "service/portal.key"
    key.chmod(0o644)
    try:
        red = doctor.red()
    finally:
        key.chmod(0o600)
    assert red == {"directories": f"{key} (mode 0644) is readable for others"}


def test_a_token_that_others_can_read(doctor: Doctor, place: Place) -> None:
    token = place.config.parent / "service/metrics.token"
    token.touch(mode=0o640)
    try:
        assert doctor.red(portal_metrics_token_file=str(token)) == {
            "directories": f"{token} (mode 0640) is readable for others"
        }
    finally:
        token.unlink()


def test_turns_secret_is_for_the_service_and_for_no_user(doctor: Doctor, place: Place) -> None:
    secret = place.config.parent / "service/turn.secret"
    name, owner = str(secret), place.side.service
    settings = {"webrtc": True, "turn_uris": ["turn:127.0.0.1:3478"], "turn_secret_file": name}
    mend = f"chown {owner} {name}; chmod 0600 {name}"
    assert doctor.red(**settings) == {"directories": f"{name}, of `turn_secret_file`, is not there"}
    secret.write_text("coturn's\n")
    try:
        for group_and_others in (0o004, 0o040):
            secret.chmod(0o600 | group_and_others)
            shutil.chown(secret, owner.uid, owner.gid)
            found = doctor.look(**settings)["directories"]
            assert (
                found["text"]
                == f"{name} (mode {0o600 | group_and_others:04o}) is readable for others"
            )
            assert found["fix"] == mend
        secret.chmod(0o600)
        for account in (None, owner):
            found = doctor.look(account, **settings)["directories"]
            assert found["good"] and f"keys are {owner}'s alone" in found["text"]
        shutil.chown(secret, 0, 0)
        for account in (None, owner):
            found = doctor.look(account, **settings)["directories"]
            assert not found["good"] and found["fix"].startswith(mend), found
            assert (
                found["text"] == f"{owner}, the service, cannot read {name}, of `turn_secret_file`"
            )
        shutil.chown(secret, place.bob.uid, place.bob.gid)
        found = doctor.look(**settings)["directories"]
        assert found["text"] == f"{name} belongs to uid {place.bob.uid} ({place.bob})"
    finally:
        secret.unlink()


def test_a_file_of_who_did_what_that_the_service_cannot_write(doctor: Doctor, place: Place) -> None:
    own = place.config.parent / "service/audit.log"
    assert not doctor.red(portal_audit_file=str(own))
    for file, words in (
        (place.config.parent / "none/audit.log", "No such file or directory"),
        (place.config.parent / "audit.log", f"not {place.side.service}'s"),
        (Path("/etc/audit.log"), f"not {place.side.service}'s"),
    ):
        red = doctor.red(portal_audit_file=str(file))
        assert list(red) == ["directories"] and words in red["directories"], red


def test_a_shared_directory_that_is_not_sticky(doctor: Doctor, place: Place) -> None:
    shared = place.config.parent / "scratch"
    shared.mkdir()
    shared.chmod(0o777)
    try:
        assert list(doctor.red(logs_dir=str(shared))) == ["directories"]
        shared.chmod(0o1777)
        assert not doctor.red(logs_dir=str(shared))
    finally:
        shared.rmdir()


def test_sudo_without_our_rule(doctor: Doctor, place: Place) -> None:
    command = [place.side.command[0], "user-side", "--config", "/etc/moonlight-hpc/other.py"]
    red = doctor.red(user_side_command=command)
    assert list(red) == ["directories"] and "sudo does not let" in red["directories"]


def test_a_neighbour_in_our_way(doctor: Doctor, place: Place) -> None:
    taken = {"name": "VNC", "port": place.port, "displays": ":1-:10"}
    red = doctor.red(portal_neighbours=[*doctor.others, taken])
    assert list(red) == ["isolation"]
    assert f"port {place.port} is VNC's" in red["isolation"] and ":10" in red["isolation"]


def test_a_service_that_does_not_run_or_may_not_sudo(doctor: Doctor, place: Place) -> None:
    assert place.stop() == 0
    try:
        away = doctor.look()
        doctor.as_before()
        place.start("setpriv", "--no-new-privs")
        closed = doctor.look()
        assert place.stop() == 0
    finally:
        doctor.as_before()
        place.start()
    for found in (away, closed):
        assert [name for name, f in found.items() if not f["good"]] == ["processes"]
        for name in ("our ports", "our API", "nginx"):
            assert found[name]["odd"] and "because of: processes" in found[name]["text"]
    assert "no process of" in away["processes"]["text"]
    assert "sudo fails" in closed["processes"]["text"]


def test_settings_that_the_service_does_not_have_yet(doctor: Doctor, place: Place) -> None:
    doctor.look()
    os.utime(place.config)
    argv = [sys.executable, "-m", "moonlight_spawner", "doctor", "--portal"]
    done = subprocess.run(
        [*argv, "--config", str(place.config)],
        env={**os.environ, "SSL_CERT_FILE": str(place.certificate)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "! processes: " in done.stdout and "was changed since" in done.stdout
    assert "    → systemctl restart moonlight-hpc" in done.stdout


def test_the_settings_of_users_are_not_looked_at_with_it(place: Place) -> None:
    argv = [sys.executable, "-m", "moonlight_spawner", "doctor", "--config", str(place.config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--portal" in done.stderr
