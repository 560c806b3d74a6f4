"""Distributions: what `gentk plugin new` writes, from its name and kind to its files."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import RunError, UsageError
from ..files import cause, replacing_folder, vacant
from ..first_party import FIRST_PARTY
from ..spec import KINDS

__all__ = ["Distribution"]

HERE = Path(__file__).parent
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

SUMMARIES = {
    "extractor": "differences of neighbouring pixels, at several scales",
    "encoder": "a multilayer perceptron from images to latents",
    "generator": "a multilayer perceptron from latents to images",
    "critic": "a multilayer perceptron from images to a score",
    "loss": "distance of the means of features",
    "penalty": "the mean square of the critic's scores",
    "family": "a generator whose nearest sample is drawn to each image",
    "estimator": "average of the batch statistics that forgets slowly",
    "data": "grey discs, small ones and large ones",
    "metric": "squared distance of the means of features, in units of their variance",
    "observer": "the loss of every step in curve.csv",
}
"""Kind -> what the template's component is."""

TRAIN = "gentk run --data digits --steps 50"
RUNS = {
    "extractor": f"{TRAIN} --generator mlp --extractor NAME",
    "encoder": f"{TRAIN} --generator mlp --loss reconstruction --encoder NAME",
    "generator": f"{TRAIN} --extractor pixels --generator NAME",
    "critic": f"{TRAIN} --generator mlp --loss AN-ADVERSARIAL-LOSS --critic NAME",
    "loss": f"{TRAIN} --generator mlp --extractor pixels --estimator batch --loss NAME",
    "penalty": f"{TRAIN} --generator mlp --loss A-LOSS --critic A-CRITIC --penalty NAME",
    "family": f"{TRAIN} --generator mlp --loss NAME-loss",
    "estimator": f"{TRAIN} --generator mlp --extractor pixels --estimator NAME",
    "data": "gentk run --steps 50 --generator mlp --extractor pixels --data NAME",
    "metric": "gentk evaluate digits --data digits,split=test -n 200 --extractor pixels --metric NAME",
    "observer": f"{TRAIN} --generator mlp --extractor pixels --observer NAME",
}
"""Kind -> a command that uses a component NAME."""

SHIPS = (
    "a plugin of any kind (gentk plugin new NAME --kind loss) ships those in its package's folder"
)
NO_KINDS = {
    "recipe": (
        'a recipe is a TOML file and no component; write keys such as loss = "moments" into mine.toml '
        f"and type: gentk run mine.toml; {SHIPS} recipes"
    ),
    "model": (
        "a model is a trained run and no component; type: gentk export RUN --to FOLDER; "
        f"{SHIPS} models"
    ),
}
"""What is listed beside the kinds and is made in another way -> the sentence that says how."""

COMMON = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "LICENSE": "LICENSE",
    "ci.yml": ".github/workflows/ci.yml",
    "gitignore": ".gitignore",
    "hook.py": "{{package}}/__init__.py",
    "py.typed": "{{package}}/py.typed",
}
"""Template -> file, of all kinds."""

OWN = {"component.py": "{{package}}/{{kind}}.py", "test.py": "tests/test_{{kind}}.py"}
"""Template -> file, of one kind."""


@dataclass(frozen=True)
class Distribution:
    """A plugin with one component, yet to be written.

    Attributes:
        name: The distribution's name, `my-extractor`.
        kind: The kind of its component.
    """

    name: str
    kind: str

    @classmethod
    def of(cls, name: str, kind: str) -> Distribution:
        """Return the distribution of a name; raise `UsageError` for one that it cannot have."""
        distribution = cls(name, kind)
        better = f"type: gentk plugin new {distribution._proposal()} --kind {kind}"
        if kind in NO_KINDS:
            raise UsageError(NO_KINDS[kind])
        if kind not in KINDS:
            raise UsageError(f"no kind {kind!r}; kinds are {', '.join(KINDS)}")
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name for a plugin: lower-case letters, digits and dashes, a letter "
                f"first; {better}"
            )
        for owner, kinds in FIRST_PARTY.items():
            if name == owner or distribution.component in kinds.get(kind, ()):
                raise UsageError(f"{kind} {distribution.component!r} belongs to {owner}; {better}")
        if (
            keyword.iskeyword(distribution.package)
            or distribution.package in sys.stdlib_module_names
        ):
            raise UsageError(f"{distribution.package!r} is a word of Python's own; {better}")
        if re.search(rf"\b{distribution.attribute}\b", _template(f"{kind}/component.py")):
            raise UsageError(
                f"{name!r} would make a class {distribution.attribute}, which gentk has; {better}"
            )
        taken = importlib.util.find_spec(distribution.package)
        if taken is not None and taken.origin is not None:
            raise UsageError(f"a module {distribution.package!r} is installed already; {better}")
        return distribution

    @property
    def component(self) -> str:
        """The component's name: the distribution's without `gentk-`."""
        return self.name.removeprefix("gentk-") or self.name

    @property
    def package(self) -> str:
        """The package's name."""
        return self.name.replace("-", "_")

    @property
    def attribute(self) -> str:
        """The class's name: in CamelCase, with the kind at its end."""
        camel = "".join(part.capitalize() for part in self.component.split("-"))
        kind = self.kind.capitalize()
        return camel if camel.endswith(kind) else f"{camel}{kind}"

    @property
    def command(self) -> str:
        """A command that uses it."""
        return RUNS[self.kind].replace("NAME", self.component)

    def files(self) -> dict[str, str]:
        """Return all files, path -> text."""
        # A kind may have its own form of a common template.
        own = {path.name.removesuffix(".tmpl") for path in (HERE / self.kind).glob("*.tmpl")}
        templates = [
            (f"{self.kind if name in own else 'common'}/{name}", path)
            for name, path in {**COMMON, **OWN}.items()
        ]
        return {self._filled(path): self._filled(_template(name)) for name, path in templates}

    def write(self, folder: Path) -> None:
        """Write all files, or none.

        Raises:
            UsageError: There is something in the folder.
            RunError: The folder cannot be written.
        """
        try:
            if not vacant(folder):
                raise UsageError(
                    f"{folder} is there already and not empty; name another folder with --out, or "
                    "remove it"
                )
            with replacing_folder(folder) as part:
                for path, text in self.files().items():
                    place = part / path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text(text, encoding="utf-8")
        except OSError as error:
            reason, remedy = cause(error)
            raise RunError(
                f"{folder} cannot be written ({reason}); {remedy}, or name another folder with --out"
            ) from error

    def _filled(self, text: str) -> str:
        """Fill in the fields of a template; what else stands in double braces stays."""
        fields = {
            "distribution": self.name,
            "name": self.component,
            "package": self.package,
            "kind": self.kind,
            "article": "an" if self.kind[0] in "aeiou" else "a",
            "class": self.attribute,
            "suite": f"{self.kind.capitalize()}Suite",
            "summary": SUMMARIES[self.kind],
            "command": self.command,
        }
        for field, value in fields.items():
            text = text.replace("{{" + field + "}}", value)
        return text

    def _proposal(self) -> str:
        """Return a name that is near and free."""
        words = re.findall(r"[a-z0-9]+", self.name.lower())
        near = "-".join(words) or self.kind
        kept = near != self.name and NAME.fullmatch(near)
        return near if kept else f"my-{near.removeprefix('gentk-')}"


def _template(name: str) -> str:
    return (HERE / f"{name}.tmpl").read_text(encoding="utf-8")
