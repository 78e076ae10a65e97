"""What a model was trained on and how far to trust it, in a few sentences."""

from collections.abc import Iterator
from pathlib import Path

from ser_pipeline.errors import RunError
from ser_pipeline.results import RunInfo, RunScores, read_result
from ser_pipeline.serving.model import Model

SYNTHETIC = "It learned from synthetic voices: what it says of real speech means nothing."


def trust(model: Model, folder: Path) -> tuple[str, ...]:
    """Sentences about a model.

    Args:
        model: that predicts.
        folder: of its run, or an exported graph, which knows less of itself.
    """
    return tuple(_sentences(model, folder))


def _sentences(model: Model, folder: Path) -> Iterator[str]:
    info = _read_info(folder)
    if info is None:
        yield f"{model.name} tells {', '.join(model.emotions)} apart; its file does not say how well."
    else:
        yield (
            f"{model.name} ({info.model}) learned from {info.counts.get('train', 0):,} clips of "
            f"{', '.join(info.corpora)} ({', '.join(info.languages) or 'language unknown'})."
        )
        yield from _scores(info, folder)
    if model.card.synthetic:
        yield SYNTHETIC
    if model.card.temperature is None:
        yield "Its probabilities are not calibrated and tend to be too high."
    yield (
        "It learned from actors who were told what to show. What somebody sounds like is not what they feel; "
        "it names one of its emotions for any voice, noise or music."
    )
    yield (
        "Not for decisions about people. Inferring emotions at work and in schools is forbidden in the "
        "European Union."
    )


def _read_info(folder: Path) -> RunInfo | None:
    try:
        return read_result(RunInfo, folder / "settings.json")
    except (RunError, NotADirectoryError):
        return None


def _scores(info: RunInfo, folder: Path) -> Iterator[str]:
    try:
        parts = read_result(RunScores, folder / "scores.json").parts
    except RunError:
        yield "It was not scored yet; 'ser evaluate' does."
        return
    if "test" not in parts:
        return
    test = parts["test"].pooled
    low, high = test.uar.low, test.uar.high
    interval = (
        "" if low is None or high is None else f" (95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
    )
    whom = "people it knows" if info.split.leaks_speakers else "people it had never heard"
    yield (
        f"On {test.clips:,} test clips of {test.speakers} {whom}, its mean recall is "
        f"{100 * test.uar.value:.0f} %{interval}; guessing gives {100 / len(info.emotions):.0f} %."
    )
