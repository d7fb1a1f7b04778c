"""What others could exchange on the way to a user's files is found, and what is his is taken."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from moonlight_spawner.model.errors import UnsafeDirectory
from moonlight_spawner.model.files import (
    NotYours,
    private_directory,
    read_shared,
    tail,
    write_private,
    write_private_once,
)
from moonlight_spawner.model.records import Job
from moonlight_spawner.model.trust import exchangeable, make_directories
from moonlight_spawner.store import FileStore
from moonlight_spawner.store import files as store_files

from .conftest import AsNobody

NOBODY = pwd.getpwnam("nobody")
USERS = 100  # a group of many, in every system of this kind
ME = pwd.getpwuid(os.geteuid()).pw_name
ID = "ml-alice-abcdefghij"


def a_path(top: Path, names: str = "a/b/c") -> Path:
    path = top / names
    path.mkdir(parents=True)
    for each in (path, *path.parents):
        if top in each.parents:
            each.chmod(0o755)
    return path


def test_what_root_and_oneself_made_is_taken(shared_directory: Path) -> None:
    path = a_path(shared_directory)
    assert exchangeable(path) == ""
    assert exchangeable(path / "not" / "there") == ""
    assert exchangeable("/") == "" and exchangeable("/usr/share") == ""


@pytest.mark.parametrize("which", ["a", "a/b", "a/b/c"])
def test_one_directory_of_another_user_anywhere_on_the_way_is_enough(
    shared_directory: Path, which: str
) -> None:
    path = a_path(shared_directory)
    os.chown(shared_directory / which, NOBODY.pw_uid, -1)
    why = exchangeable(path)
    assert str(shared_directory / which) in why and "(nobody)" in why


@pytest.mark.parametrize("which", ["a", "a/b", "a/b/c"])
@pytest.mark.parametrize("mode, who", [(0o777, "others"), (0o775, "the group users")])
def test_one_directory_that_others_may_write_to_is_enough(
    shared_directory: Path, which: str, mode: int, who: str
) -> None:
    path = a_path(shared_directory)
    os.chown(shared_directory / which, -1, USERS)
    (shared_directory / which).chmod(mode)
    why = exchangeable(path)
    assert why.startswith(f"{who} may write to {shared_directory / which} (owner {ME}, mode 0")
    assert f"chmod +t {shared_directory / which}" in why
    (shared_directory / which).chmod(mode | stat.S_ISVTX)
    assert exchangeable(path) == "", "a sticky bit keeps what is ours"


def test_a_group_of_ones_own_is_no_group(shared_directory: Path) -> None:
    """umask 002 where every user has a group of his own."""
    path = a_path(shared_directory)
    (shared_directory / "a").chmod(0o775)
    assert exchangeable(path) == ""


def test_an_acl_takes_the_group_its_privacy(shared_directory: Path) -> None:
    path = a_path(shared_directory)
    (shared_directory / "a").chmod(0o775)
    # As `setfacl -m u:nobody:rwx`: (tag, bits, id) for owner, nobody, group, mask, others (acl(5)).
    entries = [(1, 7, -1), (2, 7, NOBODY.pw_uid), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(shared_directory / "a", "system.posix_acl_access", acl)
    assert f"may write to {shared_directory / 'a'}" in exchangeable(path)


def test_what_lies_in_a_closed_directory_is_out_of_reach(
    shared_directory: Path, as_nobody: AsNobody
) -> None:
    """A home of mode 0700 with a umask that is open to a group of many."""
    path = a_path(shared_directory)
    os.chown(shared_directory / "a/b", -1, USERS)
    (shared_directory / "a/b").chmod(0o777)
    (shared_directory / "a").chmod(0o700)
    assert exchangeable(path) == ""
    attack = """
import os
try:
    os.rename(args[0], args[0] + "-old")
except PermissionError:
    result = "denied"
