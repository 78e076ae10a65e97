"""Columns of tables that are not read, though what they say changes what is heard."""

import pytest

from tests.corpora.conftest import rows_of


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("channel", "01", True),
        ("Channel", "AB", True),
        ("channel", "00", False),
        ("channel", "xy", False),
        ("channels", "12", False),
    ],
)
def test_a_column_of_channels_is_named_because_all_are_mixed(home, name, values, said):
    lines = "".join(f"rec/ben/b1.wav,sad,{at},{at + 1},{value}\n" for at, value in enumerate(values))
    *_, problem = rows_of(home, f"path,emotion,start,end,{name}\n{lines}")
    reason = getattr(problem, "reason", "")
    assert reason.startswith(f"column {name!r} is not read: all channels are mixed; take them apart") == said
