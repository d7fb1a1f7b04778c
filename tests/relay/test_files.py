"""Files through the gateway: what a browser or a program does with them, on real sockets and real disks."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.waiting import wait_for

from .gateway_process import TOKEN, RunningGateway, running_gateway
from .test_page_token import FETCH
from .wires import BEARER, Answer, ask, connect, login, read_all, read_head

TUS = "Tus-Resumable: 1.0.0\r\n"
BYTES = "Content-Type: application/offset+octet-stream\r\n"
MIB = 2**20
LARGE = 200 * MIB
ALLOWED = 48 * MIB  # bytes of memory that a transfer may cost the gateway


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mlt-files-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def scratch(room: Path) -> Path:
    (room / "scratch").mkdir()
    return room / "scratch"


@pytest.fixture(scope="module")
def gateway(room: Path, scratch: Path) -> Iterator[RunningGateway]:
    (room / "home").mkdir()
    with running_gateway(files={"home": str(room / "home"), "others": [str(scratch)]}) as gateway:
        yield gateway


@pytest.fixture
def home(gateway: RunningGateway, room: Path) -> Path:
    """Empty."""
    home = room / "home"
    subprocess.run(["find", str(home), "-mindepth", "1", "-delete"], check=True)
    return home


def call(
    gateway: RunningGateway, method: str, path: str, *more: str, body: bytes = b"", by: str = BEARER
) -> Answer:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} /files/{path} HTTP/1.1\r\nHost: portal\r\n{by}{length}{''.join(more)}"
    return ask(gateway, head, body)


def said(answer: Answer) -> Any:
    return json.loads(answer.body)


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, said(answer)["error"]["code"]


def metadata(**values: str) -> str:
    pairs = [f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in values.items()]
    return f"Upload-Metadata: {','.join(pairs)}\r\n"


def create(
    gateway: RunningGateway, name: str, length: int, folder: str = "~", **more: str
) -> Answer:
    about = metadata(filename=name, folder=folder, **more)
    return call(gateway, "POST", "uploads", TUS, about, f"Upload-Length: {length}\r\n")


def patch(gateway: RunningGateway, where: str, at: int, body: bytes) -> Answer:
    return call(gateway, "PATCH", where, TUS, BYTES, f"Upload-Offset: {at}\r\n", body=body)


def send(gateway: RunningGateway, name: str, data: bytes, folder: str = "~", **more: str) -> Answer:
    made = create(gateway, name, len(data), folder, **more)
    assert made.status == 201, made
    return patch(gateway, made.header("location"), 0, data) if data else made


def ticket(gateway: RunningGateway, at: str, by: str = BEARER) -> Answer:
    return call(gateway, "POST", "fetch", body=json.dumps({"at": at}).encode(), by=by)


def fetch(gateway: RunningGateway, at: str, *more: str) -> Answer:
    return call(gateway, "GET", said(ticket(gateway, at))["href"], *more)


def listed(gateway: RunningGateway, query: str = "in=~") -> list[str]:
    return [entry["name"] for entry in said(call(gateway, "GET", f"list?{query}"))["entries"]]


def test_a_file_arrives_whole_with_the_users_mode_and_is_fetched_again(
    gateway: RunningGateway, home: Path
) -> None:
    done = send(gateway, "결과 1.txt", b"forty-two")
    assert (done.status, done.header("upload-offset")) == (204, "9")
    at = done.header("moonlight-file")
    assert at == "~/%EA%B2%B0%EA%B3%BC%201.txt"
    [came] = home.iterdir()
    assert (came.name, came.read_bytes()) == ("결과 1.txt", b"forty-two")
    assert stat.S_IMODE(came.stat().st_mode) == 0o640, "as the user's umask has it"
    answer = fetch(gateway, at)
    assert (answer.status, answer.body) == (200, b"forty-two")
    assert "filename*=UTF-8''%EA%B2%B0%EA%B3%BC%201.txt" in answer.header("content-disposition")
    assert answer.header("content-disposition").startswith("attachment")
    assert answer.header("x-content-type-options") == "nosniff"
    policies = [v for n, v in answer.headers if n.lower() == "content-security-policy"]
    assert "sandbox; default-src 'none'" in policies
    assert send(gateway, "empty", b"").header("moonlight-file") == "~/empty"
    assert (home / "empty").read_bytes() == b""


def test_it_goes_on_from_where_it_broke_and_is_never_half_there(
    gateway: RunningGateway, home: Path
) -> None:
    """200 MB, cut in the middle; the gateway holds almost nothing of them."""
    block = os.urandom(MIB)
    whole = hashlib.sha256(block * (LARGE // MIB)).hexdigest()
    made = create(gateway, "large.bin", LARGE, mark="monday")
    where = made.header("location")
    before = gateway.forget_peak()
    head = f"PATCH /files/{where} HTTP/1.1\r\nHost: portal\r\n{BEARER}{TUS}{BYTES}"
    head += f"Upload-Offset: 0\r\nContent-Length: {LARGE}\r\n\r\n"
    with connect(gateway) as connection:
        connection.sendall(head.encode())
        for _ in range(80):
            connection.sendall(block)
    [part] = home.iterdir()
    assert part.name.startswith(".large.bin.part-") and listed(gateway, "in=~&hidden=1") == []
    offset = call(gateway, "HEAD", where, TUS).header("upload-offset")
    assert 0 < int(offset) <= 80 * MIB and int(offset) == part.stat().st_size

    again = create(
        gateway, "large.bin", LARGE, mark="monday"
    )  # as from a page that was loaded anew
    assert (again.header("location"), again.header("upload-offset")) == (where, offset)
    wrong = patch(gateway, where, int(offset) - 1, b"x")
    assert code(wrong) == (409, "wrong_offset") and said(wrong)["error"]["offset"] == int(offset)
    at = int(offset)
    head = f"PATCH /files/{where} HTTP/1.1\r\nHost: portal\r\n{BEARER}{TUS}{BYTES}"
    head += f"Upload-Offset: {at}\r\nContent-Length: {LARGE - at}\r\n\r\n"
    with connect(gateway) as connection:
        connection.sendall(head.encode())
        connection.sendall(block[at % MIB :])
        for _ in range(LARGE // MIB - at // MIB - 1):
            connection.sendall(block)
        answer, _ = read_head(connection)
    assert answer.startswith(b"HTTP/1.1 204")
    assert gateway.memory() - before < ALLOWED
    heard = call(gateway, "HEAD", where, TUS)  # whoever did not hear it asks again
    assert (heard.status, heard.header("upload-offset")) == (200, str(LARGE))
    assert heard.header("moonlight-file") == "~/large.bin"
    [came] = home.iterdir()
    with came.open("rb") as f:
        assert (came.name, hashlib.file_digest(f, "sha256").hexdigest()) == ("large.bin", whole)


def test_a_download_of_any_size_goes_on_and_notices_another_file(
    gateway: RunningGateway, home: Path
) -> None:
    file = home / "sparse"
    with file.open("wb") as f:
        f.truncate(LARGE)
        f.seek(LARGE - 4)
        f.write(b"last")
    href = said(ticket(gateway, "~/sparse"))["href"]
    before = gateway.forget_peak()
    with connect(gateway) as connection:
        connection.sendall(f"GET /files/{href} HTTP/1.1\r\nHost: portal\r\n{BEARER}\r\n".encode())
        head, first = read_head(connection)
        assert b"content-length: %d" % LARGE in head.lower()
        got = len(first)
        while got < LARGE:
            got += len(connection.recv(MIB))
    assert gateway.memory() - before < ALLOWED
    answer = call(gateway, "GET", href, f"Range: bytes={LARGE - 4}-\r\n")
    etag = answer.header("etag")
    assert (answer.status, answer.body) == (206, b"last") and not etag.startswith("W/")
    assert answer.header("content-range") == f"bytes {LARGE - 4}-{LARGE - 1}/{LARGE}"
    assert call(gateway, "GET", href, "Range: bytes=-2\r\n").body == b"st"
    assert call(gateway, "GET", href, f"Range: bytes={LARGE}-\r\n").status == 416
    range_if = ("Range: bytes=0-1\r\n", f"If-Range: {etag}\r\n")
    assert call(gateway, "GET", href, *range_if).status == 206
    file.write_bytes(b"another file")
    assert call(gateway, "GET", href, *range_if).body == b"another file"


def test_a_file_that_becomes_shorter_is_not_taken_for_whole(
    gateway: RunningGateway, home: Path
) -> None:
    file = home / "shrinks"
    with file.open("wb") as f:
        f.truncate(LARGE)
    href = said(ticket(gateway, "~/shrinks"))["href"]
    with connect(gateway) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(f"GET /files/{href} HTTP/1.1\r\nHost: portal\r\n{BEARER}\r\n".encode())
        read_head(connection)
        os.truncate(file, MIB)
        assert len(read_all(connection)) < LARGE


def test_a_name_that_is_taken_is_left_alone(gateway: RunningGateway, home: Path) -> None:
    (home / "a.tar.gz").write_bytes(b"mine")
    (home / "b").symlink_to("nowhere")
    (home / "dir.d").mkdir()
    names = [
        send(gateway, name, b"new").header("moonlight-file")
        for name in ("a.tar.gz", "a.tar.gz", "b")
    ]
    assert names == ["~/a%20%282%29.tar.gz", "~/a%20%283%29.tar.gz", "~/b%20%282%29"]
    assert send(gateway, "dir.d", b"new").header("moonlight-file") == "~/dir%20%282%29.d"
    assert (home / "a.tar.gz").read_bytes() == b"mine" and not (home / "nowhere").exists()


def test_a_folder_keeps_its_structure_and_goes_where_the_user_wants(
    gateway: RunningGateway, home: Path, scratch: Path
) -> None:
    assert send(gateway, "case/run 1/a.dat", b"a").status == 204
    assert send(gateway, "case/run 1/b.dat", b"b").status == 204
    assert sorted(p.name for p in (home / "case/run 1").iterdir()) == ["a.dat", "b.dat"]
    place = said(call(gateway, "GET", "places"))["places"][1]["at"]
    assert send(gateway, "c.dat", b"c", place).status == 204
    assert (scratch / "c.dat").read_bytes() == b"c"
    made = call(gateway, "POST", "folders", body=b'{"in": "~", "name": "empty/one"}')
    assert said(made) == {"at": "~/empty/one"} and (home / "empty/one").is_dir()
    assert said(call(gateway, "GET", "places"))["usual"] == "~"
    (home / "바탕화면").mkdir()
    (home / ".config").mkdir()
    (home / ".config/user-dirs.dirs").write_text('XDG_DESKTOP_DIR="$HOME/바탕화면"\n')
    assert said(call(gateway, "GET", "places"))["usual"] == "~/%EB%B0%94%ED%83%95%ED%99%94%EB%A9%B4"


def test_names_of_any_bytes_are_listed_legibly_and_sorted_in_pieces(
    gateway: RunningGateway, home: Path
) -> None:
    korean = "설계도.dwg".encode("euc-kr")
    for name in (b"b", b"A", b".hidden", korean, b"line\nfeed", b"\xff\xfe"):
        (home / os.fsdecode(name)).write_bytes(name)
    (home / "folder").mkdir()
    assert listed(gateway) == ["folder", "\\xff\\xfe", "A", "b", "line\\nfeed", "설계도.dwg"]
    assert listed(gateway, "in=~&hidden=1&sort=size&reverse=1&most=2") == ["folder", "설계도.dwg"]
    assert listed(gateway, "in=~&from=4") == ["line\\nfeed", "설계도.dwg"]
    [entry] = [
        e for e in said(call(gateway, "GET", "list?in=~"))["entries"] if e["name"] == "설계도.dwg"
    ]
    assert fetch(gateway, f"~/{entry['at']}").body == korean
    assert entry["size"] == len(korean)


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        ("~/../secret", (400, "invalid_request")),
        ("~/%2e%2e/secret", (400, "invalid_request")),
        ("~/..%2fsecret", (400, "invalid_request")),
        ("~//secret", (400, "invalid_request")),
        ("~/%00", (400, "invalid_request")),
        ("/etc/passwd", (403, "outside")),
        ("%2Fetc/passwd", (403, "outside")),
        ("", (400, "invalid_request")),
        ("~/out/secret", (403, "outside")),
        ("~/up/secret", (403, "outside")),
        ("~/secretly", (403, "outside")),
        ("~/round", (409, "wrong_kind")),
        ("~/pipe", (409, "wrong_kind")),
        ("~/folder", (409, "wrong_kind")),
        ("~/nothing", (404, "no_such_file")),
    ],
)
def test_nothing_leads_out_of_the_places(
    gateway: RunningGateway, home: Path, room: Path, at: str, answer: tuple[int, str]
) -> None:
    (room / "secret").write_text("not below the home")
    (home / "out").symlink_to(room)
    (home / "up").symlink_to("..")
    (home / "secretly").symlink_to(room / "secret")
    (home / "round").symlink_to("round")
    os.mkfifo(home / "pipe")
    (home / "folder").mkdir()
    assert code(ticket(gateway, at)) == answer
    if answer[1] == "outside":
        assert create(gateway, "x", 1, at).status in (403, 409)
        assert not (room / "x").exists()


def test_a_link_within_the_places_is_followed(
    gateway: RunningGateway, home: Path, scratch: Path
) -> None:
    (scratch / "results").mkdir(exist_ok=True)
    (home / "deep/er").mkdir(parents=True)
    (home / "work").symlink_to(scratch / "results")
    (home / "deep/er/back").symlink_to("../../work")
    assert send(gateway, "a.txt", b"a", "~/deep/er/back").status == 204
    assert (scratch / "results/a.txt").read_bytes() == b"a"
    (home / "deep/a").symlink_to("./../work/./a.txt")
    assert fetch(gateway, "~/deep/a").body == b"a"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/../b", "../a", "/a", "a\nb", "a\u202eb", "a\x7f", "n" * 256, "한" * 86],
)
def test_names_that_nobody_could_read_are_refused(
    gateway: RunningGateway, home: Path, name: str
) -> None:
    assert code(create(gateway, name, 1)) == (400, "bad_name")
    assert not [path for path in home.rglob("*") if not path.is_dir()]


def test_the_longest_name_and_one_in_pieces_come(gateway: RunningGateway, home: Path) -> None:
    long, taken = "한" * 85, "한" * 83 + " (2)"
    assert send(gateway, long, b"1").status == send(gateway, long, b"2").status == 204
    assert send(gateway, "\u1112\u1161\u11ab", b"3").status == 204  # as macOS has it
    assert sorted(path.name for path in home.iterdir()) == sorted([long, taken, "한"])


def test_what_is_given_up_is_gone(gateway: RunningGateway, home: Path) -> None:
    where = create(gateway, "no.bin", 10).header("location")
    patch(gateway, where, 0, b"12345")
    assert call(gateway, "DELETE", where, TUS).status == 204
    assert list(home.iterdir()) == []
    assert call(gateway, "HEAD", where, TUS).status == 404


HOUR, DAY = 3600, 24 * 3600


def test_what_nobody_came_back_for_is_removed_after_a_week(room: Path) -> None:
    """By who next sends a file to that folder, which is read once an hour, however many are sent."""
    home, clock = room / "left", room / "clock"
    home.mkdir()
    old, new, other = (home / f".{n}.part-0123456789abcdef" for n in ("old", "new", "other"))
    kept = [home / ".mine.part-x", home / ".config"]
    now = 1_700_000_000
    for file in (clock, old, new, *kept):
        file.write_bytes(b"half")
        os.utime(file, (now, now))

    def names(*files: Path) -> set[str]:
        return {file.name for file in (*files, *kept)}

    with running_gateway(files={"home": str(home), "clock": str(clock)}) as gateway:

        def sends_after(seconds: int) -> set[str]:
            """What lies there then, without what is sent."""
            os.utime(clock, (now + seconds, now + seconds))
            assert send(gateway, "a", b"a").status == 204
            return {path.name for path in home.iterdir() if not path.name.startswith("a")}

        where = create(gateway, "mine", 9).header("location")
        [mine] = home.glob(".mine.part-*[0-9a-f]")
        os.utime(mine, (now, now))
        os.utime(new, (now + DAY, now + DAY))
        assert sends_after(7 * DAY - 1) == names(old, new, mine)
        assert sends_after(7 * DAY + HOUR - 2) == names(old, new, mine), "read within this hour"
        assert sends_after(7 * DAY + HOUR) == names(new, mine), "which is on its way still"
        other.write_bytes(b"half")
        os.utime(other, (now, now))
        assert sends_after(7 * DAY + HOUR + 9) == names(new, mine, other)
        assert sends_after(9 * DAY) == names(mine)
        assert patch(gateway, where, 0, b"came back").status == 204


def test_a_file_that_takes_the_place_of_what_came_is_no_part_of_it(
    gateway: RunningGateway, room: Path, scratch: Path
) -> None:
    """Whoever may write to a folder may give a file of the user's, which he cannot read, that name."""
    shared, at = scratch / "shared", f"{quote(str(scratch), safe='')}/shared"
    shared.mkdir()
    shared.chmod(0o777)
    secret = shared / "secret"
    secret.write_bytes(b"key")
    secret.chmod(0o600)
    made = create(gateway, "a.txt", 9, at, mark="1")
    [part] = shared.glob(".a.txt.part-*")
    part.rename(shared / "away")
    secret.rename(part)
    for offset in (0, 3):
        rest = b"123456789"[offset:]
        refused = patch(gateway, made.header("location"), offset, rest)
        assert code(refused) == (409, "wrong_kind")
    assert code(create(gateway, "a.txt", 9, at, mark="1")) == (409, "wrong_kind")
    assert (part.read_bytes(), stat.S_IMODE(part.stat().st_mode)) == (b"key", 0o600)
    assert not (shared / "a.txt").exists()
    # Nor does another session take it for the beginning of that file, where it would elsewhere.
    files = {"home": str(room / "home"), "others": [str(scratch)]}
    with running_gateway(files=files) as another:
        again = create(another, "a.txt", 9, at, mark="1")
        assert (again.status, again.header("upload-offset")) == (201, "0")
        shared.chmod(0o1777)
        for offset, where in ((0, gateway), (4, another)):
            begun = create(where, "b.txt", 9, at, mark="1")
            assert begun.header("upload-offset") == str(offset)
            if not offset:
                patch(gateway, begun.header("location"), 0, b"1234")


