"""Prints what the package costs, beside its rivals: `target/python/3.13/bin/python benches/python`.

Ratios count, and nothing else: figures of two machines, or of two moments of a busy one, cannot be compared.
"""

import argparse
import platform
import subprocess
import sys
from pathlib import Path

import environments
import figures
from measure import NOT_SO
from table import table


def main() -> None:
    """Makes the environments, measures in each in turn, and prints the table."""
    options = argparse.ArgumentParser(prog="benches/python", description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    options.add_argument(
        "--namesake-alone",
        action="store_true",
        help="try the rows on the namesake in the package's place",
    )
    chosen = options.parse_args()
    if sys.version_info[:2] != (3, 13):
        sys.exit(f"figures are taken with Python 3.13, and this is {platform.python_version()}")

    namesake = environments.of_namesake()
    package = namesake if chosen.namesake_alone else environments.of_package()
    taken = figures.take(package, namesake, chosen.rounds)
    print(f"Python {platform.python_version()}, anyio {_version(package)}, {chosen.rounds} rounds")
    print()
    for line in table(taken):
        print(line)
    if NOT_SO in taken.package.values():
        sys.exit("a row does not do what it is measured for")


def _version(python: Path) -> str:
    ask = "from importlib import metadata; print(metadata.version('anyio'))"
    done = subprocess.run([python, "-c", ask], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
