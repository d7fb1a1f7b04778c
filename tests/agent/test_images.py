"""Sessions in an image: what the image sees of the node, and what a user may change in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from moonlight_spawner.agent.desktop.manifest import PATH as MANIFEST

from tests.cluster.users import TestUser
from tests.support.reachable import standins

from .conftest import Launch
from .nodes import Node, a_node
from .sessions import AgentSession, settings

L40S = {"dri": "/dev/dri/card0", "renderer": "NVIDIA L40S/PCIe/SSE2"}
LSPREPOST = {"name": "LS-PrePost", "command": ["/usr/local/bin/lsprepost", "a $file.k", "it's"]}


@pytest.fixture
def node() -> Iterator[Node]:
    with a_node() as node:
        node.add_apptainer()
        yield node


def image(node: Node, manifest: dict[str, Any] | None = None, **more: Any) -> str:
    files = {} if manifest is None else {MANIFEST: json.dumps(manifest)}
    python = f"STANDIN_PYTHON={sys.executable}"
    programs = {
        "moonlight-desktop": "exec openbox",
        "sunshine": f'{python} exec {standins()}/sunshine "$@"',
        "web-server": f'{python} exec {standins()}/moonlight_web_package/web-server "$@"',
    }
    return str(node.add_image("desktop", programs, files=files, **more))


def site(user: TestUser, images: str, **more: str) -> dict[str, str]:
    web = str(standins() / "moonlight_web_package")
    return settings(user, images_dir=images, moonlight_web_directory=web, **more)


def runtime(session: AgentSession) -> Path:
    return Path(session.desktop_environment()["XAUTHORITY"]).parent


def commands(node: Node) -> list[list[str]]:
    """What was run in the image, without Apptainer's own options."""
    found = []
    for call in node.calls():
        argv = call["argv"]
        at = next((i for i, word in enumerate(argv) if word.endswith((".sif", "/sandbox"))), None)
        if argv[0] == "exec" and at is not None:
            found.append(argv[at + 1 :])
    return found


def mount_helpers(session: AgentSession) -> list[psutil.Process]:
    """What Apptainer runs beside the programs of an image."""
    below = psutil.Process(session.agent.pid).children(recursive=True)
    return [p for p in below if name_of(p).startswith(("squashfuse", "fuse"))]


def name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):  # what looked into the image has just ended
        return process.name()
    return ""


def session_of(process: psutil.Process) -> int:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(process.pid)
    return 0


def lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_an_image_is_streamed_by_its_own_sunshine(
    launch: Launch, node: Node, user: TestUser
) -> None:
    env = site(user, image(node, {"application": LSPREPOST}))
    job = {**node.job, "LANG": "ko_KR.UTF-8", "LC_TIME": "de_DE.UTF-8", "LANGUAGE": "ko"}
    session = launch(env=env, body={"image": "desktop", "gpus": 0}, job=job)
    status = session.wait_running()
    detail = {step.id: step.detail for step in status.steps}
    assert detail["desktop"] == "sunshine_desktop.sif" and detail["host"] == "sunshine"
    assert status.encoder == "libx264 [software]"
    apps = json.loads((runtime(session) / "sunshine/apps.json").read_text())
    assert apps["apps"] == [
        {"name": "Desktop"},
        {"name": "LS-PrePost", "cmd": '"/usr/local/bin/lsprepost" "a $$file.k" "it\'s"'},
    ]
    for call in node.calls():
        argv = call["argv"]
        assert argv[:5] == ["exec", "--contain", "--cleanenv", "--no-privs", "--no-eval"]
        assert f"--home={user.home}" in argv and "--nv" not in argv
        binds = [argv[i + 1] for i, word in enumerate(argv) if word == "--bind"]
        assert binds == ["/tmp/.X11-unix", str(runtime(session))]
        assert f"--workdir={runtime(session)}/tmp/image" in argv
        assert call["tmp"] == f"{runtime(session)}/tmp", "where it unpacks what it cannot mount"
        given = set(call["env_file"].splitlines())
        assert {f"USER='{user.name}'", f"LOGNAME='{user.name}'"} <= given
        # What the image speaks is known in it only, and looked at by what starts its desktop.
        spoken = {line for line in given if line.startswith(("LANG", "LC_"))}
        spoken -= {"LC_CTYPE='C.UTF-8'"}  # Python's, where this machine has no Korean (PEP 538)
        own = {"LANG='ko_KR.UTF-8'", "LC_TIME='de_DE.UTF-8'", "LANGUAGE='ko'"}
        desktop = argv[-1] == "/usr/local/bin/moonlight-desktop"
        assert spoken == (own if desktop else {"LANG='C.UTF-8'"})
    programs = [command[0] for command in commands(node)]
    assert {"cat", "glxinfo", "pulseaudio", "sunshine", "web-server"} <= set(programs)
    assert programs.count("/usr/local/bin/moonlight-desktop") == 1


