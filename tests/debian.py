"""Install programs from Debian's packages, unless they are there: `python -m tests.debian chromium`.

Their system services are not started: the tests start servers of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: Package -> the program that the tests start. RabbitMQ's own one: Debian's wrapper insists on the service's user.
PROGRAMS = {
    "chromium": Path("/usr/bin/chromium"),
    "pgbouncer": Path("/usr/sbin/pgbouncer"),
    "rabbitmq-server": Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
    "redis-server": Path("/usr/bin/redis-server"),
}

#: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt: 101 forbids to start a service.
POLICY = Path("/usr/sbin/policy-rc.d")


@contextmanager
def no_services_started() -> Iterator[None]:
    """Keep packages from starting their services while they are installed."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install(wanted: Sequence[str]) -> int:
    """Install those of the packages that are missing. Returns 0, or an exit code once it has said what is wrong."""
    missing = [package for package in wanted if not PROGRAMS[package].exists()]
    if not missing:
        return 0
    names = " ".join(missing)
    if shutil.which("apt-get") is None:
        print(f"These tests need Debian's packages {names}, and this system has no apt-get.", file=sys.stderr)
        return 1
    if os.geteuid() != 0:
        print(f"These tests need: sudo apt-get install --no-install-recommends {names}", file=sys.stderr)
        return 1
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with no_services_started():
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            code = subprocess.run(["apt-get", "--quiet", *command], env=environment, check=False).returncode
            if code != 0:
                print(f"apt-get {' '.join(command)} failed; its messages are above", file=sys.stderr)
                return code
    return 0


if __name__ == "__main__":
    sys.exit(install(sys.argv[1:]))
