"""Reports: one page of what lies in runs' folders; nothing there becomes markup or is fetched."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from torch import nn

import gentk
from gentk.cli.group import cli
from gentk.errors import RunError, UsageError
from gentk.evaluation.measurement import by_subject
from gentk.evaluation.record import append, read, read_all
from gentk.events import Stepped
from gentk.interfaces import Observer
from gentk.observers.metrics import MetricsFile
from gentk.runs.folder import VALUES, RunFolder
from gentk.share.pictures import embedded
from gentk.share.report import LIMIT

COMMON = {"data": "digits,limit=64", "batch": 8, "steps": 3, "device": "cpu"}
WATCHED = {"observer": ["metrics", "grids"], "extractor": "pixels"}
NET = "resnet,width=8,latent=4"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
VOID = {"meta", "img", "line"}
HOSTILE = "$\\frac{$ 字 <script>alert(1)</script><img src=x onerror=alert(2)>\"'</style>\u202e\x07"


class Stop(Observer):
    """Interrupts a run after two steps, as Ctrl-C does."""

    def observe(self, event):
        if isinstance(event, Stepped) and event.progress.steps == 2:
            raise KeyboardInterrupt


class Page(HTMLParser):
    """A page taken apart: tags with attributes, and its text; it refuses what is not well-formed."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            assert tag in {"line", "path", "use", "rect", "circle", "image"}, (tag, self.open[-3:])

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with runs of all families, of objects, evaluated and not, finished and not."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENTK_CACHE", str(folder / "cache"))
        for name, estimator in (("plain", "batch"), ("tracked", "ama")):
            out = folder / name
            run = gentk.run(generator=NET, estimator=estimator, out=out, **COMMON, **WATCHED)
            run.evaluate(extractors="pixels", count=32, sanity=name == "plain")
        ae = {"loss": "reconstruction", "generator": "mlp,latent=4,widths=8,output=sigmoid"}
        gentk.run(**ae, encoder="mlp,widths=8", out=folder / "ae", **COMMON, observer=["grids"])
        net = nn.Sequential(nn.Linear(4, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))
        gentk.run(
            loss="hinge",
            generator=net,
            critic="mlp,widths=8",
            out=folder / "object",
            observer=[],
            **COMMON,
        )
        with pytest.raises(KeyboardInterrupt):
            gentk.run(
                extractor="pixels",
                generator=NET,
                out=folder / "stopped",
                observers=[MetricsFile(), Stop()],
                **COMMON,
            )
        yield folder


@pytest.fixture
def copied(place, tmp_path):
    """A run of which a test may change what lies in its folder."""
    shutil.copytree(place / "plain", tmp_path / "run")
    return RunFolder(tmp_path / "run")


def check_closed(page: Page) -> None:
    """Nothing is executed or fetched: no script, no address, and a policy that forbids them."""
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "a"}
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith("#")
        if tag == "img":
            assert attributes["alt"]
        assert attributes.get("aria-label") != ""
    policies = [a["content"] for _, a in page.tags if "http-equiv" in a]
    assert len(policies) == 1 and policies[0].startswith("default-src 'none'")


def test_a_report_shows_what_lies_in_the_folder(place, tmp_path):
    """Grids, log, values with protocol and sanity rows, recipe, data, versions."""
    run = gentk.load(place / "plain")
    page = Page(gentk.report(run, tmp_path / "deep" / "report.html"))

    check_closed(page)
    value = run.evaluate(extractors="pixels", count=32)["fd"]
    wanted = [value.written(), value.protocol.sentence(), "noise", "real images (train)"]
    wanted += [f'generator = "{NET}"', run.record["data"]["fingerprint"], "gentk-core", "finished"]
    wanted += ["trained in these features", "fd (lower is better)", "after 24 images"]
    for text in wanted:
        assert text in page.text, text
    labels = [a["aria-label"] for tag, a in page.tags if tag == "svg" and "aria-label" in a]
    assert [label.partition(" ")[0] for label in labels] == list(run.metrics)[2:]
    assert f"{run.metrics['loss'][-1]:.4g}" in labels[0]
    grids = [a["src"] for tag, a in page.tags if tag == "img"]
    assert len(grids) == len(run.folder.grids()) == 3


def test_several_runs_are_compared_and_what_cannot_be_is_named(place, tmp_path):
    """The verdicts are those of `compare`; every family, objects, unfinished runs are on the page."""
    names = ("plain", "tracked", "ae", "object", "stopped", "plain")
    page = Page(gentk.report([place / name for name in names], tmp_path / "report.html"))

    check_closed(page)
    compared = gentk.compare([place / name for name in names[:2]])
    for lines in (compared.verdicts(compared.columns), compared.ways()):
        for line in lines:
            assert line in page.text
    assert "estimator=ama" in page.text
    assert "not measured alike: ae, object, stopped." in page.text
    assert "5 runs" in page.text
    assert f"gentk evaluate {place / 'ae'} --floor" in page.text
    assert f"gentk sample {place / 'object'}" in page.text
    assert f"gentk.load({str(place / 'object')!r}, ...).evaluate(sanity=True)" in page.text
    assert "object has no log" in page.text
    assert "stopped is not finished" in page.text
    assert "object:" in page.text


