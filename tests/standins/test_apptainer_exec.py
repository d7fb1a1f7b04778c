"""Apptainer's stand-in for the agent (source of 1.5, and runs of 1.5.3)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.waiting import wait_for

_PROGRAM = Path(__file__).resolve().parent / "apptainer_exec" / "apptainer"
_JSON = "/usr/local/share/moonlight-hpc/image.json"


class Image:
    """An image with one program, ``greet``, that tells what it sees."""

    def __init__(self, folder: Path):
        self.folder, self.file, self.log = folder, folder / "image.sif", folder / "calls"
        self.home = folder / "home"
        self.home.mkdir()
        programs = folder / "programs"
        programs.mkdir()
        (programs / "greet").write_text('#!/bin/sh\necho "$0 $*" "$$"; pwd; env | sort\n')
        (programs / "greet").chmod(0o755)
        self.describe()

    def describe(self, **more: Any) -> None:
        image = {"path": [str(self.folder / "programs")], "files": {_JSON: '{"a": 1}\n'}}
        image |= {"calls": str(self.log), **more}
        self.file.write_text("SIF_MAGIC\n" + json.dumps(image) + "\n")

    def start(
        self, *words: str | Path, session: bool = False, **environment: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [_PROGRAM, *words],
            start_new_session=session,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *words: str | Path, **environment: str) -> tuple[int, str, str]:
        process = self.start(*words, **environment)
        out, err = process.communicate()
        return process.returncode, out, err

    def exec(self, *words: str | Path) -> tuple[int, str, str]:
        """Options before ``--``, the command after it; without one, ``true``."""
        at = words.index("--") if "--" in words else len(words)
        options = ["--containall", "--no-privs", f"--home={self.home}", *words[:at]]
        return self.call("exec", *options, self.file, *(words[at + 1 :] or ["true"]))

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


def test_a_program_of_the_image_sees_only_what_it_may(image: Image) -> None:
    env_file = image.folder / "env"
    env_file.write_text("DISPLAY=':14'\nODD='it'\\''s\ntwo lines'  # no more\n")
    words = ["exec", "--containall", "--no-privs", f"--home={image.home}", f"--env-file={env_file}"]
    secret = {"SECRET": "1", "APPTAINER_BIND": "/x", "SINGULARITYENV_Y": "2", "USER": "alice"}
    process = image.start(*words, image.file, "/usr/local/bin/greet", "a b", **secret)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    first, cwd, *environment = out.splitlines()
    program, _, pid = first.rpartition(" ")
    assert program == f"{image.folder}/programs/greet a b" and int(pid) != process.pid
    assert cwd == str(image.home)
    own = f"PATH={image.folder}/programs:/usr/bin:/bin"
    expected = {"DISPLAY=:14", "ODD=it's", "two lines", own, f"HOME={image.home}", "LANG=C"}
    assert {
        line for line in environment if not line.startswith(("PWD=", "_=", "SHLVL="))
    } == expected
    (call,) = image.calls()
    assert call["argv"][-2:] == ["/usr/local/bin/greet", "a b"]
    assert call["environment"] == ["APPTAINER_BIND", "SINGULARITYENV_Y"]
    assert call["env_file"] == env_file.read_text()
    assert call["pid"] == process.pid


def test_the_images_environment_and_what_overrides_it(image: Image) -> None:
    image.describe(environment={"LANG": "en_US.UTF-8", "STANDIN_X": "1"})
    env_file = image.folder / "env"
    env_file.write_text("LANG=ko_KR.UTF-8\nHOME=/elsewhere\n")
    _, out, err = image.exec("--env-file", env_file, "--", "greet")
    assert {"LANG=ko_KR.UTF-8", "STANDIN_X=1", f"HOME={image.home}"} <= set(out.splitlines())
    assert "Overriding HOME environment variable with APPTAINERENV_HOME is not permitted" in err


def test_what_a_clean_environment_lets_through(image: Image) -> None:
    command = ["exec", "--cleanenv", f"--home={image.home}", str(image.file), "greet"]
    _, out, _ = image.call(*command, http_proxy="http://proxy:1", APPTAINERENV_X="2", USER="alice")
    assert {"http_proxy=http://proxy:1", "X=2"} <= set(out.splitlines())
    assert "USER=" not in out and "LOGNAME=" not in out


def test_files_of_the_image(image: Image) -> None:
    assert image.exec("--", "cat", _JSON) == (0, '{"a": 1}\n', "")
    missing = "/usr/local/share/moonlight-hpc/nothing"
    words = f"cat: {missing}: No such file or directory\n"
    assert image.exec("--", "cat", missing) == (1, "", words)
    assert image.exec("--", "cat", "/etc/passwd")[0] == 1, "that is the host's"


def test_status_and_programs_that_are_not_there(image: Image) -> None:
    assert image.exec("--", "sh", "-c", "exit 7")[0] == 7
    words = 'FATAL:   "nosuch": executable file not found in $PATH\n'
    assert image.exec("--", "nosuch") == (255, "", words)
    words = "FATAL:   stat /opt/nosuch: no such file or directory\n"
    assert image.exec("--", "/opt/nosuch") == (255, "", words)


def test_the_home_shown_at_another_path_and_the_working_directory(image: Image) -> None:
    (image.home / "sub").mkdir()
    home = f"--home={image.home}:/home/alice"
    _, out, _ = image.exec(home, "--", "greet")
    assert out.splitlines()[1] == str(image.home) and f"HOME={image.home}" in out.splitlines()
    _, out, _ = image.exec(home, "--pwd", "/home/alice/sub", "--", "greet")
    assert out.splitlines()[1] == str(image.home / "sub")
    words = "FATAL:   failed to set working directory: chdir /nosuch: no such file or directory\n"
    assert image.exec("--pwd", "/nosuch") == (255, "", words)
    status, out, err = image.exec("--no-home", "--", "pwd")
    assert (status, out) == (0, "/\n")
    assert err.startswith("WARNING: Error changing the container working directory. Using '/'")


def left_of(leader: int) -> list[psutil.Process]:
    """What runs in a process's session, itself left out."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader != process.pid:
                found.append(process)
        except ProcessLookupError:
            pass
    return found


