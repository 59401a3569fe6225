"""HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), as a sender makes them.

Each key signs for itself, under a label of its own. Its id is the `keyid` and the `tag`, too: with several signatures a
receiver picks the one for the key that it holds, and the tag is what verifiers select by (RFC 9421 section 7.2.5).
https://www.rfc-editor.org/rfc/rfc9421  https://www.rfc-editor.org/rfc/rfc9530
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hookline.core.signatures.ed25519 import SigningKey
from hookline.core.signing import Mac, encode

HttpAlgorithm = Literal["hmac-sha256", "ed25519"]
#: What is signed of each message: where it goes, its bytes, and what tells a repetition.
COVERED = ("@method", "@target-uri", "content-type", "content-digest", "webhook-id")


class HttpKey(Protocol):
    """What makes one signature."""

    @property
    def algorithm(self) -> HttpAlgorithm: ...
    @property
    def id(self) -> str: ...
    def sign(self, signed: bytes) -> bytes: ...


class HmacKey:
    """A shared secret."""

    algorithm: HttpAlgorithm = "hmac-sha256"

    def __init__(self, key: bytes) -> None:
        """Raises ValueError for an empty key."""
        self.sign = Mac("sha256", key)
        self.id = key_id(key)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key pair, whose public half receivers hold."""

    key: SigningKey
    algorithm: HttpAlgorithm = "ed25519"

    @property
    def id(self) -> str:
        return self.key.id

    def sign(self, signed: bytes) -> bytes:
        return self.key.sign(signed)


def key_id(key: bytes) -> str:
    """How a shared secret is named: from it, but not the other way: 16 hex digits of HMAC-SHA256(key, `keyid`)."""
    return Mac("sha256", key)(b"keyid").hex()[:16]


def content_digest(body: bytes) -> str:
    """The header Content-Digest (RFC 9530 section 2)."""
    return f"sha-256=:{encode(hashlib.sha256(body).digest(), 'base64')}:"


def signature_params(covered: Sequence[str], parameters: Mapping[str, str | int]) -> str:
    """What a signature covers and its parameters, as Signature-Input has them (RFC 9421 section 2.3).

    The values of parameters are ours: no text among them has a quotation mark or a backslash.
    """
    names = " ".join(f'"{name}"' for name in covered)
    more = "".join(
        f";{name}={value}" if isinstance(value, int) else f';{name}="{value}"' for name, value in parameters.items()
    )
    return f"({names}){more}"


def signature_base(components: Mapping[str, str], params: str) -> bytes:
    """The text that is signed (RFC 9421 section 2.5): of each component its value, then the parameters."""
    lines = [f'"{name}": {value}' for name, value in components.items()]
    return "\n".join([*lines, f'"@signature-params": {params}']).encode("ascii")


def signed_headers(components: Mapping[str, str], created: int, keys: Sequence[HttpKey]) -> dict[str, str]:
    """Signature-Input and Signature over these components by each key. `created` is Unix time in seconds.

    Raises ValueError for a component that is not ASCII.
    """
    inputs, signatures = [], []
    for number, key in enumerate(keys, start=1):
        params = signature_params(
            tuple(components), {"created": created, "keyid": key.id, "alg": key.algorithm, "tag": key.id}
        )
        raw = key.sign(signature_base(components, params))
        inputs.append(f"sig{number}={params}")
        signatures.append(f"sig{number}=:{encode(raw, 'base64')}:")
    return {"signature-input": ", ".join(inputs), "signature": ", ".join(signatures)}
