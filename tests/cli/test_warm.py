import pytest

from ser_pipeline import front_end
from ser_pipeline.dsp import kept


@pytest.fixture
def ready(monkeypatch) -> list[bool]:
    """What is compiled, in place of doing so."""
    done: list[bool] = []
    monkeypatch.setattr(front_end, "warm", lambda: done.append(True))
    return done


def test_it_says_where_the_code_is(ser, ready, tmp_path, monkeypatch):
    monkeypatch.setattr(kept.NUMBA, "CACHE_DIR", str(tmp_path / "code"))
    assert f"compiled code is kept in {tmp_path / 'code'}" in ser("warm").output
    assert ready == [True]


def test_where_nothing_can_be_kept_it_says_why(ser, ready, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(kept, "places", lambda source: iter([tmp_path / "file" / "code"]))
    output = ser("warm", status=1).output
    assert f"{tmp_path / 'file' / 'code'} cannot be made; set NUMBA_CACHE_DIR" in " ".join(output.split())
    assert ready == []
