"""Nobody pays for a framework that is not used, and whoever lacks one is told what to install."""

import pytest

from support.processes import run_python

HEAVY = ("fastapi", "starlette", "httpx", "pydantic")


def imported(module):
    """Which of the heavy ones are there after it."""
    code = f"import sys, {module}; print(*(it for it in {HEAVY!r} if it in sys.modules))"
    return run_python(code, is_quiet=True).split()


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("hother.cancelable", []),
        ("hother.cancelable.integrations", []),
        ("hother.cancelable.integrations.asgi", []),
    ],
)
def test_what_is_not_used_is_not_imported(module, expected):
    assert imported(module) == expected


def test_starlette_needs_no_fastapi():
    assert "fastapi" not in imported("hother.cancelable.integrations.starlette")


@pytest.mark.parametrize(
    ("module", "lacks"),
    [("fastapi", "fastapi"), ("starlette", "starlette"), ("fastapi", "starlette")],
)
def test_who_lacks_one_is_told_what_to_install(module, lacks):
    code = (
        f"import sys; sys.modules[{lacks!r}] = None\n"
        "try:\n"
        f"    import hother.cancelable.integrations.{module}\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
    )
    assert "pip install 'hother-cancelable[fastapi]'" in run_python(code, is_quiet=True)
