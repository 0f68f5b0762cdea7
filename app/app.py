"""Start the service: `python app/app.py`, the same server that the image runs."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python puts the folder of this file first, in which `app` is this file. The package is one folder further up.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from app.serving.main import main

    sys.exit(main(sys.argv[1:]))
