"""Who runs a command."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hookline.audit.actor import Actor


def actor() -> Actor:
    """The system user, for the audit entries of what the command changes."""
    from hookline.audit.actor import command_line

    try:
        return command_line(getpass.getuser())
    except (KeyError, OSError):  # a container may run as a number that has no name
        return command_line(f"uid {os.getuid()}")