"""
    assert as_nobody(attack, str(path)) == "denied"
    (shared_directory / "a").chmod(0o710)
    assert exchangeable(path) != "", "its group may enter"
    (shared_directory / "a").chmod(0o711)
    assert as_nobody(attack, str(path)) is None, "others may enter, and do"
    assert not path.exists()


def test_a_link_leads_through_what_it_leads_through(shared_directory: Path) -> None:
    path = a_path(shared_directory, "real/b")
    here = a_path(shared_directory, "here")
    (here / "link").symlink_to(path)
    (here / "near").symlink_to("../real/b")
    assert exchangeable(here / "link") == exchangeable(here / "near") == ""
    (shared_directory / "real").chmod(0o777)
    for name in ("link", "near"):
        assert f"may write to {shared_directory / 'real'}" in exchangeable(here / name)
    (shared_directory / "real").chmod(0o755)
    here.chmod(0o777)
    assert f"may write to {here}" in exchangeable(here / "link"), "the link itself lies there"


def test_a_link_that_leaves_a_closed_directory_is_not_closed(shared_directory: Path) -> None:
    path = a_path(shared_directory, "open/b")
    closed = a_path(shared_directory, "closed")
    closed.chmod(0o700)
    (closed / "link").symlink_to(path)
    (closed / "near").symlink_to("../open/b")
    (shared_directory / "open").chmod(0o777)
    for name in ("link", "near"):
        assert f"may write to {shared_directory / 'open'}" in exchangeable(closed / name)


def test_a_strangers_link_in_a_sticky_directory_is_his_to_exchange(
    shared_directory: Path, as_nobody: AsNobody
) -> None:
    path = a_path(shared_directory)
    link = shared_directory / "link"
    as_nobody("import os; os.symlink(args[1], args[0])", str(link), str(path))
    assert f"{link} belongs to uid {NOBODY.pw_uid}" in exchangeable(link)


def test_a_circle_of_links_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "circle" in exchangeable(tmp_path / "a")


IN_A_NAME_SPACE = """
import os, sys
from moonlight_spawner.model.trust import exchangeable
print(os.stat("/").st_uid, os.stat(sys.argv[1]).st_uid == os.geteuid(), exchangeable(sys.argv[1]))
"""


def test_where_root_has_no_name_everybody_else_stands_for_him(tmp_path: Path) -> None:
    """As in a container of Apptainer that has no rights of its own."""
    argv = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups", "unshare", "--user"]
    argv += ["--map-current-user", sys.executable, "-c", IN_A_NAME_SPACE, "/usr/share"]
    said = subprocess.run(argv, cwd="/", capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["65534", "False"]


def test_what_is_made_on_the_way_is_private_whatever_the_umask(tmp_path: Path) -> None:
    for number, umask in enumerate((0, 0o002, 0o077, 0o277)):
        before = os.umask(umask)
        try:
            make_directories(tmp_path / f"{number}" / "b" / "c")
            write_private(tmp_path / f"{number}" / "b" / "c" / "f", "x")
        finally:
            os.umask(before)
        for name in ("", "b", "b/c"):
            assert stat.S_IMODE((tmp_path / f"{number}" / name).stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / f"{number}/b/c/f").stat().st_mode) == 0o600


# The store, and the files.


def test_records_are_not_kept_below_what_others_may_exchange(shared_directory: Path) -> None:
    path = a_path(shared_directory)
    (shared_directory / "a").chmod(0o777)
    store = FileStore(path / "sessions")
    with pytest.raises(UnsafeDirectory, match=f"may write to {shared_directory}/a .*sessions_dir"):
        store.put(ME, ID, "job", Job(job_id="7"))
    assert not (path / "sessions" / ME).exists()


def test_a_way_that_is_opened_later_is_seen(
    shared_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = a_path(shared_directory)
    store = FileStore(path / "sessions")
    store.put(ME, ID, "job", Job(job_id="7"))
    (shared_directory / "a").chmod(0o777)
    monkeypatch.setattr(store_files, "_LOOK_AGAIN_SECONDS", 0)
    with pytest.raises(UnsafeDirectory):
        store.get(ME, ID, "job", Job)


def test_what_a_stranger_has_put_in_the_place_is_not_read_and_not_written(
    shared_directory: Path, as_nobody: AsNobody, tmp_path: Path
) -> None:
    """The directory is exchanged after it was looked at."""
    theirs = shared_directory / "theirs"
    as_nobody(
        "import os, pathlib; os.mkdir(args[0]); os.chmod(args[0], 0o777)\n"
        "for name in ('token', 'status.json'): pathlib.Path(args[0], name).write_text('evil')",
        str(theirs),
    )
    for attempt in (
        lambda: read_shared(theirs / "token"),
        lambda: write_private(theirs / "token", "secret"),
        lambda: write_private_once(theirs / "new", "secret"),
    ):
        with pytest.raises(NotYours, match=f"not yours.*uid {NOBODY.pw_uid}"):
            attempt()
    assert sorted(os.listdir(theirs)) == ["status.json", "token"]
    own = private_directory(tmp_path / "own")
    os.link(theirs / "token", own / "token") if _same_disk(theirs, own) else shutil.copy(
        theirs / "token", own / "token"
    )
    os.chown(own / "token", NOBODY.pw_uid, -1)
    with pytest.raises(NotYours):
        read_shared(own / "token")
    assert tail(own / "token", 10) == ("", 0)


def _same_disk(a: Path, b: Path) -> bool:
    return a.stat().st_dev == b.stat().st_dev


def test_links_are_not_followed_to_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "token").symlink_to("secret")
    with pytest.raises(OSError):
        read_shared(tmp_path / "token")
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    assert read_shared(tmp_path / "elsewhere" / "secret") is None
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotYours):
        read_shared(tmp_path / "pipe")
