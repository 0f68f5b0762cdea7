"""Start the service: `python app/app.py`, the same server that the image runs."""

import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    # Signals that arrive during the start wait until the server can handle them. As process 1 of a container it would
    # otherwise never receive them: the kernel drops nearly every signal that process 1 has no handler for.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP})

    # Python puts the folder of this file first, where `app` is this file. The package is one folder up.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from app.serving.main import main

    sys.exit(main(sys.argv[1:]))