@pytest.mark.parametrize(("number", "names"), [(15, []), (9, ["squashfuse_ll"])])
def test_a_mount_helper_outlives_the_kill_of_its_container(
    image: Image, number: int, names: list[str]
) -> None:
    words = [
        "exec",
        f"--home={image.home}",
        str(image.file),
        "sh",
        "-c",
        "echo here; exec sleep 321",
    ]
    process = image.start(*words, session=True)
    try:
        assert process.stdout and process.stdout.readline() == "here\n"
        # It gives itself that name when it runs already.
        wait_for(lambda: "squashfuse_ll" in [p.name() for p in left_of(process.pid)])
        os.killpg(process.pid, number)
        assert process.wait() == -number
        wait_for(lambda: [p.name() for p in left_of(process.pid)] == names)
    finally:
        for left in left_of(process.pid):
            left.kill()
        process.kill()
        process.communicate()


def test_without_squashfuse_the_image_is_unpacked_for_each_program(image: Image) -> None:
    image.describe(squashfuse=False)
    words = ["exec", f"--home={image.home}", str(image.file)]
    place = image.folder / "unpacked"
    place.mkdir()
    status, _, err = image.call(*words, "greet", APPTAINER_TMPDIR=str(place))
    assert status == 0 and "INFO:    Converting SIF file to temporary sandbox..." in err
    assert not list(place.iterdir())
    command = ["sh", "-c", "echo here; exec sleep 321"]
    process = image.start(*words, *command, session=True, APPTAINER_TMPDIR=str(place))
    assert process.stdout and process.stdout.readline() == "here\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [p.name.startswith("rootfs-") for p in place.iterdir()] == [True]