def test_values_of_earlier_steps_are_told_to_be_so(copied):
    """A run that went on after it was evaluated."""
    record = copied.read()
    copied.write({**record, "result": {**record["result"], "steps": 9, "processes": 3}})
    page = Page(gentk.report(copied.path, copied.path.parent / "report.html"))

    assert "Measured after 3 of the 9 steps" in page.text
    assert "processes3" in page.text


def measured(copied: RunFolder, *changes: tuple[int, float, dict[str, object]]) -> str:
    """Return the chapter of values of a run with these: step, value, what else is another."""
    first = read(copied.path)[0].measurement
    (copied.path / VALUES).unlink()
    for steps, value, parts in changes:
        own = {key: parts[key] for key in parts if hasattr(first, key)}
        rest = {key: parts[key] for key in parts if key not in own}
        protocol = replace(first.protocol, **rest)
        append(copied.path, [replace(first, value=value, protocol=protocol, **own)], steps)
    page = Page(gentk.report(copied.path, copied.path.parent / "report.html"))
    return page.text + " ".join(attributes.get("aria-label", "") for _, attributes in page.tags)


def test_a_line_over_time_is_of_values_that_were_measured_alike(copied):
    """The observer takes fewer samples than the command: no fall is drawn from one to the other."""
    few = {"samples": 1000}
    text = measured(copied, (1, 300.0, few), (2, 290.0, few), (3, 100.0, {"samples": 5000}))
    assert "from 300 to 290" in text and "to 100" not in text

    more = {"samples": 5000}
    text = measured(copied, (1, 300.0, few), (1, 120.0, more), (2, 290.0, few), (3, 100.0, more))
    assert "samples 1000" in text and "samples 5000" in text
    assert "from 300 to 290" in text and "from 120 to 100" in text


def test_a_run_is_this_run_however_it_was_typed(copied):
    """A relative path and an absolute one: one row, with the newer value."""
    first = read(copied.path)[0].measurement
    (copied.path / VALUES).unlink()
    for subject, value in (("runs/r", 77.25), (str(copied.path), 55.75)):
        protocol = replace(first.protocol, subject=subject)
        append(copied.path, [replace(first, subject=subject, value=value, protocol=protocol)], 3)
    text = Page(gentk.report(copied.path, copied.path.parent / "report.html")).text

    assert "55.75" in text and "77.25" not in text
    assert text.count("this run") == 1


def test_values_of_one_name_are_told_apart_by_their_metric(copied):
    """`kid` with other options is another column, in a report and on a terminal."""
    kinds = ("kid", "kid,subset_size=50")
    changes = [(3, 2.5 + i, {"metric": m, "name": "kid"}) for i, m in enumerate(kinds)]
    text = measured(copied, *changes)

    assert "kid (kid)" in text and "kid (kid,subset_size=50)" in text
    assert "2.5" in text and "3.5" in text
    table = by_subject([row.measurement for row in read(copied.path)])
    (cells,) = table.values()
    assert [one.value for one in cells.values()] == [2.5, 3.5]


def test_a_budget_in_operations_is_shown(tmp_path):
    """As it is typed."""
    budget = {key: value for key, value in COMMON.items() if key != "steps"}
    gentk.run(generator=NET, extractor="pixels", out=tmp_path / "r", operations=1e6, **budget)
    assert "1e6 operations" in Page(gentk.report(tmp_path / "r", tmp_path / "r.html")).text


def test_sanity_rows_are_kept_and_are_no_values_of_the_run(place):
    """`compare` and whoever reads a run's values see its own only."""
    own, rows = read(place / "plain"), read_all(place / "plain")

    assert {row.measurement.subject for row in own} == {str(place / "plain")}
    subjects = {row.measurement.subject for row in rows if not row.measurement.own}
    assert {"noise", "blurred real", "one real image", "real images (train)"} == subjects


def test_nothing_in_a_folder_becomes_markup(copied, tmp_path):
    """Names, notes, versions, columns, file names and pictures that are none; surrogates too."""
    plain = Page(gentk.report(copied.path, tmp_path / "plain.html"))
    record = copied.read()
    record["recipe_name"] = record["data"]["name"] = HOSTILE
    record["data"]["notes"] = [HOSTILE, "half of a pair: \ud800"]
    record["versions"] = {HOSTILE: HOSTILE}
    record["machine"] = {"python": HOSTILE, HOSTILE: "device"}
    copied.write(record)
    rows = copied.metrics.read_text().splitlines()
    row = {k: v for k, v in json.loads(rows[0]).items() if k in ("step", "images")}
    copied.metrics.write_text(json.dumps({**row, "loss": 1.0, HOSTILE: 2.0}) + "\n")
    copied.grids()[0].write_bytes(b"<svg onload=alert(1)>")
    moved = copied.path.rename(tmp_path / HOSTILE.replace("/", "-").replace("\x07", ""))
    page = Page(gentk.report(moved, tmp_path / "report.html"))

    check_closed(page)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in plain.tags}
    assert "<script>alert(1)</script>" in page.text and "$\\frac{$" in page.text
    assert "\\u202e" in page.text and "\u202e" not in page.text
    assert "cannot be shown" in page.text


