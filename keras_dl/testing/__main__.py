"""`python -m keras_dl.testing my_module:my_case` compares backends."""

import argparse
import sys

from keras_dl.testing.compare import compare_backends


def main(arguments=None):
    """Compares one case; returns 1 if a tensor differs by too much."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_dl.testing",
        description="Run a case on several backends and compare the numbers.",
    )
    parser.add_argument(
        "case", help="module:function or file.py:function that returns a Case"
    )
    parser.add_argument(
        "--backends", help="comma-separated; the first is the reference"
    )
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args(arguments)
    backends = options.backends.split(",") if options.backends else None
    report = compare_backends(options.case, backends)
    print(report)
    agree = report.worst <= options.tolerance
    verdict = "agree" if agree else "differ by more than allowed"
    print(f"\nThe backends {verdict} (tolerance {options.tolerance:g}).")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
