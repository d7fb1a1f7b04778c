"""What is shipped for a site's own programs is read by them without a word, and says what it has to."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.doctor.isolation import isolation, neighbours
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.settings import load_site_alone
from traitlets import TraitError

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = DEPLOY / "systemd/moonlight-hpc.service"
PROGRAM = "/opt/moonlight-hpc/venv/bin/moonlight-hpc"

# systemd.exec(5), NoNewPrivileges=: it is switched on by each of these.
IMPLY_NO_NEW_PRIVILEGES = {
    *("DynamicUser", "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices"),
    *("ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"),
    *("ProtectKernelTunables", "RestrictAddressFamilies", "RestrictNamespaces"),
    *("RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures", "SystemCallFilter"),
    "SystemCallLog",
}
# What would be that of the users' sides, of their jobs or of their desktops as well.
WOULD_BE_THE_USERS = {"ProtectHome", "PrivateTmp", "UMask", "PrivateUsers", "RootDirectory"}


def _unit() -> dict[str, str]:
    lines = UNIT.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match("[A-Z][A-Za-z]+=", line))


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    program = str(Path(sys.prefix, "bin/moonlight-hpc"))
    unit.write_text(UNIT.read_text("utf-8").replace(PROGRAM, program))
    argv = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_nothing_in_the_unit_keeps_sudo_from_becoming_the_user() -> None:
    unit = _unit()
    assert unit["NoNewPrivileges"] == "no" and unit["User"] == "moonlight-hpc"
    assert not IMPLY_NO_NEW_PRIVILEGES & set(unit)
    assert not WOULD_BE_THE_USERS & set(unit)
    assert unit["ProtectSystem"] == "full", "strict: homes could not be written"


def test_the_unit_waits_for_streams_and_leaves_users_sides_alone() -> None:
    unit = _unit()
    assert float(unit["TimeoutStopSec"]) >= MoonlightSite().portal_stream_seconds + 15
    assert (unit["KillMode"], unit["Restart"], unit["OOMPolicy"]) == (
        "process",
        "always",
        "continue",
    )
    assert unit["StateDirectory"] == Path(MoonlightSite().portal_key_file).parent.name
    assert "CPUWeight" in unit, (
        "else nice counts only within each sudo's session (sched(7), autogroup)"
    )
    assert "CAP_SYS_NICE" not in unit["CapabilityBoundingSet"], "what is nice stays so"


def test_the_audits_directory_is_made_by_the_unit_rotated_and_named_in_the_example() -> None:
    made = f"/var/log/{_unit()['LogsDirectory']}/"
    assert f"\n{made}*.log {{" in (DEPLOY / "logrotate/moonlight-hpc").read_text("utf-8")
    example = (DEPLOY / "moonlight_config.py").read_text("utf-8")
    assert f'portal_audit_file = "{made}audit.log"' in example


def test_unit_and_sudoers_speak_of_one_account_and_one_program() -> None:
    rule = (DEPLOY / "sudoers/moonlight-hpc").read_text("utf-8")
    assert _unit()["ExecStart"] == f"{PROGRAM} serve"
    assert (
        f"\nmoonlight-hpc ALL = (%hpcusers, !root, !#0) NOPASSWD: NOSETENV: {PROGRAM} user-side\n"
        in rule
    )


def test_logrotate_reads_its_file_and_keeps_what_was_written(tmp_path: Path) -> None:
    """The service goes on writing to the file that it has open."""
    logs = tmp_path / "logs"
    logs.mkdir()
    text = (DEPLOY / "logrotate/moonlight-hpc").read_text("utf-8")
    rules = tmp_path / "rules"
    text = re.sub(
        r"(?s)/var/log/moonlight-hpc-audit/.*?\n}\n", "", text
    )  # tests/portal/test_audit.py
    rules.write_text(text.replace("/var/log/moonlight-hpc/", f"{logs}/"))
    rules.chmod(0o644)
    with (logs / "service.log").open("a") as log:
        print("one", file=log, flush=True)
        program = shutil.which("logrotate", path="/usr/sbin:/usr/bin")
        assert program, "logrotate is not installed: tools/packages test"
        state = ["--state", str(tmp_path / "state")]
        subprocess.run([program, *state, "--force", str(rules)], check=True)
        print("two", file=log, flush=True)
    assert (logs / "service.log.1").read_text() == "one\n"
    assert (logs / "service.log").read_text() == "two\n"


@pytest.fixture
def example(tmp_path: Path) -> MoonlightSite:
    path = tmp_path / "config.py"
    path.write_text((DEPLOY / "moonlight_config.py").read_text("utf-8"))
    path.chmod(0o644)
    return load_site_alone(path)


def test_the_shipped_example_is_a_site_with_eleven_services(example: MoonlightSite) -> None:
    assert not example.unknown_settings
    others = {other.name: other for other in neighbours(example)}
    ports = {name: other.port for name, other in others.items()}
    assert ports == {
        "Auth Portal": 4430,
        "SAML IdP": 7000,
        "CAE Web": 5000,
        "CAE Automation": 5001,
        "Dashboard": 5010,
        "WebSocket": 5011,
        "VNC backend": None,
        "VNC frontend": 8002,
        "CAE frontend": 8001,
        "Prometheus": 9090,
        "node exporter": 9100,
    }
    vnc = others["VNC backend"]
    assert vnc.redis_prefixes == ("vnc:session:",) and vnc.image_prefixes == ("vnc_",)
    assert [str(shown) for shown in vnc.displays] == ["1-9"]
    assert vnc.directories == ("/scratch/vnc_sandboxes",)
    assert others["Dashboard"].redis_prefixes == ("job:", "user:")
    found = asyncio.run(isolation(example))
    assert found.good and not found.odd and "11 other services" in found.text


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"port": 8004}, "portal_port: port 8004 is X's"),
        ({"port_range": "8000-8005"}, "portal_signaling_port: port 8005 is X's"),
        ({"port_range": ["5900", "48000-48001"]}, "port_min and port_max"),
        ({"port": 48989}, "meet 48989 of X"),
        ({"displays": "9-10"}, "display_min and display_max"),
        ({"directory": "/scratch"}, "sessions_dir"),
        ({"directory": "/scratch/sunshine_logs/vnc"}, "logs_dir"),
        ({"directory": "/scratch/x/../sunshine_sandboxes/"}, "sandboxes_dir"),
        ({"directory": "/var/lib/moonlight-hpc"}, "portal_key_file"),
        ({"redis_prefix": "moonlight:session:*"}, "keys moonlight:session:* are X's, too"),
        ({"redis_prefix": "moon*"}, "portal_redis_prefix"),
        ({"image_prefix": "sunshine_vnc_*.sif"}, "images sunshine_vnc_*.sif are X's, too"),
        ({"image_prefix": "s"}, "images_dir"),
    ],
    ids=str,
)
def test_what_is_theirs_and_ours_is_found(
    example: MoonlightSite, entry: dict[str, Any], words: str
) -> None:
    example.portal_neighbours = [*example.portal_neighbours, {"name": "X", **entry}]
    found = asyncio.run(isolation(example))
    assert not found.good
    setting, _, text = words.rpartition(": ")
    assert (setting or words) in found.fix + found.text and text in found.text + found.fix


@pytest.mark.parametrize(
    "entry",
    [
        {"port": 8003, "port_range": "8006-47988", "displays": [":1-:9", "100-120"]},
        {"directory": ["/scratch/sunshine_sessions2", "/scratch/vnc"]},
        {"redis_prefix": ["moonshine:*", "session:moonlight:*"], "image_prefix": "vnc_sunshine_"},
    ],
    ids=str,
)
def test_what_only_looks_alike_is_not(example: MoonlightSite, entry: dict[str, Any]) -> None:
    example.portal_neighbours = [{"name": "X", **entry}]
    assert asyncio.run(isolation(example)).good


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "has no name"),
        ({"name": ""}, "has no name"),
        ({"name": "X", "ports": 1}, "'ports', which is none of address, directory"),
        ({"name": "X", "port": "80"}, "has the port '80'"),
        ({"name": "X", "port": 0}, "has the port 0"),
        ({"name": "X", "url": "portal/health"}, "none of http or https"),
        ({"name": "X", "directory": "scratch"}, "no absolute path"),
        ({"name": "X", "redis_prefix": "*"}, "empty redis_prefix"),
        ({"name": "X", "displays": "9-1"}, "does not look like 1-9"),
        ({"name": "X", "displays": "a"}, "does not look like 1-9"),
        ({"name": "X", "port_range": "1-70000"}, "does not look like 1-9"),
        ({"name": "X", "image_prefix": {"a": 1}}, "neither a text nor a list"),
    ],
    ids=str,
)
def test_a_neighbour_that_cannot_be_understood_is_refused(
    entry: dict[str, Any], words: str
) -> None:
    with pytest.raises(TraitError, match="portal_neighbours") as refused:
        MoonlightSite(portal_neighbours=[entry])
    assert words in str(refused.value)
