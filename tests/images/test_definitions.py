"""The definition files, the scripts they run in an image, and the pins, as they are shipped."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from moonlight_spawner.image_build.recipe import definitions, read_pins, recipes

from .conftest import DEFINITIONS
from .table import DISTRIBUTIONS, TABLE, packages

NAMES = ["sunshine_desktop", "sunshine_gnome", "sunshine_gnome_lsprepost"]
NAMES += ["sunshine_mate", "sunshine_kde"]
SECTIONS = {
    "arguments", "files", "post", "environment", "runscript", "test", "labels", "help",
}  # fmt: skip
IN_IMAGE = sorted(p for p in (DEFINITIONS / "files").iterdir() if p.suffix != ".desktop")


def parse(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Header and sections, as the user guide's chapter "Definition Files" describes them."""
    header: dict[str, str] = {}
    sections: dict[str, str] = {}
    current = None
    for line in (DEFINITIONS / f"{name}.def").read_text("utf-8").splitlines():
        if line.startswith("%"):
            current = line[1:].split()[0]
            assert current not in sections, f"{current} twice"
            sections[current] = ""
        elif current is not None:
            assert not line or line.startswith("    "), line
            sections[current] += line[4:] + "\n"
        elif line and not line.startswith("#"):
            key, _, value = line.partition(": ")
            header[key] = value
    return header, sections


def test_the_installation_finds_them() -> None:
    assert definitions() == DEFINITIONS or (definitions() / "pins.json").is_file()


