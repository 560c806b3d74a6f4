"""Quotations: what README and pages say of results, taken from rows, never typed.

`make docs-reference` writes them into the pages.

    <!-- quote table layers "lite0, first 5" "lite0, first 1" -->
    ... is written here ...
    <!-- end -->

`table PAGE ROW...` quotes rows of a page of docs/results (all without names), `claims PAGE` its claims,
`claim PAGE WORDS` the one that has these words, `durations quickstart classes` how long these runs took,
`methods` the table of methods and `citations` how to cite them, both of docs/methods.toml. A page of
docs/results is what its rows render to, and what is quoted is what stands there: tests hold both.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from textwrap import fill
from types import ModuleType

__all__ = ["main", "quoted", "texts"]

DOCS = Path(__file__).parent
RESULTS = DOCS / "results"
REGION = re.compile(r"(<!-- quote (?P<what>.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
WIDTH = 118
"""Columns that a quoted sentence keeps to."""

PAPERS = "https://arxiv.org/abs/"


def main() -> None:
    """Write every quotation anew."""
    for path, text in texts().items():
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")


def texts() -> dict[Path, str]:
    """Return the pages that quote, as they should be."""
    pages = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]
    have = {path: path.read_text(encoding="utf-8") for path in pages}
    return {path: quoted(text, path.parent) for path, text in have.items() if REGION.search(text)}


def quoted(text: str, place: Path) -> str:
    """Return a page of the folder `place` with its quotations written anew."""

    def write(match: re.Match[str]) -> str:
        what, *arguments = shlex.split(match["what"])
        return f"{match[1]}{KINDS[what](arguments, place).strip()}\n{match[3]}"

    return REGION.sub(write, text)


def _table(arguments: Sequence[str], place: Path) -> str:
    """Return rows of a page's table, with the first column, values and seeds."""
    page, *names = arguments
    headers, rows = _rows(page)
    kept = [i for i, header in enumerate(headers) if header != "images seen"]
    lines = [headers, ["---"] * len(headers), *(rows[name] for name in names or list(rows)[:-1])]
    source = f"From [{page}]({_link(page, place)}), which says how it was made."
    shown = "".join(f"| {' | '.join(line[i] for i in kept)} |\n" for line in lines)
    return f"{shown}\n{source}"


def _claims(arguments: Sequence[str], place: Path) -> str:
    """Return the claims of a page, each with its verdict."""
    [page] = arguments
    return "\n".join([*_verdicts(page), f"\nFrom [{page}]({_link(page, place)})."])


def _claim(arguments: Sequence[str], place: Path) -> str:
    """Return one claim of a page."""
    page, words = arguments
    [line] = [line for line in _verdicts(page) if words in line]
    return f"{line} ([{page}]({_link(page, place)}))"


def _verdicts(page: str) -> list[str]:
    text = (RESULTS / f"{page}.md").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if re.match(r"- .*: \*\*.*\*\* \(", line)]


def _durations(arguments: Sequence[str], place: Path) -> str:
    """Return how long runs took: `quickstart`, and those that a curve is of, `curve` or `classes`."""
    module = quickstart()

    def told(name: str) -> str:
        link = _link(name, place)
        if name == "quickstart":
            return f"{module.sentence(module.rows())} ([how that was measured]({link}))."
        recipe = tomllib.loads((RESULTS / f"{name}.toml").read_text(encoding="utf-8"))["run"][
            "recipe"
        ]
        return (
            f"The CIFAR-10 images of `{recipe}` took {curve_minutes(name)} minutes of one core that "
            f"other work shared ([the run]({link}))."
        )

    return fill(" ".join(map(told, arguments)), WIDTH, break_on_hyphens=False)


