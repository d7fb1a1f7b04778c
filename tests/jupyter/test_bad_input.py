"""Whatever is sent, the answer is a JSON error that names the field, and nothing is launched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from . import raw
from .conftest import Call
from .sessions import Records

LONG = "x" * 1_000_000
SHELL = ["; reboot", "$(reboot)", "`id`", "a b", "x\n#SBATCH --exclusive", "'", '"', "|", "&", "\\"]
PATHS = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "%2e%2e%2f",
    "a/b",
    "\x00",
    "host-desktop\x00",
]

# What no field takes.
NOTHING_TAKES = ["null", "true", "false", "[]", "{}", "[1]", '{"a": 1}', '""', '"\\u0000"']
NO_NUMBER = [*NOTHING_TAKES, "NaN", "Infinity", "-Infinity", "1e999", '"2"', '"NaN"', "-1", "0.05"]
NO_NUMBER += ["1" + "0" * 20, "1" + "0" * 400, "-1" + "0" * 400, "1e308"]
NO_INTEGER = [*NO_NUMBER, "1.5", "1.25e1"]
NO_TEXT = [*NOTHING_TAKES, "1", "0", "NaN", "1" + "0" * 400]

WRONG = {
    "hours": [*NO_NUMBER, "0", "8.01"],
    "memory_gb": [*NO_NUMBER, "0", "65"],
    "cpus": [*NO_INTEGER, "0", "17"],
    "gpus": [*NO_INTEGER, "1"],
    "fps": [*NO_INTEGER, "0", "9", "121"],
    "bitrate_kbps": [*NO_INTEGER, "0", "499", "50001"],
    "image": [*NO_TEXT, *map(json.dumps, [*SHELL, *PATHS, "Ä", "\ud800", "🙂" * 70, "x" * 65])],
    "host": [*NO_TEXT, *map(json.dumps, [*SHELL, *PATHS, "Selkies", "selkies ", "vnc", "x" * 99])],
    # This server runs in no job, so that not even "here" will do.
    "where": [*NO_TEXT, *map(json.dumps, [*SHELL, *PATHS, "Here", "job ", "here", "x" * 99])],
    "keyboard": [
        *NO_TEXT,
        *map(json.dumps, [*SHELL, *PATHS, "US", "us ", "us\n", "us,kr", "kr(kr104)", "x" * 99]),
    ],
    "name": [
        *(value for value in NO_TEXT if value != '""'),
        *map(json.dumps, ["x" * 61, "a\nb", "a\u202eb", "\u2028", "\ud800", "\x1b[31m", "\u3164"]),
    ],
    "resolution": [
        *NO_TEXT,
        *map(
            json.dumps, [*SHELL, *PATHS, "800", "800x", "x600", "800X600", "800x600x1", " 800x600"]
        ),
        *map(json.dumps, ["800x600\n", "-800x600", "0x0", "639x480", "640x479", "1921x1080"]),
        *map(json.dumps, ["1920x1081", "0800x600", "８００x600", "99999x99999", "8e2x6e2"]),
    ],
}
NO_OBJECT = ["null", "true", "1", "NaN", '"text"', "[]", '[{"hours": 1}]']
NO_JSON = ["{", "}", "hours=1", "{'hours': 1}", '{"hours": 1,}', "\x00", "<x/>", '{"hours": 1} x']
NO_KEY = ["", " ", "a b", "x" * 129, "ä", "a\tb"]
NO_TAIL = [
    "",
    "-1",
    "x",
    "1.5",
    "1e3",
    "NaN",
    "9" * 9,
    "9" * 5000,
    "%00",
    "%C2%B2",
    "%D9%A1",
    "0x10",
]
NO_ID = [
    *("x", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "%2e%2e", "%00", "ml-root-aaaaaaaaaa%00"),
    *("ml-root-aaaaaaaaaa%0a", "ml-root-aaaaaaaaaa%2f..", "ml-..-aaaaaaaaaa", "%2e", "~", "*"),
    *("ml-root-aaaaaaaaa!", "ML-root-aaaaaaaaaa", ";reboot", "$(reboot)", "a%20b", "%F0%9F%99%82"),
    *("x" * 20_000, "ml-" + "x" * 300 + "-aaaaaaaaaa", "ml-root-aaaaaaaaaa"),
]


def fields_of(answer: raw.Answer) -> list[str]:
    assert (answer.status, answer.code) == (400, "invalid_request"), answer
    assert "Traceback" not in answer.json["message"]
    assert len(answer.body) < 8000, "an error repeats what was sent"
    for field in answer.json["error"]["fields"]:
        assert field["field"] in field["message"] or field["field"] == "body"
    return [field["field"] for field in answer.json["error"]["fields"]]


@pytest.fixture(autouse=True)
def nothing_is_launched(sessions_dir: Path, jp_serverapp: Any) -> Any:
    yield
    assert not list(sessions_dir.glob("*/ml-*/spec.json"))


class TestALaunch:
    @pytest.mark.parametrize("field", WRONG)
    async def test_every_wrong_value_of_a_field_is_named(self, api: Call, field: str) -> None:
        for value in WRONG[field]:
            body = f'{{"{field}": {value}}}'.encode()
            answer = await api("POST", "/sessions", body=body)
            assert fields_of(answer) == [field], value[:80]

    @pytest.mark.parametrize("field", WRONG)
    async def test_a_megabyte_of_text_is_refused(self, api: Call, field: str) -> None:
        assert fields_of(await api("POST", "/sessions", **{field: LONG})) == ["body"]

    @pytest.mark.parametrize("field", WRONG)
    async def test_long_text_is_not_repeated(self, api: Call, field: str) -> None:
        answer = await api("POST", "/sessions", **{field: "x" * 50_000})
        assert fields_of(answer) == [field]
        short = await api("POST", "/sessions", **{field: "\0"})
        assert len(answer.body) - len(short.body) < 200 and len(short.body) < 500

    async def test_all_wrong_fields_are_told_at_once(self, api: Call) -> None:
        answer = await api("POST", "/sessions", hours=99, cpus=0, fps="fast", resolution="big")
        assert fields_of(answer) == ["hours", "cpus", "resolution", "fps"]
        assert answer.json["error"]["fields"][0] == {
            "field": "hours",
            "value": 99,
            "message": "hours is 99, but this site allows 0.1 to 8.",
        }
        assert answer.json["message"].startswith("hours is 99, but this site allows")

    async def test_unknown_fields_are_named(self, api: Call) -> None:
        for name in ("Hours", "user", "__proto__", "partition", "qos", "", "x" * 5000, "\n", "é"):
            answer = await api("POST", "/sessions", body=json.dumps({name: 1}).encode())
            assert (answer.status, answer.code) == (400, "invalid_request")
            assert "There is no field" in answer.json["message"] and len(answer.body) < 800

    async def test_a_thousand_unknown_fields_do_not_make_a_long_answer(self, api: Call) -> None:
        body = json.dumps({f"field{n}": n for n in range(1000)}).encode()
        assert len(fields_of(await api("POST", "/sessions", body=body))) == 20

    @pytest.mark.parametrize("body", NO_OBJECT + NO_JSON)
    async def test_only_an_object_is_a_request(self, api: Call, body: str) -> None:
        assert fields_of(await api("POST", "/sessions", body=body.encode())) == ["body"]

    async def test_bytes_that_are_no_text(self, api: Call) -> None:
        for body in (b"\xff\xfe\x00", b'{"image": "\xff"}', b"\x80", b"\x1f\x8b\x08"):
            assert fields_of(await api("POST", "/sessions", body=body)) == ["body"]

    async def test_nesting_of_any_depth_is_refused(self, api: Call) -> None:
        # Around its recursion limit Python parses what it cannot repeat in an error.
        for depth in [2, 30, 90, *range(800, 1000, 7), 5000, 32_000]:
            nested = "[" * depth + "]" * depth
            assert fields_of(await api("POST", "/sessions", body=nested.encode())) == ["body"]
            answer = await api("POST", "/sessions", body=f'{{"image": {nested}}}'.encode())
            assert fields_of(answer) == (["image"] if depth < 100 else ["body"])
            objects = '{"a":' * depth + "1" + "}" * depth
            assert fields_of(await api("POST", "/sessions", body=objects.encode()))

    async def test_an_idempotency_key_is_printable_and_short(self, api: Call) -> None:
        for key in NO_KEY:
            answer = await api("POST", "/sessions", headers={"Idempotency-Key": key})
            assert fields_of(answer) == ["Idempotency-Key"]


class TestASessionId:
    @pytest.mark.parametrize(
        "method, rest",
        [
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/logs"),
            ("GET", "/clipboard"),
            ("PUT", "/clipboard"),
            ("POST", "/keep"),
            ("GET", "/picture"),
            ("PUT", "/picture"),
        ],
    )
    async def test_that_is_none_is_not_found(self, api: Call, method: str, rest: str) -> None:
        for session_id in NO_ID:
            answer = await api(method, f"/sessions/{session_id}{rest}")
            assert (answer.status, answer.code) == (404, "not_found"), session_id[:80]
            assert len(answer.body) < 500

    async def test_that_is_no_text_is_wrong(self, api: Call) -> None:
        for session_id in ("%ff", "ml-%C3-aaaaaaaaaa"):
            answer = await api("GET", f"/sessions/{session_id}")
            assert (answer.status, answer.code) == (400, "invalid_request")

    async def test_never_names_a_file_outside(
        self, call: Call, records: Records, sessions_dir: Path
    ) -> None:
        session_id = records.add()
        (sessions_dir / "agent.log").write_text("a secret outside")
        for name in (f"{session_id}%2f..%2f..", f"{session_id}/../..", "..", f"..%2f{session_id}"):
            for rest in ("", "/logs"):
                answer = await call("GET", f"/api/moonlight/sessions/{name}{rest}")
                assert answer.status == 404 and b"secret" not in answer.body

    async def test_in_a_stream_is_checked_the_same(self, call: Call) -> None:
        for session_id in NO_ID:
            answer = await call("GET", f"/moonlight/sessions/{session_id}/desktop/")
            assert (answer.status, answer.code) == (404, "unknown"), session_id[:80]
            answer = await call("GET", f"/moonlight/signaling?session={session_id}")
            assert (answer.status, answer.code) == (404, "unknown"), session_id[:80]
        assert (await call("GET", "/moonlight/signaling")).status == 404
        assert (await call("GET", "/moonlight/signaling?session=%ff")).status in (400, 404)


class TestLogs:
    async def test_tail_is_a_number_of_bytes(self, api: Call, records: Records) -> None:
        session_id = records.add()
        for tail in NO_TAIL:
            answer = await api("GET", f"/sessions/{session_id}/logs?tail={tail}")
            assert fields_of(answer) == ["tail"], tail[:80]

    async def test_a_large_tail_is_cut(self, api: Call, records: Records) -> None:
        session_id = records.add()
        with open(records.store.directory(session_id) / "stream.log", "wb") as log:
            log.truncate(3 << 20)
        logs = (await api("GET", f"/sessions/{session_id}/logs?tail=99999999")).json["logs"]
        assert (logs[3]["size"], len(logs[3]["text"]), logs[3]["truncated"]) == (
            3 << 20,
            1 << 20,
            True,
        )

    async def test_a_log_that_is_a_link_is_not_followed(self, api: Call, records: Records) -> None:
        session_id = records.add()
        (records.store.directory(session_id) / "desktop.log").symlink_to("/etc/passwd")
        logs = (await api("GET", f"/sessions/{session_id}/logs")).json["logs"]
        assert (logs[2]["size"], logs[2]["text"]) == (0, "")
