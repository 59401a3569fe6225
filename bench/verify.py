"""Verifications per second on one core, with a body of about 1 kB: `make bench-verify`.

For each provider the time of `verify` is compared with the bare cryptographic primitive on the same bytes, and, where
the sender has an official Python SDK, with that SDK's verifier. Parsing the event is not part of it, neither here nor
there. What counts is the processor time of this thread in the best of several rounds, since machines are noisy.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from rich.console import Console
from rich.table import Table

from bench.verify_sdks import SDKS
from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.keyed_digest import KeyedDigestProvider
from hookline.providers.schemes.public_key import PublicKeyProvider
from tests.providers.kits import Kit, kit_of, private_key

#: The real time, because some SDKs look at the clock.
NOW = time.time()
#: They sign two texts, so any verifier computes two MACs: Dropbox Sign signs time and type, and the JSON.
TWO_SIGNATURES = frozenset({"dropbox_sign"})
#: An HMAC scheme may take this many times the bare primitive.
MOST = 4.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="providers; all by default")
    parser.add_argument("--seconds", type=float, default=0.01, help="for one round of one measurement")
    arguments = parser.parse_args()
    table = Table("provider", "µs", "per second", "primitive", "µs", "ratio", "SDK µs", "SDK / ours")
    slow = []
    for name in arguments.names or providers.names():
        provider, kit = providers.get(name), kit_of(name)
        if not isinstance(provider, HmacProvider | KeyedDigestProvider | PublicKeyProvider):
            continue  # tokens and JWTs are measured by what they compare, not by a signature over the body
        request, config = signed_request(provider, kit)
        label, primitive = bare(provider, request.body)
        works: list[Callable[[], object]] = [partial(provider.verify, request, config, NOW), primitive]
        if name in SDKS:
            works.append(SDKS[name](request, config.secrets[0], NOW))
        ours, bare_time, *sdk_times = best(works, arguments.seconds)
        sdk_time = sdk_times[0] if sdk_times else None
        ratio = ours / bare_time
        if isinstance(provider, HmacProvider) and ratio > MOST:
            slow.append(f"{name}: {ratio:.1f} times the bare primitive")
        # With public keys both spend their time in the primitive, which is the same.
        if isinstance(provider, HmacProvider) and sdk_time is not None and sdk_time < ours:
            slow.append(f"{name}: the SDK takes {sdk_time * 1e6:.1f} µs, we take {ours * 1e6:.1f}")
        table.add_row(
            name, f"{ours * 1e6:.1f}", f"{1 / ours:,.0f}", label, f"{bare_time * 1e6:.1f}", f"{ratio:.1f}",
            f"{sdk_time * 1e6:.1f}" if sdk_time else "", f"{sdk_time / ours:.1f}" if sdk_time else "",
        )  # fmt: skip
    Console(width=120).print(table)
    sys.stdout.write("\n".join(["", "Short of the aim:", *slow] if slow else ["", "All within the aims."]) + "\n")
    return 1 if slow else 0


def signed_request(provider: Provider, kit: Kit) -> tuple[WebhookRequest, SourceConfig]:
    """A genuine request whose body has about 1 kB, and the source that takes it."""
    sample = dict(next(iter(provider.samples.values()), {}))
    kind = next(iter(provider.samples), "event")
    request = provider.compose(kind, "", NOW, {**sample, "padding": "x" * 700})
    request = replace(request, url="https://hooks.example.com/in/abc")
    request = provider.sign(request, kit.sender, NOW)
    provider.verify(request, kit.source, NOW)
    return request, kit.source


def bare(provider: Provider, body: bytes) -> tuple[str, Callable[[], object]]:
    """The primitive that any verifier of this scheme must run at least once, on the body's bytes."""
    if provider.name in TWO_SIGNATURES:
        return "2 hmac sha256", lambda: (hmac.digest(b"k" * 32, body, "sha256"), hmac.digest(b"k" * 32, b"t", "sha256"))
    if isinstance(provider, HmacProvider):
        return f"hmac {provider.digest}", lambda: hmac.digest(b"k" * 32, body, provider.digest)
    if isinstance(provider, KeyedDigestProvider):
        return provider.digest, lambda: hashlib.new(provider.digest, body).digest()
    assert isinstance(provider, PublicKeyProvider)
    key = private_key(provider.algorithm, 0)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature, public = key.sign(body), key.public_key()
        return "ed25519", lambda: public.verify(signature, body)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signed, point = key.sign(body, ec.ECDSA(hashes.SHA256())), key.public_key()
        return "ecdsa p-256", lambda: point.verify(signed, body, ec.ECDSA(hashes.SHA256()))
    raw, modulus = key.sign(body, padding.PKCS1v15(), hashes.SHA256()), key.public_key()
    return "rsa 2048", lambda: modulus.verify(raw, body, padding.PKCS1v15(), hashes.SHA256())


def best(works: Sequence[Callable[[], object]], seconds: float, rounds: int = 9) -> list[float]:
    """Seconds for one call of each, in its fastest round. The rounds take turns, so that noise meets all alike."""
    timers = [timeit.Timer(work, timer=time.thread_time) for work in works]
    numbers = [max(1, int(seconds / max(min(timer.repeat(3, 10)) / 10, 1e-9))) for timer in timers]
    times = [
        [timer.timeit(number) / number for timer, number in zip(timers, numbers, strict=True)] for _ in range(rounds)
    ]
    return [min(column) for column in zip(*times, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
