"""Which Firefox the tests take: on Ubuntu what is in /usr/bin only calls a snap."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.firefox import find_firefox

# As Ubuntu's packages of Firefox have it, but for its words.
SNAP = '#!/bin/sh\nif ! [ -x /snap/bin/firefox ]; then exit 1; fi\nexec /snap/bin/firefox "$@"\n'


def _program(directory: Path, name: str, text: str) -> str:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_one_that_is_a_snap_is_passed_over(tmp_path: Path) -> None:
    usr, local = tmp_path / "usr", tmp_path / "local"
    _program(usr, "firefox-esr", SNAP)
    _program(usr, "firefox", SNAP)
    path = os.pathsep.join(map(str, (tmp_path / "nowhere", usr, local)))
    assert find_firefox(path) is None
    mozillas = _program(local, "firefox", '#!/bin/sh\nexec /usr/lib/firefox/firefox "$@"\n')
    assert find_firefox(path) == mozillas
    esr = _program(local, "firefox-esr", "\x7fELF")
    assert find_firefox(path) == esr
