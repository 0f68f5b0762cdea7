"""`GET /`: a page for browsers, and how to add numbers for everything else."""

import re

import pytest
from flask.testing import FlaskClient

from app import create_app

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@pytest.fixture
def client() -> FlaskClient:
    """Return a client of the application."""
    return create_app().test_client()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (BROWSER, 200),
        ("text/html", 200),
        ("application/json;q=0.9, text/html", 200),
        ("text/*", 200),
        ("*/*", 405),
        ("", 405),
        (None, 405),
        ("application/json", 405),
        ("application/json, text/plain, */*", 405),
        ("text/html, application/json", 405),
        ("text/html;q=0", 405),
        ("text/html;q=0.5, application/problem+json", 405),
        ("image/png", 405),
        ("text/html;q=x,,;=", 405),
        ("text/html" + ",a/b;q=0.5" * 1450, 405),
    ],
)
def test_page_where_html_is_preferred(client: FlaskClient, method: str, accept: str | None, status: int) -> None:
    """Only a client that prefers HTML to JSON is answered the page; caches learn that the answer depends on it."""
    response = client.open("/", method=method, headers={} if accept is None else {"Accept": accept})
    assert status == response.status_code
    assert response.headers["Vary"] == "Accept"


def files_of_the_page(client: FlaskClient) -> list[str]:
    """Return the addresses of the style and the script."""
    page = client.get("/", headers={"Accept": BROWSER}).text
    return re.findall(r'(?:href|src)="([^"]+\?[^"]+)"', page)


def test_restrictive_headers(client: FlaskClient) -> None:
    """The page and its files may do what they need and nothing else."""
    expected = {
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }
    for address in ["/", *files_of_the_page(client)]:
        with client.get(address, headers={"Accept": BROWSER}) as response:
            headers = response.headers
        assert expected == {name: headers[name] for name in expected}
        assert "camera=()" in headers["Permissions-Policy"]
        assert "Set-Cookie" not in headers


def test_files_are_asked_for_again_when_they_have_changed(client: FlaskClient) -> None:
    """A file has an ETag for the browser that has it, and its content decides on its address."""
    for address in files_of_the_page(client):
        assert re.fullmatch(r"/static/page\.(css|js)\?v=[0-9a-f]{16}", address)
        with client.get(address) as response:
            etag = response.headers["ETag"]
        with client.get(address, headers={"If-None-Match": etag}) as response:
            assert response.status_code == 304


def test_page_is_small(client: FlaskClient) -> None:
    """The page with all that it loads is below 20 kB."""
    sizes = []
    for address in ["/", *files_of_the_page(client)]:
        with client.get(address, headers={"Accept": BROWSER}) as response:
            sizes.append(len(response.data))
    assert len(sizes) == 3
    assert sum(sizes) < 20_000


def test_page_has_nothing_inline(client: FlaskClient) -> None:
    """There is no script and no style in the page itself, which its policy would forbid."""
    page = client.get("/", headers={"Accept": BROWSER}).text
    assert re.findall(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:|//(?!localhost/)", page) == []


def test_page_behind_a_prefix(client: FlaskClient) -> None:
    """Where a proxy serves the service under a path, the page finds its files and its service there."""
    page = client.get("/", headers={"Accept": BROWSER}, environ_overrides={"SCRIPT_NAME": "/sum"}).text
    addresses = re.findall(r'(?:href|src|action)="([^"]+)"', page)
    assert [address for address in addresses if not address.startswith("/sum/")] == []


def test_host_is_quoted(client: FlaskClient) -> None:
    """A forged host cannot write into the page."""
    page = client.get("/", headers={"Accept": BROWSER, "Host": 'a"><script>alert(1)</script>'}).text
    assert "alert" not in page
