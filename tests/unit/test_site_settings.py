"""Where settings come from, which one wins, and that a wrong one is named with its source."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from moonlight_spawner.agent.node.claims import claim_ports
from moonlight_spawner.site.request import validate_request
from moonlight_spawner.site.settings import load_site
from traitlets.config import Config


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment that reads only this test's files."""
    (tmp_path / "empty.py").write_text("")
    return {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "MOONLIGHT_HPC_CONFIG": str(tmp_path / "empty.py"),
    }


Write = Callable[[str, str], Path]


@pytest.fixture
def own_file(tmp_path: Path) -> Write:
    """Write a file into the user's own configuration directory."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / "config" / "moonlight-hpc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def site_file(environ: dict[str, str], tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    environ["MOONLIGHT_HPC_CONFIG"] = str(path)
    return path


def as_json(**settings: object) -> str:
    return json.dumps({"MoonlightSite": settings})


def test_without_anything_the_defaults_hold(environ: dict[str, str]) -> None:
    site = load_site(environ=environ)
    assert (site.partition, site.qos, site.display_min, site.display_max) == (
        "viz",
        "moonlight",
        10,
        99,
    )
    assert (site.port_min, site.port_max) == (47989, 48989)


@pytest.mark.parametrize(
    "name, text",
    [("s.py", 'c.MoonlightSite.partition = "gpu"'), ("s.json", as_json(partition="gpu"))],
)
def test_the_sites_file_is_read(
    environ: dict[str, str], tmp_path: Path, name: str, text: str
) -> None:
    site_file(environ, tmp_path, name, text)
    assert load_site(environ=environ).partition == "gpu"


def test_each_source_wins_over_those_before_it(
    environ: dict[str, str], tmp_path: Path, own_file: Write
) -> None:
    names = ["partition", "qos", "account", "slurm_bin"]
    lines = [f'c.MoonlightSite.{n} = "site"' for n in names]
    site_file(environ, tmp_path, "s.py", "\n".join(lines))
    assert {getattr(load_site(environ=environ), n) for n in names} == {"site"}

    own_file("config.py", "\n".join(f'c.MoonlightSite.{n} = "own"' for n in names[1:]))
    environ |= {f"MOONLIGHT_HPC_{n.upper()}": "environment" for n in names[2:]}
    config = Config()
    config.MoonlightSite[names[3]] = "jupyter"
    site = load_site(config, environ)
    assert [getattr(site, n) for n in names] == ["site", "own", "environment", "jupyter"]


def test_of_a_users_two_files_both_count(environ: dict[str, str], own_file: Write) -> None:
    own_file("config.py", 'c.MoonlightSite.partition = "py"\nc.MoonlightSite.qos = "py"')
    own_file("config.json", as_json(qos="json"))
    site = load_site(environ=environ)
    assert (site.partition, site.qos) == ("py", "json")


def test_an_empty_text_in_the_environment_is_a_value(
    environ: dict[str, str], tmp_path: Path
) -> None:
    site_file(environ, tmp_path, "s.json", as_json(account="proj"))
    environ["MOONLIGHT_HPC_ACCOUNT"] = ""
    assert load_site(environ=environ).account == ""


def test_the_callers_own_configuration_is_not_changed(environ: dict[str, str]) -> None:
    config = Config({"MoonlightSite": {"partition": "jupyter"}})
    load_site(config, {**environ, "MOONLIGHT_HPC_QOS": "x"})
    assert config == {"MoonlightSite": {"partition": "jupyter"}}


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("cpus", "8", 8),
        ("hours", "2.5", 2.5),
        ("gateway_plain_http", "true", True),
        ("gateway_plain_http", "0", False),
        (
            "sbatch_options",
            '["--constraint=viz", "--exclusive"]',
            ["--constraint=viz", "--exclusive"],
        ),
        (
            "agent_command",
            '["/opt/x/bin/moonlight-hpc", "agent"]',
            ["/opt/x/bin/moonlight-hpc", "agent"],
        ),
        ("job_environment", '{"A": "b c"}', {"A": "b c"}),
        ("host_desktop", "never", "never"),
    ],
)
def test_environment_variables_of_every_kind(
    environ: dict[str, str], name: str, text: str, expected: object
) -> None:
    environ[f"MOONLIGHT_HPC_{name.upper()}"] = text
    assert getattr(load_site(environ=environ), name) == expected


WRONG = [
    ("cpus", "many"),
    ("cpus", "0"),
    ("cpus", "1.5"),
    ("hours", "long"),
    ("hours", "nan"),
    ("max_memory_gb", "inf"),
    ("sbatch_options", '["--clusters=two"]'),
    ("sbatch_options", '["-Mtwo"]'),
    ("gateway_plain_http", "maybe"),
    ("host_desktop", "sometimes"),
    ("scheduler", "pbs"),
    ("port_min", "80"),
    ("port_max", "70000"),
    ("cache_seconds", "0"),
    ("sessions_dir", "relative/path"),
    ("job_environment", "A=b"),
    ("job_environment", '["A"]'),
    ("sbatch_options", "--exclusive"),
    ("sbatch_options", "[1]"),
    ("resolution", "1920"),
]


@pytest.mark.parametrize("name, text", WRONG, ids=lambda v: str(v))
def test_a_wrong_variable_is_named_with_its_value(
    environ: dict[str, str], name: str, text: str
) -> None:
    variable = f"MOONLIGHT_HPC_{name.upper()}"
    environ[variable] = text
    with pytest.raises(ValueError, match=variable) as caught:
        load_site(environ=environ)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "name, value",
    [
        ("cpus", "many"),
        ("cpus", 0),
        ("hours", "long"),
        ("host_desktop", "sometimes"),
        ("port_max", 70000),
        ("sbatch_options", 5),
        ("sessions_dir", "relative/path"),
        ("resolution", "large"),
    ],
    ids=lambda v: str(v),
)
def test_a_wrong_value_in_a_file_is_named_with_the_file(
    environ: dict[str, str], own_file: Write, name: str, value: object
) -> None:
    path = own_file("config.json", as_json(**{name: value}))
    with pytest.raises(ValueError, match=name) as caught:
        load_site(environ=environ)
    assert str(path) in str(caught.value)
    assert str(value) in str(caught.value)


def test_a_wrong_value_that_is_overridden_is_wrong_all_the_same(
    environ: dict[str, str], own_file: Write
) -> None:
    path = own_file("config.py", "c.MoonlightSite.cpus = -1")
    environ["MOONLIGHT_HPC_CPUS"] = "2"
    with pytest.raises(ValueError, match=str(path)):
        load_site(environ=environ)


def test_a_name_that_is_no_setting_is_told_once_and_stops_nothing(
    environ: dict[str, str], tmp_path: Path, own_file: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be one of a newer version, or of the site's own scripts."""
    text = 'c.MoonlightSite.qoss = "x"\nc.MoonlightSite.cpus = 3\nc.MoonlightSiet.fps = 5'
    one = site_file(environ, tmp_path, "s.py", text)
    two = own_file("config.json", as_json(of_a_newer_version=1, hours=2.0))
    environ |= {"MOONLIGHT_HPC_PARTITON": "gpu", "MOONLIGHT_HPC_FPS": "50"}
    with caplog.at_level(logging.WARNING):
        site = load_site(environ=environ)
        assert list(load_site(environ=environ).unknown_settings) == list(site.unknown_settings)
    assert (site.cpus, site.hours, site.fps, site.partition) == (3, 2.0, 50, "viz")
    assert list(site.unknown_settings) == [
        f"The configuration file {one} has MoonlightSiet, but settings stand below MoonlightSite.",
        f"The configuration file {one} has qoss, which names no setting and is passed over. Is qos meant?",
        f"The configuration file {two} has of_a_newer_version, which names no setting and is passed "
        "over. docs/configuration.md lists them.",
        "The environment variable MOONLIGHT_HPC_PARTITON names no setting and is passed over. "
        "Is partition meant?",
    ]
    assert [record.getMessage() for record in caplog.records] == list(site.unknown_settings)


