"""Keys: what the server signs and encrypts with, from the environment or from a file beside the database."""

from __future__ import annotations

import base64
import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hookline.exceptions import ConfigurationError

logger = logging.getLogger("hookline.server")

FILE_NAME = "hookline.keys"
SECRET_KEY, ENCRYPTION_KEYS = "HOOKLINE_SECRET_KEY", "HOOKLINE_ENCRYPTION_KEYS"


@dataclass(frozen=True, slots=True)
class Keys:
    """Both as the environment variables hold them."""

    secret_key: str = field(repr=False)
    encryption_keys: str = field(repr=False)


def find(environment: Mapping[str, str], database_file: Path | None, *, create: bool = True) -> Keys:
    """The keys of this installation; on its first start they are made and written to a file, if that is allowed.

    The file is beside the SQLite database, or in the working directory for a database elsewhere (None).
    Raises ConfigurationError.
    """
    secret_key, encryption_keys = environment.get(SECRET_KEY, ""), environment.get(ENCRYPTION_KEYS, "")
    if secret_key and encryption_keys:
        return Keys(secret_key, encryption_keys)
    path = (database_file.parent if database_file else Path.cwd()) / FILE_NAME
    # Asked before looking for the keys: another process that starts at the same time makes its keys first.
    has_database = database_file is not None and database_file.exists() and database_file.stat().st_size > 0
    if not path.exists():
        if has_database and not encryption_keys:
            raise ConfigurationError(_lost(path, database_file))
        if not create:
            raise ConfigurationError(
                f"the keys {path} do not exist. Change to the folder of the installation, or set {SECRET_KEY} and "
                f"{ENCRYPTION_KEYS}; `hookline migrate` or `hookline serve` makes new ones here"
            )
        _create(path)
    kept = _read(path)
    return Keys(secret_key or kept.secret_key, encryption_keys or kept.encryption_keys)


def _lost(path: Path, database_file: Path | None) -> str:
    return (
        f"the database {database_file} exists, but its keys do not: {path} is missing and {ENCRYPTION_KEYS} is not "
        "set. The secrets in the database are encrypted and cannot be read without those keys, so no new ones were "
        "made. Put the file or the variable back; if the keys are lost for good, move the database away and start over"
    )


def _create(path: Path) -> None:
    # The id of the key is random, so that an error names the very key that is missing.
    key_id = f"k{secrets.token_hex(3)}"
    lines = (
        "# The keys of this Hookline installation. Keep them as you keep the database, but not in the same backup:",
        "# without them the secrets in the database cannot be read.",
        f"{SECRET_KEY}={secrets.token_urlsafe(48)}",
        f"{ENCRYPTION_KEYS}={key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
            # A link appears whole, and fails when another process was first: then its keys count for both.
            with suppress(FileExistsError):
                os.link(draft, path)
                # Logging is not set up while the settings load; then this goes to standard error as it is.
                logger.warning(
                    "Hookline created new keys in %s (mode 600). Back this file up: without it the secrets in the "
                    "database cannot be read.",
                    path,
                )
        finally:
            draft.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the keys of this installation to {path}: {error.strerror}. Make the directory writable, or "
            f"set {SECRET_KEY} and {ENCRYPTION_KEYS}"
        ) from error


def _read(path: Path) -> Keys:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the keys of this installation from {path}: {error}") from None
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    try:
        return Keys(values[SECRET_KEY], values[ENCRYPTION_KEYS])
    except KeyError as error:
        raise ConfigurationError(f"{path} has no line {error.args[0]}=...; put back the file from a backup") from None