def test_it_speaks_in_colours_where_it_thinks_that_a_terminal_is_there(image: Image) -> None:
    image.describe(colours=True, fatal="no")
    assert image.exec() == (255, "", "\x1b[31mFATAL:  \x1b[0m no\n")


def test_binds_and_the_work_directory(image: Image) -> None:
    work = image.folder / "work"
    words = f"FATAL:   container creation failed: failed to create {work}/tmp: mkdir {work}/tmp: "
    assert image.exec(f"--workdir={work}") == (255, "", words + "no such file or directory\n")
    work.mkdir()
    assert image.exec(f"--workdir={work}", "--bind", f"{work},/tmp:/mnt:ro")[0] == 0
    assert {p.name for p in work.iterdir()} == {"tmp", "var_tmp"}
    assert image.exec("--bind", "/nosuch:/mnt") == (
        255,
        "",
        "FATAL:   container creation failed: mount hook function failure: mount /nosuch->/mnt "
        "error: while mounting /nosuch: mount source /nosuch doesn't exist\n",
    )


def test_nv(image: Image) -> None:
    image.describe(gpu=False)
    assert image.exec("--nv") == (0, "", "")
    image.describe(gpu=True)
    assert image.exec("--nv") == (0, "", "")


def test_what_is_no_image(image: Image) -> None:
    image.file.write_text("#!/bin/sh\n")
    start = f"FATAL:   While checking container encryption: could not open image {image.file}"
    assert image.exec() == (255, "", f"{start}: image format not recognized\n")
    status, _, err = image.call("build", "--sandbox", image.folder / "new", image.file)
    assert status == 255 and "failed to parse deffile header" in err
    image.file.unlink()
    status, _, err = image.call("build", "--sandbox", image.folder / "new", image.file)
    assert status == 255 and f"unable to open file {image.file}" in err
    assert image.exec() == (
        255,
        "",
        f"{start}: failed to retrieve path for {image.file}: "
        f"lstat {image.file}: no such file or directory\n",
    )


def test_options_that_do_not_exist(image: Image) -> None:
    status, _, err = image.exec("--no-privileges")
    assert (status, err) == (1, 'Error for command "exec": unknown flag: --no-privileges\n')


def test_an_overlay_directory(image: Image) -> None:
    missing = image.folder / "no" / "overlay"
    assert image.exec("--overlay", missing) == (
        255,
        "",
        f"FATAL:   while loading overlay images: failed to open overlay image {missing}: failed to "
        f"retrieve path for {missing}: lstat {missing.parent}: no such file or directory\n",
    )
    missing.mkdir(parents=True)
    assert image.exec("--overlay", missing)[0] == 0
    assert {p.name for p in missing.iterdir()} == {"upper", "work"}
    status, _, err = image.exec("--overlay", missing, "--writable-tmpfs")
    assert status == 255 and "you can't specify --writable-tmpfs with another writable" in err
    status, _, err = image.exec("--overlay", missing, "--overlay", image.folder)
    assert status == 255 and "you can't specify more than one writable overlay" in err
    assert image.exec("--overlay", f"{missing}:ro", "--writable-tmpfs")[0] == 0


