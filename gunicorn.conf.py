"""The configuration of gunicorn, for `gunicorn` in this folder and for `python app/app.py`."""

from app.serving import start
from app.serving.hooks import SHARED_MEMORY

_hooks = start.hooks()
_settings = _hooks.settings

wsgi_app = "app:create_app()"
bind = _hooks.bind
workers = _hooks.workers
threads = _settings.threads
keepalive = _settings.keep_alive

# docs/architecture.md lists what this worker does and gunicorn's own (`gunicorn -k gthread`) does not.
worker_class = "app.serving.worker.Worker"
logger_class = "app.serving.gunicorn_logger.GunicornLogger"

# Load the application once, before the fork. The workers share its memory, a new one serves within milliseconds, and an
# application that fails to load ends the start instead of killing worker after worker.
preload_app = True

# The workers drain; the master only waits. The default sum is below the 10 s after which Docker kills.
graceful_timeout = _settings.drain_seconds + _settings.graceful_timeout

# Each worker touches a heartbeat file. If the file were on a disk that stalls, the master would kill healthy workers.
worker_tmp_dir = str(SHARED_MEMORY)

# gunicorn >= 25.1 would create a socket under $HOME, which a read-only container does not have. We use signals.
control_socket_disable = True

on_starting = _hooks.on_starting
pre_fork = _hooks.pre_fork
post_fork = _hooks.post_fork
post_worker_init = _hooks.post_worker_init
post_request = _hooks.post_request
worker_exit = _hooks.worker_exit
child_exit = _hooks.child_exit
on_exit = _hooks.on_exit
