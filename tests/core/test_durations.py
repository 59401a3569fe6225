from __future__ import annotations

import pytest

from hookline.core import durations


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("2w", 1209600), (" 1H ", 3600)]
)
def test_a_duration_is_a_whole_number_and_one_unit(text: str, seconds: int) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "h", "-1h", "1.5h", "1:30", "1h30m", "1 h", "PT24H", "1mo", "٣h", "1" * 10 + "s"]
)
def test_any_other_text_is_no_duration(text: str) -> None:
    assert durations.parse(text) is None
