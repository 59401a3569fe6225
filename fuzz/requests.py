"""A coverage-guided fuzz target over every provider: `make fuzz`.

Each input chooses a provider's vector and then bends its genuine request: header values, the body, the secret, the
options. Whatever comes out, `receive` answers or raises a VerificationError; anything else is a crash, and libFuzzer
keeps the input that led there. Coverage of the header parsers, the form and JSON readers and the schemes guides it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace

import atheris

with atheris.instrument_imports(include=["hookline"]):
    from hookline import providers
    from hookline.core.request import read_headers
    from hookline.exceptions import VerificationError

    for name in providers.names():  # loaded now, so that they are instrumented, too
        providers.get(name)

from tests.providers.vectors import load_all

VECTORS = list(load_all())


def test_one_input(data: bytes) -> None:
    fuzzed = atheris.FuzzedDataProvider(data)
    vector = VECTORS[fuzzed.ConsumeIntInRange(0, len(VECTORS) - 1)]
    request = vector.request
    kind = fuzzed.ConsumeIntInRange(0, 3)
    if kind == 0:  # another value of a header that counts
        names = sorted(request.headers)
        header = names[fuzzed.ConsumeIntInRange(0, len(names) - 1)] if names else "x"
        text = fuzzed.ConsumeBytes(400).decode("latin-1")
        request = replace(request, headers={**request.headers, header: (text,)})
    elif kind == 1:  # a splice: the beginning of the genuine value, then anything
        names = sorted(vector.signed_headers) or ["x"]
        header = names[fuzzed.ConsumeIntInRange(0, len(names) - 1)]
        genuine = "".join(request.headers.get(header, ("",)))
        text = genuine[: fuzzed.ConsumeIntInRange(0, len(genuine))] + fuzzed.ConsumeBytes(200).decode("latin-1")
        request = replace(request, headers={**request.headers, header: (text,)})
    elif kind == 2:  # another body
        request = replace(request, body=fuzzed.ConsumeBytes(2000))
    else:  # nothing of the genuine request but its URL
        pairs = [
            (fuzzed.ConsumeBytes(20).decode("latin-1"), fuzzed.ConsumeBytes(100).decode("latin-1"))
            for _ in range(fuzzed.ConsumeIntInRange(0, 5))
        ]
        request = replace(request, headers=read_headers(pairs), body=fuzzed.ConsumeBytes(1000))
    with suppress(VerificationError):
        vector.receive(request)


def main() -> None:
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
