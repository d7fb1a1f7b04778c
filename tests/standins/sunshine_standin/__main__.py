"""Start without a package on the path: the folder above ``standins`` is put there."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

if __name__ == "__main__":
    from standins.sunshine_standin.main import main

    main(sys.argv)
