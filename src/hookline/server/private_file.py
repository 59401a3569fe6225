"""Files that nobody but the owner may read."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger("hookline.server")


def create_private(path: Path) -> None:
    """Make an empty file with mode 600, unless it is there: then its mode stays, which somebody may have chosen.

    SQLite would make its database with whatever the umask allows. It gives the files beside the database (-wal, -shm)
    the mode of the database itself. A folder that is missing or cannot be written to is left for SQLite to tell.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
            logger.warning("every user of this machine may read %s; run `chmod 600 %s*`", path, path)
    except OSError:
        pass
