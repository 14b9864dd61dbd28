"""What MkDocs does besides its plugins: the examples of commands stand one a line."""

from __future__ import annotations

import re
from typing import Any


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Show the examples in the help of commands as blocks of code; they come as running text."""
    if page.file.src_uri != "cli.md":
        return html
    return re.sub(r"<p>Example:\s*(.*?)</p>", _as_block, html, flags=re.S)


def _as_block(found: re.Match[str]) -> str:
    lines = "\n".join(line.strip() for line in found[1].splitlines())
    return f'<p>Example:</p>\n<div class="highlight"><pre><code>{lines}\n</code></pre></div>'
