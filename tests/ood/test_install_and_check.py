"""`moonlight-hpc ood install` and `check`, on a machine with a portal's configuration and without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from moonlight_spawner.ood.check import check
from moonlight_spawner.ood.install import NotInstalled, app_files, install
from moonlight_spawner.ood.portal import Portal, read_portal
from moonlight_spawner.site.options import MoonlightSite

from .ondemand import command, render

PORTAL = {
    "ssl": ["SSLCertificateFile x"],
    "host_regex": r"n\d+",
    "node_uri": "/node",
    "secure_node_uri": "/secure_node",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Open OnDemand's own configuration."""
    directory = tmp_path / "ood"
    (directory / "clusters.d").mkdir(parents=True)
    (directory / "ood_portal.yml").write_text(yaml.safe_dump(PORTAL))
    cluster = {"v2": {"metadata": {"title": "Lab"}, "job": {"adapter": "slurm"}}}
    (directory / "clusters.d" / "lab.yml").write_text(yaml.safe_dump(cluster))
    return directory


def put(directory: Path, portal: Portal, **settings: object) -> list[str]:
    said = install(directory, MoonlightSite(**settings), portal)
    change(directory, command=str(command()))
    return said


def change(directory: Path, **settings: object) -> None:
    path = directory / "site.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **settings}))


def found(directory: Path, portal: Portal, *hosts: str, **settings: object) -> dict[str, str]:
    """Marks by the first words of each check's name; wrong ones with text and remedy."""
    findings = check(directory, MoonlightSite(**settings), portal, list(hosts) or ["n1", "n22"])
    return {
        f.name.split(" ")[0]: f.mark if f.mark == "✓" else f"{f.mark} {f.text} → {f.fix}"
        for f in findings
    }


def test_the_app_is_linked_and_the_sites_own_yaml_written_once(apps: Path, config: Path) -> None:
    app = apps / "moonlight"
    settings = {
        "partition": "gpu",
        "qos": "",
        "max_hours": 4.5,
        "hours": 2.0,
        "max_gpus": 0,
        "gpus": 0,
    }
    old = os.umask(0o077)
    try:
        said = install(app, MoonlightSite(**settings, max_width=1920), read_portal(config))
    finally:
        os.umask(old)
    assert said[0] == f"made {app}" and said[-1].startswith(f"wrote {app}/site.yml")
    for part in app_files().iterdir():
        own = app / part.name
        assert own.exists() and own.is_symlink() == (part.name != "site.yml")
    text = (app / "site.yml").read_text()
    read = yaml.safe_load(text)
    assert (read["cluster"], read["node_proxy"], read["qos"]) == ("lab", "secure_node", "")
    assert read["partitions"] == [{"name": "gpu", "label": "gpu"}]
    assert read["hours"] == {"default": 2, "min": 1, "max": 4.5}
    assert read["gpus"]["max"] == 0 and "3840x2160" not in read["resolutions"]
    assert "no" in read["keyboards"] and all(isinstance(k, str) for k in read["keyboards"])
    shipped = (app_files() / "site.yml").read_text()
    assert [ln for ln in text.splitlines() if ln.startswith("#")] == [
        line for line in shipped.splitlines() if line.startswith("#")
    ]
    assert (
        app.stat().st_mode & 0o777 == 0o755 and (app / "site.yml").stat().st_mode & 0o777 == 0o644
    )

    (app / "site.yml").write_text(text + "# ours\n")
    (app / "icon.svg").unlink()
    (app / "form.js").unlink()
    (app / "form.js").write_text("// the site's own")
    (app / "view.html.erb").unlink()
    (app / "view.html.erb").symlink_to("/nowhere")
    said = install(app, MoonlightSite(), read_portal(config))
    assert [line.split(" ")[0] for line in said] == ["kept", "linked", "linked", "kept"]
    assert (app / "site.yml").read_text().endswith("# ours\n")
    assert (app / "form.js").read_text() == "// the site's own"
    assert (app / "view.html.erb").exists()


def test_where_it_cannot_be_put_is_said(apps: Path, config: Path) -> None:
    portal = read_portal(config)
    with pytest.raises(NotInstalled, match="does not exist"):
        install(apps / "a" / "b", MoonlightSite(), portal)
    (apps / "link").symlink_to(app_files())
    with pytest.raises(NotInstalled, match="is a link"):
        install(apps / "link", MoonlightSite(), portal)
    (apps / "file").write_text("")
    with pytest.raises(NotInstalled, match="cannot be written"):
        install(apps / "file", MoonlightSite(), portal)


def test_nothing_is_put_where_somebody_else_could_exchange_it(
    apps: Path, config: Path, tmp_path: Path
) -> None:
    """He would have root change the mode of what he puts in its place."""
    theirs = apps / "dev"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    with pytest.raises(NotInstalled, match=r"dev belongs to uid 12345.*he puts it himself"):
        install(theirs / "moonlight", MoonlightSite(), read_portal(config))
    assert not list(theirs.iterdir())


@pytest.mark.parametrize("what", ["directory", "settings", "program", "mode"])
def test_a_check_runs_no_program_that_somebody_else_has_named(
    apps: Path, config: Path, what: str
) -> None:
    app, ran = apps / "m", apps / "ran"
    put(app, read_portal(config))
    program = apps / "moonlight-hpc"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    change(app, command=str(program))
    assert "it says ''" in found(app, read_portal(config))["program"] and ran.exists()
    ran.unlink()
    if what == "mode":
        program.chmod(0o775)
    else:
        os.chown(
            {"directory": app, "settings": app / "site.yml", "program": program}[what], 12345, 0
        )
    assert "it was not run, because" in found(app, read_portal(config))["program"]
    assert not ran.exists()
    change(app, command=str(command()))  # the one that asks
    assert found(app, read_portal(config))["program"] == "✓"


