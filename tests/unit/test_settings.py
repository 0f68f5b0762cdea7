"""Settings: every variable of the environment, what it is by default, and what it accepts."""

from dataclasses import asdict

import pytest

from app.settings import SettingError, Settings

NUMBERS = [
    # variable, member, lowest, highest
    ("PORT", "port", 1, 65535),
    ("METRICS_PORT", "metrics_port", 1, 65535),
    ("WEB_CONCURRENCY", "workers", 1, 256),
    ("THREADS", "threads", 1, 64),
    ("MAX_BODY_BYTES", "max_body_bytes", 1, 64 * 1024**2),
    ("KEEP_ALIVE", "keep_alive", 1, 3600),
    ("GRACEFUL_TIMEOUT", "graceful_timeout", 1, 3600),
    ("DRAIN_SECONDS", "drain_seconds", 0, 3600),
]

NO_NUMBERS = ["abc", "-1", "+1", " 5", "5 ", "1_0", "1.0", "1e1", "0x10", "٣", "²", "\n1", "NaN", "9" * 5000]

CHOICES = [
    ("LOG_LEVEL", "log_level", ["debug", "info", "warning", "error", "critical"]),
    ("LOG_FORMAT", "log_format", ["auto", "json", "console"]),
]


def read(environ: dict[str, str]) -> Settings:
    """Read the settings."""
    return Settings.from_environ(environ)


def refusal(environ: dict[str, str]) -> SettingError:
    """Give the error for a bad setting."""
    with pytest.raises(SettingError) as caught:
        read(environ)
    return caught.value


def test_defaults() -> None:
    """An empty environment gives what the contract states."""
    expected = {
        "port": 5000,
        "metrics_port": 9464,
        "bind": (),
        "workers": None,
        "threads": 1,
        "log_level": "info",
        "log_format": "auto",
        "max_body_bytes": 1048576,
        "keep_alive": 75,
        "graceful_timeout": 8,
        "drain_seconds": 0,
        "forwarded_allow_ips": "127.0.0.1,::1",
        "revision": "unknown",
    }
    assert expected == asdict(read({}))


def test_empty_values_count_as_none() -> None:
    """A variable that is set to nothing, as Compose files do, is a variable that is not set."""
    variables = [name for name, *_ in NUMBERS + CHOICES] + ["BIND", "FORWARDED_ALLOW_IPS", "REVISION"]
    assert read({}) == read(dict.fromkeys(variables, ""))


@pytest.mark.parametrize(("variable", "member", "lowest", "highest"), NUMBERS)
def test_numbers_are_accepted_up_to_both_ends(variable: str, member: str, lowest: int, highest: int) -> None:
    """The lowest and the highest number are accepted."""
    assert lowest == getattr(read({variable: str(lowest)}), member)
    assert highest == getattr(read({variable: str(highest)}), member)


@pytest.mark.parametrize(("variable", "_member", "lowest", "highest"), NUMBERS)
def test_numbers_beyond_the_ends_are_refused(variable: str, _member: str, lowest: int, highest: int) -> None:
    """One less or one more is refused, by a message that names variable, value and range."""
    for value in (str(lowest - 1), str(highest + 1)):
        expected = f"{variable} is {value!r}, but must be a whole number from {lowest} to {highest}"
        assert expected == str(refusal({variable: value}))


@pytest.mark.parametrize("value", NO_NUMBERS, ids=ascii)
@pytest.mark.parametrize("variable", [name for name, *_ in NUMBERS])
def test_what_is_no_number_is_refused(variable: str, value: str) -> None:
    """Only ASCII digits are a number, whatever int() would take."""
    error = refusal({variable: value})
    assert (variable, value) == (error.variable, error.value)
    assert str(error).startswith(f"{variable} is {value!r}, but must be a whole number from ")


@pytest.mark.parametrize(("variable", "member", "accepted"), CHOICES)
def test_choices_are_accepted(variable: str, member: str, accepted: list[str]) -> None:
    """Each word of the list is accepted."""
    assert accepted == [getattr(read({variable: word}), member) for word in accepted]


