"""Configuration of gunicorn, read by app/server.py."""

import os

from app.cpus import usable_cpus
from app.gunicorn_logger import GunicornLogger
from app.server import SHARED_MEMORY
from app.settings import ADDRESS, Settings
from app.worker import Worker

_settings = Settings.from_environ(os.environ, usable_cpus)

bind = f"{ADDRESS}:{_settings.port}"
workers = _settings.workers
threads = _settings.threads

# Why not gunicorn's own workers, measured with two workers on two cores, 16 other connections each time:
#
#   a probe waits, behind           sync     gthread, 4 threads   this one
#   16 silent connections           forever  14.8 s               1 ms
#   16 with half a header           forever  forever              5 ms
#   16 that post 100 kB (median)    249 ms   32 ms                23 ms
#
# Both of gunicorn's read a request inside the thread that is to serve it, and without a time limit. This one collects
# requests in an event loop, serves those that are complete, and times out the others. It also needs no thread pool:
# sums are all computation, and a single one at a time bounds the memory of a worker.
worker_class = Worker
logger_class = GunicornLogger

# The application is loaded once, before the workers are forked: they share its memory, a new one serves within
# milliseconds, and an application that does not load ends the start instead of killing worker after worker.
preload_app = True

# Longer than most balancers keep an idle connection (60 s), so that they and not we are the ones to close it.
keepalive = 75

# Below the 10 s after which Docker kills.
graceful_timeout = _settings.graceful_timeout

# The heartbeat is a file that each worker touches: on a disk that stalls, it would kill healthy workers.
worker_tmp_dir = str(SHARED_MEMORY)

# gunicorn >= 25.1 would make a socket below $HOME, which a read-only container does not have. We use signals.
control_socket_disable = True
