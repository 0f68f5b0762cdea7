"""How often and how long things are measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Turns:
    """How often each candidate is started and loaded, and for how long."""

    rounds: int
    seconds: int
    warm_up_seconds: int


@dataclass(frozen=True)
class Rounds:
    """How often and how long each part measures."""

    load: Turns = Turns(rounds=5, seconds=3, warm_up_seconds=1)
    closing: Turns = Turns(rounds=5, seconds=2, warm_up_seconds=1)
    starts: int = 3
    turns: int = 7
    calls: int = 2000
    counted: tuple[str, ...] = ("floor", "naive", "ours")
    counted_calls: int = 500
    large: int = 5
    numbers: int = 1_000_000
    deaths: int = 500
    scrapes: int = 150
    mebibytes: int = 16
    containers: int = 5


SMOKE = Rounds(
    load=Turns(rounds=1, seconds=1, warm_up_seconds=0),
    closing=Turns(rounds=1, seconds=1, warm_up_seconds=0),
    starts=1,
    turns=1,
    calls=10,
    counted=("floor",),
    counted_calls=1,
    large=1,
    numbers=1000,
    deaths=10,
    scrapes=2,
    mebibytes=1,
    containers=1,
)
