"""Start without a package on the path; the first word says which of the two programs."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

if __name__ == "__main__":
    which = sys.argv.pop(1)
    if which == "streamer":
        from standins.moonlight_web_standin.streamer import main
    else:
        from standins.moonlight_web_standin.main import main

    main(sys.argv)
