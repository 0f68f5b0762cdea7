"""The refusal of a request by the server itself."""


class Refusal(Exception):
    """A request that the server answers by itself, without the application."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