def test_a_page_stays_below_its_limit(copied):
    """Of many large grids some are shown, in fewer bytes; the page says so."""
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (480, 480, 3), np.uint8)
    Image.fromarray(noise).save(copied.grids()[0], "PNG")
    content = copied.grids()[0].read_bytes()
    assert 8 * len(content) > LIMIT
    for index in range(1, 40):
        (copied.samples / f"{index:09d}.png").write_bytes(content)
    out = gentk.report(copied.path, copied.path.parent / "report.html")

    assert 100_000 < out.stat().st_size < LIMIT
    text = Page(out).text
    assert f"6 of {len(copied.grids())} sample grids" in text
    assert "compressed" in text or "reduced to" in text


@pytest.mark.parametrize("size", [(40, 16_514), (16_500, 24), (8, 40_000)])
def test_a_sheet_that_is_longer_than_its_format_allows_is_reduced(tmp_path, size):
    """`sample --as interpolation` of many pairs makes such sheets; shapes stay."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "sheet.png")
    found = embedded(tmp_path / "sheet.png", 400_000)

    assert found is not None and found.form == "webp" and "reduced to" in found.remark
    with Image.open(io.BytesIO(found.data)) as shown:
        assert max(shown.size) <= 16_383
        assert f"{shown.width} x {shown.height}" in found.remark


def test_a_report_replaces_reports_only(place, tmp_path):
    """The same input gives the same bytes; files of others and folders stay as they are."""
    out = gentk.report(place / "ae", tmp_path / "report.html")
    first = out.read_bytes()
    assert gentk.report(place / "ae", out).read_bytes() == first
    out.write_text("mine")
    (tmp_path / "folder").mkdir()

    for where in (out, tmp_path / "folder", out / "report.html"):
        with pytest.raises(RunError, match="out="):
            gentk.report(place / "ae", where)
    with pytest.raises(RunError, match="not the folder of a run"):
        gentk.report([place / "ae", tmp_path / "folder"], tmp_path / "other.html")
    with pytest.raises(UsageError):
        gentk.report([], tmp_path / "other.html")
    assert out.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "report.html"]


def test_the_command_writes_where_it_is_told(place, tmp_path, monkeypatch):
    """`-o`, or report.html here; a foreign file is refused in one sentence."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.html").write_text("<p>mine")
    done = [
        CliRunner().invoke(cli, ["report", str(place / "ae"), *words])
        for words in ([], ["-o", "other.html"], ["-o", "notes.html"])
    ]

    assert [(one.exit_code, one.stdout) for one in done[:2]] == [
        (0, "report.html\n"),
        (0, "other.html\n"),
    ]
    assert done[2].exit_code == 1
    assert "notes.html" in done[2].stderr and "--out" in done[2].stderr
    assert (tmp_path / "report.html").read_bytes() == (tmp_path / "other.html").read_bytes()


PROBE = """<iframe style="width: {width}px" srcdoc="{page}"></iframe>"""
SCRIPT = """<script>
const measured = ({ contentDocument: page }) => ({
  wide: page.documentElement.scrollWidth,
  images: [...page.images].filter(one => one.naturalWidth > 0).length,
  plots: [...page.querySelectorAll('figure svg')].filter(one => one.clientWidth > 200).length,
});
window.onload = () => {
  const frames = [...document.querySelectorAll('iframe')];
  document.body.dataset.seen = JSON.stringify(frames.map(measured));
};
</script>"""


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="NO BROWSER: reports are not opened; apt install chromium")
def test_a_browser_shows_all_of_it(place, tmp_path):
    """Chromium refuses nothing, draws every picture and plot, and no width scrolls sideways."""
    out = gentk.report([place / "plain", place / "tracked"], tmp_path / "report.html")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={tmp_path}/profile", "--window-size=1280,800"]

    def opened(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, check=True, timeout=60
        )

    # A browser's own window may be no narrower than 500 pixels; a frame may.
    text = re.sub(r"<meta http-equiv[^>]*>", "", out.read_text(encoding="utf-8"))
    frames = [PROBE.format(width=width, page=escape(text)) for width in (400, 1280)]
    (tmp_path / "probe.html").write_text("".join([*frames, SCRIPT]), encoding="utf-8")
    dom = opened("--dump-dom", f"file://{tmp_path}/probe.html").stdout
    seen = json.loads(unescape(re.search(r'data-seen="([^"]+)"', dom)[1]))
    plots = text.count('<svg role="img"')
    assert seen == [{"wide": width, "images": 6, "plots": plots} for width in (400, 1280)]
    picture = tmp_path / "page.png"
    logged = opened("--enable-logging=stderr", f"--screenshot={picture}", f"file://{out}").stderr
    assert "Refused" not in logged and "CONSOLE" not in logged
    with Image.open(picture) as shot:
        assert len(shot.convert("L").getcolors()) > 20
