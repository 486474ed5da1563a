"""`python -m partsight.api --link FD --frames FD`: the API's process. A child of the daemon, and ends with it."""

from __future__ import annotations

import argparse
import sys

from partsight.api.process import die_with_daemon


def main() -> int:
    """Exit statuses: see `server`."""
    die_with_daemon()
    parser = argparse.ArgumentParser(prog="partsight.api", description="The API's process; the daemon starts it.")
    parser.add_argument("--link", type=int, required=True, help="inherited socket to the daemon")
    parser.add_argument("--frames", type=int, required=True, help="inherited memory with the cameras' newest frames")
    parser.add_argument("--verbose", action="store_true", help="log everything")
    parser.add_argument("--quiet", action="store_true", help="log warnings and worse only")
    given = parser.parse_args()
    from partsight.api.server import serve  # takes a second, in which the daemon may die

    return serve(given.link, given.frames, verbose=given.verbose, quiet=given.quiet)


if __name__ == "__main__":
    sys.exit(main())
