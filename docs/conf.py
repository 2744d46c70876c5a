"""The documentation site, built by `make site` into build/site. Its source is the whole repository's Markdown."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

_HOW_TO = [
    "how-to/sources",
    "how-to/doctor",
    "how-to/plan",
    "how-to/first-run",
    "how-to/limit-a-run",
    "how-to/pause-and-resume",
    "how-to/quota",
    "how-to/diagnose",
    "how-to/rerun-failed",
    "how-to/update",
    "how-to/verify",
    "how-to/reconcile",
    "how-to/export",
    "how-to/notify",
    "how-to/downstream",
    "how-to/airflow",
    "how-to/deploy",
    "how-to/database",
]
NAVIGATION = {
    "Tutorial": ["tutorial"],
    "How to": _HOW_TO,
    "Reference": [
        "reference/settings",
        "reference/cli",
        "reference/python",
        "reference/register-media",
        "reference/reports",
        "reference/export",
        "reference/pages",
        "reference/metrics",
        "reference/benchmarks",
        "reference/states",
        "reference/sandbox",
        "reference/glossary",
    ],
    "Discussion": [
        "discussion/architecture",
        "discussion/quota",
        "discussion/claims-and-crashes",
        "discussion/scale",
        "discussion/unknowns",
        "decisions/index",
    ],
    "中文": ["/README.zh-CN", "zh/index", "zh/tutorial", *(f"zh/{page}" for page in _HOW_TO)],
    "Project": ["/README", "/CONTRIBUTING", "/SECURITY", "/CHANGELOG"],
}
"""The side bar: pages under docs/, or from the top folder. The records of decisions are listed by their index."""

project = "vod-migrate"
project_copyright = "the vod-migrate authors"
html_title = "vod-migrate"
html_theme = "furo"
root_doc = "docs/index"
include_patterns = ["docs/**", *(f"{page[1:]}.md" for part in NAVIGATION.values() for page in part if page[0] == "/")]
exclude_patterns = [".*", "build", "tests", "vod_migrate", "docs/*.py", "**/__pycache__"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

html_copy_source = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_extra_path = ["redirect/index.html"]
html_favicon = "../vod_migrate/airflow/icon.svg"
html_search_language = "en-zh"
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]
default_role = "code"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True


def toctree(title: str, pages: list[str]) -> str:
    """One part of the side bar, as Markdown."""
    lines = ["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"]
    return "\n".join(["", *lines, ""])


def _add_navigation(_app: Any, page: str, source: list[str]) -> None:
    # Not in the file, because other readers of Markdown would show it as code.
    if page == root_doc:
        source[0] += "".join(toctree(title, pages) for title, pages in NAVIGATION.items())
    if page == "docs/decisions/index":
        source[0] += toctree("Decisions", sorted(path.stem for path in Path(__file__).parent.glob("decisions/0*.md")))


_PICTURE = re.compile(r"(.*pictures/\w+-)(?:light|dark)(-\w+\.png)")


def _show_in_both_themes(_: Any, document: Any) -> None:
    """A picture of a page is that of the reader's theme; furo knows the classes."""
    for image in [node for node in document.findall() if node.tagname == "image"]:
        found = _PICTURE.fullmatch(image["uri"])
        if found is not None:
            pictures = []
            for theme in ("light", "dark"):
                picture = image.copy()
                picture["uri"] = f"{found[1]}{theme}{found[2]}"
                picture["classes"] = [f"only-{theme}"]
                pictures.append(picture)
            image.replace_self(pictures)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    # Not at the top, because it needs Sphinx, and the tests read this file without it.
    app.add_search_language(import_module("search_language").EnglishAndChinese)
    app.connect("source-read", _add_navigation)
    # Before Sphinx collects the pictures.
    app.connect("doctree-read", _show_in_both_themes, priority=400)