def test_a_disk_that_is_full_says_so_and_what_came_stays(
    gateway: RunningGateway, home: Path
) -> None:
    small = home / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)], check=True)
    try:
        refused = create(gateway, "big", 5 * MIB, "~/small")
        assert code(refused) == (507, "disk_full") and list(small.iterdir()) == []
        assert said(refused)["error"] | {"code": ""} == {
            "code": "",
            "needed": 5 * MIB,
            "free": 4 * MIB,
        }
        where = create(gateway, "fits", 3 * MIB, "~/small").header("location")
        with connect(gateway) as connection:
            head = f"PATCH /files/{where} HTTP/1.1\r\nHost: portal\r\n{BEARER}{TUS}{BYTES}"
            head += f"Upload-Offset: 0\r\nContent-Length: {3 * MIB}\r\n\r\n"
            connection.sendall(head.encode() + bytes(MIB + MIB // 2))
            [part] = small.iterdir()
            wait_for(lambda: part.stat().st_size >= MIB)
            (small / "other").write_bytes(bytes(2 * MIB))
            connection.sendall(bytes(MIB + MIB // 2))
            response = HTTPResponse(connection)
            response.begin()
            assert (response.status, b'"disk_full"' in response.read()) == (507, True)
        refused = patch(gateway, where, MIB, bytes(2 * MIB))
        assert code(refused) == (507, "disk_full") and not (small / "fits").exists()
        (small / "other").unlink()
        at = int(call(gateway, "HEAD", where, TUS).header("upload-offset"))
        assert MIB <= at < 3 * MIB
        assert patch(gateway, where, at, bytes(3 * MIB - at)).status == 204
        assert (small / "fits").stat().st_size == 3 * MIB
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_file_that_may_not_be_so_large_is_told_of(room: Path) -> None:
    (room / "limited").mkdir()
    with running_gateway(files={"home": str(room / "limited"), "largest": 2 * MIB}) as gateway:
        where = create(gateway, "a", 3 * MIB).header("location")
        assert code(patch(gateway, where, 0, bytes(3 * MIB))) == (507, "too_large_there")
        assert call(gateway, "HEAD", where, TUS).header("upload-offset") == str(2 * MIB)


UPS: list[Callable[[RunningGateway], Answer]] = [
    lambda g: create(g, "x", 1),
    lambda g: patch(g, "uploads/0123456789abcdef", 0, b"x"),
    lambda g: call(g, "POST", "folders", body=b'{"in": "~", "name": "x"}'),
]


@pytest.mark.parametrize("ways", ["both", "to_desktop", "from_desktop", "off"])
def test_files_go_the_ways_that_the_site_allows_and_no_other(room: Path, ways: str) -> None:
    home = room / ways
    (home / "folder").mkdir(parents=True)
    (home / "secret").write_text("the secret")
    with running_gateway(files={"home": str(home), "ways": ways}) as gateway:
        ups = [up(gateway) for up in UPS]
        down = ticket(gateway, "~/secret")
        names = call(gateway, "GET", "list?in=~")
        assert said(call(gateway, "GET", "places"))["ways"] == ways
    if ways in ("both", "to_desktop"):
        assert [answer.status for answer in ups] == [201, 404, 201] and (home / "x").is_dir()
    else:
        assert {code(answer) for answer in ups} == {(403, "files_off")}
        assert sorted(path.name for path in home.iterdir()) == ["folder", "secret"]
    if ways in ("both", "from_desktop"):
        assert down.status == 201
        assert "secret" in names.body.decode()
    else:
        assert code(down) == (403, "files_off")
        assert "secret" not in names.body.decode()


def test_the_cookie_alone_opens_no_file(gateway: RunningGateway, home: Path) -> None:
    (home / "secret").write_text("the secret")
    cookie = "Cookie: " + login(gateway, TOKEN).header("set-cookie").split(";")[0] + "\r\n"
    page = f"{cookie}X-Moonlight-Page: {gateway.page}\r\n{FETCH}"
    navigates = (
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: same-origin\r\n"
    )
    href = said(ticket(gateway, "~/secret", page))["href"]
    for by in ("", cookie, cookie + FETCH, cookie + navigates):
        refused = 403 if by else 401
        for method, path in (
            ("GET", "places"),
            ("GET", "list?in=~"),
            ("POST", "fetch"),
            ("POST", "folders"),
            ("POST", "uploads"),
            ("OPTIONS", "uploads"),
            ("PATCH", "uploads/0123456789abcdef"),
            ("DELETE", "uploads/0123456789abcdef"),
            ("POST", href),
            ("GET", "fetch/" + "x" * 43),
        ):
            answer = call(gateway, method, path, TUS, by=by)
            assert answer.status == refused, (by, method, path, answer)
    assert call(gateway, "GET", href, by="").status == 401, "a ticket alone"
    # The browser itself goes there, and can show no token.
    assert call(gateway, "GET", href, by=cookie + navigates).body == b"the secret"
    assert call(gateway, "HEAD", href, by=cookie).header("content-length") == "10"
    assert call(gateway, "GET", "list?in=~", by=page).status == 200
    beside = f"GET /desktop/files/{href} HTTP/1.1\r\nHost: portal\r\n{cookie}{navigates}"
    assert ask(gateway, beside).body == b"the secret"


def test_who_comes_again_takes_the_place_of_a_connection_that_hangs(
    gateway: RunningGateway, home: Path
) -> None:
    where = create(gateway, "a", 6).header("location")
    head = f"PATCH /files/{where} HTTP/1.1\r\nHost: portal\r\n{BEARER}{TUS}{BYTES}"
    with connect(gateway) as hangs:
        hangs.sendall(f"{head}Upload-Offset: 0\r\nContent-Length: 6\r\n\r\n".encode() + b"abc")

        def offset() -> str:
            return call(gateway, "HEAD", where, TUS).header("upload-offset")

        wait_for(lambda: offset() == "3")  # it may have come after the first of them
        assert read_all(hangs) == b""
    assert patch(gateway, where, 3, b"def").status == 204
    assert (home / "a").read_bytes() == b"abcdef"


@pytest.mark.parametrize(
    ("method", "path", "more", "body", "answer"),
    [
        ("POST", "uploads", "", b"", (412, "invalid_request")),
        ("POST", "uploads", TUS, b"", (400, "invalid_request")),
        ("POST", "uploads", TUS + "Upload-Length: -1\r\n", b"", (400, "invalid_request")),
        (
            "POST",
            "uploads",
            TUS + "Upload-Length: 99999999999999999999\r\n",
            b"",
            (400, "invalid_request"),
        ),
        (
            "POST",
            "uploads",
            TUS + "Upload-Length: 1\r\nUpload-Metadata: a !\r\n",
            b"",
            (400, "invalid_request"),
        ),
        ("GET", "uploads", TUS, b"", (405, "method_not_allowed")),
        ("PATCH", "uploads", TUS, b"", (405, "method_not_allowed")),
        ("PATCH", "uploads/0123456789abcdef", TUS, b"x", (404, "no_such_upload")),
        ("GET", "list?in=~&sort=nothing", "", b"", (400, "invalid_request")),
        ("GET", "list?in=~&most=99999", "", b"", (400, "invalid_request")),
        ("GET", "list", "", b"", (400, "invalid_request")),
        ("GET", "list?in=~" + "&a" * 20, "", b"", (400, "invalid_request")),
        ("POST", "fetch", "", b"[]", (400, "invalid_request")),
        ("POST", "fetch", "", b'{"at": "\\ud800"}', (400, "invalid_request")),
        ("POST", "fetch", "", b"[" * 5000, (400, "invalid_request")),
        ("POST", "fetch", "", b"x" * 70_000, (413, "too_large")),
        ("PUT", "fetch/" + "x" * 43, "", b"", (405, "method_not_allowed")),
        ("GET", "fetch/" + "x" * 43, "", b"", (404, "no_such_ticket")),
        ("GET", "else", "", b"", (404, "not_found")),
    ],
)
def test_what_is_no_such_request_is_told_so(
    gateway: RunningGateway,
    home: Path,
    method: str,
    path: str,
    more: str,
    body: bytes,
    answer: tuple[int, str],
) -> None:
    assert code(call(gateway, method, path, more, body=body)) == answer


def test_an_upload_takes_no_other_bytes_than_its_own(gateway: RunningGateway, home: Path) -> None:
    where = create(gateway, "a", 3).header("location")
    assert code(patch(gateway, where, 0, b"abcd")) == (400, "invalid_request")
    plain = call(gateway, "PATCH", where, TUS, "Upload-Offset: 0\r\n", body=b"abc")
    assert code(plain) == (415, "invalid_request")
    assert patch(gateway, where, 0, b"abc").status == 204
    assert call(gateway, "OPTIONS", "uploads").header("tus-extension") == "creation,termination"
