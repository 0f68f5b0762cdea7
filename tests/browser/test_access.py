"""That the page is there for every person: keyboard, screen reader, both colour schemes, small and large windows."""

import base64
from collections.abc import Callable

import pytest
from selenium.webdriver import Keys

from tests.browser.page import Page
from tests.support.paths import ROOT


def empty(_page: Page) -> None:
    """Leave the field as it is."""


def added(page: Page) -> None:
    """Add some numbers."""
    page.paste("1249.90\t89.95\n-0.1\n9007199254740993\n")
    page.wait_for("#sum", "9007199254742332.75")


def wrong(page: Page) -> None:
    """Enter a number with a comma."""
    page.paste("1249.90\t89.95\n1,500\n3")
    page.wait_for_part("#message", "A comma is not guessed")


def long(page: Page) -> None:
    """Add numbers of a thousand digits, so that the line for a terminal scrolls."""
    page.paste(f"{'1234567890' * 100}\n{'7' * 1000}")
    page.wait_for("#sum", str(int("1234567890" * 100) + int("7" * 1000)))


STATES = [empty, added, wrong, long]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
@pytest.mark.parametrize("state", STATES)
def test_is_accessible(page: Page, state: Callable[[Page], None], width: int, scheme: str) -> None:
    """axe-core finds nothing, nothing is cut off, and a picture for people is in build/."""
    page.resize(width)
    page.prefer(scheme)
    state(page)
    assert page.accessibility_violations() == []
    assert not page.overflows()
    page.resize(width, max(page.height(), 600))
    picture = page.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
    folder = ROOT / "build" / "page"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{state.__name__}-{width}-{scheme}.png").write_bytes(base64.b64decode(picture))


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(251, 250, 248)"), ("dark", "rgb(22, 23, 26)")])
def test_follows_the_colour_scheme(page: Page, scheme: str, ground: str) -> None:
    """The page is light or dark as the person's system is."""
    page.prefer(scheme)
    assert page.run("return getComputedStyle(document.body).backgroundColor") == ground


def test_keyboard_alone(page: Page) -> None:
    """Every control is reached by Tab in the order of the page, and works by Enter."""
    page.type(Keys.TAB)
    page.type("1 x")
    page.wait_for_part("#message", "data[1]")
    page.type(Keys.TAB)
    page.type(Keys.ENTER)
    assert page.selected() == "x"
    page.type("2")
    page.wait_for("#sum", "3")
    reached = []
    for _ in range(5):
        page.type(Keys.TAB)
        reached.append(page.run("return document.activeElement.id || document.activeElement.tagName"))
    assert reached == ["copy-sum", "copy-curl", "PRE", "A", "A"]
    page.type(Keys.SHIFT + Keys.TAB * 4 + Keys.NULL)
    page.type(Keys.ENTER)
    page.wait_for("#announcement", "Copied")
    assert page.clipboard() == "3"


def test_focus_is_seen(page: Page) -> None:
    """Each control that has the focus has an outline; that of the field goes around its frame."""
    page.field.send_keys("1 2")
    page.wait_for("#sum", "3")
    outlines = set()
    for _ in range(5):
        outlines.add(
            page.run("return getComputedStyle(document.activeElement.closest('.field, button, pre, a')).outline")
        )
        page.type(Keys.TAB)
    assert len(outlines) == 1
    assert "2px" in outlines.pop()


def test_screen_reader(page: Page) -> None:
    """The accessibility tree names the field, describes it, and announces the sum and what is wrong."""
    page.field.send_keys("1 x")
    page.wait_for_part("#message", "data[1]")
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    (field,) = (node for node in tree if node["role"]["value"] == "textbox")
    assert field["name"]["value"] == "Numbers"
    assert field["description"]["value"].endswith('data[1]: not a number: "x"')
    assert {"name": "invalid", "value": {"type": "token", "value": "true"}} in field["properties"]
    assert [page.find(name).aria_role for name in ("#sum", "#message", "#announcement")] == ["status"] * 3
    names = [page.find(name).accessible_name for name in ("#show", "#copy-sum", "#copy-curl")]
    assert names == ["Show it", "Copy the sum", "Copy the line for a terminal"]
