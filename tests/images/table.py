"""The table of packages as the script that installs them in an image reads it: by its own awk."""

from __future__ import annotations

import re
import subprocess

from .conftest import DEFINITIONS

TABLE = DEFINITIONS / "packages.table"
#: Its columns, in their order.
DISTRIBUTIONS = {"ubuntu": 1, "debian": 2, "rhel": 3}


def packages(sections: str, distribution: str = "ubuntu") -> list[str]:
    """The packages of these sections (words) in a distribution, each as often as it is named."""
    script = (DEFINITIONS / "files" / "install-packages").read_text()
    program = re.search(r"sections=\" \$\* \" '\n(.*?)\n' ", script, re.DOTALL)
    assert program
    given = [f"column={DISTRIBUTIONS[distribution]}", f"sections= {sections} "]
    argv = ["awk", "-v", given[0], "-v", given[1], program[1], str(TABLE)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
