"""Hostile files, names and sizes through the real command: one sentence, soon, no terminal escapes."""

from __future__ import annotations

import os

import pytest

RUN = ("run", "--extractor", "pixels", "--generator", "mlp", "--data", "digits", "--steps", "1")


def over(words, changes):
    """The words of a command with other values of some of its flags, each flag once."""
    kept = list(words)
    for flag in changes[::2]:
        if flag in kept:
            del kept[kept.index(flag) : kept.index(flag) + 2]
    return (*kept, *changes)


@pytest.fixture
def hostile(place):
    """Files that are none, and recipes that are no recipes."""
    os.mkfifo(place / "pipe.toml")
    for ending in ("npy", "zip", "tar", "tgz"):
        os.mkfifo(place / f"pipe.{ending}")
    (place / "quotes.toml").write_text(
        'title = "t"\nrows = "/dev/zero"\n[judge]\n[[row]]\nname = "a"\n'
    )
    (place / "digits.toml").write_text("batch = " + "9" * 5000)
    (place / "dots.toml").write_text(".".join(["a"] * 20_000) + " = 1\n")
    (place / "deep.toml").write_text("data = " + "[" * 50_000 + "]" * 50_000)
    (place / "tables.toml").write_text("[" + ".".join(["stage"] * 40) + "]\nsteps = 1\n")
    with (place / "giant.toml").open("wb") as file:
        file.truncate(2**40)
    return place


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("run", "./pipe.toml"), 2, "pipe"),
        (("run", "./giant.toml"), 2, "bytes"),
        (("run", "./dots.toml", "--dry-run"), 2, "deep"),
        (("run", "./deep.toml", "--dry-run"), 2, "deep"),
        (("run", "./tables.toml", "--dry-run"), 2, "deep"),
        (over(RUN, ("--data", "digits,labels=pipe.npy")), 1, "pipe"),
        (over(RUN, ("--data", "folder:pipe.zip")), 1, "pipe"),
        (over(RUN, ("--data", "folder:pipe.tar")), 1, "pipe"),
        (over(RUN, ("--data", "folder:pipe.tgz")), 1, "pipe"),
        (("sweep", "./pipe.toml"), 2, "pipe"),
        (("sweep", "./dots.toml", "--dry-run"), 2, "deep"),
        (("sweep", "./giant.toml", "--render"), 2, "bytes"),
        (("sweep", "./quotes.toml", "--dry-run"), 2, "/dev/zero cannot be read (it is a device"),
        (("run", "./digits.toml"), 2, "digits"),
        (over(RUN, ("--generator", "mlp,widths=10000000000000000000")), 2, "mlp"),
        (over(RUN, ("--generator", "mlp,widths=1000000+1000000")), 2, "GiB"),
        ((*RUN, "--threads", "100000000"), 2, "threads"),
        ((*RUN, "--batch", "1000000000000"), 2, "batch"),
        ((*RUN, "--batch", "16777216", "--device", "cpu"), 2, "--chunk"),
        ((*RUN, "--batch", "16777216", "--device", "cpu", "--dry-run"), 2, "--chunk"),
        (over(RUN, ("--generator", "mlp,widths=1000000+1000000", "--dry-run")), 2, "GiB"),
        (("sample", "no\x1b[31mwhere\n\x9b2J"), 1, r"no\u001b[31mwhere \u009b2J"),
        (over(RUN, ("--data", "folder:\u202eexe")), 1, r"\u202eexe"),
    ],
    ids=lambda value: ascii(value)[-40:],
)
def test_it_is_one_sentence_and_nothing_is_written(gentk, hostile, words, code, part):
    """Pipes are not waited for, sizes are weighed, depths are bounded, escapes are written out."""
    result = gentk(*words)

    assert result.exit_code == code, result.output
    assert "bug" not in result.stderr and result.stderr.count("\n") == 1
    assert part in result.stderr and result.stderr.rstrip("\n").isprintable()
    assert not (hostile / "runs").exists()


def test_figures_that_cannot_be_kept_are_printed_first(gentk, place):
    """A folder that is not writable costs the file, not the figures."""
    made = gentk(*RUN, "--out", "out", "--quiet")
    assert made.exit_code == 0, made.output
    (place / "out" / "figures.jsonl").mkdir()
    result = gentk("evaluate", "out", "--extractor", "pixels", "-n", "50", "--quiet")

    assert result.exit_code == 1 and "figures.jsonl" in result.stderr
    assert "fd" in result.stdout
