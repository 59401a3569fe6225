"""Diagnosis: why a request was refused, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`cause` is a code; `text` and `advice` are sentences without a secret in them.

    `proven`: with this one thing changed, the request verifies. Otherwise it is what the refusal itself says.
    """

    cause: str
    text: str
    advice: str
    proven: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"cause": self.cause, "text": self.text, "advice": self.advice, "proven": self.proven}
