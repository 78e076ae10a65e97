import json
import math

from ser_pipeline.report.document import Report, Section, text
from ser_pipeline.report.render import json_text
from ser_pipeline.runs.read import read_runs
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table


def test_numbers_stay_numbers_and_runs_are_whole(tmp_path, rows, fake):
    runs, _ = read_runs([fake.run(tmp_path, "one", rows, "d", epochs=2)])
    table = Table("t", "c", (Column("x"),), (RowGroup((Row((Entry("50.0", 0.5, note="n"),)),)),))
    whole = json.loads(json_text(Report("r", (text("hi"),), (Section("s", "S", (table,)),)), runs, []))
    assert whole["opening"] == [{"type": "text", "text": "hi"}]
    cells = whole["sections"][0]["blocks"][0]["groups"][0]["rows"][0]["cells"]
    assert cells == [{"value": 0.5, "text": "50.0", "note": "n"}]
    assert whole["runs"][0]["scores"] == runs[0].scores.model_dump(mode="json")
    assert whole["runs"][0]["settings"]["parameters"] == 2_227_589
    assert whole["banner"] is None


def test_numbers_that_json_cannot_hold_are_null():
    table = Table("t", "c", (Column("x"),), (RowGroup((Row((Entry("?", math.nan), Entry("!", math.inf))),)),))
    text_ = json_text(Report("r", (), (Section("s", "S", (table,)),)), [], [])
    cells = json.loads(text_)["sections"][0]["blocks"][0]["groups"][0]["rows"][0]["cells"]
    assert [cell["value"] for cell in cells] == [None, None]
