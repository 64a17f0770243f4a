"""The environments that are measured in, under `target/python`: the package, and its namesake on PyPI, which cannot share one."""

import os
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMESAKE = "hother-cancelable==0.11.3"


def of_package() -> Path:
    """The package as users build it; gives the interpreter."""
    return _made(
        "bench-package", "--force-reinstall", "--no-deps", str(ROOT), needs="anyio>=4.11,<5"
    )


def of_namesake() -> Path:
    """The library of that name on PyPI, which this package can stand in for; gives the interpreter."""
    return _made("bench-namesake", NAMESAKE, needs="anyio>=4.11,<5")


def _made(name: str, *wanted: str, needs: str) -> Path:
    folder = ROOT / "target" / "python" / name
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    for packages in ((needs,), wanted):
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
        subprocess.run([python, *install], check=True, env=environment)
    return python