def test_beside_a_name_that_is_no_setting_a_wrong_value_is_still_an_error(
    environ: dict[str, str],
) -> None:
    environ |= {"MOONLIGHT_HPC_NOSUCH": "1", "MOONLIGHT_HPC_CPUS": "many"}
    with pytest.raises(ValueError, match="MOONLIGHT_HPC_CPUS"):
        load_site(environ=environ)


def test_nothing_unknown_is_nothing_to_tell(environ: dict[str, str]) -> None:
    environ["MOONLIGHT_HPC_CPUS"] = "2"
    assert list(load_site(environ=environ).unknown_settings) == []


@pytest.mark.parametrize(
    "name, text",
    [
        ("config.py", "c.MoonlightSite.cpus = "),
        ("config.py", "import nosuchmodule"),
        ("config.py", "raise RuntimeError('no')"),
        ("config.json", "{"),
        ("config.json", "[1]"),
        ("config.json", '{"MoonlightSite": 1}'),
    ],
)
def test_a_broken_file_is_named(
    environ: dict[str, str], own_file: Write, name: str, text: str
) -> None:
    path = own_file(name, text)
    with pytest.raises(ValueError, match="Cannot read the configuration file") as caught:
        load_site(environ=environ)
    assert str(path) in str(caught.value)


