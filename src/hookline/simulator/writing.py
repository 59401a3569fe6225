"""A report for programs: as JSON, and as JUnit XML for CI."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from hookline.core.text import printable
from hookline.simulator.play import Exchange
from hookline.simulator.report import Finding, Outcome, Report

#: Characters of a line in XML, which cannot hold all that an answer may.
MAX_TEXT = 4000


def as_json(report: Report) -> dict[str, Any]:
    """All of the report as values of JSON."""
    return {
        "provider": report.provider,
        "sequence": report.sequence,
        "url": report.url,
        "seed": report.seed,
        "ok": not report.broken,
        "guarantees": [
            {"name": guarantee.name, "outcome": str(outcome), "requirement": guarantee.requirement}
            for guarantee, outcome in report.guarantees
        ],
        "findings": [_finding(finding) for finding in report.findings],
    }


def as_junit(report: Report) -> str:
    """One test case for each scenario."""
    suite = ET.Element(
        "testsuite",
        name=f"hookline simulate {report.provider} {report.sequence}",
        tests=str(len(report.findings)),
        failures=str(len(report.broken)),
        skipped=str(sum(finding.outcome is Outcome.NOT_RUN for finding in report.findings)),
    )
    for finding in report.findings:
        case = ET.SubElement(
            suite, "testcase", classname=finding.guarantee, name=finding.scenario, time=f"{finding.seconds:.3f}"
        )
        if finding.outcome is Outcome.BROKEN:
            failure = ET.SubElement(case, "failure", message=printable(finding.problem, MAX_TEXT))
            failure.text = "\n".join(printable(line, MAX_TEXT) for line in story(finding))
        elif finding.outcome is Outcome.NOT_RUN:
            ET.SubElement(case, "skipped", message=printable(finding.problem, MAX_TEXT))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def story(finding: Finding) -> list[str]:
    """The smallest history that breaks a guarantee, a line for each request."""
    if finding.play is None:
        return []
    return [
        f"{exchange.at:7.3f} s  {exchange.sending!s:<24} {_about(exchange)} -> {exchange.answer} "
        f"after {exchange.answer.seconds * 1000:.0f} ms"
        for exchange in finding.play.exchanges
    ]


def _about(exchange: Exchange) -> str:
    request = exchange.request
    return f"{request.method} {len(request.body)} bytes"


def _finding(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {
        "scenario": finding.scenario,
        "guarantee": finding.guarantee,
        "outcome": str(finding.outcome),
        "problem": finding.problem,
        "requests": finding.requests,
        "seconds": round(finding.seconds, 3),
    }
    if finding.play is not None:
        found["history"] = str(finding.play.history)
        found["effect"] = finding.play.effect
        found["expected"] = finding.expected
        found["exchanges"] = [_exchange(exchange) for exchange in finding.play.exchanges]
    return found


def _exchange(exchange: Exchange) -> dict[str, Any]:
    return {
        "at": round(exchange.at, 3),
        "sending": str(exchange.sending),
        "method": exchange.request.method,
        "body": exchange.request.body[:2000].decode("utf-8", "backslashreplace"),
        "status": exchange.answer.status,
        "problem": exchange.answer.problem,
        "answer": exchange.answer.body[:2000].decode("utf-8", "backslashreplace"),
        "seconds": round(exchange.answer.seconds, 4),
    }