def test_the_command_line_installs_and_checks_and_the_form_renders(
    apps: Path, config: Path
) -> None:
    app = apps / "moonlight"
    program = [str(command()), "ood"]
    for action, status in (("install", 0), ("check", 0)):
        argv = [*program, action, str(app), "--config", str(config)]
        argv += ["--host", "n7"] if action == "check" else []
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
    assert "✓ host_regex: n\\d+ matches n7" in done.stdout
    argv = [*program, "check", str(app), "--config", str(apps / "none"), "--json", "--host", "x"]
    done = subprocess.run(argv, capture_output=True, text=True)
    marks = {finding["name"]: finding["good"] for finding in json.loads(done.stdout)}
    assert marks.pop("Open OnDemand") is True and all(marks.values()), done.stdout
    home = {"HOME": str(apps), "XDG_CACHE_HOME": str(apps / "cache")}
    assert render(None, home, do="form", app=str(app))["form"]["cluster"] == "lab"


def test_all_is_well_on_a_portal_that_is(apps: Path, config: Path) -> None:
    put(apps / "m", read_portal(config))
    assert set(found(apps / "m", read_portal(config)).values()) == {"✓"}


@pytest.mark.parametrize(
    ("portal", "check_of", "words"),
    [
        (
            {"secure_node_uri": None},
            "node",
            "secure_node is off in Open OnDemand → Put `secure_node_uri",
        ),
        ({"secure_node_uri": None}, "node", "or name node in site.yml"),
        ({"secure_node_uri": "/nodes"}, "node", "which the gateway does not know"),
        ({"host_regex": "gpu-.*"}, "host_regex", "gpu-.* does not match n1, n22"),
        ({"host_regex": "n[0-9]"}, "host_regex", "does not match n22"),
        ({"host_regex": "("}, "host_regex", "cannot be read"),
        ({"host_regex": None}, "reach", "leads its users to any host"),
        ({"ssl": None}, "https", "has no `ssl`"),
    ],
)
def test_what_is_wrong_with_a_portal_is_said(
    apps: Path, config: Path, portal: dict[str, str | None], check_of: str, words: str
) -> None:
    put(apps / "m", read_portal(config))
    changed = {name: value for name, value in {**PORTAL, **portal}.items() if value}
    (config / "ood_portal.yml").write_text(yaml.safe_dump(changed))
    said = found(apps / "m", read_portal(config))
    assert words in said.pop(check_of)
    assert set(said.values()) == {"✓"}


def test_what_is_wrong_with_a_cluster_or_a_file_is_said(apps: Path, config: Path) -> None:
    app = apps / "m"
    put(app, read_portal(config))
    change(app, cluster="other")
    assert (
        "has no such cluster → Set `cluster` in site.yml to one of"
        in (found(app, read_portal(config))["cluster"])
    )
    change(app, cluster="")
    assert "names no cluster" in found(app, read_portal(config))["cluster"]
    change(app, cluster="lab")
    (config / "clusters.d" / "lab.yml").write_text("v2: {job: {adapter: torque}}")
    assert "adapter is torque" in found(app, read_portal(config))["cluster"]
    (config / "clusters.d" / "lab.yml").write_text("v2: [")
    said = found(app, read_portal(config))
    assert "cannot be read: " in said["Open"] and "adapter is None" in said["cluster"]
    (config / "ood_portal.yml").write_text("- a\n")
    assert "secure_node is off" in found(app, read_portal(config))["node"]


def test_what_is_wrong_with_the_app_is_said(apps: Path, config: Path) -> None:
    app, portal = apps / "m", read_portal(config)
    assert "it is not there → Run: moonlight-hpc ood install" in found(app, portal)["app"]
    put(app, portal)
    (app / "form.js").unlink()
    assert "it lacks form.js" in found(app, portal)["app"]
    put(app, portal)
    (app / "template").unlink()
    shutil.copytree(app_files() / "template", app / "template")
    (app / "template" / "script.sh.erb").chmod(0o644)
    assert "cannot be run → Run: chmod 755" in found(app, portal)["app"]
    (app / "template" / "script.sh.erb").chmod(0o755)
    (app / "template").chmod(0o700)
    assert "users may not read" in found(app, portal)["app"]
    (app / "template").chmod(0o755)
    (app / "VERSION").unlink()
    (app / "VERSION").write_text("0.0.1\n")
    assert "! version 0.0.1, while the program is" in found(app, portal)["app"]


def test_what_is_wrong_with_the_settings_is_said(apps: Path, config: Path) -> None:
    app, portal = apps / "m", read_portal(config)
    put(app, portal)
    change(app, command="/nowhere/moonlight-hpc")
    assert "it is not there, or cannot be run" in found(app, portal)["program"]
    change(app, command="/bin/true")
    assert "it says 'true (GNU" in found(app, portal)["program"]
    change(app, command=str(command()), odd=1)
    assert "has odd, which are no settings" in found(app, portal)["settings"]
    said = found(app, portal, max_hours=2.0, hours=1.0, max_cpus=8, cpus=1)
    assert "hours up to 8 (max_hours is 2), cores up to 16 (max_cpus is 8)" in said["limits"]
    change(app, node_proxy="proxy")
    assert "node_proxy is 'proxy' in site.yml" in found(app, portal)["node"]
    for text, words in (("a: [", "is no YAML"), ("", "has no settings"), ("a: 1", "lacks account")):
        (app / "site.yml").write_text(text)
        assert words in found(app, portal)["settings"]
