"""Start the service: `python app/app.py`, the same server that the image runs."""

import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    # A signal that tells it to stop during the start waits until the server can stop in good order. As process 1 of a
    # container it would never hear of it: of those that process 1 does not handle, the kernel drops all but a few.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP})

    # Python puts the folder of this file first, in which `app` is this file. The package is one folder further up.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from app.serving.main import main

    sys.exit(main(sys.argv[1:]))
