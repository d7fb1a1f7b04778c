"""`build` below `images`, which still lists when it is called alone."""

from __future__ import annotations

import argparse
import asyncio

import pytest
from moonlight_spawner.image_build import add_build_command

from .conftest import Builder


async def listing(manager: object, user: str, options: argparse.Namespace) -> int:
    return 7


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    images = parser.add_subparsers(required=True).add_parser("images")
    images.set_defaults(command=listing)
    images.add_argument("--json", action="store_true")
    add_build_command(images.add_subparsers(metavar="ACTION"))
    return parser


def test_images_alone_is_the_list(parser: argparse.ArgumentParser) -> None:
    for words in (["images"], ["images", "--json"]):
        options = parser.parse_args(words)
        assert asyncio.run(options.command(None, "someone", options)) == 7


def test_images_build_builds(
    parser: argparse.ArgumentParser, builder: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    options = parser.parse_args(["images", *builder.options("desktop")])
    assert asyncio.run(options.command(None, "someone", options)) == 0
    assert f"sunshine_desktop  ready: {builder.image()}" in capsys.readouterr().out


def test_images_go_to_the_sites_directory_unless_another_is_named(
    parser: argparse.ArgumentParser,
    builder: Builder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MOONLIGHT_HPC_IMAGES_DIR", "/srv/images")
    options = parser.parse_args(["images", "build", "desktop", "--dry-run"])
    assert asyncio.run(options.command(None, "someone", options)) == 0
    assert "# desktop: /srv/images/sunshine_desktop.sif" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["build", "--help"]])
def test_the_help_names_every_option(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["images", *(words or ["--help"])])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for option in ("--from-vnc", "--offline", "--dry-run", "--owner") if words else ("build",):
        assert option in text
