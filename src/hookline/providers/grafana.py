"""Grafana 12 and later, webhook contact points: `X-Grafana-Alerting-Signature: <hex>`, HMAC-SHA256.

The key is the secret of the contact point as text. Signed is the raw body; or, where the contact point names a header
for the time, `<unix seconds>:<raw body>`: then give the source the option `timestamp_header`, and the window is five
minutes, since every try is signed again. The option `header` is for a signature under another name.
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/

The type is the body's `status` (`firing`, `resolved`). There is no event id: a known body is a new event with
`repeat_of`, for a group that is still firing comes again with the same bytes every `repeat_interval`. With a
`timestamp_header` it is a duplicate where the signed time is the same; **without one a retry is processed again**.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, ConfigurationError
from hookline.providers.base import Option, Received, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json, header_name
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import seconds, write_iso8601

_HEADER = "x-grafana-alerting-signature"


class Grafana(HmacProvider):
    title = "Grafana"
    docs_url = (
        "https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/"
        "webhook-notifier/"
    )
    secret_is_yours = True
    secret_help = "the HMAC secret of the contact point"
    options = (
        Option("header", "The header that carries the signature.", _HEADER, check=header_name),
        Option(
            "timestamp_header",
            "The header that carries the time, where the contact point names one.",
            check=header_name,
        ),
        Option("tolerance", "Seconds that the signed time may lie in the past or future.", "300", check=seconds),
    )

    signature = Plain(_HEADER)

    type_at = Json("status")
    repeats_bodies = "A group that still fires comes again unchanged (Grafana's notification policies)."
    retries = (
        "the time and the signature (Grafana's source signs each try): with a `timestamp_header` a retry is a new "
        "event with `repeat_of`, and without one too"
    )

    samples = {
        "firing": {
            "alerts": [{"status": "firing", "labels": {"alertname": "High load"}, "fingerprint": "c6eadffa33fcdf37"}]
        },
        "resolved": {
            "alerts": [{"status": "resolved", "labels": {"alertname": "High load"}, "fingerprint": "c6eadffa33fcdf37"}]
        },
    }

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        try:
            configured = self.configured(config.options)
        except ConfigurationError as error:
            raise CannotVerify("bad_option", str(error)) from None
        return super(Grafana, configured).receive(request, config, now)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        return super(Grafana, self.configured(config.options)).sign(request, config, now)

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.timestamp_at.read(request) if self.timestamp_at else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "receiver": "hookline",
                "status": event_type,
                **sample,
                "groupKey": "{}:{alertname='High load'}",
                "message": f"since {write_iso8601(now)}",
                "version": "1",
            }
        )

    # ---- configuration ----------------------------------------------------------------------------
    @property
    def known_options(self) -> tuple[Option, ...]:
        # The option `tolerance` is this provider's own in either form.
        return (*self.options, *(option for option in super().known_options if option.name == "repeated_bodies"))

    def check_options(self, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        if "tolerance" in options and "timestamp_header" not in options:
            raise ConfigurationError(
                "the option 'tolerance' of Grafana needs timestamp_header: without it there is no time"
            )

    def configured(self, options: Mapping[str, str]) -> Grafana:
        """The same provider with the headers that the options name. Raises ConfigurationError."""
        self.check_options(options)
        header, timestamp_header = options.get("header", _HEADER).lower(), options.get("timestamp_header", "").lower()
        if type(self) is Grafana:
            return _kept(header, timestamp_header)
        return _configured(type(self), header, timestamp_header)  # the doctor tries others, each of them once


@lru_cache(maxsize=256)
def _kept(header: str, timestamp_header: str) -> Grafana:
    return _configured(Grafana, header, timestamp_header)


def _configured(kind: type[Grafana], header: str, timestamp_header: str) -> Grafana:
    states: dict[str, Any] = {"signature": Plain(header)}
    if timestamp_header:
        states |= {"timestamp_at": Header(timestamp_header), "signed": (TIMESTAMP, ":", BODY), "tolerance": 300}
    configured: type[Grafana] = type("Grafana", (kind,), states)
    return configured()
