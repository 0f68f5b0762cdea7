"""Shapes of bodies: each makes a body of a given size in bytes, out of elements or of a text that is repeated."""

from collections.abc import Callable, Iterator
from itertools import chain, count
from random import Random

EXTREMES = ("1e1000", "1e-1000")

RANDOM = Random(2)  # noqa: S311 - the same bodies in each run


def repeated(element: str, *, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of one element, repeated, and perhaps another one at the end."""
    return filled(lambda: iter(lambda: element, None), last=last)


def filled(elements: Callable[[], Iterator[str]], *, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of elements, as many as fit."""

    def body(size: int) -> bytes:
        parts = []
        length = len('{"data":[]}') + len(last.encode()) + 1
        for element in elements():
            length += len(element.encode()) + 1
            if length > size:
                break
            parts.append(element)
        if last:
            parts.append(last)
        return padded('{"data":[' + ",".join(parts) + "]}", size)

    return body


def padded(text: str, size: int) -> bytes:
    """Fill a body up with white space, which JSON allows at its end."""
    return text.encode().ljust(size)


def framed(prefix: str, unit: str, suffix: str) -> Callable[[int], bytes]:
    """Make bodies of a unit, repeated, between two texts."""

    def body(size: int) -> bytes:
        return padded(prefix + unit * ((size - len(prefix) - len(suffix)) // len(unit.encode())) + suffix, size)

    return body


def cycled(*elements: str, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of several elements in turns."""

    def endless() -> Iterator[str]:
        while True:
            yield from elements

    return filled(endless, last=last)


def drawn(draw: Callable[[], str], *, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of elements that are drawn by lot."""
    return filled(lambda: iter(draw, None), last=last)


def extremes_then(draw: Callable[[], str]) -> Callable[[int], bytes]:
    """Make bodies of the two most distant numbers, and of elements that are drawn by lot."""
    return filled(lambda: chain(EXTREMES, iter(draw, None)))


def beside(shape: Callable[[int], bytes], member: str, *first: str) -> Callable[[int], bytes]:
    """Put a member in front of the list of other bodies, and elements in front of theirs."""
    head = "{" + member + ',"data":[' + "".join(f"{element}," for element in first)

    def body(size: int) -> bytes:
        return head.encode() + shape(size - len(head) + len('{"data":['))[len('{"data":[') :]

    return body


def numbered(template: str, first: int = 0, *, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of elements that are all different."""
    return filled(lambda: (template % number for number in count(first)), last=last)


def two_places() -> str:
    """Draw an amount of money."""
    return f"{RANDOM.randrange(10_000_000) / 100:.2f}"


def digits(number: int) -> str:
    """Draw a number of digits."""
    return str(RANDOM.randrange(10 ** (number - 1), 10**number))
