"""The dashboard and the alert rules in docs/ use metrics and labels that exist, and each alert says what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hookline.telemetry.catalogue import METRICS, Kind

DOCS = Path(__file__).parents[2] / "docs"
ALERTS = DOCS / "prometheus" / "alerts.yml"
DASHBOARD = DOCS / "grafana" / "hookline.json"

LABELS = {metric.name: {*metric.labels, "le"} for metric in METRICS}
NAMES = {
    name
    for metric in METRICS
    for name in (
        [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        if metric.kind is Kind.HISTOGRAM
        else [metric.name]
    )
}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"
    ]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in alerts())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def test_every_metric_that_is_named_exists_and_has_the_labels_it_is_asked_for() -> None:
    assert len(list(expressions())) > 40
    for expression in expressions():
        named = re.findall(r"\bhookline_\w+", expression)
        assert named, expression
        assert set(named) <= NAMES, expression
        known = set[str]().union(*(LABELS[re.sub(r"_(bucket|sum|count)$", "", name)] for name in named))
        grouped = {label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(", ")}
        matched = set(re.findall(r"[{,]\s*(\w+)\s*[!=]", expression))
        assert grouped | matched <= known, expression


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {
        name
        for panel in panels()
        for target in panel["targets"]
        for name in re.findall(r"hookline_\w+", target["expr"])
    }
    missing = [metric.name for metric in METRICS if not any(name.startswith(metric.name) for name in shown)]
    assert missing == []


def test_every_alert_says_what_to_do_and_how_bad_it_is() -> None:
    assert len(alerts()) >= 12
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"]
        assert len(rule["annotations"]["action"]) > 40


def test_every_panel_says_what_it_shows() -> None:
    assert all(panel["title"] and panel["description"] for panel in panels())
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_promtool_takes_the_rules(promtool: str) -> None:
    result = subprocess.run([promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"SUCCESS: {len(alerts())} rules found" in result.stdout


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not here: apt-get install prometheus")
    return found
