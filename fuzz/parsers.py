"""A coverage-guided fuzz target over the parsers that a stranger reaches: `make fuzz`.

Each input makes a piece of headers, a form, a multipart body, XML, JSON or a batch, and repeats it. Whatever the parser
says to that, it may raise nothing but a VerificationError, and twice as many pieces may cost about twice as much. Cost
is counted in operations, not in time (see tests/costs.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["hookline"]):
    from hookline import providers
    from hookline.core.forms import URLENCODED, parse_form
    from hookline.core.json_slices import JsonSlice
    from hookline.core.request import WebhookRequest, parse_json, read_headers
    from hookline.core.xml import parse_xml, spans
    from hookline.exceptions import Unreadable, VerificationError
    from hookline.providers.base import Provider

    for name in providers.names():  # loaded now, so that they are instrumented, too
        providers.get(name)

from tests.costs import assert_linear
from tests.providers.kits import kit_of

#: How often a piece is repeated; for a batch, of which more is read, less often.
PIECES, ITEMS = 130, 16
#: Brackets that are always there, so that what is only done for more than 128 of them is done for both sizes.
BALLAST = b'{"ballast":[' + b"[]," * 130 + b"[]]}"
#: Counting what a call costs makes it slow, so that is done for one input of so many.
COUNTED = 8
SEEDS = [
    b"",
    b'{"id":"1","type":"t","clientState":"s"},',
    b'{"id":"1","changes":[{"field":"feed","value":[]}],"dataChangeEvent":{"entities":[{"name":"a"}]}},',
    b'{"NotificationRequestItem":{"eventCode":"A","pspReference":"1","success":"true"}},',
    b'<x a="1" xmlns:b="urn:b"><b:y/>&amp;<![CDATA[z]]></x>',
    b"a=%41+1&",
    b'Content-Disposition: form-data; name="a"; x="y"\r\n\r\n1\r\n--x\r\n',
    b'boundary="x"; ',
    b"X-Name: value\n",
]
BATCHES = [name for name in providers.names() if type(providers.get(name)).events is not Provider.events]
#: Where the list of a batch stands; elsewhere the body is the list.
FIELDS = ("notificationItems", "eventNotifications", "employees", "entry", "events", "value", "data")
MULTIPART = "multipart/form-data; boundary=x"


def headers_of(text: bytes) -> None:
    """Read the lines as headers, and look at each of them and at the query of a URL made of them."""
    pairs = [line.partition(":") for line in text.decode("latin-1").split("\n")]
    headers = read_headers((name, value) for name, _, value in pairs)
    request = WebhookRequest("POST", f"https://hooks.example.com/?{text.decode('latin-1')}", headers, b"")
    for header in headers:
        with suppress(Unreadable):
            request.header(header)
    request.query()


def events_of(name: str) -> Callable[[bytes], object]:
    """Read the items as a batch of this provider, as if its signature were right."""
    provider, kit = providers.get(name), kit_of(name)
    sample = provider.compose(next(iter(provider.samples)), "", 0).body

    def read(items: bytes) -> object:
        headers = {"content-type": ("application/cloudevents-batch+json",)}
        field = next((field for field in FIELDS if field.encode() in sample), None)
        body = b"[%b,%b{}]" % (BALLAST, items)
        if field:
            body = b'{"x":%b,"%b":[%b{}]}' % (BALLAST, field.encode(), items)
        return list(provider.events(WebhookRequest("POST", "", headers, body), kit.source))

    return read


#: What reads a text, and how often a piece is repeated in it.
PARSERS: list[tuple[Callable[[bytes], object], int]] = [
    (headers_of, PIECES),
    (lambda text: parse_form(URLENCODED, text), PIECES),
    (lambda text: parse_form(MULTIPART, b"--x\r\n" + text + b"\r\n--x--"), PIECES),
    (lambda text: parse_form(f"{MULTIPART}; {text.decode('latin-1')}", b"--x\r\n\r\n--x--"), PIECES),
    (lambda text: parse_xml(b"<r>" + text + b"</r>"), PIECES),
    (lambda text: spans(b"<r xmlns:a='urn:a'>" + text + b"</r>", "x"), PIECES),
    (lambda text: parse_json(b"[" + BALLAST + b"," + text + b"1]"), PIECES),
    (lambda text: [item.raw for item in JsonSlice.whole(b"[" + text + b"1]").items], PIECES),
    *((events_of(name), ITEMS) for name in BATCHES),
]


def test_one_input(data: bytes) -> None:
    fuzzed = atheris.FuzzedDataProvider(data)
    parse, pieces = PARSERS[fuzzed.ConsumeIntInRange(0, len(PARSERS) - 1)]
    before = fuzzed.ConsumeBytes(fuzzed.ConsumeIntInRange(0, 20))
    seed = fuzzed.PickValueInList(SEEDS)
    at = fuzzed.ConsumeIntInRange(0, len(seed))
    is_counted = fuzzed.ConsumeIntInRange(1, COUNTED) == 1
    piece = seed[:at] + fuzzed.ConsumeBytes(40) + seed[at + fuzzed.ConsumeIntInRange(0, 2) :]

    def make(number: int) -> Callable[[], None]:
        text = before + piece * number

        def run() -> None:
            with suppress(VerificationError):
                parse(text)

        return run

    make(pieces)()
    if is_counted:
        assert_linear(make, pieces, most=3)


def main() -> None:
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