@pytest.mark.parametrize("value", ["loud", "INFO", " info", "info,json"])
@pytest.mark.parametrize(("variable", "_member", "accepted"), CHOICES)
def test_other_words_are_refused(variable: str, _member: str, accepted: list[str], value: str) -> None:
    """Another word is refused, by a message that lists the accepted ones."""
    error = refusal({variable: value})
    assert f"{variable} is {value!r}, but must be one of {', '.join(accepted)}" == str(error)
    assert (variable, value, f"one of {', '.join(accepted)}") == (error.variable, error.value, error.accepted)


@pytest.mark.parametrize("value", ["*", "10.0.0.1", "10.0.0.0/8", "10.0.0.0/8, 192.168.0.0/16", "::1,fd00::/8"])
def test_networks_are_accepted(value: str) -> None:
    """Addresses and networks of both versions, and `*` for all, are accepted."""
    assert value == read({"FORWARDED_ALLOW_IPS": value}).forwarded_allow_ips


@pytest.mark.parametrize("value", ["proxy", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,", "*,10.0.0.1", "10.0.0.1 ::1"])
def test_other_than_networks_is_refused(value: str) -> None:
    """A name, a network with bits of a host, and an empty element are refused."""
    expected = f"FORWARDED_ALLOW_IPS is {value!r}, but must be * or IP addresses and networks, with commas between them"
    assert expected == str(refusal({"FORWARDED_ALLOW_IPS": value}))


@pytest.mark.parametrize("environ", [{"PORT": "9464"}, {"METRICS_PORT": "5000"}, {"PORT": "81", "METRICS_PORT": "81"}])
def test_both_ports_must_differ(environ: dict[str, str]) -> None:
    """One port for both is refused before either is opened."""
    port = environ.get("PORT", "5000")
    expected = f"METRICS_PORT is '{port}', but must be another port than PORT, {port}"
    assert expected == str(refusal(environ))


def test_revision_is_taken_over() -> None:
    """The revision is whatever the image's build says."""
    assert "abc123" == read({"REVISION": "abc123"}).revision


def test_a_message_is_one_line() -> None:
    """A line break in a value does not break the message."""
    assert "\n" not in str(refusal({"LOG_LEVEL": "a\nb\u2028c"}))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.0.0.0", ("0.0.0.0",)),  # noqa: S104 - a setting
        ("::", ("::",)),
        ("127.0.0.1,::1", ("127.0.0.1", "::1")),
        (" 127.0.0.1 , 2001:DB8::0001", ("127.0.0.1", "2001:db8::1")),
    ],
)
def test_addresses_are_accepted(value: str, expected: tuple[str, ...]) -> None:
    """Addresses of both versions are accepted, several with commas between them."""
    assert expected == read({"BIND": value}).bind


@pytest.mark.parametrize("value", ["localhost", "*", "0.0.0.0:80", "[::]", "127.0.0.1,", "10.0.0.0/8", "127.0.0.1 ::1"])
def test_other_than_addresses_is_refused(value: str) -> None:
    """A name, a port, a network and an empty element are refused."""
    expected = f"BIND is {value!r}, but must be IP addresses of this machine, with commas between them"
    assert expected == str(refusal({"BIND": value}))


@pytest.mark.parametrize("value", ["127.0.0.1,127.0.0.1", "::1,0::1", "::,0.0.0.0", "127.0.0.1,0.0.0.0", "::1,::"])
def test_an_address_twice_is_refused(value: str) -> None:
    """No port can be listened on twice."""
    expected = f"BIND is {value!r}, but must be different addresses (:: includes all, and 0.0.0.0 all of IPv4)"
    assert expected == str(refusal({"BIND": value}))


VARIABLES = [*(name for name, *_ in NUMBERS + CHOICES), "BIND", "FORWARDED_ALLOW_IPS", "REVISION"]


@pytest.mark.parametrize("value", ["\udcff", "1\udcff", "a\nb", "\x1b[31m"], ids=ascii)
@pytest.mark.parametrize("variable", VARIABLES)
def test_what_is_no_text_is_refused(variable: str, value: str) -> None:
    """Bytes that are no UTF-8, and what no one can print, are refused for every variable, in one line of text."""
    error = refusal({variable: value})
    assert variable == error.variable
    assert str(error).isprintable()
    str(error).encode()
