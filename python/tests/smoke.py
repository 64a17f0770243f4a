"""What a bare environment must be able to do once the package is installed; a script, since nothing else is installed there."""

import asyncio
import sys
import sysconfig
import threading
from importlib import metadata, resources
from pathlib import Path

import hother.cancelable
from hother.cancelable import (
    Cancelable,
    CancelationReason,
    CancelationToken,
    ManualCancelation,
    _core,
)


def main() -> None:
    """Looks at what is installed, then uses it."""
    check_installed()
    check_metadata()
    asyncio.run(check_use())


def check_installed() -> None:
    here = Path(sysconfig.get_path("platlib"))
    for module in (hother.cancelable, _core):
        assert Path(module.__file__ or "").is_relative_to(here), module.__file__
    package = resources.files("hother.cancelable")
    for name in ("py.typed", "_core.pyi"):
        assert package.joinpath(name).is_file(), f"{name} is missing"
    assert not (here / "hother" / "__init__.py").exists(), "hother is shared with other packages"


def check_metadata() -> None:
    installed = metadata.distribution("hother-cancelable")
    assert installed.metadata["License-Expression"] == "MIT OR Apache-2.0"
    files = [file.name for file in installed.files or []]
    for licence in ("LICENSE-MIT", "LICENSE-APACHE"):
        assert licence in files, f"{licence} is missing"
    # One that maturin makes has the paths of the machine that built it.
    assert not [str(file) for file in installed.files or [] if "sboms" in file.parts]
    required = [name for name in installed.requires or [] if "extra ==" not in name]
    assert [name[:5] for name in required] == ["anyio"], required


async def check_use() -> None:
    """A cancel from a thread, on a loop that has nothing to do, says why."""
    token = CancelationToken()
    said: tuple[object, ...] | None = None
    try:
        async with Cancelable.with_timeout(60).combine(Cancelable.with_token(token)):
            threading.Thread(target=token.cancel_sync, args=("enough",)).start()
            await asyncio.Event().wait()
    except ManualCancelation as error:
        said = error.reason, error.message
    assert said == (CancelationReason.MANUAL, "enough"), said


if __name__ == "__main__":
    main()
    print(f"installed and working: Python {sys.version.split()[0]}")
