"""``moonlight-hpc images build``: options, preflight, one image after the other."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..model.errors import MoonlightError
from ..site.settings import load_site
from . import downloads, preflight
from .build import Build, Options
from .distribution import OURS, NotOurs, distribution_of
from .failures import BuildFailed, Interrupted, NotReady
from .recipe import Pins, Recipe, chosen, definitions, read_pins, recipes
from .runner import interruptible
from .state import Work, default_directory


def add_build_command(subparsers: Any) -> argparse.ArgumentParser:
    """Add `build` to the subcommands of `moonlight-hpc images`.

    Its ``command`` takes ``(manager, user, options)`` as the other commands do and gives the exit
    status: 0 all built, 1 one failed, 130 interrupted.
    """
    text = "build images, from scratch or from existing VNC images"
    parser: argparse.ArgumentParser = subparsers.add_parser("build", help=text, description=text)
    parser.set_defaults(command=_command)
    what = parser.add_argument_group("what")
    what.add_argument("images", nargs="*", metavar="IMAGE", help="id or file of the catalogue")
    what.add_argument("--all", action="store_true", help="every image of the catalogue")
    what.add_argument(
        "--from-vnc", type=Path, metavar="DIR", help="start from vnc_*.sif there (only read)"
    )
    what.add_argument(
        "--lsprepost", type=Path, metavar="FILE", help="your archive (.tar.gz) of LS-PrePost"
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="default: the site's images_dir"
    )
    where.add_argument("--work-dir", type=Path, metavar="DIR", help="needs gigabytes, on a disk")
    where.add_argument("--owner", help="user that an image belongs to")
    where.add_argument("--group", help="group that an image belongs to")
    sources = parser.add_argument_group("sources")
    sources.add_argument(
        "--offline", type=Path, metavar="DIR", help="fetch nothing; the downloads are here"
    )
    sources.add_argument(
        "--base",
        type=Path,
        metavar="IMAGE",
        help="a local image to start from: Ubuntu 24.04, Debian 12 or 13, RHEL 9 or a relative",
    )
    sources.add_argument(
        "--apt-mirror", metavar="URL", help="your mirror of Ubuntu's or Debian's packages"
    )
    sources.add_argument("--apptainer", default="apptainer", help="the program to build with")
    parser.add_argument("--fresh", action="store_true", help="forget steps finished earlier")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, run none")
    return parser


async def _command(manager: object, user: str, options: argparse.Namespace) -> int:
    return build_images(options)


def build_images(arguments: argparse.Namespace, say: Callable[[str], None] | None = None) -> int:
    """Build what ``arguments`` (of ``add_build_command``) ask for; the exit status.

    One image that fails does not keep the others from being built.

    Raises
    ------
    NotReady
        Nothing was begun; all problems are in the text.
    NotFound
        An image of that name is not in the catalogue.
    """
    tell = say or _print
    directory = definitions()
    everything = recipes(directory)
    wanted = everything if arguments.all else chosen(everything, arguments.images)
    if not wanted:
        names = ", ".join(r.id for r in everything)
        raise NotReady([f"Name the images to build, or --all. Images are: {names}."])
    pins = read_pins(directory / "pins.json")
    work_path = (arguments.work_dir or default_directory()).absolute()
    options, problems = _options(arguments, wanted, pins)
    if arguments.dry_run:
        _dry_run(wanted, pins, directory, options, work_path, problems, tell)
        return 0
    problems, notes = _preflight(wanted, options, work_path, problems)
    on = dict.fromkeys((recipe.id for recipe in wanted), OURS)
    if not problems:  # so that each can be asked
        on, problems = _distributions(wanted, options, work_path)
    if options.offline is not None and options.offline.is_dir():
        problems += downloads.problems_offline(options.offline, pins.of(*on.values()).downloads)
    if problems:
        raise NotReady(problems)
    for note in notes:
        tell(f"Note: {note}")
    work = Work(work_path)
    work.make()
    failed: list[str] = []
    with work.locked():
        try:
            with interruptible():
                for recipe in wanted:
                    own = pins.of(on[recipe.id])
                    build = Build(recipe, own, directory, options, work, tell)
                    if arguments.fresh and build.image.path.exists():
                        build.image.clear()
                    if not _one(build, tell):
                        failed.append(recipe.id)
        except Interrupted:
            tell("Interrupted. What is finished is kept: the same call goes on from there.")
            return 130
    if failed:
        tell(f"Not built: {', '.join(failed)}. The same call goes on where it stopped.")
    return 1 if failed else 0


def _one(build: Build, tell: Callable[[str], None]) -> bool:
    had_one = build.target.exists()
    try:
        build.run()
    except (MoonlightError, OSError) as e:
        tell(f"{build.recipe.stem}  failed: {e}")
        if not isinstance(e, BuildFailed) or str(build.runner.log) not in str(e):
            tell(f"      log: {build.runner.log}")
        state = "is as it was" if had_one else "was not there before and is not now"
        tell(f"      {build.target} {state}.")
        return False
    tell(f"{build.recipe.stem}  ready: {build.target}")
    return True


def _options(
    arguments: argparse.Namespace, wanted: list[Recipe], pins: Pins
) -> tuple[Options, list[str]]:
    """The options with everything in its place, and what is wrong with them."""
    for name in ("from_vnc", "offline", "lsprepost", "base"):  # so that messages name them whole
        if (path := getattr(arguments, name)) is not None:
            setattr(arguments, name, path.absolute())
    problems = []
    uid = gid = -1
    try:
        uid, gid = preflight.owner_ids(arguments.owner, arguments.group)
    except ValueError as e:
        problems.append(str(e))
    output = arguments.output_dir or Path(load_site().images_dir)
    base = arguments.base
    if base is None and arguments.offline is not None and arguments.from_vnc is None:
        base = arguments.offline / pins.base.file
        if not base.exists():
            problems.append(
                f"Missing in {arguments.offline}: {pins.base.file}\n    from   apptainer pull "
                f"{pins.base.file} docker://{pins.base.reference}  (on a machine with internet)"
            )
    elif base is not None and not base.exists():
        problems.append(f"The image {base} (--base) does not exist.")
    mirror = arguments.apt_mirror or "none"
    if mirror != "none" and not _plain_url(mirror):
        problems.append(f"--apt-mirror is {mirror!r}, but must be an http or https address.")
    for path in (arguments.from_vnc, arguments.offline):
        if path is not None and not path.is_dir():
            problems.append(f"{path} is not a directory.")
    if arguments.from_vnc is None and any(r.with_lsprepost for r in wanted):
        problems += _lsprepost_problems(arguments.lsprepost)
    options = Options(
        apptainer=arguments.apptainer,
        output=output.absolute(),
        from_vnc=arguments.from_vnc,
        offline=arguments.offline,
        lsprepost=arguments.lsprepost,
        base=base,
        apt_mirror=mirror,
        uid=uid,
        gid=gid,
    )
    return options, problems


def _distributions(
    wanted: list[Recipe], options: Options, work: Path
) -> tuple[dict[str, str], list[str]]:
    """Which distribution each image is built on, and what is wrong with that."""
    found: dict[str, str] = {}
    problems: list[str] = []
    for recipe in wanted:
        start = options.from_vnc / recipe.vnc_file if options.from_vnc else options.base
        try:
            found[recipe.id] = distribution_of(options.apptainer, start, work) if start else OURS
        except NotOurs as e:
            found[recipe.id] = OURS
            if str(e) not in problems:
                problems.append(str(e))
    return found, problems


def _preflight(
    wanted: list[Recipe], options: Options, work: Path, problems: list[str]
) -> tuple[list[str], list[str]]:
    found = [*problems, *preflight.check_apptainer(options.apptainer)]
    rights, notes = preflight.check_rights()
    found += rights
    vnc: list[Path] | None = None
    if options.from_vnc is not None and options.from_vnc.is_dir():
        vnc = [options.from_vnc / r.vnc_file for r in wanted]
        found += [
            f"{path} does not exist, so {path.name.replace('vnc_', 'sunshine_')} cannot be built "
            "from it. Build that one from scratch (without --from-vnc)."
            for path in vnc
            if not path.exists()
        ]
    found += preflight.check_directories(options.output, work, preflight.space_for(vnc))
    return found, notes


def _lsprepost_problems(path: Path | None) -> list[str]:
    if path is None:
        return [
            "The image with LS-PrePost needs your copy of it: --lsprepost FILE, the archive "
            "(.tar.gz) of LS-PrePost for Linux that your licence lets you download."
        ]
    with contextlib.suppress(OSError):
        if stat.S_ISREG(path.stat().st_mode):
            return []
    return [f"{path} (--lsprepost) is not a file; it must be the archive of LS-PrePost."]


def _plain_url(text: str) -> bool:
    return text.startswith(("http://", "https://")) and not any(
        c.isspace() or c in "\"'`$\\{}" for c in text
    )


def _dry_run(
    wanted: list[Recipe],
    pins: Pins,
    directory: Path,
    options: Options,
    work: Path,
    problems: list[str],
    tell: Callable[[str], None],
) -> None:
    for problem in problems:
        tell(f"# would stop: {problem}")
    if options.base is not None or options.from_vnc is not None:
        tell("# taken for Ubuntu 24.04: what it is, is asked of the image when it is built")
    pins = pins.of(OURS)
    for one in pins.downloads:
        place = f"from {options.offline}" if options.offline else one.url
        tell(f"# {one.file}  sha256 {one.sha256}  {place}")
    for recipe in wanted:
        tell(f"# {recipe.id}: {options.output / recipe.file}")
        for argv in Build(recipe, pins, directory, options, Work(work), tell).commands():
            tell(shlex.join(argv))


def _print(text: str) -> None:
    print(text, flush=True)
