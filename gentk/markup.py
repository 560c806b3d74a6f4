"""Markup: tables and pictures as HTML, for a notebook or a page.

Every function takes plain texts, which it escapes, and elements that another one has returned.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Literal

from .printable import printable

__all__ = [
    "block",
    "caption",
    "document",
    "drawing",
    "heading",
    "legend",
    "listing",
    "page",
    "paragraph",
    "picture",
    "rows_of",
]


def page(*parts: str, name: str = "") -> str:
    """Return parts, one below the other, as one element; empty ones are dropped.

    Args:
        parts: The parts.
        name: The class by which a page's style knows it.
    """
    kind = f' class="{_text(name)}"' if name else ""
    return f"<div{kind}>{''.join(parts)}</div>"


def rows_of(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """Return a table of texts, the first of each row its name.

    Args:
        headers: What stands above the columns; none for a table without.
        rows: The rows, each as long as the headers.
        title: What stands above it.
    """
    # Notebooks would have texts at the right, and write what is above a table beside its middle.
    side = ' style="text-align: left"'
    head = "".join(f"<th{side}>{_text(text)}</th>" for text in headers)
    body = "".join(
        f"<tr><th{side}>{_text(name)}</th>"
        f"{''.join(f'<td{side}>{_text(text)}</td>' for text in texts)}</tr>"
        for name, *texts in rows
    )
    above = f"<caption{side}>{_text(title)}</caption>" if title else ""
    thead = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<table>{above}{thead}<tbody>{body}</tbody></table>"


def listing(lines: Sequence[str]) -> str:
    """Return lines as a list; nothing without lines."""
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def caption(text: str) -> str:
    """Return a text as a small paragraph."""
    return f"<p><small>{_text(text)}</small></p>"


def paragraph(text: str, command: str = "") -> str:
    """Return a text as a paragraph, with a command that people may type at its end."""
    code = f" <code>{_text(command)}</code>" if command else ""
    return f"<p>{_text(text)}{code}</p>"


def heading(text: str, level: Literal[1, 2, 3]) -> str:
    """Return a heading."""
    return f"<h{level}>{_text(text)}</h{level}>"


def block(lines: Sequence[str]) -> str:
    """Return lines as they stand, in letters of one width."""
    return f"<pre>{chr(10).join(map(_text, lines))}</pre>"


def picture(data: bytes, text: str, form: str = "png", below: str = "") -> str:
    """Return an image file's bytes as a picture within the page.

    Args:
        data: The file.
        text: What describes it to those who cannot see it.
        form: Its format, as in `image/png`.
        below: What stands below it.
    """
    content = base64.b64encode(data).decode("ascii")
    image = f'<img alt="{_text(text)}" src="data:image/{_text(form)};base64,{content}">'
    return _figure(image, below) if below else image


def drawing(svg: str, text: str, below: str = "") -> str:
    """Return an `svg` element as a picture, with a text that describes it."""
    return _figure(svg.replace("<svg", f'<svg role="img" aria-label="{_text(text)}"', 1), below)


def legend(lines: Sequence[tuple[str, str, Sequence[float]]]) -> str:
    """Return what the lines of plots are: a name, a colour and dashes of each."""
    entries = "".join(
        '<span><svg aria-hidden="true" viewBox="0 0 32 8"><line x1="0" x2="32" y1="4" y2="4" '
        f'stroke="{_text(colour)}" stroke-width="2.5" stroke-dasharray="{" ".join(map(str, dashes))}"/>'
        f"</svg>{_text(name)}</span>"
        for name, colour, dashes in lines
    )
    return f'<div class="legend">{entries}</div>'


def document(title: str, style: str, *parts: str, generator: str) -> str:
    """Return a whole page, which runs no script and fetches nothing, whatever its parts hold.

    Args:
        title: What a browser calls it.
        style: Its style sheet.
        parts: What it shows.
        generator: What wrote it.
    """
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="generator" content="{_text(generator)}">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{chr(10).join(filter(None, parts))}\n</body>\n</html>\n"
    )


def _figure(content: str, below: str) -> str:
    under = f"<figcaption>{_text(below)}</figcaption>" if below else ""
    return f"<figure>{content}{under}</figure>"


def _text(text: str) -> str:
    return escape(printable(text))
