"""What the page gives a person to take along: the sum, the line for a terminal, the request id."""

import json
import shutil
import subprocess

import pytest
from selenium.webdriver import Chrome

from tests.browser.page import Page
from tests.support.service import Service, wait_until


def run_line(line: str) -> str:
    """Run a line as a shell does."""
    if shutil.which("curl") is None:
        pytest.skip("no curl: apt-get install curl")
    command = ["sh", "-c", line.replace("curl", "curl --silent", 1)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("text", "total"), [("", "0.3"), ("1 2.50\n3", "6.5")])
def test_line_for_a_terminal(page: Page, text: str, total: str) -> None:
    """The line asks the service the same; the empty field has an example."""
    page.field.send_keys(text)
    page.wait_for("#sum", total if text else "")
    assert run_line(page.text("#curl")) == f"{total}\n"


def test_line_quotes_for_the_shell(page: Page) -> None:
    """Whatever is in the field, the shell hands it to curl as it is."""
    page.paste("it's;$(id)`id`\"\\x")
    page.wait_for_part("#message", "data[0]")
    assert page.text("#message").startswith(json.loads(run_line(page.text("#curl")))["detail"])


def test_line_that_would_be_too_long(page: Page) -> None:
    """A body that no command line can hold comes from a file."""
    page.paste("123456 " * 20_000)
    page.wait_for("#sum", "2469120000")
    assert page.text("#curl") == f"curl -d @numbers.json {page.url}"


@pytest.mark.parametrize("name", ["sum", "curl"])
def test_copies_by_one_click(page: Page, name: str) -> None:
    """The sum and the line are on the clipboard after one click, whole."""
    page.field.send_keys("9" * 999, " 1")
    page.wait_for("#sum", f"1{'0' * 999}")
    page.find(f"#copy-{name}").click()
    page.wait_for("#announcement", "Copied")
    assert page.clipboard() == page.text(f"#{name}")


def test_copies_without_the_clipboard_interface(page: Page) -> None:
    """Browsers offer it to secure origins only; elsewhere the old way copies as well."""
    page.run("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    page.field.send_keys("9" * 200, " 1")
    page.wait_for("#sum", f"1{'0' * 200}")
    page.find("#copy-sum").click()
    page.wait_for("#announcement", "Copied")
    page.run("delete navigator.clipboard")
    assert page.clipboard() == page.text("#sum")


@pytest.mark.parametrize(("text", "status"), [("1 2", "200"), ("abc", "422")])
def test_request_id_is_in_the_log(driver: Chrome, service: Service, text: str, status: str) -> None:
    """The id that the page shows finds the line of the request."""
    page = Page(driver, f"http://localhost:{service.port}/")
    page.field.send_keys(text)
    page.wait_for_part("#status", status)
    request_id = page.text("#request-id")
    wait_until(lambda: service.requests(request_id=request_id, status=int(status)), "the request is in the log")
