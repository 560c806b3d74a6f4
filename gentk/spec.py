"""The author's contract: what a plugin declares, and nothing that needs torch.

A distribution offers components to gentk with one entry point and one function::

    # pyproject.toml
    [project.entry-points.gentk]
    my-plugin = "my_plugin"

    # my_plugin/__init__.py: imported by `gentk list`, so it must not import torch
    import gentk.spec as gentk

    @gentk.hookimpl
    def gentk_components() -> list[gentk.Component]:
        return [
            gentk.Component(
                kind="extractor",
                name="my-extractor",
                target="my_plugin.extractor:MyExtractor",
                summary="What it is, in one line",
            )
        ]

`target` is imported only when the component is used. The class's base (one of `gentk.interfaces`)
says what it must do, and its keyword-only arguments are its options. Recipes need no code: TOML
files in a folder `recipes` of the package are found by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pluggy

__all__ = ["API", "KINDS", "PROJECT", "Component", "Hooks", "hookimpl"]

PROJECT: Final = "gentk"
"""The entry-point group, and pluggy's project name."""

API: Final = 1
"""The version of this contract. A component declares the one it was written for."""

KINDS: Final[dict[str, str]] = {
    "extractor": "images -> named features, frozen, differentiable in its input",
    "encoder": "images -> latent, trained",
    "generator": "latent -> images",
    "critic": "images and latents -> scores, trained",
    "loss": "what to minimise",
    "penalty": "a play -> what a step minimises besides its loss",
    "family": "a class of losses -> how their runs are trained",
    "estimator": "batch statistics -> tracked statistics",
    "data": "name -> images",
    "metric": "two sets of images -> figures",
    "observer": "events of a run -> side effects",
}
"""The kinds of component, each with what it maps to what."""

hookimpl: Final = pluggy.HookimplMarker(PROJECT)
hookspec: Final = pluggy.HookspecMarker(PROJECT)


@dataclass(frozen=True, kw_only=True)
class Component:
    """One part of a run, as a plugin declares it.

    Attributes:
        kind: One of `KINDS`.
        name: Lower case, digits and dashes; unique within its kind.
        target: `"module:attribute"` of the class, imported when the component is used.
        summary: One line for `gentk list`.
        argument: What stands after the colon (`"MODEL"` in `timm:MODEL`), the class's only positional
            argument; None if it takes none.
        variants: `"module:attribute"` of a function that lists all arguments there are, or None: others
            are refused, and an argument that is typed without the name is understood.
        hint: What to type when the target's own import fails (`"pip install ..."`), or None.
        api: The version of the contract the component was written for.
        files: Endings of the files that the argument may be the path of, such as `.npz`; `/` for
            folders. A path that is typed without the name is understood.
        ready: `"module:attribute"` of a function that returns the arguments that work without a
            network now -> where their files are (`installed`, `cache`), of a component without
            argument `{"": ...}` or `{}`; it imports no torch. None where nothing is ever fetched.
        wraps: The kind of another component that the argument is, as typed anywhere else: it is checked
            and built as one, with what the composition supplies, and the class is given it. None where
            the argument is a text.
    """

    kind: str
    name: str
    target: str
    summary: str
    argument: str | None = None
    variants: str | None = None
    hint: str | None = None
    api: int = API
    files: tuple[str, ...] = ()
    ready: str | None = None
    wraps: str | None = None


class Hooks:
    """The hooks a plugin may implement."""

    @hookspec
    def gentk_components(self) -> list[Component]:  # type: ignore[empty-body]
        """Return the components this distribution offers, without importing torch."""
