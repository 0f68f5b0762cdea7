"""What the page says when the service does not answer as it should."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.browser.page import Page
from tests.support.service import Service, running

# Answers in place of the service's, one after the other; the last one stays.
ANSWERS = """
const answers = arguments[0];
window.fetch = async () => {
  const [status, body, headers] = answers.length > 1 ? answers.shift() : answers[0];
  return new Response(body, {status, headers});
};
"""
BUSY = [503, '{"detail": "too much work"}', {"Retry-After": "1", "X-Request-ID": "busy"}]
SUM = [200, "3\n", {"X-Request-ID": "fine"}]


def test_service_that_stops_in_the_middle(driver: Chrome, tmp_path: Path) -> None:
    """The page says that the service does not answer, keeps the numbers, and has the sum when it is back."""
    with ExitStack() as stack:
        first = stack.enter_context(running(tmp_path / "first"))
        page = Page(driver, f"http://localhost:{first.port}/")
        page.field.send_keys("1 2")
        page.wait_for("#sum", "3")
        first.stop()
        page.field.send_keys(" 4")
        page.wait_for_part("#message", "The service does not answer.")
        assert page.text("#sum") == ""
        second = Service(tmp_path / "second", {"PORT": first.port})
        stack.callback(second.kill)
        page.wait_for("#sum", "7")
        assert page.text("#message") == "3 numbers"


def test_service_that_has_too_much_to_do(page: Page) -> None:
    """A refusal for now is shown, and tried again when the service says."""
    page.run(ANSWERS, [BUSY, SUM])
    page.field.send_keys("1 2")
    page.wait_for_part("#message", "too much work")
    assert page.text("#request-id") == "busy"
    page.wait_for("#sum", "3")
    assert page.text("#request-id") == "fine"


@pytest.mark.parametrize(
    "answer",
    [
        [200, "<html>Log in to the network</html>", {}],
        [200, "1e3", {}],
        [404, "<html>nothing</html>", {}],
        [500, "[]", {}],
    ],
)
def test_answer_of_another_server(page: Page, answer: list[object]) -> None:
    """What does not look like an answer of the service's is never shown as a sum."""
    page.run(ANSWERS, [answer])
    page.field.send_keys("1 2")
    page.wait_for_part("#message", f"unexpected answer: {answer[0]}")
    assert page.text("#sum") == ""


def test_sends_one_request_at_a_time(page: Page) -> None:
    """What is typed while the service thinks is sent when it has answered, and only the last text."""
    page.run("""
    window.bodies = [];
    window.fetch = (address, {body}) => {
      bodies.push(body);
      return new Promise((resolve) => window.answer = () => resolve(new Response(`${bodies.length}`)));
    };""")
    page.field.send_keys("1")
    page.wait_for_part("#curl", '["1"]')
    page.field.send_keys("2")
    page.field.send_keys("3")
    assert page.run("return window.bodies.length") == 1
    page.run("window.answer()")
    page.wait_for_part("#curl", '["123"]')
    page.run("window.answer()")
    page.wait_for("#sum", "2")
    assert page.run("return window.bodies") == ['{"data":["1"]}', '{"data":["123"]}']
