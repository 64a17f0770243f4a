"""The example of an extension, built and imported: a native module of its own, with tokens of Rust's."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[3]


@cache
def path() -> Path:
    """Where the built module lies; it is built if it is not there."""
    names = {"win32": "primes.dll", "darwin": "libprimes.dylib"}
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = target / "debug" / names.get(sys.platform, "libprimes.so")
    if not built.exists():
        command = ["cargo", "build", "--quiet", "--package", "cancelable-example-extension"]
        subprocess.run(command, cwd=ROOT, check=True)
    return built


@cache
def load() -> ModuleType:
    """The module, imported once."""
    loader = importlib.machinery.ExtensionFileLoader("primes", str(path()))
    spec = importlib.util.spec_from_loader("primes", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
