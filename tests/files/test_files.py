"""Files: whole or not at all, sealed, regular, locked."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gentk import journal
from gentk.errors import Busy
from gentk.files import (
    Damaged,
    FileWarning,
    NotRegular,
    TooLarge,
    cause,
    clear,
    hold,
    read_bytes,
    read_document,
    replacing,
    replacing_folder,
    vacant,
    write_bytes,
    write_document,
)

HOLD = (
    "import sys, time; from pathlib import Path; from gentk.files import hold\n"
    "with hold(Path(sys.argv[1]), 'the folder', 'go'): print('held', flush=True); time.sleep(60)"
)
APPEND = (
    "import sys; from pathlib import Path; from gentk import journal\n"
    "for n in range(100): journal.append(Path(sys.argv[1]), [{'who': sys.argv[2], 'n': n}], sync=False)"
)


def listed(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def holder(folder: Path) -> subprocess.Popen[str]:
    """Start another process that holds a folder, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path):
    """And no other file."""
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        part.write_bytes(b"ne")
        raise ZeroDivisionError

    assert path.read_bytes() == b"old" and listed(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_whole(tmp_path):
    """By one of the same name; a failure leaves the old one."""
    folder = tmp_path / "a"
    for content in ("1", "2"):
        with replacing_folder(folder) as part:
            (part / content).write_text(content)
    with pytest.raises(ZeroDivisionError), replacing_folder(folder) as part:
        raise ZeroDivisionError

    assert listed(folder) == ["2"] and listed(tmp_path) == ["a"]


def fill(folder: Path) -> None:
    """Write a folder of a file and a folder."""
    with replacing_folder(folder) as part:
        (part / "sub").mkdir()
        (part / "sub/b").write_text("b")
        (part / "a").write_text("a")


@pytest.mark.parametrize("written", [".", "absolute", "link", "sub/.."])
def test_an_empty_folder_is_filled_and_stays_the_folder_that_it_was(tmp_path, monkeypatch, written):
    """A shell may stand in it, a link lead to it, a disk be mounted there: its inode stays."""
    folder = tmp_path / "disk" / "empty"
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    inode = folder.stat().st_ino
    if written == "sub/..":
        (tmp_path / "sub").mkdir()
        fill(tmp_path / "sub/../disk/empty")
    else:
        fill({".": Path(), "absolute": folder, "link": tmp_path / "link"}[written])

    assert folder.stat().st_ino == Path.cwd().stat().st_ino == inode
    assert listed(folder) == ["a", "sub"] and (folder / "sub/b").read_text() == "b"
    assert (tmp_path / "link").is_symlink()
    assert listed(tmp_path / "disk") == ["empty"]


def test_a_link_to_a_folder_stays_one_where_the_folder_is_replaced(tmp_path):
    """And nothing hidden stays beside it, nor beside what it leads to."""
    (tmp_path / "disk/old").mkdir(parents=True)
    (tmp_path / "disk/old/x").touch()
    (tmp_path / "link").symlink_to(tmp_path / "disk/old")
    fill(tmp_path / "link")

    assert (tmp_path / "link").is_symlink() and listed(tmp_path) == ["disk", "link"]
    assert listed(tmp_path / "disk") == ["old"] and listed(tmp_path / "disk/old") == ["a", "sub"]


@pytest.mark.parametrize("there", ["nothing", "empty", "full"])
@pytest.mark.parametrize("failing", range(3))
def test_a_folder_that_cannot_be_renamed_leaves_what_was_there(
    tmp_path, monkeypatch, there, failing
):
    """Whichever of the renames fails: the old content or the new one, and nothing beside it."""
    folder = tmp_path / "a"
    if there != "nothing":
        folder.mkdir()
    if there == "full":
        (folder / "old").touch()
    count = iter(range(100))
    rename = os.replace

    def replace(one, other):
        if next(count) == failing:
            raise OSError(errno.EIO, "the disk fails")
        rename(one, other)

    monkeypatch.setattr(os, "replace", replace)
    with contextlib.suppress(OSError):
        fill(folder)

    old = {"nothing": None, "empty": [], "full": ["old"]}[there]
    now = listed(folder) if folder.exists() else None
    assert now == (["a", "sub"] if next(count) <= failing else old)
    assert listed(tmp_path) == (["a"] if folder.exists() else [])


def test_a_folder_is_vacant_if_nothing_but_remains_of_killed_processes_is_in_it(tmp_path):
    """Those go; what others call .part, and what is being written, is something."""
    folder = tmp_path / "a"
    assert vacant(folder)
    with replacing_folder(folder) as part:
        pass
    assert vacant(folder)
    dead = part.name.replace(f"-{os.getpid()}-", f"-{2**31 - 1}-")
    (folder / dead).mkdir()
    assert vacant(folder) and listed(folder) == []
    for name in (part.name, ".film.part", "x"):
        (folder / dead).mkdir(exist_ok=True)
        (folder / name).touch()
        assert not vacant(folder) and not vacant(folder / name)
        assert name in listed(folder)
        (folder / name).unlink()
    (tmp_path / "link").symlink_to(folder)
    assert vacant(tmp_path / "link")


def test_what_a_killed_process_left_is_cleared(tmp_path):
    """Files and folders under a dead writer's other name; what a live one writes stays."""
    with replacing(tmp_path / "alive") as part:
        part.write_text("x")
        for number in range(2):
            dead = part.with_name(part.name.replace(f"-{os.getpid()}-", f"-{2**31 - 1 - number}-"))
            dead.mkdir() if number else dead.write_text("x")
        (tmp_path / ".a.part").write_text("x")
        (tmp_path / "mine.part").write_text("x")
        clear(tmp_path)
        assert listed(tmp_path) == [part.name, "mine.part"]

    assert listed(tmp_path) == ["alive", "mine.part"]


@pytest.mark.parametrize("indent", [None, 2])
def test_no_flipped_bit_of_a_document_is_read(tmp_path, indent):
    """Every single bit of it counts: its checksum, its key, white space; a lost key shows as that."""
    path = tmp_path / "a.json"
    content = {"format": 3, "name": "é", "numbers": [0.1, None, True]}
    write_document(path, content, indent)
    whole = path.read_bytes()
    assert read_document(path) == (content, True)
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            _, sealed = read_document(path)
        except Damaged:
            continue
        assert not sealed


def test_pipes_devices_folders_and_giants_are_no_files(tmp_path):
    """Nothing waits and nothing is allocated."""
    os.mkfifo(tmp_path / "pipe")
    giant = tmp_path / "giant"
    with giant.open("wb") as file:
        file.truncate(2**40)
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(NotRegular):
            read_bytes(path, 10)
    with pytest.raises(NotRegular), replacing(Path("/dev/null")):
        pass
    with pytest.raises(TooLarge):
        read_bytes(giant, 2**20)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "permission"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "gone"),
        (ValueError("a strange thing"), "a strange thing"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_cause_is_told_as_what_it_is(error, words):
    """Only a full disk is a full disk."""
    assert words in cause(error)[0]
    assert ("room" in cause(error)[1]) == (words == "disk is full")


def test_the_second_owner_is_told_who_the_first_is(tmp_path):
    """Process and host; when the first is killed, its lock is none, whatever the file says."""
    first = holder(tmp_path / "run")
    try:
        with pytest.raises(Busy) as refused, hold(tmp_path / "run", "the run", "type --out"):
            pass
        assert f"process {first.pid} on {os.uname().nodename}" in str(refused.value)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert (tmp_path / "run" / ".lock").exists()
    with hold(tmp_path / "run", "the run", "type --out"):
        pass
    assert listed(tmp_path / "run") == []


def test_an_owner_may_hold_again_and_leaves_nothing(tmp_path):
    """A caller holds what a callee holds; a folder made for it goes with it."""
    with hold(tmp_path / "a" / "b", "x", "y"), hold(tmp_path / "a" / "b", "x", "y"):
        assert (tmp_path / "a" / "b" / ".lock").exists()

    assert not (tmp_path / "a" / "b").exists()


def test_four_processes_append_to_one_journal(tmp_path):
    """400 rows, all whole, each process' in its order."""
    path = tmp_path / "rows.jsonl"
    workers = [
        subprocess.Popen([sys.executable, "-c", APPEND, str(path), str(n)]) for n in range(4)
    ]
    while any(worker.poll() is None for worker in workers):
        # Meanwhile another drops what is not there, replacing the file.
        journal.rewrite(path, lambda row: True)
        time.sleep(0.01)
    rows = journal.read(path)

    assert len(rows) == 400
    for who in "0123":
        assert [row["n"] for row in rows if row["who"] == who] == list(range(100))


def test_no_flipped_bit_of_a_journal_is_silent(tmp_path):
    """Each of 300 flips costs one row, or two where it joins them, and is told of."""
    path = tmp_path / "rows.jsonl"
    rows = [{"step": n, "loss": n / 7} for n in range(6)]
    journal.append(path, rows)
    whole = path.read_bytes()
    for bit in random.Random(1).sample(range(8 * len(whole)), 300):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        told: list[str] = []
        left = journal.read(path, told.append)
        assert told or left == rows
        assert all(row in rows for row in left) and len(left) >= 4


def test_old_rows_stay_and_new_ones_have_checksums(tmp_path):
    """A file of before there were checksums goes on; among new rows one without is damage."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 1}\n{"n": 2}')
    journal.append(path, [{"n": 3}])
    assert [row["n"] for row in journal.read(path)] == [1, 2, 3]
    with path.open("a") as file:
        file.write(json.dumps({"n": 4}) + "\n")
    with pytest.warns(FileWarning, match="1 line"):
        assert [row["n"] for row in journal.read(path)] == [1, 2, 3]


def test_rows_are_added_whole_or_not_at_all(tmp_path, monkeypatch):
    """A disk that is full in the middle of a row."""
    path = tmp_path / "rows.jsonl"
    journal.append(path, [{"n": 1}])

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="space"):
        journal.append(path, [{"n": 2}])
    monkeypatch.undo()
    assert journal.read(path) == [{"n": 1}]
