"""The number of files and connections that a process may have open."""

import resource


def allow_descriptors(number: int) -> None:
    """Raise the soft limit to `number`, as far as the hard limit allows.

    Many systems have a soft limit of 1,024, for programs that use select(), and leave it to a server to raise it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        number = min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
