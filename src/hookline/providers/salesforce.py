"""Salesforce outbound messages: SOAP 1.1, and **nothing is signed.**

Salesforce offers no secret of its own, only a client certificate, which a proxy in front of Hookline has to check. So
the source has a token for the URL: give Salesforce the endpoint URL with `?token=SECRET` behind it. Whoever has seen
that URL can make any message; with the option `organization_id`, messages that name another organisation are refused
besides, which is no proof, since the id is no secret. Fetch the record from the API before acting on it.
https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging.htm

One message carries up to 100 notifications, and each is an event of its own, whose body is the message with this
notification alone. The type is the record's (`Account`), the id is the notification's, made for finding duplicates.
`SessionId`, with which one could act as the user, is taken out before anything is stored. `event.json` is an object:
`{"OrganizationId", "ActionId", "EnterpriseUrl", "PartnerUrl", "Id", "sObject": {"type": "Account", "Id": ...}}`.

The answer is the SOAP message `<Ack>true</Ack>`, once for all notifications; an empty 200 would count as a failure.
Salesforce tries again for 24 hours, out of order, and sends the newest field values only: a known notification stays a
duplicate when its record has changed meanwhile. Under a known id, another record or organisation is a new event with
`conflict_of`. XML with a document type declaration is refused, so there are no entities to expand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from hookline.core.request import WebhookRequest, read_headers
from hookline.core.xml import parse_xml, spans
from hookline.exceptions import CannotVerify, NotVerified, Unreadable
from hookline.providers.base import Option, ParsedEvent, Reply, SourceConfig
from hookline.providers.schemes.batches import parse_each
from hookline.providers.schemes.parts import Query
from hookline.providers.schemes.token import TokenProvider

_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_NS = "{http://soap.sforce.com/2005/09/outbound}"
_FIELDS = "{urn:sobject.enterprise.soap.sforce.com}"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_ACK = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
_ORGANIZATION = "00D000000000062EAA"
#: The first characters of an id say the same in its short and its long form.
_SHORT_ID = 15


class Salesforce(TokenProvider):
    title = "Salesforce"
    docs_url = "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging.htm"
    media = frozenset({"XML"})
    secret_is_yours = True
    secret_help = "the token that you put behind the endpoint URL as ?token=..."
    options = (Option("organization_id", "The id of the one Salesforce organisation that may send (00D...)."),)
    max_events = 100
    reply = Reply(_ACK, "text/xml; charset=utf-8")

    token_at = Query("token")
    retries = (
        "the fields, of which the newest values are sent, and the session; the notification's id stays (Salesforce's "
        "page on outbound messages)"
    )

    samples = {
        "Account": {"Id": "0010000000hFwzOAAS", "Name": "Example Ltd"},
        "Contact": {"Id": "0030000000hFwzOAAS", "LastName": "Lovelace", "Email": "ada@example.com"},
        "Opportunity": {"Id": "0060000000hFwzOAAS", "StageName": "Closed Won", "Amount": "4200.0"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        super().verify(request, config, now)
        expected = config.options.get("organization_id")
        if expected is None:
            return
        if not isinstance(expected, str):
            raise CannotVerify("bad_option", "the option organization_id of this source is not text")
        if _text(_notifications(request), "OrganizationId")[:_SHORT_ID] != expected[:_SHORT_ID]:
            raise NotVerified("wrong_organization", "the OrganizationId is not the source's option organization_id")

    def payload(self, request: WebhookRequest) -> Any:
        """The message with its first notification as an object; a stored event has only that one."""
        message = _notifications(request)
        notification = next(iter(message.findall(f"{_NS}Notification")), None)
        if notification is None:
            raise Unreadable("missing_field", "there is no Notification in the message")
        names = ("OrganizationId", "ActionId", "EnterpriseUrl", "PartnerUrl")
        record = notification.find(f"{_NS}sObject")
        fields = {} if record is None else {_local(field.tag): field.text for field in record}
        sobject = {"type": _record_type(notification), **fields}
        return {**{name: _text(message, name) for name in names}, "Id": _text(notification, "Id"), "sObject": sobject}

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        message = _notifications(request)
        places = spans(request.body, f"{_NS}Notification")
        if not places:
            raise Unreadable("missing_field", "there is no Notification in the message")
        if len(places) != len(message.findall(f"{_NS}Notification")):
            raise Unreadable("wrong_body", "there is a Notification outside the list of notifications")
        singles = single_notifications(request.body, places)
        return parse_each(request, singles, lambda one: self.parsed_event(one, config), most=self.max_events)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return str(self.payload(request)["sObject"]["type"])

    def content(self, request: WebhookRequest) -> bytes:
        """Which notification it is and of which record, without the fields: a retry has their newest values."""
        event = self.payload(request)
        record = event["sObject"]
        return json.dumps([event["OrganizationId"], event["Id"], record["type"], record.get("Id")]).encode()

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        found = str(self.payload(request)["Id"])
        if not found:
            raise Unreadable("missing_id", "the Notification has no Id")
        return found

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        values = {"OrganizationId": _ORGANIZATION, "ActionId": "04k000000000001AAA"}
        children = [_element(f"{_NS}{name}", text) for name, text in values.items()]
        notification = Element(f"{_NS}Notification")
        notification.append(_element(f"{_NS}Id", event_id or f"04l{now * 1000:015.0f}"))
        record = SubElement(notification, f"{_NS}sObject", {_XSI_TYPE: f"sf:{event_type}"})
        for name, value in (self.samples.get(event_type, {}) if data is None else data).items():
            record.append(_element(f"{_FIELDS}{name}", str(value)))
        headers = read_headers([("content-type", "text/xml; charset=utf-8"), ("soapaction", '""')])
        return WebhookRequest("POST", "", headers, _envelope([*children, notification]))


def _notifications(request: WebhookRequest) -> Element:
    """The element `notifications` of the message. Raises Unreadable."""
    root = parse_xml(request.body)
    found = root.find(f"{_SOAP}Body/{_NS}notifications") if root.tag == f"{_SOAP}Envelope" else None
    if found is None:
        raise Unreadable("wrong_body", "the body is no SOAP message with notifications in it")
    return found


def _envelope(children: list[Element]) -> bytes:
    envelope = Element(f"{_SOAP}Envelope")
    message = SubElement(SubElement(envelope, f"{_SOAP}Body"), f"{_NS}notifications")
    message.extend(children)
    return bytes(tostring(envelope, encoding="utf-8", xml_declaration=True))


def single_notifications(text: bytes, places: list[tuple[int, int]]) -> Iterator[bytes]:
    """The message with each of its notifications alone, and without session ids. `places` is where those are."""
    sessions = spans(text, f"{_NS}SessionId")
    ends = [0, *(end for _, end in places)]
    starts = [*(start for start, _ in places), len(text)]
    between = list(_without(text, list(zip(ends, starts, strict=True)), sessions))
    common, position = b"".join(between), 0
    for before, notification in zip(between, _without(text, places, sessions), strict=False):
        position += len(before)
        yield common[:position] + notification + common[position:]


def _without(text: bytes, pieces: list[tuple[int, int]], cuts: list[tuple[int, int]]) -> Iterator[bytes]:
    """Each of these pieces of a text without what is cut. Both are in order, and every cut lies within one piece."""
    waiting = iter(cuts)
    cut = next(waiting, None)
    for start, end in pieces:
        kept, position = [], start
        while cut is not None and cut[0] < end:
            if cut[0] >= start:
                kept.append(text[position : cut[0]])
                position = cut[1]
            cut = next(waiting, None)
        yield b"".join([*kept, text[position:end]])


def _element(tag: str, text: str) -> Element:
    element = Element(tag)
    element.text = text
    return element


def _text(parent: Element, name: str) -> str:
    return parent.findtext(f"{_NS}{name}") or ""


def _record_type(notification: Element) -> str:
    """`Account` of `xsi:type="sf:Account"`."""
    record = notification.find(f"{_NS}sObject")
    return "" if record is None else record.get(_XSI_TYPE, "").rpartition(":")[2]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
