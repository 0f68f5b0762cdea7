"""What a person sees who types and pastes numbers."""

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.browser.page import Page


def test_adds_while_one_types(page: Page) -> None:
    """The sum follows what is typed, without any button."""
    page.field.send_keys("1 2")
    page.wait_for("#sum", "3")
    assert page.text("#message") == "2 numbers"
    page.field.send_keys("0")
    page.wait_for("#sum", "21")


def test_is_ready_to_type(page: Page) -> None:
    """An empty field has neither a sum nor an error."""
    assert page.text("#sum") == ""
    assert page.text("#message") == ""
    assert not page.find("#copy-sum").is_enabled()


def test_takes_back_the_sum(page: Page) -> None:
    """When the field has been emptied, the sum goes."""
    page.field.send_keys("7")
    page.wait_for("#sum", "7")
    page.empty()
    page.wait_for("#sum", "")


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("1 2 3", "6"),
        ("1\t2\n3\t4\n", "10"),
        ("1;2; 3 ;\n4", "10"),
        ("\r\n 1\r\n2 \r\n", "3"),
        ("0.1 0.2", "0.3"),
        ("9007199254740993 0.1", "9007199254740993.1"),
        ("-1e3 +.5 007", "-992.5"),
    ],
)
def test_adds_what_is_pasted(page: Page, text: str, total: str) -> None:
    """Numbers are cut apart at white space and semicolons, and added exactly."""
    page.paste(text)
    page.wait_for("#sum", total)


def test_wraps_a_thousand_digits(page: Page) -> None:
    """A sum of a thousand digits is whole, and the page of a telephone stays as wide as it is."""
    page.resize(320)
    page.paste(f"{'9' * 999} 1")
    page.wait_for("#sum", f"1{'0' * 999}")
    assert not page.overflows()


@pytest.mark.parametrize(
    ("text", "wrong", "message"),
    [
        ("1 2 abc 4", "abc", 'data[2]: not a number: "abc"'),
        ("1\n\n;x;2", "x", 'data[1]: not a number: "x"'),
        ("<b>1</b>", "<b>1</b>", 'data[0]: not a number: "<b>1</b>"'),
    ],
)
def test_marks_what_is_wrong(page: Page, text: str, wrong: str, message: str) -> None:
    """The element that the service refuses is marked in the field, named below it, and selected on request."""
    page.paste(text)
    page.wait_for("#message", message)
    assert page.text("#sum") == ""
    assert page.marked() == wrong
    assert page.field.get_attribute("aria-invalid") == "true"
    assert page.text("#status") == "422 Unprocessable Content"
    page.find("#show").click()
    assert page.selected() == wrong


@pytest.mark.parametrize("text", ["1,5", "1,500", "1\u00a0500", "1\u202f500", "\u22125"])
def test_explains_what_it_does_not_guess(page: Page, text: str) -> None:
    """A number that two people read differently is refused by name, with what to write."""
    page.paste(f"1 {text}")
    page.wait_for_part("#message", f'data[1]: not a number: "{text}"\n')
    assert page.marked() == text


def test_forgets_what_was_wrong(page: Page) -> None:
    """A corrected element is an error no more."""
    page.field.send_keys("1 2,5")
    page.wait_for_part("#message", "A comma is not guessed")
    page.field.send_keys(Keys.BACKSPACE * 2, ".5")
    page.wait_for("#sum", "3.5")
    assert page.marked() == ""
    assert page.field.get_attribute("aria-invalid") == "false"
    assert not page.find("#show").is_displayed()


def test_mark_lies_under_the_element(page: Page) -> None:
    """The copy of the text behind the field wraps as the field does, so that the mark is where the element is."""
    page.resize(320)
    page.paste(f"{'1 22 333 ' * 40}\t{'7' * 100}\nabc {'5;' * 50}")
    page.wait_for_part("#message", 'not a number: "abc"')
    field, mirror = (page.find(selector).rect for selector in ("#numbers", "#mirror"))
    assert field == mirror
    assert page.run("return arguments[0].scrollHeight <= arguments[0].clientHeight", page.field)


def test_element_that_is_scrolled_away(page: Page) -> None:
    """The wrong element of a long text is brought into view."""
    page.paste("1\n" * 500 + "abc" + "\n1" * 500)
    page.wait_for_part("#message", 'data[500]: not a number: "abc"')
    page.find("#show").click()
    inside = """
    const [mark, field] = ["mark", ".field"].map((name) => document.querySelector(name).getBoundingClientRect());
    return mark.top >= field.top && mark.bottom <= field.bottom && mark.top >= 0 && mark.bottom <= innerHeight"""
    assert page.run(inside)


def test_says_that_a_text_is_too_large(page: Page) -> None:
    """A body above the limit of the service is explained by the service's own words."""
    page.paste("1234567 " * 150_000)
    page.wait_for_part("#message", "larger than")
    assert page.text("#status") == "413 Content Too Large"
    page.empty()
    page.field.send_keys("1 2")
    page.wait_for("#sum", "3")


def test_asks_only_its_own_service(page: Page) -> None:
    """Everything comes from the service, and no cookie is set."""
    page.field.send_keys("1")
    page.wait_for("#sum", "1")
    loaded = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [address for address in loaded if not address.startswith(page.url)] == []
    assert page.driver.get_cookies() == []


def test_links(page: Page) -> None:
    """The version and the OpenAPI description are one click away."""
    links = [link.get_attribute("href") for link in page.driver.find_elements(By.TAG_NAME, "a")]
    assert links == [f"{page.url}version", f"{page.url}openapi.json"]
