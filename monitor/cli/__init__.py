"""The command `lapsewatch`: one module per group of commands."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; every error of ours becomes one message and an exit code."""
    from monitor.cli.root import run

    sys.exit(run(sys.argv[1:]))
