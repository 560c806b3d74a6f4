"""The schema of run.json: what is read back is what was written, or the run is refused in a sentence."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..files import Damaged
from ..recipe import Recipe
from ..validation import first_fault

__all__ = ["check_record"]

Count = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Side = Annotated[int, Field(ge=1, le=2**20, strict=True)]
Text = Annotated[str, Field(max_length=2**16)]


class _Open(BaseModel):
    """Further keys are of other versions and stay."""

    model_config = ConfigDict(extra="allow", frozen=True)


class _Part(_Open):
    fingerprint: Text


class _Data(_Part):
    name: Text
    count: Count
    shape: tuple[Side, Side, Side]
    split: Text = "train"
    classes: dict[str, Count] | None = None
    damaged: list[Text] = []


class _Origin(_Part):
    recipe_name: Text
    identity: Text
    steps: Count


class _Start(_Part):
    runs: list[_Origin] = []


class _Result(_Open):
    steps: Count
    images: Count
    seconds: float = Field(ge=0, allow_inf_nan=False)


class _Record(_Open):
    recipe_name: Text
    identity: str = Field(pattern=r"^[0-9a-f]{8}$")
    recipe: Recipe
    data: _Data
    extractor: _Part | None = None
    codec: _Part | None = None
    init: _Start | None = None
    parameters: Count = 0
    versions: dict[str, Text] = {}
    code: dict[str, Text] = {}
    machine: dict[str, Any] = {}
    result: _Result | None = None


def check_record(record: dict[str, Any]) -> None:
    """Raise `Damaged` if this is not what run.json holds."""
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        fault = first_fault(error)
        raise Damaged(f"{fault.key or 'it'} {fault}") from None
    except RecursionError:
        raise Damaged("it is nested too deeply") from None
