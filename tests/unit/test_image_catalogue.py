"""What can be launched, what cannot and why; read from real directories, also as another user."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.errors import ImageUnavailable, NotFound
from moonlight_spawner.site.images import HOST_DESKTOP, Catalogue
from moonlight_spawner.site.options import MoonlightSite
from traitlets import TraitError

from .conftest import AsNobody

DECLARED = ["desktop", "gnome", "gnome_lsprepost"]


@pytest.fixture
def images(site: MoonlightSite) -> Path:
    directory = Path(site.images_dir)
    directory.mkdir()
    return directory


def add(directory: Path, name: str, mode: int = 0o644) -> Path:
    path = directory / name
    path.write_bytes(b"SIF")
    path.chmod(mode)
    return path


def by_id(site: MoonlightSite) -> dict[str, Any]:
    entries = Catalogue(site).all()
    found = {image.id: image for image in entries}
    assert len(found) == len(entries), "two images with one id"
    assert [image.id for image in entries if image.default] == [entries[0].id]
    return found


def test_without_images_the_nodes_desktop_is_offered_and_the_rest_explained(
    site: MoonlightSite,
) -> None:
    found = by_id(site)
    assert set(found) == {*DECLARED, HOST_DESKTOP}
    assert found[HOST_DESKTOP].default and found[HOST_DESKTOP].available
    for name in DECLARED:
        assert f"sunshine_{name}.sif does not exist" in found[name].unavailable_detail
        assert found[name].unavailable_code == "ImageMissing"
        assert found[name].unavailable_reason == "It is not installed here."
    assert Catalogue(site).get(HOST_DESKTOP).path is None
    # Images bring Sunshine, whose screen has one size.
    assert [i for i in found if found[i].follows_window] == [HOST_DESKTOP]
    site.streaming_host = "sunshine"
    assert not any(image.follows_window for image in Catalogue(site).all())


def test_a_declared_image_with_its_file_is_the_default(site: MoonlightSite, images: Path) -> None:
    path = add(images, "sunshine_desktop.sif")
    found = by_id(site)
    assert HOST_DESKTOP not in found
    assert found["desktop"].default and found["desktop"].path == str(path)
    assert "path" not in found["desktop"].model_dump()


def test_when_the_declared_default_is_missing_a_usable_one_takes_its_place(
    site: MoonlightSite, images: Path
) -> None:
    add(images, "sunshine_gnome.sif")
    assert Catalogue(site).default() == "gnome"


def test_an_optional_image_is_declared_where_it_is(site: MoonlightSite, images: Path) -> None:
    assert not {"mate", "kde"} & set(by_id(site))
    add(images, "sunshine_kde.sif")
    found = by_id(site)["kde"]
    assert found.available and found.name == "KDE desktop" and found.description


def test_a_program_of_the_site_is_as_usable_as_its_image(site: MoonlightSite, images: Path) -> None:
    site.applications = {
        "paraview": {"name": "ParaView", "command": ["paraview", "-x"], "image": "desktop"},
        "xterm": {"command": ["xterm"], "icon": "cae"},
        "gone": {"command": ["x"], "image": "nowhere"},
        "gnome": {"command": ["an image has that name"]},
    }
    found = by_id(site)
    assert not found["paraview"].available and "not exist" in found["paraview"].unavailable_detail
    assert "none of the site's" in found["gone"].unavailable_detail
    assert found["gnome"].name == "GNOME desktop"
    xterm = found["xterm"]
    assert xterm.available and xterm.path is None and xterm.follows_window
    assert (xterm.name, xterm.icon, xterm.application) == ("xterm", "cae", ["xterm"])
    path = add(images, "sunshine_desktop.sif")
    paraview = Catalogue(site).get("paraview")
    assert paraview.path == str(path) and paraview.application == ["paraview", "-x"]
    assert not {"path", "application"} & paraview.model_dump().keys()
    assert Catalogue(site).default() == "desktop"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"Para View": {"command": ["x"]}}, "an id has small letters"),
        ({"x": {"name": "X"}}, "its `command` must be a list of words"),
        ({"x": {"command": "paraview"}}, "its `command` must be a list of words"),
        ({"x": {"command": ["a\nb"]}}, "its `command` must be a list of words"),
        ({"x": {"command": ["x"], "path": "/x"}}, "path is nothing of an application"),
        ({"x": {"command": ["x"], "name": 3}}, "must be plain texts"),
    ],
)
def test_what_is_no_program_is_told(site: MoonlightSite, entry: Any, why: str) -> None:
    with pytest.raises(TraitError, match=re.escape(why)):
        site.applications = entry


def test_found_images_are_offered_after_the_declared(site: MoonlightSite, images: Path) -> None:
    add(images, "sunshine_desktop.sif")
    add(images, "sunshine_my_tool-2.1.sif")
    found = by_id(site)
    assert found["my_tool-2.1"].available
    assert found["my_tool-2.1"].name == "My tool-2.1"
    assert Catalogue(site).default() == "desktop"


@pytest.mark.parametrize(
    "name",
    [
        "vnc_desktop.sif",
        "desktop.sif",
        "sunshine_.sif",
        "sunshine_Tool.sif",
        "sunshine_a b.sif",
        "sunshine_a;id.sif",
        "sunshine_$(id).sif",
        "sunshine_-x.sif",
        "sunshine_..sif",
        "sunshine_tool.sif.part",
        "sunshine_tool.img",
        "Sunshine_tool.sif",
        ".sunshine_tool.sif",
        "sunshine_tool.sif\n",
        "sunshine_" + "x" * 60 + ".sif",
        "sunshine_host-desktop.sif",
    ],
)
def test_files_of_other_names_are_not_offered(site: MoonlightSite, images: Path, name: str) -> None:
    add(images, name)
    assert set(by_id(site)) == {*DECLARED, HOST_DESKTOP}
    assert by_id(site)[HOST_DESKTOP].path is None


def kept_back(site: MoonlightSite, detail: str) -> None:
    """It cannot be launched; an administrator is told which file it is, who launches it is not."""
    with pytest.raises(ImageUnavailable, match="others could exchange its file") as refusal:
        Catalogue(site).get("desktop")
    assert site.images_dir not in str(refusal.value)
    image = by_id(site)["desktop"]
    assert re.search(detail, image.unavailable_detail)
    assert site.images_dir in image.unavailable_detail


@pytest.mark.parametrize("mode", [0o646, 0o666, 0o777, 0o602])
def test_an_image_that_anyone_may_write_is_not_trusted(
    site: MoonlightSite, images: Path, mode: int
) -> None:
    add(images, "sunshine_desktop.sif", mode)
    kept_back(site, f"Anyone may write.*{mode:o}")


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_images_of_a_directory_that_anyone_may_write_are_not_trusted(
    site: MoonlightSite, images: Path, mode: int
) -> None:
    add(images, "sunshine_desktop.sif")
    images.chmod(mode)
    kept_back(site, r"Anyone may write to .*images, so")


def test_an_image_of_a_stranger_is_not_trusted(site: MoonlightSite, images: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("this test gives a file to another user and needs root")
    add(images, "sunshine_desktop.sif")
    os.chown(images / "sunshine_desktop.sif", 12345, -1)
    kept_back(site, "belongs to uid 12345")
    os.chown(images, 12345, -1)
    assert Catalogue(site).get("desktop").available


def test_an_image_of_the_group_is_trusted(site: MoonlightSite, images: Path) -> None:
    add(images, "sunshine_desktop.sif", 0o664)
    assert Catalogue(site).get("desktop").available


def test_a_directory_a_pipe_and_a_dangling_link_are_no_images(
    site: MoonlightSite, images: Path
) -> None:
    (images / "sunshine_desktop.sif").mkdir()
    os.mkfifo(images / "sunshine_gnome.sif")
    (images / "sunshine_gnome_lsprepost.sif").symlink_to(images / "nothing")
    found = by_id(site)
    assert "not a regular file" in found["desktop"].unavailable_detail
    assert "not a regular file" in found["gnome"].unavailable_detail
    assert "does not exist" in found["gnome_lsprepost"].unavailable_detail
    codes = [found[name].unavailable_code for name in ("desktop", "gnome", "gnome_lsprepost")]
    assert codes == ["ImageBroken", "ImageBroken", "ImageMissing"]
    assert found[HOST_DESKTOP].default


def test_an_image_that_one_user_may_not_read_is_not_offered_to_him(
    shared_directory: Path, as_nobody: AsNobody
) -> None:
    images = shared_directory / "images"
    images.mkdir(mode=0o755)
    add(images, "sunshine_desktop.sif", 0o600)
    add(images, "sunshine_gnome.sif", 0o644)
    closed = shared_directory / "closed"
    closed.mkdir(mode=0o700)
    source = """
