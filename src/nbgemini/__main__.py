"""Runs the command line: `python -m nbgemini`."""

import sys

from nbgemini.cli import main

if __name__ == "__main__":
    sys.exit(main())
