"""The host of a request, which its target or its Host field names."""

import re
from ipaddress import IPv6Address

# RFC 3986, section 3.2: an IPv6 address in brackets, or a name or an IPv4 address, and an optional port. Labels have at
# most the length that DNS allows: Flask raises an error of its own for longer ones.
_LABEL = rb"[\w~!$&'()*+,;=%-]{1,63}"
_AUTHORITY = rb"(?:\[[0-9A-Fa-f:.]+\]|" + _LABEL + rb"(?:\." + _LABEL + rb")*\.?)(?::[0-9]*)?"
_HOST = re.compile(rb"(?:" + _AUTHORITY + rb")?|:[0-9]*", re.ASCII)

# RFC 9112, section 3.2: the forms of a target that name a host. User information before it is an error (RFC 9110,
# section 4.2.4), and so is another scheme (section 7.4).
_ABSOLUTE = re.compile(rb"https?://(" + _AUTHORITY + rb")(?:[/?].*)?", re.ASCII | re.IGNORECASE)
_TUNNEL = re.compile(_AUTHORITY, re.ASCII)

_HOST_BYTES = len("." * 253 + ":65535")  # A DNS name has at most 253 characters.

# To decode IDNA takes 2.6 us a byte in the event loop, where no queue limits it. Names of 250 bytes kept others waiting
# for 0.5 s.
_IDNA_BYTES = 100


def is_host(value: bytes) -> bool:
    """Tell whether a Host field may have this value."""
    return _HOST.fullmatch(value) is not None


def is_absolute(target: bytes) -> bool:
    """Tell whether a target is a URL, as clients send it to proxies."""
    return _ABSOLUTE.fullmatch(target) is not None


def is_tunnel(target: bytes) -> bool:
    """Tell whether a target is a host and a port, as CONNECT has it."""
    return _TUNNEL.fullmatch(target) is not None


def can_be_in_url(target_or_host: bytes) -> bool:
    """Tell whether werkzeug can make a URL with the host: it fails for a name that is not valid IDNA, and `[1:2]`."""
    lowered = target_or_host.lower()
    if len(lowered) <= _HOST_BYTES and b"xn--" not in lowered and b"[" not in lowered:
        return True
    absolute = _ABSOLUTE.fullmatch(lowered)
    host = absolute[1] if absolute else lowered
    if len(host) > _HOST_BYTES:
        return False
    try:
        if host.startswith(b"["):
            return bool(IPv6Address(host[1:].partition(b"]")[0].decode()))
        if b"xn--" in host:
            return len(host) <= _IDNA_BYTES and bool(host.partition(b":")[0].decode("idna"))
    except ValueError:  # UnicodeError is one.
        return False
    return True