@pytest.mark.parametrize("opengl", ["desktop", "applications"])
def test_the_image_chooses_what_virtualgl_is_put_around(
    launch: Launch, node: Node, user: TestUser, opengl: str
) -> None:
    node.add_gpus({"name": "NVIDIA L40S"})
    node.add_virtualgl([L40S])
    env = site(user, image(node, {"opengl": opengl}, gpu=True), gpus="1", max_gpus="1")
    # The programs of this image are not where vglrun looks for them: in the image.
    program = node.directory / "inside-desktop" / "vglrun"
    program.write_text(
        f'#!/bin/sh\nd=$2; p=$(basename "$3"); shift 3\nexec {node.bin}/vglrun -d "$d" "$p" "$@"\n'
    )
    program.chmod(0o755)
    session = launch(env=env, body={"image": "desktop"}, job=node.job)
    status = session.wait_running()
    assert status.gl_renderer == "NVIDIA L40S/PCIe/SSE2"
    desktop = ["/usr/local/bin/moonlight-desktop"]
    around = ["/opt/VirtualGL/bin/vglrun", "-d", "egl0"]
    assert ([*around, *desktop] if opengl == "desktop" else desktop) in commands(node)
    assert session.desktop_environment()["VGL_DISPLAY"] == "egl0"
    assert all("--nv" in call["argv"] for call in node.calls())


def test_a_manifest_that_is_nonsense_is_told_in_the_log(
    launch: Launch, node: Node, user: TestUser
) -> None:
    env = site(user, image(node, {"application": {"name": "", "command": "rm -rf ~"}}))
    session = launch(env=env, body={"image": "desktop", "gpus": 0}, job=node.job)
    session.wait_running()
    assert "image.json" in session.log() and "cannot be read" in session.log()
    apps = json.loads((runtime(session) / "sunshine/apps.json").read_text())
    assert apps["apps"] == [{"name": "Desktop"}]


def test_a_site_binds_more_and_gives_another_home(
    launch: Launch, node: Node, user: TestUser
) -> None:
    binds = '["/usr/share", "/var/tmp:/mnt/fast:ro"]'
    env = site(user, image(node, squashfuse=False), image_binds=binds, image_home="private")
    session = launch(env=env, body={"image": "desktop", "gpus": 0}, job=node.job)
    session.wait_running()
    unpacked = [p for p in Path("/tmp").glob("rootfs-*") if p.stat().st_uid == user.uid]
    assert not unpacked and list((runtime(session) / "tmp").glob("rootfs-*"))
    found = session.processes().items()
    sunshine = next(pid for pid, command in found if command.endswith("/sunshine.conf"))
    os.killpg(os.getsid(sunshine), signal.SIGKILL)
    session.wait(lambda status: any("started again" in note for note in status.notes))
    own = user.home / "sandboxes" / f"{user.name}_.home"
    assert own.stat().st_mode & 0o777 == 0o700 and own.stat().st_uid == user.uid
    for call in node.calls():
        argv = call["argv"]
        assert f"--home={own}:{user.home}" in argv
        found = [argv[i + 1] for i, word in enumerate(argv) if word == "--bind"]
        assert found[2:] == ["/usr/share", "/var/tmp:/mnt/fast:ro"]
    session.close()
    session.assert_nothing_left()  # of what was unpacked neither, its directory is the session's


def test_an_apptainer_that_cannot_run_the_image_is_heard(
    launch: Launch, node: Node, user: TestUser
) -> None:
    fatal = "container creation failed: no user namespace"
    env = site(user, image(node, fatal=fatal, colours=True, squashfuse=False))
    session = launch(env=env, body={"image": "desktop", "gpus": 0}, job=node.job)
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and f"FATAL:   {fatal}" in end.reason
    assert "INFO" not in end.reason and "\x1b" not in end.reason, "it cleans up, and says so"
    session.assert_nothing_left()


@pytest.fixture
def kept(user: TestUser) -> Iterator[Path]:
    path = user.home / "sandboxes" / f"{user.name}_desktop"
    yield path
    shutil.rmtree(path.parent, ignore_errors=True)


