"""What MkDocs does besides its plugins: examples and options of commands can be read at any width."""

from __future__ import annotations

import re
from typing import Any


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Show the examples in the help of commands one a line, and options as a list instead of in columns."""
    if page.file.src_uri != "cli.md":
        return html
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
