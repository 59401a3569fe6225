"""Files that nobody but the owner may read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def create_private(path: Path) -> None:
    """Make an empty file with mode 600, unless it is there: then its mode stays, which somebody may have chosen.

    SQLite would make its database with whatever the umask allows. It gives the files beside the database (-wal, -shm)
    the mode of the database itself. A folder that is missing or cannot be written to is left for SQLite to tell.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
