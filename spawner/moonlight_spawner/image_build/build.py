"""The steps of one image, in their order."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import apptainer, downloads, publish
from .failures import BuildFailed
from .recipe import Pins, Recipe, fingerprint
from .runner import Runner
from .selftest import SELFTEST, try_desktop, try_image
from .state import ImageWork, Work, remove_tree

# Where `apptainer exec` sees the context.
_IN_SANDBOX = "/mnt"


@dataclass(frozen=True)
class Options:
    """What the administrator asked for, checked.

    Attributes
    ----------
    from_vnc
        Directory of ``vnc_*.sif`` to start from; None for a build from scratch.
    offline
        Directory that the pinned files are taken from; None to fetch them.
    base
        A local image (SIF or sandbox) in place of the registry's Ubuntu 24.04.
    """

    apptainer: str
    output: Path
    from_vnc: Path | None = None
    offline: Path | None = None
    lsprepost: Path | None = None
    base: Path | None = None
    apt_mirror: str = "none"
    uid: int = -1
    gid: int = -1
    start_seconds: float = 20.0


@dataclass
class Build:
    """One image: its steps, where each works, and what each runs.

    ``pins`` are those of its distribution.
    """

    recipe: Recipe
    pins: Pins
    definitions: Path
    options: Options
    work: Work
    say: Callable[[str], None]
    image: ImageWork = field(init=False)
    runner: Runner = field(init=False)

    def __post_init__(self) -> None:
        self.image = ImageWork(self.work.path / self.recipe.stem)
        stamp = time.strftime("%Y%m%dT%H%M%S")
        self.runner = Runner(self.work.logs / f"{self.recipe.stem}-{stamp}.log", self.say)

    @property
    def target(self) -> Path:
        return self.options.output / self.recipe.file

    @property
    def vnc(self) -> Path | None:
        directory = self.options.from_vnc
        return None if directory is None else directory / self.recipe.vnc_file

    def steps(self) -> list[tuple[str, str, Callable[[], None]]]:
        """Name, what is shown, and function of each step."""
        first = ("downloads", "Get and check the downloads", self._context)
        if self.vnc is not None:
            middle = [
                ("unpack", f"Unpack {self.vnc.name}", self._unpack),
                ("add", f"Add {self._added()}", self._add),
                ("pack", "Pack the image", self._pack),
            ]
        else:
            middle = [("build", f"Build from {self.recipe.definition.name}", self._scratch)]
        return [
            first,
            *middle,
            ("selftest", "Try the image", self._selftest),
            ("publish", f"Put it in place as {self.target}", self._publish),
        ]

    def run(self) -> None:
        """Build the image, going on after the steps that an earlier call finished.

        Raises
        ------
        BuildFailed
            A step failed. The old image is as it was; the finished steps are kept.
        """
        done = self.image.begin(self._made_from())
        steps = self.steps()
        names = [name for name, _, _ in steps]
        with contextlib.ExitStack() as stack:
            if self.vnc is not None:
                stack.enter_context(publish.untouched(self.vnc))
            for number, (name, title, function) in enumerate(steps, 1):
                place = f"{self.recipe.stem}  [{number}/{len(steps)}]"
                if name in done and self._still_there(name):
                    self.say(f"{place} {title}: done before")
                    continue
                done = []  # what follows was made from what is made anew now
                if name == "publish":  # only what is known to come from an unchanged image
                    stack.close()
                self.say(f"{place} {title} …")
                begun = time.monotonic()
                function()
                self.image.finished(names[:number])
                self.say(f"{place} {title}: done in {time.monotonic() - begun:.0f} s")
        self.image.clear()

    def commands(self) -> list[list[str]]:
        """Every program that a build would run, for --dry-run."""
        o, built = self.options, publish.building_path(self.target)
        if self.vnc is not None:
            sandbox = self.image.sandbox
            listed = [apptainer.unpack(o.apptainer, sandbox, self.vnc)]
            listed += [self._in_sandbox(command) for command in self._additions()]
            listed.append(apptainer.pack(o.apptainer, built, self.image.changed))
        else:
            arguments = self._arguments()
            listed = [
                apptainer.build_from_definition(
                    o.apptainer, built, self.recipe.definition, arguments
                )
            ]
        tried = ["sunshine", "--version"] if self.pins.have_sunshine else [SELFTEST, self.recipe.id]
        return [*listed, apptainer.run(o.apptainer, built, tried)]

    def _added(self) -> str:
        return (
            "Sunshine, moonlight-web and VirtualGL" if self.pins.have_sunshine else "what it lacks"
        )

    def _made_from(self) -> str:
        o = self.options
        more = [str(o.apt_mirror), str(o.base), str(self.target)]
        more += [one.file for one in self.pins.downloads]
        for path in (self.vnc, o.base, o.lsprepost if self.recipe.with_lsprepost else None):
            more.append(publish.identity(path) if path is not None and path.exists() else "")
        return fingerprint(self.definitions, *more)

    def _still_there(self, step: str) -> bool:
        image = self.image
        made = {
            "downloads": [image.context],
            "unpack": [image.sandbox, image.changed],
            "add": [image.changed],
        }
        # An image that is lost takes the proof that it works with it.
        return any(p.exists() for p in made.get(step, [publish.building_path(self.target)]))

    def _context(self) -> None:
        context = self.image.context
        remove_tree(context)
        context.mkdir(mode=0o755)
        shutil.copytree(self.definitions / "files", context / "files")
        shutil.copyfile(self.definitions / "packages.table", context / "packages.table")
        (context / "downloads").mkdir()
        for one in self.pins.downloads:
            path = downloads.provide(one, self.work.downloads, self.options.offline, self.say)
            shutil.copyfile(path, context / "downloads" / one.file)
        sums = {one.file: one.sha256 for one in self.pins.downloads}
        downloads.write_sums(context / "downloads", sums)
        archive = self.options.lsprepost
        if archive is not None and self.vnc is None and self.recipe.with_lsprepost:
            directory = self.image.path / "lsprepost"
            remove_tree(directory)
            directory.mkdir()
            shutil.copyfile(archive, directory / "archive")
            downloads.write_sums(directory, {"archive": downloads.sha256_of(archive)})

    def _scratch(self) -> None:
        built = publish.building_path(self.target)
        argv = apptainer.build_from_definition(
            self.options.apptainer, built, self.recipe.definition, self._arguments()
        )
        with self._produces(built), self.image.temporary() as tmp:
            self.runner.run(argv, "`apptainer build`", apptainer.environment(tmp))

    def _unpack(self) -> None:
        assert self.vnc is not None
        argv = apptainer.unpack(self.options.apptainer, self.image.sandbox, self.vnc)
        with self._produces(self.image.sandbox), self.image.temporary() as tmp:
            self.runner.run(argv, f"Unpacking {self.vnc}", apptainer.environment(tmp))

    def _add(self) -> None:
        image = self.image
        remove_tree(image.changing)
        image.sandbox.rename(image.changing)
        (image.changing / "mnt").mkdir(exist_ok=True)
        with self._produces(image.changed, image.changing), image.temporary() as tmp:
            for command in self._additions():
                self.runner.run(
                    self._in_sandbox(command),
                    f"`{Path(command[1]).name}` in the unpacked image",
                    apptainer.environment(tmp),
                )
            image.changing.rename(image.changed)

    def _pack(self) -> None:
        built = publish.building_path(self.target)
        argv = apptainer.pack(self.options.apptainer, built, self.image.changed)
        with self._produces(built), self.image.temporary() as tmp:
            self.runner.run(argv, "Packing the image", apptainer.environment(tmp))

    def _selftest(self) -> None:
        o, built = self.options, publish.building_path(self.target)
        with self.image.temporary() as tmp:
            environment = apptainer.environment(tmp)
            if not self.pins.have_sunshine:
                try_desktop(o.apptainer, built, self.recipe.id, self.runner, environment, self.say)
                self.say("      it has no Sunshine: set `streaming_host` to selkies")
                return
            version = self.pins.version("sunshine")
            try_image(
                o.apptainer, built, version, self.runner, environment, self.say, o.start_seconds
            )

    def _publish(self) -> None:
        o = self.options
        publish.put_in_place(publish.building_path(self.target), self.target, o.uid, o.gid)

    @contextlib.contextmanager
    def _produces(self, path: Path, *inputs: Path) -> Iterator[None]:
        """Half a result is no result: it goes before the step, and after one that failed.

        With it go ``inputs`` that the step had begun to change.
        """
        remove_tree(path)
        try:
            yield
            if not path.exists():
                raise BuildFailed(f"Apptainer said it was done, but there is no {path}.")
        except BaseException:
            for spoiled in (path, *inputs):
                remove_tree(spoiled)
            raise

    def _arguments(self) -> dict[str, str]:
        base = self.options.base
        arguments = {
            "BOOTSTRAP": "docker" if base is None else "localimage",
            "BASE": self.pins.base.reference if base is None else str(base),
            "CONTEXT": str(self.image.context),
            "APT_MIRROR": self.options.apt_mirror,
            "SUNSHINE_VERSION": self.pins.version("sunshine"),
            "MOONLIGHT_WEB_VERSION": self.pins.version("moonlight-web"),
            "VIRTUALGL_VERSION": self.pins.version("virtualgl"),
        }
        if self.recipe.with_lsprepost:
            arguments["LSPREPOST"] = str(self.image.path / "lsprepost")
        return arguments

    def _additions(self) -> list[list[str]]:
        files = f"{_IN_SANDBOX}/files"
        return [
            ["/bin/bash", f"{files}/install-packages", self.options.apt_mirror, "base"],
            ["/bin/bash", f"{files}/install-streaming", "auto"],
            ["/bin/bash", f"{files}/clean-up"],
        ]

    def _in_sandbox(self, command: list[str]) -> list[str]:
        o = self.options
        return apptainer.change(o.apptainer, self.image.changing, self.image.context, command)