def quickstart() -> ModuleType:
    """Return the script that keeps the rows of the quickstart."""
    spec = spec_from_file_location("quickstart", RESULTS / "quickstart.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def curve_minutes(name: str = "curve") -> str:
    """Return the minutes of the run that a curve is of."""
    headers, rows = _rows(name)
    return rows["the last"][headers.index("minutes")]


def _methods(arguments: Sequence[str], place: Path) -> str:
    """Return the table of methods: paper, recipe, the value here, the published one, minutes."""
    lines = ["| method | recipe | measured | here | published | minutes |", "|" + " --- |" * 6]
    methods = tomllib.loads((DOCS / "methods.toml").read_text(encoding="utf-8"))["method"]
    papers = {m["key"]: _paper(m["citation"]) for m in methods if "citation" in m}
    for m in methods:
        cells = [f"{m['name']} ({papers[m['key']]})", f"`{m['recipe']}`"]
        if "row" not in m:
            cells += [m["note"], "", "", ""]
        else:
            headers, rows = _rows(m["page"])
            row = rows[m["row"]]
            column = next(i for i, header in enumerate(headers) if header.startswith(m["column"]))
            minutes = row[headers.index("minutes")] if "minutes" in headers else None
            beside = column + 1 < len(headers) and headers[column + 1] == "published"
            published = "" if "note" in m else (row[column + 1] if beside else "")
            value = row[column].removesuffix(" *")
            if row[-1].isdecimal() and headers[-1] == "seeds" and "(" not in value and "±" in value:
                value = f"{value} ({row[-1]} seeds)"
            note = f"; {m['note']}" if "note" in m else ""
            cells += [
                f"[{m['of']}]({_link(m['page'], place)}){note}",
                value,
                published,
                minutes or _minutes(m["page"], m["row"]),
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _paper(citation: str) -> str:
    """Return authors, venue and year as a link."""
    fields = dict(re.findall(r"(\w+)\s*= \{(.*?)\},?\n", citation, re.DOTALL))
    authors = re.split(r"\s+and\s+", fields["author"])
    names = [re.sub(r"[{}\\\"]", "", name).split()[-1] for name in authors]
    names[0] = "dos Santos" if "dos Santos" in authors[0] else names[0]
    who = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    where = f"{fields['booktitle']} {fields['year']}"
    return f"[{who}, {where}]({PAPERS}{fields['note'].removeprefix('arXiv:')})"


def _minutes(page: str, name: str) -> str:
    """Return the mean minutes of a row's runs."""
    lines = (RESULTS / f"{page}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row.get("name") == name]
    seconds = [row["result"]["seconds"] for row in rows]
    return f"{sum(seconds) / len(seconds) / 60:.0f}"


def _citations(arguments: Sequence[str], place: Path) -> str:
    """Return how to cite each method."""
    methods = tomllib.loads((DOCS / "methods.toml").read_text(encoding="utf-8"))["method"]
    parts = []
    for m in methods:
        if "citation" in m:
            names = [other["name"] for other in methods if other["key"] == m["key"]]
            recipes = [f"`{other['recipe']}`" for other in methods if other["key"] == m["key"]]
            parts.append(
                f"## {' and '.join(names)}\n\n{_paper(m['citation'])}; recipes: "
                f"{', '.join(recipes)}\n\n```bibtex\n{m['citation'].strip()}\n```"
            )
    return "\n\n".join(parts)


def _rows(page: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the headers and the rows, by name, of the first table of a page."""
    text = (RESULTS / f"{page}.md").read_text(encoding="utf-8")
    table = next(part for part in text.split("\n\n") if part.startswith("| "))
    lines = table.splitlines()
    head, _, *body = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return head, {row[0]: row for row in body} | {"the last": body[-1]}


def _link(page: str, place: Path) -> str:
    """Return the path of a page of results from a folder."""
    return (RESULTS / f"{page}.md").relative_to(place).as_posix()


KINDS: Mapping[str, Callable[[Sequence[str], Path], str]] = {
    "table": _table,
    "claims": _claims,
    "claim": _claim,
    "durations": _durations,
    "methods": _methods,
    "citations": _citations,
}


if __name__ == "__main__":
    main()
