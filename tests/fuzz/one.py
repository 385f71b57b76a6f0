"""One harness under the fuzzer, in a process of its own: ``python -m fuzz.one NAME libfuzzer-arguments``. :mod:`fuzz.run` starts it."""

from __future__ import annotations

import sys

import atheris

from fuzz import stock


def main() -> None:
    """Load the harness with the rooms of Zegel instrumented, and nothing else: the references need no coverage."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["zegel"], enable_loader_override=False):
        harness = stock.load(name)
    for start in harness.starts():  # what is loaded late and kept is so before the first input is measured
        harness.fuzz(start)
        break
    atheris.Setup(sys.argv, harness.fuzz)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