def test_each_image_of_the_catalogue_has_a_definition() -> None:
    assert [r.stem for r in recipes(DEFINITIONS)] == NAMES
    assert all(r.definition.is_file() for r in recipes(DEFINITIONS))
    assert sorted(p.stem for p in DEFINITIONS.glob("*.def")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_has_every_section_and_starts_from_the_pinned_base(name: str) -> None:
    header, sections = parse(name)
    assert list(header) == ["Bootstrap", "From"], "Bootstrap has to be first"
    assert set(sections) == SECTIONS
    defaults = dict(line.split("=", 1) for line in sections["arguments"].split())
    base = read_pins(DEFINITIONS / "pins.json").base
    assert defaults == {"BOOTSTRAP": "docker", "BASE": base.reference, "APT_MIRROR": "none"}
    assert header["From"] == "{{ BASE }}"


@pytest.mark.parametrize("name", NAMES)
def test_the_checksums_are_verified_before_anything_is_installed(name: str) -> None:
    commands = [line for line in parse(name)[1]["post"].splitlines() if line]
    assert commands[0] == "set -euo pipefail"
    assert commands[2] == 'bash "$context/files/check-downloads"', "before anything of them is used"
    assert commands[3].startswith('bash "$context/files/install-packages"')
    assert commands[-1].endswith('/clean-up"')


@pytest.mark.parametrize("path", [*(DEFINITIONS / f"{n}.def" for n in NAMES), *IN_IMAGE])
def test_nothing_is_downloaded_by_an_image_itself(path: Path) -> None:
    # Packages come from apt, which checks signatures; everything else was checked outside.
    text = path.read_text("utf-8")
    assert not re.search(r"https?://|ftp://|\b(curl|wget|git clone|pip)\b", text)


def test_every_pin_has_https_a_checksum_and_the_wanted_version() -> None:
    pins = read_pins(DEFINITIONS / "pins.json")
    assert {d.name for d in pins.downloads} == {"sunshine", "moonlight-web", "virtualgl"}
    year, day = map(int, pins.version("sunshine").split(".")[:2])
    assert (year, day) >= (2026, 816), "older ones have no bind_address and a known hole"
    for one in pins.downloads:
        assert one.version in one.url
    for distribution in ("ubuntu-24.04", "debian-13"):
        here = pins.of(distribution).downloads
        assert [d.name for d in here] == ["sunshine", "moonlight-web", "virtualgl"]
    assert not pins.of("rhel-9").downloads and not pins.of("debian-12").have_sunshine


def test_the_catalogue_keeps_its_keys() -> None:
    images = json.loads((DEFINITIONS / "catalog.json").read_text("utf-8"))["images"]
    assert [i["id"] for i in images] == ["desktop", "gnome", "gnome_lsprepost", "mate", "kde"]
    for image in images:
        assert {"id", "name", "description", "icon", "file"} <= set(image)


@pytest.mark.parametrize("name", NAMES)
def test_the_shell_of_a_definition_is_sound(name: str, tmp_path: Path) -> None:
    sections = parse(name)[1]
    for section in ("post", "environment", "runscript", "test"):
        shell = "bash" if section == "post" else "sh"
        script = tmp_path / section
        text = re.sub(r"\{\{ (\w+) \}\}", r"/value/of/\1", sections[section])
        script.write_text(f"#!/bin/{shell}\n{text}")
        sound(script, shell)


@pytest.mark.parametrize("path", IN_IMAGE, ids=lambda p: p.name)
def test_a_script_of_the_image_is_sound(path: Path) -> None:
    first = path.read_text("utf-8").partition("\n")[0]
    assert first in ("#!/bin/sh", "#!/bin/bash")
    assert stat.S_IMODE(path.stat().st_mode) & 0o111
    sound(path, first.rpartition("/")[2])


def sound(script: Path, shell: str) -> None:
    subprocess.run([shell, "-n", str(script)], check=True)
    result = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("section", ["base", "xfce", "gnome", "mate", "kde", "lsprepost"])
def test_each_distribution_has_a_name_for_each_thing(section: str) -> None:
    found = [packages(section, column) for column in DISTRIBUTIONS]
    for names in found:
        assert len(names) == len(set(names)), "each once"
        assert all(re.fullmatch(r"[A-Za-z0-9/][A-Za-z0-9+_./-]+", name) for name in names)
    assert min(map(len, found)) > len(found[0]) * 0.8


def test_what_a_definition_takes_is_in_the_table() -> None:
    taken = set()
    for name in NAMES:
        sections = re.search(r'install-packages" "[^"]+" (.+)', parse(name)[1]["post"])
        assert sections
        taken |= set(sections[1].split())
    assert taken == set(re.findall(r"(?m)^\[(\w+)\]$", TABLE.read_text()))


def test_what_every_session_needs_is_in_every_image() -> None:
    assert {
        "dbus-x11", "fonts-nanum", "fonts-noto-cjk", "language-pack-ko", "libgl1-mesa-dri",
        "locales", "pulseaudio", "xauth", "xvfb",
    } <= set(packages("base"))  # fmt: skip
    for name in NAMES:
        assert re.search(r'install-packages" "\{\{ APT_MIRROR \}\}" base ', parse(name)[1]["post"])
    script = (DEFINITIONS / "files" / "install-packages").read_text()
    assert script.count("for locale in en_US ko_KR") == 2, "made, and looked for"


def test_sunshines_capabilities_are_taken_away_and_looked_for() -> None:
    script = (DEFINITIONS / "files" / "install-streaming").read_text()
    assert script.index('setcap -r "$sunshine"') < script.index("still has file capabilities")


def desktop(
    tmp_path: Path,
    kind: str | None,
    programs: dict[str, str],
    arguments: tuple[str, ...] = (),
    **more: str,
) -> str:
    """What moonlight-desktop starts, with programs that say how they were called."""
    here = tmp_path / "bin"
    here.mkdir()
    for tool in ("mktemp", "rmdir", "stat", "locale"):  # and no desktop of this machine
        (here / tool).symlink_to(Path("/usr/bin") / tool)
    for name, text in programs.items():
        (here / name).write_text(f"#!/bin/sh\n{text}\n")
        (here / name).chmod(0o755)
    source = (DEFINITIONS / "files" / "moonlight-desktop").read_text()
    recorded = tmp_path / "desktop"
    if kind is not None:
        recorded.write_text(f"{kind}\n")
    script = tmp_path / "moonlight-desktop"
    script.write_text(
        source.replace("/usr/local/share/moonlight-hpc/desktop", str(recorded)).replace(
            "/run/dbus/system_bus_socket", str(tmp_path / "no-such-bus")
        )
    )
    script.chmod(0o755)
    runtime = tmp_path / "run"
    runtime.mkdir()
    environment = {
        "PATH": str(here), "HOME": str(tmp_path), "DISPLAY": ":99",
        "XDG_RUNTIME_DIR": str(runtime), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x", **more,
    }  # fmt: skip
    result = subprocess.run(
        [script, *arguments],
        env={k: v for k, v in environment.items() if v},
        capture_output=True,
        text=True,
    )
    return f"{result.returncode} {result.stdout}{result.stderr}".strip()


def test_the_image_starts_the_desktop_it_was_built_for(tmp_path: Path) -> None:
    programs = {
        "xfce4-session": 'echo "XFCE $XDG_CURRENT_DESKTOP $XDG_SESSION_TYPE"',
        "gnome-session": "echo GNOME",
    }
    assert desktop(tmp_path, "xfce", programs) == "0 XFCE XFCE x11"


def test_gnome_gets_a_system_bus_of_its_own(tmp_path: Path) -> None:
    programs = {
        "dbus-daemon": 'echo "bus: $*"',
        "gnome-session": 'echo "$XDG_CURRENT_DESKTOP $DBUS_SYSTEM_BUS_ADDRESS $*"; exit 0',
    }
    said = desktop(tmp_path, "gnome", programs)
    address = f"unix:path={tmp_path}/run/system-bus"
    assert f"--address={address}" in said
    assert f"GNOME {address} --session=gnome" in said and said.startswith("0 ")


def test_an_image_from_elsewhere_is_looked_at(tmp_path: Path) -> None:
    assert desktop(tmp_path, None, {"mate-session": "echo found"}) == "0 found"


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As install-packages makes them; this machine has others."""
    made = tmp_path_factory.mktemp("locales")
    for name in ("en_US", "ko_KR"):
        argv = ["localedef", f"--inputfile={name}", "--charmap=UTF-8", made / f"{name}.utf8"]
        subprocess.run(argv, check=True)
    return made


@pytest.mark.parametrize(
    ("given", "spoken"),
    [
        ({"LANG": "C.UTF-8"}, "en_US.UTF-8 - "),
        ({"LANG": "", "LC_TIME": "C"}, "en_US.UTF-8 - C"),
        ({"LANG": "ko_KR.UTF-8", "LC_TIME": "en_US.utf8"}, "ko_KR.UTF-8 - en_US.utf8"),
        ({"LANG": "ko_KR"}, "ko_KR.UTF-8 - "),
        ({"LANG": "tlh_KX.UTF-8", "LC_ALL": "tlh_KX", "LANGUAGE": "tlh"}, "en_US.UTF-8 - "),
        ({"LANG": "C", "LC_ALL": "ko_KR.UTF-8"}, "ko_KR.UTF-8 ko_KR.UTF-8 "),
        ({"LANG": "x;id", "LC_TIME": "a b"}, "en_US.UTF-8 - "),
    ],
)
def test_the_desktop_speaks_what_the_image_has(
    tmp_path: Path, locales: Path, given: dict[str, str], spoken: str
) -> None:
    said = 'echo "$LANG ${LC_ALL:--} ${LC_TIME:-}"'
    found = desktop(tmp_path, "xfce", {"xfce4-session": said}, LOCPATH=str(locales), **given)
    assert found == f"0 {spoken}".strip()


@pytest.mark.parametrize(
    ("kind", "program", "known_as"),
    [("mate", "mate-session", "MATE mate"), ("kde", "startplasma-x11", "KDE plasma")],
)
def test_an_image_of_another_desktop_starts_that(
    tmp_path: Path, kind: str, program: str, known_as: str
) -> None:
    programs = {program: 'echo "$XDG_CURRENT_DESKTOP $DESKTOP_SESSION"', "xfce4-session": "echo no"}
    assert desktop(tmp_path, kind, programs) == f"0 {known_as}"


def test_a_program_is_started_in_the_place_of_the_desktop(tmp_path: Path) -> None:
    programs = {
        "xfce4-session": "echo no",
        "openbox": 'echo "$*" >>"$HOME/manager"',
        "paraview": 'until [ -e "$HOME/manager" ]; do :; done; echo "$1"; exit 4',
        "sh": 'exec /bin/sh "$@"',
    }
    said = desktop(tmp_path, "xfce", programs, ("paraview", "a b"), MOONLIGHT_OPENBOX="/x.xml")
    assert said == "4 a b"
    assert (tmp_path / "manager").read_text() == "--config-file /x.xml\n"


def test_the_status_of_the_desktop_is_passed_on(tmp_path: Path) -> None:
    assert desktop(tmp_path, "xfce", {"xfce4-session": "exit 3"}) == "3"


def test_without_a_d_bus_session_one_is_started(tmp_path: Path) -> None:
    programs = {
        "xfce4-session": 'echo "in $DBUS_SESSION_BUS_ADDRESS"',
        "dbus-run-session": 'shift; DBUS_SESSION_BUS_ADDRESS=new exec "$@"',
    }
    said = desktop(tmp_path, "xfce", programs, DBUS_SESSION_BUS_ADDRESS="")
    assert said == "0 in new"


def test_without_display_it_says_so(tmp_path: Path) -> None:
    assert "DISPLAY is not set" in desktop(tmp_path, "xfce", {}, DISPLAY="")


def test_a_runtime_directory_that_is_not_there_is_replaced_by_a_private_one(
    tmp_path: Path,
) -> None:
    said = desktop(
        tmp_path,
        "xfce",
        {"xfce4-session": 'stat -c %a "$XDG_RUNTIME_DIR"; rmdir "$XDG_RUNTIME_DIR"'},
        XDG_RUNTIME_DIR="/nonexistent",
    )
    assert said == "0 700"


def test_the_shipped_files_can_be_read_by_all() -> None:
    for path in DEFINITIONS.rglob("*"):
        assert os.stat(path).st_mode & 0o044 == 0o044, path
