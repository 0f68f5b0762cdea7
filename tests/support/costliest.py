"""The bodies of the default limit that take most memory, each for its own reason."""

MEBIBYTE = 1024 * 1024


def filled(element: str, last: str) -> bytes:
    """Make a body of the largest size, of one element again and again and another one at the end."""
    space = MEBIBYTE - len('{"data":[]}') - len(last)
    return ('{"data":[' + (element + ",") * (space // (len(element) + 1)) + last + "]}").encode()


COSTLIEST = {
    "different decimals": ('{"data":[' + ",".join(f"{n / 100:.2f}" for n in range(10_000, 150_000)) + "]}").encode(),
    "different short numbers": ('{"data":[0.5,' + ",".join(map(str, range(150_000))) + "]}").encode(),
    "digits": filled("1", "0.5"),
    "no number at the end": filled("1", "true"),
    "a list at the end": filled("1", "[[]]"),
    "a long number at the end": filled("1", "1" * 5000),
    "out of range at the end": filled("1", "1e1001"),
    "lists": filled("[]", "[]"),
    "short exponents": ('{"data":[' + ",".join(f"{n % 10}e{n % 7}" for n in range(262_000)) + "]}").encode(),
    "other scripts": ('{"data":[' + ",".join(['"\u0661"'] * 209_000) + "]}").encode(),
}
