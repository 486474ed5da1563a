"""`python -m partsight` and the console script."""

from __future__ import annotations

from partsight.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
