import inspect

import pytest

from ser_pipeline import errors

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_a_ser_error_that_keeps_its_text(kind):
    assert issubclass(kind, errors.SerError)
    with pytest.raises(errors.SerError, match=r"^a text$"):
        raise kind("a text")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_stands_in_the_tree(kind):
    assert kind.__name__ in errors.__doc__
