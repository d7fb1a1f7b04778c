"""X clients that show what a page can read back. ``python -m bench.screen motion|click``

They are those of ``moonlight-hpc session measure`` (:mod:`moonlight_spawner.agent.measure.pattern`), on the
display that the environment names.
"""

from __future__ import annotations

import contextlib
import sys

from moonlight_spawner.agent.measure.pattern import Pattern
from Xlib.display import Display

if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        Pattern(Display()).show(sys.argv[1])
