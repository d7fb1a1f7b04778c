"""A job whose agent never spoke: its log has the last word, or there is none."""

from __future__ import annotations

from pathlib import Path

from moonlight_spawner.sessions.last_words import last_words

COMMAND = ["/opt/venv/bin/python", "-I", "agent"]


def told(log: Path, node: str | None = "n1") -> tuple[str, str]:
    return last_words(log, log.parent / "ml-u-abcdefghij", COMMAND, node)


def test_the_end_of_the_log_is_told_with_what_was_run_and_where(tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    log.write_text("1\n2\n3\n\n/opt/venv/bin/python: No such file or directory\n")
    reason, code = told(log)
    assert code == "FAILED"
    for words in (
        "on node n1",
        "/opt/venv/bin/python -I agent",
        "2 / 3 / /opt/venv/bin/python: No",
    ):
        assert words in reason
    assert "doctor --node" in reason
    assert "on its node" in told(log, None)[0]


def test_a_long_word_is_cut_and_silence_is_told(tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    log.write_bytes(b"\xff" * 100_000)
    assert len(told(log)[0]) < 800
    log.write_bytes(b"")
    assert "ends with: nothing" in told(log)[0]


def test_no_log_at_all_means_that_the_node_does_not_see_the_directory(tmp_path: Path) -> None:
    reason, code = told(tmp_path / "nowhere" / "agent.log")
    assert code == "NoLog"
    assert str(tmp_path / "nowhere") in reason and "XDG_DATA_HOME" in reason
