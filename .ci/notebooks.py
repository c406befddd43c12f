"""Execute notebooks from top to bottom, and refuse those that were committed with their outputs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbclient
import nbformat


def main(paths: list[str]) -> int:
    """Execute each; return 1 where one fails or holds outputs."""
    bad = 0
    for name in paths:
        path = Path(name)
        book = nbformat.read(path, as_version=4)
        if any(cell.get("outputs") for cell in book.cells):
            sys.stderr.write(f"{path}: holds outputs; clear them before committing\n")
            bad = 1
        began = time.monotonic()
        try:
            nbclient.NotebookClient(
                book, timeout=120, resources={"metadata": {"path": str(path.parent)}}
            ).execute()
        except nbclient.exceptions.CellExecutionError as error:
            sys.stderr.write(f"{path}: {error}\n")
            bad = 1
        sys.stdout.write(f"{path}: {time.monotonic() - began:.1f} s\n")
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