from moonlight_spawner.site.images import Catalogue
from moonlight_spawner.site.options import MoonlightSite
site = MoonlightSite(scheduler="local", images_dir=args[0])
result = [i.model_dump() for i in Catalogue(site).all()]
"""
    may_put = "from pathlib import Path; from moonlight_spawner.site.images import may_put; "
    may_put += "result = [may_put(Path(one)) for one in args]"
    open_to_all = shared_directory / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o1777)
    asked = [images, images / "new", closed, closed / "new", open_to_all, open_to_all / "a" / "b"]
    assert as_nobody(may_put, *map(str, asked)) == [False] * 4 + [True] * 2
    found = {image["id"]: image for image in as_nobody(source, str(images))}
    assert "may not read" in found["desktop"]["unavailable_detail"]
    assert found["desktop"]["unavailable_code"] == "ImageForbidden"
    assert found["gnome"]["default"] and found["gnome"]["available"]
    nothing = {image["id"]: image for image in as_nobody(source, str(closed))}
    assert "Permission denied" in nothing["desktop"]["unavailable_detail"]
    assert nothing["desktop"]["unavailable_code"] == "ImageForbidden"
    assert nothing[HOST_DESKTOP]["default"]


@pytest.mark.parametrize(
    "wanted, with_image, offered",
    [
        ("auto", False, True),
        ("auto", True, False),
        ("always", True, True),
        ("always", False, True),
        ("never", False, False),
        ("never", True, False),
    ],
)
def test_when_the_nodes_own_desktop_is_offered(
    site: MoonlightSite, images: Path, wanted: str, with_image: bool, offered: bool
) -> None:
    site.host_desktop = wanted
    if with_image:
        add(images, "sunshine_desktop.sif")
    found = by_id(site)
    assert (HOST_DESKTOP in found) == offered
    assert found["desktop"].default == (with_image or wanted == "never")


def test_where_nothing_can_be_launched_the_default_says_why(site: MoonlightSite) -> None:
    site.host_desktop = "never"
    catalogue = Catalogue(site)
    with pytest.raises(ImageUnavailable, match="It is not installed here"):
        catalogue.get(catalogue.default())


def test_an_unknown_image_is_named_with_the_known_ones(site: MoonlightSite) -> None:
    with pytest.raises(NotFound, match=r"no image other\. Images are: .*gnome"):
        Catalogue(site).get("other")


def test_a_new_image_is_seen_at_once(site: MoonlightSite, images: Path) -> None:
    catalogue = Catalogue(site)
    assert catalogue.default() == HOST_DESKTOP
    add(images, "sunshine_desktop.sif")
    assert catalogue.default() == "desktop"
