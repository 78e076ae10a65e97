import io
import pickle
import re
import sys

import pytest

from ser_pipeline.cli.epochs import EpochBar, EpochLines, epoch_display, epoch_parts
from ser_pipeline.runs.curves import EpochReport

ROW = {"epoch": 7, "train_loss": 1.25, "validation_uar": 0.5, "learning_rate": 0.0005}


def report(best=7, patience=None, **changes):
    return EpochReport({**ROW, **changes}, 150, best, 1234.4, patience)


def epoch_line(said):
    return "  ".join(epoch_parts(said))


def test_a_line_says_all_of_an_epoch():
    line = epoch_line(report(patience=600.0))
    assert line == (
        "epoch   7/150  train loss 1.250  validation UAR 0.500 *  lr 5.00e-04  1234 clips/s  "
        "ends in 10 min if nothing improves"
    )


def test_only_the_best_epoch_has_a_star():
    assert "*" not in epoch_line(report(best=3))


def test_the_last_epoch_has_nothing_to_wait_for():
    assert "ends in" not in epoch_line(report(patience=0.0))


def test_a_split_without_validation_says_so():
    assert "no validation" in epoch_line(report(validation_uar=None))


def test_lines_are_plain_text_on_stderr(capsys):
    with epoch_display(1) as display:
        assert type(display) is EpochLines
        display.epoch_began(7, 10)
        display.step_done(5)
        display.epoch_done(report())
    captured = capsys.readouterr()
    assert captured.err == epoch_line(report()) + "\n"
    assert captured.out == ""


def test_a_terminal_gets_a_bar_but_not_for_several_processes(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(epoch_display(1)) is EpochBar
    assert type(epoch_display(2)) is EpochLines
    pickle.dumps(epoch_display(2))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_lines_above_itself(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "200")
    with EpochBar() as bar:
        for _ in range(2):
            bar.epoch_began(7, 10)
            bar.step_done(10)
            bar.epoch_done(report())
    assert "train loss 1.250" in screen.getvalue()
    assert "epoch 7" in screen.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_terminal_gets_what_fits_on_one_line(width, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    with EpochBar() as bar:
        bar.epoch_done(report(patience=600.0))
    (line,) = [each for each in re.split(r"[\r\n]", screen.getvalue()) if "train loss" in each]
    line = line.rpartition("\x1b[2K")[2]
    assert len(line.strip()) <= width
    assert epoch_line(report(patience=600.0)).startswith(line.strip())


class Stream(io.TextIOWrapper):
    """A terminal as a process has it: text above bytes, which other writers may reach."""

    def isatty(self):
        return True


def test_a_remark_has_lines_of_its_own_above_the_bar(monkeypatch):
    screen = Stream(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    with EpochBar() as bar:
        bar.epoch_began(7, 10)
        bar.epoch_done(report())
        bar.note("layers 2 and 3 of the encoder 'whisper-base' were chosen")
    screen.flush()
    text = re.sub(r"\r\x1b\[2K", "\n", screen.buffer.getvalue().decode())  # a line that the screen clears
    assert "\nlayers 2 and 3 of the encoder\n'whisper-base' were chosen\n" in text
