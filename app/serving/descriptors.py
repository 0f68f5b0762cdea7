"""The number of files and connections that a process may have open."""

import resource


def connections_within_limit(number: int) -> int:
    """Return how many of `number` connections the hard limit allows if the application has half of the descriptors.

    Otherwise silent clients would take the last one, and a view that opens a file would fail.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return number if hard == resource.RLIM_INFINITY else min(number, hard // 2)


def allow_descriptors(number: int) -> None:
    """Raise the soft limit to `number`, as far as the hard limit allows.

    Many systems have a soft limit of 1,024, for programs that use select(), and leave it to a server to raise it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        number = min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
