"""What MkDocs is told besides mkdocs.yml: pages that lie outside docs/, and links to them.

The same files are read on a forge and in the site, and each text is there once.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

OUTSIDE = {
    "README.md": "index.md",
    "deploy/compose/README.md": "compose.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
}
"""Pages of the repository that are pages of the site as well, under these names."""

_ORIGINS = {page: path for path, page in OUTSIDE.items()}
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^()\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    origin = _ORIGINS.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return site_links(markdown, origin)


def site_links(markdown: str, origin: str) -> str:
    """Return a page's text with its links as they lead within the site.

    `origin` is the page's path in the repository. The site is flat: a page's name is its link. What
    the site does not have is left as it is, and the strict build stumbles on it.
    """
    folder = posixpath.dirname(origin)

    def as_in_the_site(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[1]))
        return OUTSIDE.get(path) or (path[5:] if path.startswith("docs/") else link[1])

    return _LINK.sub(as_in_the_site, markdown)
