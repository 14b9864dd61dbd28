"""What MkDocs does besides its plugins: links between notebooks and pages, and help of commands at any width."""

from __future__ import annotations

import logging
import posixpath
import re
from typing import Any

_LOG = logging.getLogger("mkdocs.hooks")


def on_page_content(html: str, page: Any, files: Any, **_: Any) -> str:
    """Change the HTML of notebooks and of the page of commands."""
    if page.file.src_uri.endswith(".ipynb"):
        return re.sub(r'(?<=href=")([^":#]+\.(?:md|ipynb))(?=["#])', lambda link: _address(link[1], page, files), html)
    return _help(html) if page.file.src_uri == "cli.md" else html


def _address(link: str, page: Any, files: Any) -> str:
    """Return where a page of the docs is in the site. MkDocs does so itself of links in Markdown, not in notebooks."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), link))
    file = files.get_file_from_path(path)
    if file is None:
        _LOG.warning("%s: links to %s, which is no page", page.file.src_uri, link)
        return link
    return file.url_relative_to(page.file)


def _help(html: str) -> str:
    """Show the examples in the help of commands one a line, and options as a list instead of in columns."""
    html = re.sub(r"<p>Example:\s*(.*?)</p>", _examples, html, flags=re.S)
    options = r"<p><strong>Options:</strong></p>\s*<div class=\"highlight\"><pre>(?:<span></span>)?<code>(.*?)</code>"
    return re.sub(rf"{options}</pre></div>", _options, html, flags=re.S)


def _examples(found: re.Match[str]) -> str:
    lines = "\n".join(line.strip() for line in found[1].splitlines())
    return f'<p>Example:</p>\n<div class="highlight"><pre><code>{lines}\n</code></pre></div>'


def _options(found: re.Match[str]) -> str:
    items: list[tuple[str, list[str]]] = []
    for line in found[1].splitlines():
        name, _, text = line.strip().partition("  ")
        if re.match(r" {2}-", line):
            items.append((name, [text.strip()]))
        elif items:  # the rest of a text
            items[-1][1].append(line.strip())
    listed = "\n".join(f"<dt><code>{name}</code></dt><dd>{' '.join(filter(None, text))}</dd>" for name, text in items)
    return f"<p><strong>Options:</strong></p>\n<dl>\n{listed}\n</dl>"
