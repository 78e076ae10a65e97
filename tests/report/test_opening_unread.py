from ser_pipeline.report.document import Bullets, Callout, plain
from ser_pipeline.report.opening import unread_blocks
from ser_pipeline.runs.types import Unread


def test_each_is_named_with_its_reason():
    warning, listed = unread_blocks([Unread("run", "a", "a/scores.json: bad"), Unread("split", "b", "gone")])
    assert isinstance(warning, Callout)
    assert isinstance(listed, Bullets)
    assert [plain(item) for item in listed.items] == [
        "run a could not be read: a/scores.json: bad",
        "split b could not be read: gone",
    ]


def test_nothing_is_said_where_all_was_read():
    assert unread_blocks([]) == ()
