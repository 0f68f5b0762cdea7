"""Start the service: `python app/app.py`, the same server that the image runs."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # Python puts the folder of this file first, in which `app` is this file. The package is one folder further up.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from app.main import main
    from app.standard_streams import standard_output

    sys.exit(main(os.environ, standard_output(sys.stdout)))
