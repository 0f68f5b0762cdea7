"""The state of a connection."""

from enum import Enum, auto


class State(Enum):
    """What a connection waits for."""

    IDLE = auto()  # the first byte of a request
    RECEIVING = auto()  # the rest of it
    WAITING = auto()  # its turn to be served
    RESPONDING = auto()  # the application, or the client to take the response
    CLOSING = auto()  # the client to read the last response, and to close
    CLOSED = auto()
