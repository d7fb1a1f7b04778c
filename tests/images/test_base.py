"""Images on another base than the registry's: it is asked what it is, and gets what runs on it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from moonlight_spawner.image_build.distribution import NotOurs, name_of
from moonlight_spawner.image_build.failures import NotReady

from .conftest import DEFINITIONS, SIF, Builder

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
TRIXIE = BOOKWORM.replace("12 (bookworm)", "13 (trixie)").replace('"12"', '"13"')
ROCKY = 'NAME="Rocky Linux"\nVERSION_ID="9.6"\nID="rocky"\nID_LIKE="rhel centos fedora"\n'
RHEL = 'PRETTY_NAME="Red Hat Enterprise Linux 9.4 (Plow)"\nVERSION_ID="9.4"\nID="rhel"\nID_LIKE="fedora"\n'
FEDORA = 'PRETTY_NAME="Fedora Linux 42"\nVERSION_ID=42\nID=fedora\n'
JAMMY = 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nVERSION_ID="22.04"\nID=ubuntu\nID_LIKE=debian\n'
KNOWN = [(BOOKWORM, "debian-12"), (TRIXIE, "debian-13"), (ROCKY, "rhel-9"), (RHEL, "rhel-9")]
UNKNOWN = [FEDORA, JAMMY, ROCKY.replace("9.6", "8.10"), "", "ID=arch\n"]


def built_on(builder: Builder, os_release: str) -> int:
    (builder.standin / "os-release").write_text(os_release)
    base = builder.home / "base.sif"
    base.write_bytes(SIF)
    return builder.build("desktop", "--base", str(base))


@pytest.mark.parametrize(("text", "name"), KNOWN)
def test_a_distribution_is_known_to_both_who_look(text: str, name: str, tmp_path: Path) -> None:
    assert name_of(text, tmp_path) == name == asked_inside(tmp_path, text)


def test_what_is_no_assignment_is_passed_over_and_no_sign_reaches_the_terminal(
    tmp_path: Path,
) -> None:
    assert name_of(f"# Bob's own\n\nODD=\"\n{BOOKWORM}", tmp_path) == "debian-12"
    with pytest.raises(NotOurs) as refused:
        name_of('PRETTY_NAME="A\x1b[2J"', tmp_path)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("text", UNKNOWN)
def test_another_is_refused_by_both(text: str, tmp_path: Path) -> None:
    with pytest.raises(
        NotOurs, match=r"Images are built on Ubuntu 24\.04, Debian 12 and 13, and RHEL"
    ):
        name_of(text, tmp_path)
    assert asked_inside(tmp_path, text) == ""


def asked_inside(tmp_path: Path, os_release: str) -> str:
    """What check-distribution says in an image with that os-release."""
    (tmp_path / "os-release").write_text(os_release)
    text = (DEFINITIONS / "files" / "check-distribution").read_text()
    script = tmp_path / "check"
    script.write_text(text.replace("/etc/os-release", str(tmp_path / "os-release")))
    return subprocess.run(["bash", script], capture_output=True, text=True).stdout.strip()


def test_debian_gets_its_own_sunshine(builder: Builder) -> None:
    assert built_on(builder, TRIXIE) == 0, builder.text
    assert builder.did() == ["build", "sunshine", "ldd", "selftest"]
    downloads = builder.work / "downloads"
    assert [p.name for p in downloads.glob("sunshine*")] == [
        "sunshine_2026.914.233613-1+debiantrixie_amd64.deb"
    ]


@pytest.mark.parametrize("os_release", [BOOKWORM, ROCKY])
def test_where_sunshine_does_not_run_the_image_is_for_selkies(
    builder: Builder, os_release: str
) -> None:
    assert built_on(builder, os_release) == 0, builder.text
    assert builder.did() == ["build", "selftest"]
    assert builder.calls()[-1][-1] == "desktop", "its desktop is tried"
    assert "it has no Sunshine: set `streaming_host` to selkies" in builder.text
    arguments = builder.calls()[-2]
    assert "SUNSHINE_VERSION=none" in arguments
    found = {p.name for p in (builder.work / "downloads").iterdir()}
    assert found == ({"virtualgl_3.1.4_amd64.deb"} if "bookworm" in os_release else set())


def test_another_base_is_refused_before_anything_is_done(builder: Builder) -> None:
    with pytest.raises(NotReady, match=r"base\.sif is Fedora Linux 42\. Images are built on"):
        built_on(builder, FEDORA)
    assert builder.did() == []


def test_a_vnc_image_of_another_distribution_is_taken_too(builder: Builder) -> None:
    (builder.standin / "os-release").write_text(TRIXIE)
    assert builder.build("desktop", "--from-vnc", str(builder.vnc)) == 0, builder.text
    contents = json.loads(builder.image().read_bytes()[len(SIF) :])
    assert "install-packages none base" in contents["added"]


def test_nothing_pinned_is_nothing_to_check(tmp_path: Path) -> None:
    for name in ("files", "downloads"):
        (tmp_path / name).mkdir()
    script = tmp_path / "files/check-downloads"
    script.write_text((DEFINITIONS / "files/check-downloads").read_text())
    sums = tmp_path / "downloads/SHA256SUMS"
    sums.write_text("")
    assert subprocess.run(["bash", script]).returncode == 0
    sums.write_text(f"{'0' * 64}  x.deb\n")
    (tmp_path / "downloads/x.deb").write_text("another")
    assert subprocess.run(["bash", script], capture_output=True).returncode == 1
