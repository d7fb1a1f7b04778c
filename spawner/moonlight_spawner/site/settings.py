"""Reads the site's settings. Later ones win:

1. ``/etc/moonlight-hpc/config.py`` or ``config.json``, or the file that the environment variable
   ``MOONLIGHT_HPC_CONFIG`` names,
2. ``~/.config/moonlight-hpc/config.py`` or ``config.json``,
3. environment variables ``MOONLIGHT_HPC_<SETTING>``, e.g. ``MOONLIGHT_HPC_PARTITION=gpu``; lists
   and dictionaries as JSON,
4. Jupyter's own configuration and command line: ``c.MoonlightSite.partition = "gpu"``.

A name that is none of a setting is told once and passed over: it may be one of a newer version, or of
the site's own scripts. A wrong value of a setting stops the program.

Limits that a user could lift in his own files are conveniences: what protects a cluster is the
QoS, which Slurm enforces.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from traitlets import Dict, List, TraitError, TraitType
from traitlets.config import Config
from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

from ..model.errors import FieldError, InvalidRequest
from ..model.limits import PORT_BLOCK
from ..model.trust import exchangeable, root_owns
from .images import HOST_DESKTOP
from .machine import base_directory
from .options import MoonlightSite
from .request import validate_request

log = logging.getLogger(__name__)

ENVIRONMENT_PREFIX = "MOONLIGHT_HPC_"
_NOT_SETTINGS = {"CONFIG"}
_NAMES = ("config.py", "config.json")
_SITE_FILES = [Path("/etc/moonlight-hpc") / name for name in _NAMES]
_SECTION = "MoonlightSite"
_told: set[str] = set()


def load_site(
    config: Config | None = None, environ: Mapping[str, str] | None = None
) -> MoonlightSite:
    """The site's settings from files, environment and ``config`` (Jupyter's).

    Raises
    ------
    ValueError
        A file cannot be read or a value is wrong; the text names the file or variable.
    """
    environ = os.environ if environ is None else environ
    unknown: list[str] = []
    merged = _from_files(config_files(environ), unknown)
    merged.merge(_from_environment(environ, unknown))
    if config:
        merged.merge(config)
    return _made(merged, unknown)


def load_site_alone(named: Path | None = None) -> MoonlightSite:
    """What the site decides, and nobody else: from ``named`` or from /etc/moonlight-hpc. For what runs
    as a user in the name of the site.

    Raises
    ------
    ValueError
        A file cannot be read, is not safe from others, or has a wrong value.
    """
    files = [named] if named else [path for path in _SITE_FILES if path.is_file()]
    for path in files:
        _check_owner(path)
    unknown: list[str] = []
    return _made(_from_files(files, unknown), unknown)


def _check_owner(path: Path) -> None:
    """A ``.py`` file is run as whoever reads it: nobody but root may write what all users run."""
    try:
        info = path.stat()
    except OSError as e:
        raise ValueError(f"The configuration file {path} cannot be read: {e.strerror}.") from e
    why = exchangeable(path)
    if not why and not root_owns(info):
        why = f"it belongs to uid {info.st_uid}, and has to be root's: chown root {path}"
    if not why and info.st_mode & 0o022:
        why = f"others may write to it (mode {info.st_mode & 0o7777:04o}): chmod go-w {path}"
    if why:
        raise ValueError(f"The configuration file {path} is not read: {why}.")


def _from_files(paths: Iterable[Path], unknown: list[str]) -> Config:
    merged = Config()
    for path in paths:
        source = f"The configuration file {path}"
        merged.merge(_checked(_known(_read(path), source, unknown), source))
    return merged


def _made(merged: Config, unknown: list[str]) -> MoonlightSite:
    try:
        site = MoonlightSite(config=merged)
        _check(site)
    except TraitError as e:
        raise ValueError(f"Moonlight HPC settings: {e}") from e
    site.unknown_settings = unknown
    for sentence in unknown:
        if sentence not in _told:
            _told.add(sentence)
            log.warning("%s", sentence)
    return site


def config_files(environ: Mapping[str, str]) -> list[Path]:
    """The configuration files that exist, in the order in which they are read."""
    named = environ.get(ENVIRONMENT_PREFIX + "CONFIG")
    home = Path(base_directory("XDG_CONFIG_HOME", ".config", environ)) / "moonlight-hpc"
    site = [Path(named)] if named else _SITE_FILES
    if named and not site[0].is_file():
        raise ValueError(f"{ENVIRONMENT_PREFIX}CONFIG names {named}, but there is no such file.")
    return [p for p in [*site, *(home / n for n in _NAMES)] if p.is_file()]


class _JsonLoader(JSONFileConfigLoader):
    """JSON is UTF-8, whatever the locale of whoever reads it."""

    def _read_file_as_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(Path(self.full_filename).read_text("utf-8"))
        return data


def _read(path: Path) -> Config:
    loader = _JsonLoader if path.suffix == ".json" else PyFileConfigLoader
    try:
        config = loader(path.name, path=str(path.parent)).load_config()
        dict(config.MoonlightSite)  # it may be anything in JSON
        return config
    except Exception as e:  # a .py file may raise anything
        raise ValueError(f"Cannot read the configuration file {path}: {e}") from e


def _known(config: Config, source: str, unknown: list[str]) -> Config:
    """``config`` without what is no setting; a sentence for each such name goes to ``unknown``."""
    traits = MoonlightSite.class_traits(config=True)
    for section in sorted(set(config) - {_SECTION}):
        unknown.append(f"{source} has {section}, but settings stand below {_SECTION}.")
    settings = config.get(_SECTION, {})
    for name in sorted(set(settings) - set(traits)):
        unknown.append(_no_setting(f"{source} has {name}, which", name))
    own = {name: value for name, value in settings.items() if name in traits}
    return Config({_SECTION: own})


def _no_setting(what: str, name: str) -> str:
    near = difflib.get_close_matches(name.lower(), MoonlightSite.class_trait_names(config=True), 1)
    meant = f" Is {near[0]} meant?" if near else " docs/configuration.md lists them."
    return f"{what} names no setting and is passed over.{meant}"


def _from_environment(environ: Mapping[str, str], unknown: list[str]) -> Config:
    config = Config()
    traits = MoonlightSite.class_traits(config=True)
    for variable, text in environ.items():
        name = variable[len(ENVIRONMENT_PREFIX) :]
        if not variable.startswith(ENVIRONMENT_PREFIX) or name in _NOT_SETTINGS:
            continue
        trait = traits.get(name.lower())
        if trait is None:
            unknown.append(_no_setting(f"The environment variable {variable}", name))
            continue
        text = os.fsencode(text).decode("utf-8", "surrogateescape")  # whatever the locale
        source = f"The environment variable {variable} is {text!r}"
        try:
            value = _from_text(trait, text)
        except Exception as e:
            raise ValueError(f"{source}: {e}") from e
        one = Config({"MoonlightSite": {name.lower(): value}})
        config.merge(_checked(one, source))
    return config


def _from_text(trait: TraitType[Any, Any], text: str) -> Any:
    # Not from_string() for all: that of a List takes no text at all in traitlets 5.
    return json.loads(text) if isinstance(trait, (List, Dict)) else trait.from_string(text)


def _checked(config: Config, source: str) -> Config:
    """``config``, tried value by value: once merged, nobody could say where a wrong one is from."""
    for name, value in config.MoonlightSite.items():
        try:
            MoonlightSite(config=Config({"MoonlightSite": {name: value}}))
        except TraitError as e:
            raise ValueError(f"{source}: {e}") from e
    return config


def _check(site: MoonlightSite) -> None:
    """Settings that are wrong only together: a request that names nothing has to be valid."""
    try:
        validate_request({}, site, HOST_DESKTOP)
    except InvalidRequest as e:
        raise TraitError(" ".join(_with_limits(site, field) for field in e.fields)) from e
    if site.display_min > site.display_max:
        raise TraitError(f"display_min {site.display_min} is over display_max {site.display_max}.")
    if site.port_max - site.port_min + 1 < PORT_BLOCK:
        raise TraitError(
            f"The port range {site.port_min}-{site.port_max} is too small: "
            f"one session needs {PORT_BLOCK} ports."
        )


def _with_limits(site: MoonlightSite, wrong: FieldError) -> str:
    """What is wrong with a default, and the settings that limit it."""
    sides = ("width", "height") if wrong.field == "resolution" else (wrong.field,)
    names = [f"max_{side}" for side in sides if site.has_trait(f"max_{side}")]
    limits = " and ".join(f"{name} is {getattr(site, name):g}" for name in names)
    return f"{wrong.message} {limits}." if limits else wrong.message
