"""The manual as one site: built strictly, whole, and with nothing loaded from anybody else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from typing_extensions import override

ROOT = Path(__file__).parent.parent
REQUIRED = os.environ.get("HASURA_KC_AUTH_TEST_REQUIRE_SITE") == "1"  # noqa: TID251 - a switch

pytestmark = pytest.mark.skipif(
    find_spec("mkdocs") is None and not REQUIRED, reason="needs mkdocs (`make docs` brings it)"
)

# What a browser loads by itself, and from which attribute. An `a` leads on only when clicked, and a
# `link` of these kinds is none that is loaded.
LOADING = {"src", "srcset", "data", "poster", "background", "xlink:href"}
LEADING = {"a", "area"}
NOT_LOADED = {"canonical", "next", "prev", "edit"}


class Page(HTMLParser):
    """What one page loads, where it leads, and which anchors it has."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.policy = ""
        self.feed(file.read_text("utf-8"))

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.loads += [value for name, value in has.items() if name in LOADING]
        self.anchors |= {value for name, value in has.items() if name in ("id", "name")}
        if tag in LEADING and "href" in has:
            self.leads.append(has["href"])
        elif "href" in has and has.get("rel") not in NOT_LOADED:
            self.loads.append(has["href"])
        if has.get("http-equiv") == "Content-Security-Policy":
            self.policy = has["content"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # noqa: TID251 - handed on
    built = subprocess.run(  # noqa: S603 - mkdocs
        command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    found = {file.name: Page(file) for file in sorted(site.glob("*.html"))}
    assert {"index.html", "keycloak.html", "settings.html"} <= found.keys()
    return found


def is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def test_no_page_loads_anything_from_elsewhere(pages):
    found = {name: list(filter(is_elsewhere, page.loads)) for name, page in pages.items()}

    assert found == {name: [] for name in pages}
    assert all(page.loads for page in pages.values())


def test_the_browser_is_told_to_hold_to_it(pages):
    allowed = "default-src 'self' 'unsafe-inline'; img-src 'self' data:"

    assert {page.policy for page in pages.values()} == {allowed}


def test_no_style_loads_anything_from_elsewhere(site):
    styles = {file.name: file.read_text("utf-8") for file in site.rglob("*.css")}
    loads = {
        name: re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']*", text)
        for name, text in styles.items()
    }

    assert "wide.css" in styles
    assert loads == {name: [] for name in styles}


@pytest.mark.parametrize("address", ["https://cdn.example/x.js", "//cdn.example/x.js", "http://a/"])
def test_an_address_elsewhere_is_known_as_one(address):
    assert is_elsewhere(address)
    assert not is_elsewhere("assets/x.js")


def test_every_link_and_picture_is_there(site, pages):
    missing = [
        (name, link)
        for name, page in pages.items()
        if name != "404.html"  # its links begin at the root
        for link in (*page.leads, *page.loads)
        if not is_elsewhere(link) and not _is_there(site, pages, name, link)
    ]

    assert missing == []


def _is_there(site: Path, pages: dict[str, Page], name: str, link: str) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = path.removeprefix("./") or name
    if link.startswith("data:") or target == ".":
        return True
    if not (site / target).is_file():
        return False
    return not anchor or anchor in pages[target].anchors


def test_every_page_is_reached_from_the_first(pages):
    reached = {"index.html"}
    waiting = ["index.html"]
    while waiting:
        for link in pages[waiting.pop()].leads:
            name = urlsplit(link).path
            if name in pages and name not in reached:
                reached.add(name)
                waiting.append(name)

    assert pages.keys() - reached == {"404.html"}


def test_no_tool_is_published(site):
    assert list(site.rglob("*.py")) == []
    assert not (site / "tools").exists()