def test_an_overlay_file_has_one_user_at_a_time(image: Image) -> None:
    overlay = image.folder / "overlay.img"
    made = image.call("overlay", "create", "--sparse", "--size=128", overlay)
    assert made == (0, "", "")
    assert overlay.stat().st_size == 128 << 20 and overlay.stat().st_blocks < 100
    assert overlay.stat().st_mode & 0o777 == 0o600
    status, _, err = image.call("overlay", "create", overlay)
    assert (status, err) == (255, f"FATAL:   EXT3 overlay image {overlay} already exists\n")
    words = ["exec", f"--home={image.home}", f"--overlay={overlay}", str(image.file)]
    first = image.start(*words, "sh", "-c", "echo here; exec sleep 321")
    try:
        assert first.stdout and first.stdout.readline() == "here\n"
        assert image.exec("--overlay", overlay) == (
            255,
            "",
            f"FATAL:   while loading overlay images: failed to open overlay image {overlay}: while "
            f"locking ext3 partition from {overlay}: can't open {overlay} for writing, currently in "
            "use by another process\n",
        )
        first.terminate()
        assert first.wait() == -15, "the program itself got it"
    finally:
        first.kill()
        first.communicate()
    assert image.exec("--overlay", overlay)[0] == 0
    overlay.write_text("something else")
    assert image.exec("--overlay", overlay)[2].endswith("image format not recognized\n")


def test_overlays_that_cannot_be_made(image: Image) -> None:
    status, _, err = image.call("overlay", "create", "--size", "10", image.folder / "x")
    assert (status, err) == (255, "FATAL:   image size must be equal or greater than 64 MiB\n")
    status, _, err = image.call("overlay", "create", image.folder / "no" / "x")
    assert status == 255 and err.endswith(".ext3' for writing: No such file or directory\n")


def test_a_sandbox(image: Image) -> None:
    sandbox = image.folder / "sandbox"
    status, _, err = image.call("build", "--sandbox", sandbox, image.file)
    assert status == 0 and err.endswith(f"INFO:    Build complete: {sandbox}\n")
    assert (sandbox / _JSON[1:]).read_text() == '{"a": 1}\n'
    status, _, err = image.call("build", "--sandbox", sandbox, image.file)
    assert status == 255 and "build target 'sandbox' already exists" in err
    words = ["exec", "--home=/root", f"--workdir={image.folder}", "--bind", "/tmp/.X11-unix"]
    assert image.call(*words, "--writable", sandbox, "cat", _JSON) == (0, '{"a": 1}\n', "")
    status, _, err = image.call(*words, "--bind", "/usr/share:/data", "--writable", sandbox, "true")
    assert status == 255 and "By using --writable, Apptainer can't create /data" in err
    assert err.endswith("while mounting /usr/share: destination /data doesn't exist in container\n")
    status, _, err = image.call("exec", "--home=/nfs/alice", "--writable", sandbox, "true")
    assert status == 255 and "destination /nfs doesn't exist in container" in err
    status, _, err = image.exec("--writable")
    assert err == f"FATAL:   no SIF writable overlay partition found in {image.file}\n"
    status, _, err = image.call("exec", "--writable", "--overlay", sandbox, sandbox, "true")
    assert err == "FATAL:   cannot use --overlay in conjunction with --writable\n"
    assert [call["argv"][0] for call in image.calls()][:2] == ["build", "build"]


def test_a_message_of_the_tests_own(image: Image) -> None:
    image.describe(fatal="container creation failed: no fuse here")
    words = "FATAL:   container creation failed: no fuse here\n"
    assert image.exec() == (255, "", words)


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Path]:
    """The program by a link of its own, with a file ``calls`` beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "apptainer").symlink_to(_PROGRAM)
    (folder / "calls").touch()
    yield folder


def test_calls_without_an_image_are_written_beside_it(image: Image, beside: Path) -> None:
    env = {"PATH": f"{beside}:/usr/bin:/bin"}
    overlay = image.folder / "o"
    for words in (["overlay", "create", str(overlay)], ["exec", "/nosuch.sif", "true"]):
        subprocess.run(["apptainer", *words], env=env, capture_output=True)
    calls = [json.loads(line)["argv"][0] for line in (beside / "calls").read_text().splitlines()]
    assert calls == ["overlay", "exec"]
    assert os.path.exists(overlay) and not image.log.exists()
    done = subprocess.run(["apptainer", "--version"], env=env, capture_output=True, text=True)
    assert done.stdout == "apptainer version 1.5.3\n"
