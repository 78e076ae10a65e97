import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.names import new_run


def test_taken_and_odd_names_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(RunError, match=r"exists; choose another --name, or go on with 'ser train --resume"):
        new_run(tmp_path, "a")
    for name in ("", "../a", "a/b", "-x", "a b"):
        with pytest.raises(RunError, match="cannot name a run"):
            new_run(tmp_path, name)
    assert new_run(tmp_path, "c.1") == tmp_path / "c.1"
