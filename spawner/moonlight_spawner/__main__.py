"""``python -m moonlight_spawner``: the same as ``moonlight-hpc``."""

import sys

from .cli import main

sys.exit(main())
