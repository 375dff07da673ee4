"""The program ``mediacore``, also as ``python -m mediacore``."""

from __future__ import annotations

import sys

EXTRA = frozenset({"aiohttp", "pydantic", "pydantic_settings", "rich", "typer"})
"""Packages of the extra ``server``, without which there is no command line."""
MISSING = 2


def main() -> int:
    """Run the command line; returns its exit code, 2 if the extra ``server`` is not installed."""
    try:
        from mediacore.cli import run  # noqa: PLC0415

        return run(sys.argv[1:])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        print(
            f"mediacore: the command line needs the extra 'server' ({error.name} is missing); "
            "install it with: pip install 'mediacore[server]'",
            file=sys.stderr,
        )
        return MISSING


if __name__ == "__main__":
    sys.exit(main())
