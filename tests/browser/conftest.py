"""A browser, and the service that it opens: `SERVICE_URL=http://127.0.0.1:5000/` takes one that runs already."""

import os
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser import chromium
from tests.browser.page import WATCH, Page


@pytest.fixture(scope="session")
def base_url(request: pytest.FixtureRequest) -> str:
    """Return the address of the page."""
    given = os.environ.get("SERVICE_URL")
    return given or f"http://localhost:{request.getfixturevalue('service').port}/"


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Run one browser for all tests."""
    driver = chromium.start(tmp_path_factory.mktemp("chromium") / "profile")
    try:
        driver.execute_cdp_cmd(
            "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
        )
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(driver: Chrome, base_url: str) -> Iterator[Page]:
    """Open the page; afterwards, nothing may have broken its policy and nothing may have failed in its script."""
    driver.get_log("browser")
    page = Page(driver, base_url)
    page.resize(1280)
    page.prefer("light")
    yield page
    assert page.run("return window.violations") == []
    # Chromium notes every answer of 4xx and 5xx as a failure of the network.
    assert [entry for entry in driver.get_log("browser") if entry["source"] != "network"] == []
