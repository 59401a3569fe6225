"""A report as one HTML file, with the timeline of each broken history drawn. It loads nothing from anywhere."""

from __future__ import annotations

import json
from html import escape

from hookline.simulator.play import Exchange
from hookline.simulator.report import Finding, Outcome, Report

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #d7dde5 }
.held { color: #116633 } .broken { color: #a3161f; font-weight: 600 } .not-run { color: #5a6472 }
pre { background: #f3f5f8; padding: .6rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif }
@media (prefers-color-scheme: dark) {
  body { background: #14181d; color: #e4e8ee } pre { background: #1e242b } th, td { border-color: #333c47 }
  .held { color: #6fd08c } .broken { color: #ff8a8f } .not-run { color: #9aa5b3 }
  svg { filter: invert(.9) hue-rotate(180deg) }
}
"""

#: Of the drawing: where the two lines stand, and the height of one exchange, in its own units.
_LEFT, _MIDDLE, _RIGHT, _STEP = 250, 435, 620, 46


def as_html(report: Report, commands: dict[str, str]) -> str:
    """The page. `commands`: for each scenario the command that sends its history again."""
    broken = len(report.broken)
    headline = "Every guarantee that was tested held." if not broken else f"{broken} scenarios broke a guarantee."
    rows = "".join(
        f"<tr><td>{escape(finding.scenario)}</td><td>{escape(finding.guarantee)}</td>"
        f'<td class="{_class(finding.outcome)}">{finding.outcome}</td><td>{escape(finding.problem)}</td>'
        f"<td>{finding.requests}</td></tr>"
        for finding in report.findings
    )
    stories = "".join(_story(finding, commands.get(finding.scenario, "")) for finding in report.broken)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Simulation: {escape(report.provider)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(report.provider)}, {escape(report.sequence)}</h1><p>{headline} Consumer: "
        f"<code>{escape(report.url)}</code>. Seed: {report.seed}.</p>"
        f"<table><thead><tr><th>Scenario</th><th>Guarantee</th><th>Outcome</th><th>What was found</th>"
        f"<th>Requests</th></tr></thead><tbody>{rows}</tbody></table>{stories}</body></html>\n"
    )


def _story(finding: Finding, command: str) -> str:
    if finding.play is None:
        return ""
    effects = ""
    if finding.expected is not None:
        seen, expected = _json(finding.play.effect), _json(finding.expected)
        effects = f"<p>Effect, and what it should be:</p><pre>{seen}\n{expected}</pre>"
    again = f"<p>Send it again:</p><pre>{escape(command)}</pre>" if command else ""
    return (
        f"<h2>{escape(finding.scenario)}</h2><p>{escape(finding.problem)}.</p>"
        f"{_timeline(finding.play.exchanges)}{effects}{again}"
    )


def _timeline(exchanges: tuple[Exchange, ...]) -> str:
    """Sender and consumer as two lines, each request as an arrow to the right and its answer as one to the left."""
    height = 50 + _STEP * len(exchanges)
    drawn = []
    for place, exchange in enumerate(exchanges):
        top = 44 + _STEP * place
        drawn.append(
            f'<text x="{_LEFT - 12}" y="{top + 4}" text-anchor="end">{exchange.at:.3f} s</text>'
            f'<line x1="{_LEFT}" y1="{top}" x2="{_RIGHT}" y2="{top + 12}" stroke="#2457a6" marker-end="url(#to)"/>'
            f'<text x="{_MIDDLE}" y="{top - 2}" text-anchor="middle">{escape(str(exchange.sending))}</text>'
        )
        if exchange.answer.status is not None:
            drawn.append(
                f'<line x1="{_RIGHT}" y1="{top + 16}" x2="{_LEFT}" y2="{top + 28}" stroke="#5a6472" '
                f'marker-end="url(#to)"/>'
            )
        drawn.append(f'<text x="{_RIGHT + 12}" y="{top + 20}">{escape(str(exchange.answer))[:60]}</text>')
    return (
        f'<svg viewBox="0 0 860 {height}" role="img" aria-label="Timeline of the requests">'
        '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker></defs>'
        f'<text x="{_LEFT}" y="16" text-anchor="middle">sender</text>'
        f'<text x="{_RIGHT}" y="16" text-anchor="middle">consumer</text>'
        f'<line x1="{_LEFT}" y1="24" x2="{_LEFT}" y2="{height - 6}" stroke="#9aa5b3"/>'
        f'<line x1="{_RIGHT}" y1="24" x2="{_RIGHT}" y2="{height - 6}" stroke="#9aa5b3"/>'
        f"{''.join(drawn)}</svg>"
    )


def _class(outcome: Outcome) -> str:
    return str(outcome).replace(" ", "-")


def _json(value: object) -> str:
    return escape(json.dumps(value, sort_keys=True))
