"""The pace at which workers are replaced."""

# So many may be replaced at once, as when a kernel short of memory kills all of them; then one in each interval.
BURST = 10
INTERVAL_SECONDS = 0.25


class Pace:
    """A token bucket: workers that die as soon as they are started would keep the master process forking all the time.

    It never gives up, and does not ask why a worker has died: what made it die may end at any moment.
    """

    def __init__(self, burst: int, now: float) -> None:
        self._burst = self._tokens = float(burst)
        self._filled = now

    def take(self, now: float) -> bool:
        """Tell whether one more worker may be started now."""
        self._tokens = min(self._tokens + (now - self._filled) / INTERVAL_SECONDS, self._burst)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
