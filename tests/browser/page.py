"""The page in a browser, as a person and a screen reader meet it."""

from typing import Any

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium_axe_python import Axe

from tests.support.service import wait_until

# Runs before the page's own script does, and sees every violation of its policy.
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
});
"""


class Page:
    """The page, opened anew."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self.url = url
        driver.get(url)
        self.field = self.find("#numbers")

    def find(self, selector: str) -> WebElement:
        """Find one element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """Return the text of an element as the document holds it, wrapped or not."""
        return str(self.find(selector).get_property("textContent"))

    def type(self, text: str) -> None:
        """Type where the focus is."""
        self.driver.switch_to.active_element.send_keys(text)

    def paste(self, text: str) -> None:
        """Put a text on the clipboard and paste it into the field."""
        script = "const [text, done] = arguments; navigator.clipboard.writeText(text).then(done)"
        self.driver.execute_async_script(script, text)
        self.field.send_keys(Keys.CONTROL, "v")

    def empty(self) -> None:
        """Empty the field as a person does; the driver's own way to clear it tells the page too little."""
        self.field.send_keys(Keys.CONTROL, "a")
        self.field.send_keys(Keys.DELETE)

    def clipboard(self) -> str:
        """Return what has been copied."""
        return str(self.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])"))

    def wait_for(self, selector: str, text: str) -> None:
        """Wait until an element has exactly this text, and no answer is pending."""
        wait_until(
            lambda: self.text(selector) == text and self.find("#sum").get_attribute("aria-busy") is None,
            f"{selector} says {text[:100]!r} in place of {self.text(selector)[:100]!r}",
        )

    def wait_for_part(self, selector: str, part: str) -> None:
        """Wait until the text of an element contains this part."""
        wait_until(lambda: part in self.text(selector), f"{selector} contains {part!r}")

    def marked(self) -> str:
        """Return what is marked as wrong in the field."""
        return self.text("mark")

    def selected(self) -> str:
        """Return what is selected in the field."""
        script = "const [field] = arguments; return field.value.slice(field.selectionStart, field.selectionEnd)"
        return str(self.run(script, self.field))

    def resize(self, width: int, height: int = 900) -> None:
        """Give the page this many CSS pixels; a window cannot be made as narrow as a telephone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Ask for the colour scheme `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def height(self) -> int:
        """Return the height of the whole page in CSS pixels."""
        return int(self.run("return Math.ceil(document.documentElement.getBoundingClientRect().height)"))

    def overflows(self) -> bool:
        """Tell whether one has to scroll sideways."""
        return bool(self.run("const page = document.documentElement; return page.scrollWidth > page.clientWidth"))

    def accessibility_violations(self) -> list[str]:
        """Return what axe-core finds."""
        axe = Axe(self.driver)
        axe.inject()
        found = axe.run()["violations"]
        return [f"{violation['id']}: {node['html']}" for violation in found for node in violation["nodes"]]