def test_a_named_file_that_is_not_there(environ: dict[str, str], tmp_path: Path) -> None:
    missing = environ["MOONLIGHT_HPC_CONFIG"] = str(tmp_path / "nothing.py")
    with pytest.raises(ValueError, match="MOONLIGHT_HPC_CONFIG") as caught:
        load_site(environ=environ)
    assert missing in str(caught.value)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"hours": 9.0, "max_hours": 8.0}, ["hours", "9", "max_hours", "8"]),
        ({"cpus": 99}, ["cpus", "99", "max_cpus", "16"]),
        ({"fps": 240}, ["fps", "240", "max_fps"]),
        ({"display_min": 20, "display_max": 19}, ["display_min", "20", "display_max", "19"]),
        ({"port_min": 48000, "port_max": 48030}, ["48000", "48030", "32"]),
        ({"port_min": 48000, "port_max": 47000}, ["48000", "47000"]),
        ({"resolution": "3840x2160", "max_width": 1920}, ["resolution", "3840x2160", "1920"]),
        ({"resolution": "1920x2400"}, ["resolution", "1920x2400", "2160"]),
        ({"resolution": "large"}, ["resolution", "large"]),
        ({"max_bitrate_kbps": 10000}, ["bitrate_kbps is 20000", "max_bitrate_kbps is 10000"]),
        ({"hours": 0.05}, ["hours is 0.05", "0.1 to 8"]),
        ({"hours": 0.0}, ["hours is 0", "0.1 to 8"]),
        ({"hours": float("nan")}, ["hours is nan"]),
        ({"hours": float("inf"), "max_hours": float("inf")}, ["hours is inf"]),
        ({"max_hours": float("nan")}, ["max_hours is nan"]),
        ({"hours": 0.0, "max_hours": 0.0}, ["max_hours", "0.01"]),
        ({"memory_gb": 0.5}, ["memory_gb is 0.5", "1 to 64"]),
        ({"memory_gb": 0.0, "max_memory_gb": 0.0}, ["max_memory_gb", "0.1"]),
        ({"cache_seconds": float("nan")}, ["cache_seconds is nan"]),
        ({"fps": 5}, ["fps is 5", "10 to 120"]),
        ({"resolution": "320x200"}, ["resolution is 320x200", "640x480"]),
        ({"hours": 9.0, "cpus": 99}, ["max_hours is 8", "max_cpus is 16"]),
    ],
    ids=lambda v: ",".join(v),
)
def test_settings_that_are_wrong_together(
    environ: dict[str, str], settings: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(ValueError, match="Moonlight HPC settings") as caught:
        load_site(Config({"MoonlightSite": settings}), environ)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"hours": 0.05, "max_hours": 0.05},
        {"memory_gb": 0.5, "max_memory_gb": 0.5},
        {"max_bitrate_kbps": 10000, "bitrate_kbps": 10000},
        {"port_min": 61400, "port_max": 61431},
    ],
    ids=lambda v: ",".join(v),
)
def test_settings_that_are_small_and_right_together(
    environ: dict[str, str], settings: dict[str, object]
) -> None:
    site = load_site(Config({"MoonlightSite": settings}), environ)
    assert validate_request({}, site, "desktop")
    claim_ports(site.port_min, site.port_max).release()


def test_directories_are_absolute_with_the_home_filled_in(environ: dict[str, str]) -> None:
    environ["MOONLIGHT_HPC_SESSIONS_DIR"] = "~/sessions"
    assert load_site(environ=environ).sessions_dir == os.path.expanduser("~/sessions")


def test_a_machine_without_sbatch_is_its_own_batch_system(
    environ: dict[str, str], tmp_path: Path
) -> None:
    environ["MOONLIGHT_HPC_SLURM_BIN"] = str(tmp_path)
    site = load_site(environ=environ)
    assert (site.batch_system, site.gateway_address) == ("local", "127.0.0.1")
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    site = load_site(environ=environ)
    assert (site.batch_system, site.gateway_address, site.gpus) == ("slurm", "0.0.0.0", 1)
