"""The rejection of a request by the server itself."""


class Rejection(Exception):
    """A request that the server answers without the application.

    `reason` says why, in this package's own words; `detail` may quote up to 64 characters of what the client sent.
    `is_sent` is false if the connection is closed already.
    """

    def __init__(self, status: int, reason: str, detail: str | None = None, *, is_sent: bool = True) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail or reason
        self.is_sent = is_sent
