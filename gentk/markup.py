"""Markup: tables and pictures as HTML that a notebook shows."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

__all__ = ["caption", "listing", "page", "picture", "rows_of"]


def page(*parts: str) -> str:
    """Return parts, one below the other, as one element; empty ones are dropped."""
    return f"<div>{''.join(parts)}</div>"


def rows_of(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """Return a table of texts, the first of each row its name.

    Args:
        headers: What stands above the columns; none for a table without.
        rows: The rows, each as long as the headers.
        title: What stands above it.
    """
    head = "".join(f"<th>{escape(text)}</th>" for text in headers)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>"
        for name, *texts in rows
    )
    above = f"<caption>{escape(title)}</caption>" if title else ""
    thead = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<table>{above}{thead}<tbody>{body}</tbody></table>"


def listing(lines: Sequence[str]) -> str:
    """Return lines as a list; nothing without lines."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def caption(text: str) -> str:
    """Return a text as a small paragraph."""
    return f"<p><small>{escape(text)}</small></p>"


def picture(png: bytes, text: str) -> str:
    """Return a PNG file's bytes as a picture within the page, with a text that describes it."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'
