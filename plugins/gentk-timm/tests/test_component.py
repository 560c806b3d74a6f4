"""The hook: what the distribution declares, and that declaring it costs nothing."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import get_type_hints

import gentk_timm
from gentk.interfaces import Extractor
from gentk_timm.extractor import TimmExtractor


def test_targets_exist_and_fit_the_kind():
    """The component's target is an extractor and its variants are timm's names."""
    (component,) = gentk_timm.gentk_components()
    module, _, name = component.target.partition(":")
    assert getattr(importlib.import_module(module), name) is TimmExtractor
    assert issubclass(TimmExtractor, Extractor)
    module, _, name = (component.variants or "").partition(":")
    variants = getattr(importlib.import_module(module), name)()
    assert {"vgg19", "vgg19.tv_in1k", "tf_efficientnet_lite0"} <= set(variants)
    assert len(variants) == len(set(variants))


def test_the_hook_does_not_import_torch():
    """Importing the hook module imports neither torch nor timm."""
    code = "import sys, gentk_timm; print({'torch', 'timm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_options_resolve_at_run_time():
    """The constructor's annotations resolve, and lists are declared as tuples."""
    hints = get_type_hints(TimmExtractor.__init__)
    assert hints["layers"] == tuple[str, ...]
    assert hints["first"] == int | None
    assert hints["weights"] is str
