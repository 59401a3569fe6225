"""`hookline adopt` on a table with duplicates: killed halfway, and held row by row against the table."""

from __future__ import annotations

from pathlib import Path

from tests.adoption.proof import Proof

ROWS = 10_000


def test_a_table_with_duplicates_is_taken_over_across_a_kill_and_every_row_is_what_the_table_says(
    database_url: str, tmp_path: Path
) -> None:
    outcome = Proof(database_url, tmp_path).run(ROWS)
    assert outcome.duplicates > ROWS * 0.15
    assert 0 < outcome.killed_at < ROWS
