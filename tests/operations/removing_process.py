"""A process that does portions of a tenant's removal, and ends itself (SIGKILL) in the middle of the third one.

Argument: the tenant's id. Standard input: the DATABASES setting as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from uuid import UUID


def main(tenant: UUID) -> None:
    databases = json.loads(sys.stdin.readline())

    import django

    from tests import settings

    settings.DATABASES = databases
    django.setup()

    from django.db import transaction

    from hookline.operations import removal

    removal.PORTION = 50
    removal.step(tenant)
    removal.step(tenant)
    with transaction.atomic():
        portion = removal.step(tenant)
        assert portion.removed
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(UUID(sys.argv[1]))
