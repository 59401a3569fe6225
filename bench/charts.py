"""Charts of results: plain horizontal bars as SVG, readable on light and dark pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.report import Report, Row

WIDTH, LABELS, FIGURES = 760, 330, 110
LINE, BAR, TOP = 28, 16, 40

_STYLE = """
    text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
    .title { font-weight: 600 }
    rect { fill: #2f6fde }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } rect { fill: #6ea8ff } }
"""


def chart(report: Report) -> str:
    """The rows that have the unit of the first one, each a bar from zero."""
    unit = report.rows[0].unit
    return bars(f"{report.benchmark}, {report.database}: {unit}", [row for row in report.rows if row.unit == unit])


def bars(title: str, rows: Sequence[Row]) -> str:
    most = max(row.figure for row in rows)
    height = TOP + LINE * len(rows) + 8
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
        f"  <style>{_STYLE}  </style>",
        f'  <text class="title" x="0" y="20">{escape(title)}</text>',
    ]
    for number, row in enumerate(rows):
        top = TOP + LINE * number
        width = max(1.0, (WIDTH - LABELS - FIGURES) * row.figure / most)
        lines += [
            f'  <text x="0" y="{top + BAR - 3}">{escape(row.name)}</text>',
            f'  <rect x="{LABELS}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2"/>',
            f'  <text x="{LABELS + width + 8:.1f}" y="{top + BAR - 3}">{row.text}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
