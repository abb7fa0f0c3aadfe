"""Keycloak's admin console in a Chromium without a screen, and pictures of its pages."""

from __future__ import annotations

import io
import os
import shutil
from types import TracebackType
from typing import NamedTuple, Self

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

WIDTH, HEIGHT = 1280, 800
COLORS = 128
PATIENCE = 30.0

# What stands where something is still being loaded.
_UNREADY = "[class*=c-spinner], [class*=c-skeleton]"
_MARK = """
    const it = arguments[0];
    // With the page's head where that is possible, and not below the buttons at its foot.
    const low = it.getBoundingClientRect().bottom > innerHeight - 80;
    it.scrollIntoView({block: low ? "center" : "nearest", inline: "center"});
    // Around a field; within what lies edge to edge.
    it.style.outlineOffset = it.closest("table, button") ? "-3px" : "4px";
    it.style.outline = "3px solid #d81b60";
    it.style.borderRadius = "2px";
"""


class Picture(NamedTuple):
    """A page of a realm's console: where it is, what to click there, what to mark (XPath)."""

    name: str
    page: str
    marks: tuple[str, ...]
    click: str = ""


def field(name: str) -> str:
    """Return where a form has this field with its label."""
    label = f"//*[@data-testid='help-label-{name}']"
    return f"{label}/ancestor::*[contains(concat(@class, ' '), 'c-form__group ')][1]"


def row(text: str) -> str:
    return f"//tr[td[contains(., '{text}')]]"


def named(element: str, text: str) -> str:
    return f"//{element}[normalize-space()='{text}']"


class Console:
    """The console of one server; each realm's own admin logs in to see that realm alone."""

    def __init__(self, url: str) -> None:
        self._url = url
        options = webdriver.ChromeOptions()
        options.add_argument("--headless=new")
        options.add_argument("--force-color-profile=srgb")
        options.add_argument("--hide-scrollbars")
        if os.geteuid() == 0:  # Chromium's sandbox refuses to be root's, as in a container
            options.add_argument("--no-sandbox")
        service = webdriver.ChromeService(shutil.which("chromedriver") or "chromedriver")
        self._driver = webdriver.Chrome(options=options, service=service)
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._driver.quit()

    def log_in(self, realm: str, username: str, password: str) -> None:
        self._driver.delete_all_cookies()
        self._driver.get(f"{self._url}/admin/{realm}/console/")
        self._find("//input[@id='username']").send_keys(username)
        # With organizations the password has a page of its own.
        if not self._driver.find_elements(By.ID, "password"):
            self._find("//*[@id='kc-login']").click()
        self._find("//input[@id='password']").send_keys(password)
        self._find("//*[@id='kc-login']").click()
        self._find("//*[@data-testid='currentRealm']")

    def take(self, realm: str, picture: Picture) -> bytes:
        """Return a PNG of the page when all of it is there, with what matters marked."""
        # From elsewhere: to another fragment of the same address nothing would be loaded anew.
        self._driver.get("about:blank")
        self._driver.get(f"{self._url}/admin/{realm}/console/#/{realm}/{picture.page}")
        if picture.click:
            self._driver.execute_script("arguments[0].click()", self._find(picture.click))
        for mark in picture.marks:
            self._find(mark)
        self._wait().until(self._is_ready, "still loading")
        # Only now: what is drawn anew while the page is being loaded would lose its mark.
        for mark in picture.marks:
            self._driver.execute_script(_MARK, self._find(mark))
        return small(self._driver.get_screenshot_as_png())

    def _find(self, path: str) -> WebElement:
        waiting = self._wait()
        return waiting.until(lambda driver: self._visible(driver, path), f"not there: {path}")

    def _wait(self) -> WebDriverWait[webdriver.Chrome]:
        return WebDriverWait(
            self._driver, PATIENCE, ignored_exceptions=[StaleElementReferenceException]
        )

    @staticmethod
    def _visible(driver: webdriver.Chrome, path: str) -> WebElement | None:
        found = [it for it in driver.find_elements(By.XPATH, path) if it.is_displayed()]
        return found[0] if found else None

    @staticmethod
    def _is_ready(driver: webdriver.Chrome) -> bool:
        fonts = driver.execute_script("return document.fonts.status")
        return fonts == "loaded" and not driver.find_elements(By.CSS_SELECTOR, _UNREADY)


def small(png: bytes) -> bytes:
    """Return the same picture with as many colors as a console needs."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    out = io.BytesIO()
    image.quantize(COLORS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