def test_changes_are_kept_in_an_overlay_that_one_session_has(
    launch: Launch, node: Node, user: TestUser, kept: Path
) -> None:
    env = site(user, image(node), image_changes="overlay", image_overlay_mb="100")
    body = {"image": "desktop", "gpus": 0}
    first = launch(env=env, body=body, job=node.job)
    first.wait_running()
    overlay = kept / "overlay.img"
    made = [call["argv"] for call in node.calls() if call["argv"][0] == "overlay"]
    assert made == [["overlay", "create", "--sparse", "--size=100", f"{overlay}.new"]]
    assert kept.stat().st_mode & 0o777 == 0o700

    def with_overlay() -> list[str]:
        lists = [call["argv"] for call in node.calls() if call["argv"][0] == "exec"]
        return [argv[-1] for argv in lists if "--overlay" in argv and str(overlay) in argv]

    assert with_overlay() == ["true", "/usr/local/bin/moonlight-desktop"]

    second = launch(env=env, body=body, job=node.job)
    notes = second.wait_running().notes
    assert any("Another session of yours uses your changes" in note for note in notes)
    assert with_overlay() == ["true", "/usr/local/bin/moonlight-desktop"]
    first.close()
    second.close()

    third = launch(env=env, body=body, job=node.job)
    notes = third.wait_running().notes
    assert not any("changes" in note for note in notes)
    assert with_overlay() == ["true", "/usr/local/bin/moonlight-desktop"] * 2
    assert len([c for c in node.calls() if c["argv"][0] == "overlay"]) == 1, "made once"

    # What mounts it outlives the container, and would keep it taken.
    apptainer = os.getsid(third.find("openbox"))
    of_desktop = [p for p in mount_helpers(third) if session_of(p) == apptainer]
    assert sorted(map(name_of, of_desktop)) == ["fuse-overlayfs", "fuse2fs", "squashfuse_ll"]
    os.killpg(apptainer, signal.SIGKILL)
    third.wait(lambda status: any("was started again" in note for note in status.notes))
    assert not any(lives(p) for p in of_desktop)
    assert not any("forgets what you change" in note for note in third.status.notes)
    assert with_overlay()[-1] == "/usr/local/bin/moonlight-desktop"


def test_changes_are_kept_in_a_sandbox_that_tells_when_the_image_is_newer(
    launch: Launch, node: Node, user: TestUser, kept: Path
) -> None:
    images = image(node)
    env = site(user, images, image_changes="sandbox")
    body = {"image": "desktop", "gpus": 0}
    first = launch(env=env, body=body, job=node.job)
    status = first.wait_running()
    assert not any("renewed" in note for note in status.notes)
    assert {s.id: s.detail for s in status.steps}["desktop"] == "sunshine_desktop.sif"
    assert (kept / "sandbox").is_dir() and not (kept / "sandbox.new").exists()
    writable = [c["argv"] for c in node.calls() if "--writable" in c["argv"]]
    assert {argv[argv.index("--env-file") + 2] for argv in writable} == {str(kept / "sandbox")}
    assert [argv[-1] for argv in writable] == ["true", "/usr/local/bin/moonlight-desktop"]
    first.close()

    # The site shows more of the node by now.
    more = '["/usr/share", "/var/tmp:/mnt/fast:ro"]'
    env |= site(user, images, image_changes="sandbox", image_binds=more)
    sif = Path(images, "sunshine_desktop.sif")
    sif.write_text(sif.read_text() + "\n")
    second = launch(env=env, body=body, job=node.job)
    assert any("The image was renewed" in note for note in second.wait_running().notes)
    assert len([c for c in node.calls() if c["argv"][0] == "build"]) == 1, "unpacked once"
    inside = kept / "sandbox"
    assert (inside / "usr/share").is_dir() and (inside / "mnt/fast").is_dir()
    second.close()

    (inside / "opt").rmdir()
    (inside / "opt").write_text("")
    env |= site(user, images, image_changes="sandbox", image_binds='["/usr/share:/opt/share"]')
    third = launch(env=env, body=body, job=node.job)
    assert third.wait_exit() == 1
    end = third.status.end
    assert end and "/opt/share cannot be shown in your copy of the image" in end.reason


def test_a_place_for_changes_that_is_not_the_users_ends_the_session_in_words(
    launch: Launch, node: Node, user: TestUser, kept: Path
) -> None:
    kept.parent.mkdir(exist_ok=True)
    kept.parent.chmod(0o755)
    kept.mkdir()  # root's
    env = site(user, image(node), image_changes="overlay")
    try:
        session = launch(env=env, body={"image": "desktop", "gpus": 0}, job=node.job)
        assert session.wait_exit() == 1
    finally:
        kept.rmdir()
    end = session.status.end
    assert end and end.code == "ChangesFailed"
    assert str(kept) in end.reason and "sandboxes_dir" in end.reason
