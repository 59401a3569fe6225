"""The public API is `hookline.__all__`; its types are pinned by tests/typing/api.py."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hookline


def run(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_these_are_the_public_names() -> None:
    assert hookline.__all__ == [
        "Discard",
        "Retry",
        "adispatch",
        "after_commit",
        "dispatch",
        "dispatch_many",
        "handler",
        "publish",
    ]


def test_every_public_name_can_be_had_and_is_listed() -> None:
    for name in hookline.__all__:
        assert getattr(hookline, name).__name__ == name
        assert name in dir(hookline)


def test_another_name_is_an_attribute_error_like_that_of_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'hookline' has no attribute 'dispach'"):
        _ = hookline.dispach


def test_importing_hookline_or_its_core_loads_no_django() -> None:
    code = "import sys, hookline, hookline.core; print([name for name in sys.modules if name.startswith('django')])"
    assert run(code) == "[]\n"


def test_the_outcomes_of_a_handler_need_no_django_either() -> None:
    code = "import sys; from hookline import Retry, Discard; print('django' in sys.modules)"
    assert run(code) == "False\n"


def test_a_name_is_looked_up_once() -> None:
    found = hookline.dispatch
    assert vars(hookline)["dispatch"] is found


def test_a_name_that_was_wanted_before_django_was_ready_can_be_had_later() -> None:
    code = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django, hookline
from django.core.exceptions import AppRegistryNotReady
try:
    hookline.dispatch
except AppRegistryNotReady:
    django.setup()
print(hookline.dispatch.__name__, hookline.dispatch.__module__)
"""
    assert run(code) == "dispatch hookline.outgoing.publish.dispatch\n"


def test_star_import_gives_exactly_the_public_names() -> None:
    settings = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; import django; django.setup(); "
    code = settings + "names = {}; exec('from hookline import *', names); print(sorted(set(names) - {'__builtins__'}))"
    assert run(code) == f"{sorted(hookline.__all__)}\n"
