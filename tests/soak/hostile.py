"""Hostile files: none may run code, take over five seconds or over a gibibyte, or end in a bug."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from arena import child, command
from faults import Tried
from PIL import Image
from pyarrow import parquet

SECONDS, MEMORY = 5.0, 1024.0
RUN = [
    "run",
    "--extractor",
    "pixels",
    "--generator",
    "mlp,latent=4,widths=8",
    "--estimator",
    "batch",
]
END = ["--steps", "1", "--quiet", "--device", "cpu", "--threads", "1", "--out", "out"]


class Bomb:
    """What writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


def files(place: Path, chance: random.Random) -> list[list[str]]:
    """Write the files and return the command lines that read them."""
    lines: list[list[str]] = []

    def data(text: str) -> None:
        lines.append([*RUN, "--data", text, *END])

    def write(name: str, content: bytes) -> str:
        (place / name).write_bytes(content)
        return name

    for kind in ("npz", "parquet", "zip"):
        name = "folder" if kind == "zip" else kind
        data(f"{name}:{write(f'empty.{kind}', b'')}")
        data(f"{name}:{write(f'noise.{kind}', chance.randbytes(3000))}")
        data(f"{name}:{write(f'pickle.{kind}', pickle.dumps(Bomb()))}")
        os.mkfifo(place / f"pipe.{kind}")
        data(f"{name}:pipe.{kind}")
    for label, array in {
        "objects": np.array([Bomb()], dtype=object),
        "none": np.zeros((0, 8, 8), np.uint8),
        "flat": np.zeros((4, 0, 0), np.uint8),
        "text": np.array(["a", "b"]),
        "nan": np.full((4, 8, 8), np.nan),
        "long": np.zeros((2, 1, 60_000), np.uint8),
        "five": np.zeros((2, 2, 2, 2, 2), np.uint8),
        "complex": np.zeros((2, 8, 8), complex),
    }.items():
        np.savez(place / f"{label}.npz", images=array)
        data(f"npz:{label}.npz")
    for label, shape in {
        "vast": (2**40, 8, 8),
        "below": (-4, 8, 8),
        "wide": (1, 2**31, 2**31),
    }.items():
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        with zipfile.ZipFile(place / f"{label}.npz", "w") as archive:
            prefix = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118)
            archive.writestr("images.npy", prefix + header.encode() + bytes(64))
        data(f"npz:{label}.npz")
    for label, values in {
        "far": [2**40, 0, 1],
        "negative": [-7, 0, 1],
        "real": [0.5, 1, 2],
    }.items():
        np.savez(place / f"labels-{label}.npz", images=np.zeros((3, 8, 8), np.uint8), labels=values)
        data(f"npz:labels-{label}.npz")
        np.save(place / f"{label}.npy", np.array(values))
        data(f"digits,labels={label}.npy")
    with zipfile.ZipFile(place / "up.zip", "w") as archive:
        archive.writestr("../../escaped.png", _png(8, 8))
    data("folder:up.zip")
    with zipfile.ZipFile(place / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(200 * 2**20))
    data("folder:bomb.zip")
    for label, content in {
        "tall": _png(1, 60_000),
        "cut": _png(8, 8)[:40],
        "claims": _claims(100_000, 100_000),
        "none": b"",
    }.items():
        (place / f"pictures-{label}").mkdir()
        write(f"pictures-{label}/a.png", content)
        data(f"folder:pictures-{label}")
    special = place / "special"
    special.mkdir()
    os.mkfifo(special / "a.png")
    (special / "b.png").symlink_to("/dev/zero")
    (special / "up").symlink_to("..")
    (special / "me").symlink_to(".")
    (special / "c\x1b[31m\n.png").write_bytes(_png(8, 8))
    data("folder:special")
    for label, content in {
        "giant": struct.pack("<Q", 2**62),
        "header": struct.pack("<Q", 10) + b'{"a": [[[[',
        "lies": _tensors({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
        "noise": chance.randbytes(500),
        "escape": _tensors({"\x1b[31m\n": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}),
    }.items():
        write(f"{label}.safetensors", content)
        lines.append(
            _weights(f"{label}.safetensors"),
        )
    write("bomb.pth", pickle.dumps(Bomb()))
    lines.append(
        _weights("bomb.pth"),
    )
    for label, text in {
        "dots": ".".join(["a"] * 20_000) + " = 1",
        "deep": "data = " + "[" * 50_000 + "]" * 50_000,
        "code": "data = \"__import__('os').system('touch ran')\"\nsteps = 1",
        "path": 'generator = "os:system"\nsteps = 1',
        "bytes": "\x00\x01",
        "escape": 'data = "digits"\n"\\u001b[31m" = 1',
    }.items():
        write(f"{label}.toml", text.encode())
        lines.append(["run", f"./{label}.toml", "--dry-run"])
    os.mkfifo(place / "pipe.toml")
    lines.append(["run", "./pipe.toml"])
    for words in (
        ["sweep", "./pipe.toml"],
        ["sweep", "./dots.toml", "--dry-run"],
        ["sweep", "./deep.toml", "--render"],
        ["sweep", "/dev/zero", "--dry-run"],
        ["run", "/dev/zero", "--dry-run"],
    ):
        lines.append(words)
    head = 'title = "t"\n[judge]\n[[row]]\nname = "a"\n'
    for label, text in {
        "device": 'rows = "/dev/zero"\n' + head,
        "circle": 'rows = "quotes-circle.toml"\n' + head,
        "names": head.replace('"a"', '"../../\\u001b[31m\\n"') + "steps = 1\n",
        "widths": head + 'generator = "mlp,widths=1000000+1000000"\nsteps = 1\n',
    }.items():
        write(f"quotes-{label}.toml", text.encode())
        lines.append(["sweep", f"./quotes-{label}.toml", "--dry-run"])
    with (place / "giant.toml").open("wb") as file:
        file.truncate(2**40)
    lines.append(["run", "./giant.toml", "--dry-run"])
    for kind in ("arrow", "npy"):
        name = kind if kind == "arrow" else "digits,labels"
        mark = ":" if kind == "arrow" else "="
        data(f"{name}{mark}{write(f'empty.{kind}', b'')}")
        data(f"{name}{mark}{write(f'noise.{kind}', chance.randbytes(3000))}")
        os.mkfifo(place / f"pipe.{kind}")
        data(f"{name}{mark}pipe.{kind}")
    data("digits,labels=/dev/zero")
    data("npz:/dev/zero")
    for text in ("/dev/zero", "pipe.npz"):
        lines.append(_weights(text))
    with tarfile.open(place / "up.tar", "w") as archive:
        entry = tarfile.TarInfo("../../escaped.png")
        entry.size = len(_png(8, 8))
        archive.addfile(entry, io.BytesIO(_png(8, 8)))
        link = tarfile.TarInfo("a.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/dev/zero"
        archive.addfile(link)
    data("folder:up.tar")
    columns = {"image": pa.array([_png(8, 8)] * 3), "label": pa.array([0, 2**40, -5])}
    for label, metadata in {
        "deep": b'{"info": ' + b"[" * 50_000,
        "list": b"[]",
        "escape": b'{"info": {"features": {"\\u001b[31m": {"_type": "Image"}}}}',
    }.items():
        table = pa.table(columns).replace_schema_metadata({b"huggingface": metadata})
        parquet.write_table(table, place / f"metadata-{label}.parquet")
        data(f"parquet:metadata-{label}.parquet")
    for label, text in {
        "list": "[]",
        "format": '{"format": 2}',
        "deep": "[" * 100_000,
        "huge": json.dumps({"format": 2, "identity": "0" * 8, "data": {"shape": [2**60] * 3}}),
    }.items():
        (place / f"run-{label}").mkdir()
        write(f"run-{label}/run.json", text.encode())
        for word in ("sample", "evaluate", "compare"):
            lines.append([word, f"run-{label}"])
    return lines


def hostile(place: Path, first: int, trials: int, chance: random.Random) -> Tried:
    """Read every hostile file, or so many of them."""
    failures: list[str] = []
    os.chdir(place)
    os.environ["GENTK_CACHE"] = str(place / "cache")
    lines = files(place, chance)
    random.Random(0).shuffle(lines)
    tried = lines[first : first + trials]
    for words in tried:
        # A run that is left there would have the next ones refused before they read anything.
        shutil.rmtree(place / "out", ignore_errors=True)
        ended = child(lambda: command(words), limit=60)  # noqa: B023
        code, text = ended.value or (ended.code, str(ended.error))
        name = " ".join(words)
        if code not in (0, 1, 2) or "Traceback" in text or "(this is a bug)" in text:
            failures.append(f"{name}: {code} {text[-300:]}")
        if "\x1b" in text or any(not (c.isprintable() or c == "\n") for c in text):
            failures.append(f"{name}: {text[-200:]!a}")
        if ended.code < 0 or ended.computed > SECONDS or ended.memory > MEMORY:
            failures.append(f"{name}: {ended.computed:.1f} s, {ended.memory:.0f} MiB")
        if (place / "ran").exists() or (place.parent / "escaped.png").exists():
            failures.append(f"{name}: code was run, or a file escaped")
    return Tried(len(tried), failures)


def _weights(name: str) -> list[str]:
    """Return the command line that reads weights of a network."""
    extractor = f"timm:resnet18,weights={name},first=2"
    return ["run", "--extractor", extractor, *RUN[3:], "--data", "digits,size=32", *END]


def _png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height), 7).save(file, "PNG")
    return file.getvalue()


def _claims(width: int, height: int) -> bytes:
    """Return a picture whose header says that it is larger than it is."""
    import zlib

    content = bytearray(_png(8, 8))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def _tensors(header: dict[str, object]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4)
