"""`gentk show`: components with their options, recipes with their text."""

from __future__ import annotations

import pytest

from gentk.data.view import View
from gentk.recipe import Recipe
from gentk.version import __version__
from gentk_averages.ama import AdamMovingAverage


def rows(text: str, title: str) -> dict[str, list[str]]:
    """Return the table under a title, by its first column."""
    _, _, table = text.partition(f"{title}:\n")
    lines = table.partition("\n\n")[0].splitlines()[1:]
    # What is long goes on below, in its own column.
    return {line.split()[0]: line.split() for line in lines if line[0] != " "}


def test_component_shows_options_with_defaults(gentk) -> None:
    """Each option has its type, its default as it would be typed, and its description."""
    text = gentk("show", "ama").stdout
    table = rows(text, "options")

    assert text.splitlines()[0] == f"estimator ama (gentk-averages {__version__})"
    assert set(AdamMovingAverage.__init__.__kwdefaults__) == set(table)
    assert table["betas"][:3] == ["betas", "number+number", "0.5+0.999"]
    assert table["reduction"][:3] == ["reduction", "mean|sum", "mean"]
    assert "Adam's learning rate" in text
    assert "arXiv:1904.02762" in text


def test_data_shows_the_options_of_all_data(gentk) -> None:
    """A data name shows its own options, its argument, and those that every data name takes."""
    text = gentk("show", "data", "npz").stdout

    assert text.splitlines()[0] == f"data npz:PATH (gentk-core {__version__})"
    assert "\nPATH: The archive." in text
    assert {"images_array", "labels_array"} == set(rows(text, "options"))
    assert set(View.__dataclass_fields__) == set(rows(text, "options of all data"))


def test_component_without_options_says_so(gentk) -> None:
    """No options is said rather than left blank."""
    assert "\noptions: none\n" in gentk("show", "estimator", "batch").stdout


def test_argument_does_not_matter(gentk) -> None:
    """`folder:photos` is shown as `folder`."""
    assert gentk("show", "folder").stdout == gentk("show", "data", "folder:photos").stdout


def test_recipe_shows_its_text(gentk) -> None:
    """A recipe is shown as it is written, with or without the kind."""
    text = gentk("show", "quickstart").stdout

    assert text == gentk("show", "recipe", "quickstart").stdout
    assert 'data = "digits,size=32"' in text


def test_a_model_shows_its_card(gentk) -> None:
    """What it is, where it is, and its card without what only hubs read."""
    text = gentk("show", "model:digits").stdout

    assert text == gentk("show", "model", "digits").stdout
    assert text.splitlines()[0] == "model digits (gentk-models)"
    assert "data: digits,size=32" in text
    assert "## Metric values" in text
    assert "pipeline_tag" not in text


@pytest.mark.parametrize("words", [("show", "model:digit"), ("sample", "model:digit")])
def test_a_wrong_model_is_answered_by_those_there_are(refused, words) -> None:
    """The near one first, then all."""
    sentence = refused(*words, code=2)

    assert "did you mean 'digits'? there are cifar10, digits, mnist" in sentence


def test_a_model_named_without_its_prefix_is_recognised(refused) -> None:
    """`gentk sample digits` is told what to type."""
    assert "did you mean 'model:digits'" in refused("sample", "digits", code=2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["amma"], "nothing is called 'amma'; did you mean 'ama'"),
        (["extractor"], "'extractor' is a kind, not a name; type: gentk list extractor"),
        (["loss:moments"], "type: gentk show loss moments"),
        (["recipe:quickstart"], "type: gentk show recipe quickstart"),
        (["extractor:timm:vgg19,last=1"], "type: gentk show extractor timm:vgg19,last=1"),
        (["models"], "'models' is a kind, not a name; type: gentk list model"),
        (["losss", "moments"], "no kind 'losss'; did you mean 'loss'"),
        (["encoder", "biggan"], "no encoder 'biggan'; there is a generator of that name"),
        (["critic", "jury"], "no critic 'jury'; type: gentk list critic"),
        (["recipe", "quikstart"], "no recipe 'quikstart'; did you mean 'quickstart'"),
        (["a", "b", "c"], "'a b c' is not [KIND] NAME; type: gentk show c"),
        ([":x"], "names no component"),
    ],
)
def test_unknown_names_are_one_sentence(refused, words, sentence) -> None:
    """What does not exist is told with what is near."""
    assert sentence in refused("show", *words, code=2)


def test_recipe_file_is_sent_elsewhere(refused, tmp_path) -> None:
    """A file is not a name; the sentence tells the command that reads files."""
    path = tmp_path / "mine.toml"
    path.write_text(f"steps = {Recipe().batch}")

    assert f"type: gentk run {path} --dry-run" in refused("show", "recipe", str(path), code=2)
