import time

from ser_pipeline.bench.measure import Figure, paired, seconds


def test_ratio_is_to_the_reference():
    assert Figure("a", 30.0, "clips/s", "plain", 10.0).ratio == 3.0
    assert Figure("a", 30.0, "clips/s").ratio is None


def test_slow_work_takes_longer():
    slow, fast = paired(lambda: time.sleep(0.03), lambda: None, 3)
    assert slow > 0.025 > fast


def test_seconds_are_seconds():
    assert 0.05 <= seconds(lambda: time.sleep(0.05)) < 5  # a busy machine wakes late


def test_processor_time_does_not_count_waiting():
    assert seconds(lambda: time.sleep(0.05), time.process_time) < 0.04
