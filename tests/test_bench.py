"""What the benchmarks say about their results: the verdicts, and the page and charts that are made from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import charts, pages, report

SVG = "{http://www.w3.org/2000/svg}"


def a_report(**values: float) -> report.Report:
    made = report.Report("ingest", "sqlite", {"rounds": 3}, command="python -m bench.ingest")
    for name, figure in values.items():
        made.row(name, figure, "events/s")
    return made


@pytest.mark.parametrize(
    ("reached", "least", "most", "met"),
    [
        (0.5, 0.5, None, True),
        (0.499, 0.5, None, False),
        (2.0, None, 2.0, True),
        (2.01, None, 2.0, False),
        (float("nan"), 0.5, None, False),
        (float("nan"), None, 2.0, False),
    ],
)
def test_an_aim_is_met_exactly_at_its_bound_and_never_by_what_is_no_number(
    reached: float, least: float | None, most: float | None, met: bool
) -> None:
    assert report.Aim("x", reached, least, most).met is met


@pytest.mark.django_db
def test_a_missed_aim_is_printed_and_makes_the_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = argparse.Namespace(json=None)
    good, bad = a_report(edge=4000), a_report(edge=4000)
    good.aim("stored / answered", 0.6, least=0.5)
    bad.aim("stored / answered", 0.6, least=0.5)
    bad.aim("edge / view", 3, least=5)
    assert (good.finish(arguments), bad.finish(arguments)) == (0, 1)
    assert "MISSED: edge / view: 3 (at least 5)" in capsys.readouterr().out


def test_a_file_keeps_the_results_of_others_and_replaces_its_own(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    other = report.Report("start", "sqlite", {})
    for made in (a_report(edge=1), other, a_report(edge=2)):
        report.write(path, made)
    assert report.read(path) == {"ingest-sqlite": a_report(edge=2), "start-sqlite": other}


def test_a_chart_is_xml_whose_bars_are_as_long_as_their_figures() -> None:
    made = a_report(whole=4000, half=2000)
    made.row("not of this unit", 99, "ms")
    root = ET.fromstring(charts.chart(made))
    whole, half = (float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect"))
    assert half == pytest.approx(whole / 2)
    assert [text.text for text in root.iter(f"{SVG}text")] == [
        "ingest, sqlite: events/s", "whole", "4,000", "half", "2,000",
    ]  # fmt: skip


def test_results_stand_in_their_place_on_the_page_and_nothing_else_changes() -> None:
    page = "a\n<!-- results: ingest -->\nold\n<!-- end -->\nb\n<!-- results: start -->\n<!-- end -->\n"
    filled = pages.filled(page, [a_report(edge=4000)])
    assert filled.startswith("a\n<!-- results: ingest -->\n\n### Ingest on SQLite\n")
    assert "| edge | 4,000 | events/s |" in filled
    assert "old" not in filled
    assert filled.endswith("\n<!-- end -->\nb\n<!-- results: start -->\n\nNot measured yet.\n\n<!-- end -->\n")
    assert pages.filled(filled, [a_report(edge=4000)]) == filled


def test_results_without_a_place_on_the_page_are_an_error() -> None:
    with pytest.raises(ValueError, match="no place for ingest"):
        pages.filled("nothing here", [a_report(edge=1)])


def test_the_page_is_what_its_results_say() -> None:
    reports = report.read(pages.RESULTS)
    page = pages.PAGE.read_text()
    assert page == pages.filled(page, reports.values()), "run `make docs`"
    drawn = {path.stem: path.read_text() for path in pages.CHARTS.glob("*.svg")}
    assert drawn == {key: charts.chart(made) for key, made in reports.items()}, "run `make docs`"
