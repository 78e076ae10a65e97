"""Load a trained model from a run, its files, or an exported graph; nothing is ever unpickled."""

import importlib.util
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from ser_pipeline.encoders import anywhere, encoder_folders, found_again
from ser_pipeline.errors import RunError, SettingsError, remark
from ser_pipeline.labels import DIMENSIONS, EMOTIONS
from ser_pipeline.options import Fused, mels_of
from ser_pipeline.runs.about import about_card, about_run, best_model
from ser_pipeline.runs.card import ModelCard, check_inputs_version, member_folder, read_card, read_weights
from ser_pipeline.runs.files import final_scores, read_info
from ser_pipeline.runs.find import is_run, list_runs
from ser_pipeline.runs.tested import too_few
from ser_pipeline.runs.types import CARD, EARLIER
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.scorer import OnnxScorer, TorchScorer, WaveScorer

RUNS: Final = Path("runs")

BUILT_IN: Final = Path(__file__).with_name("built_in") / "built-in.onnx"
"""The model that comes with the package; ``docs/built-in.md`` says how it was trained."""

BUILT_IN_NAME: Final = "built-in"

GRAPH: Final = "model.onnx"
"""Name of the graph that ``ser export`` writes to a run's folder, or to one for the hub."""

_NOTE: Final = (
    "it comes with the package for a first look: not for decisions about people, and for non-commercial use "
    "only (CC BY-NC-SA 4.0); 'ser quickstart' shows how to train a better one"
)
_FORMATS: Final = (
    "a run folder, its model.json or model.safetensors, or an .onnx file or folder of 'ser export'"
)


def load_model(source: str | Path | None = None, *, runs: str | Path = RUNS) -> Model:
    """Load a model that predicts on recordings.

    A run whose folder holds the graph of its weights, as ``ser export`` writes it, answers by the graph,
    which is loaded without torch and gives the same probabilities.

    Args:
        source: a run folder or the name of one, ``model.json`` or its neighbour in a run folder, or an
            ``.onnx`` file or a folder of ``ser export --hub``, or ``built-in`` for the model that comes with
            the package; None takes the best run on new people (:mod:`ser_pipeline.runs.about`), and that
            model where nothing was trained.
        runs: folder of the runs.

    Raises:
        RunError: nothing there, a damaged or foreign file, or a model whose label list, front end or
            shapes do not fit.
        SettingsError: an extra that is not installed.
        EncoderError: the encoder it learned from is not on this machine.

    Examples:
        >>> load_model("runs/best").predict("a.wav")  # doctest: +SKIP
    """
    path = find_model(None if source is None else Path(source), Path(runs))
    if path.suffix == ".onnx":
        from ser_pipeline.serving.graph import load_graph

        facts, scorer = load_graph(path)
        check_card(facts.card, path)
        card = facts.card if isinstance(scorer, WaveScorer) else _with_encoder(facts.card)
        about = facts.about or about_card(card, path.name, facts.trained_on)
        if path == BUILT_IN:
            about = about.model_copy(update={"note": _NOTE})
        return Model(card, scorer, path.name, about=about)
    model = _of_run(path)
    if model.card.abstain_below is not None and _poor_threshold(path):
        model = replace(model, card=model.card.model_copy(update={"abstain_below": None}))
    return replace(model, about=about_run(path, model.card))


def _poor_threshold(folder: Path) -> bool:
    """Whether too few validation clips stand behind a run's threshold, as earlier versions kept it."""
    try:
        scores = final_scores(folder, read_info(folder))
    except RunError:
        return False
    return scores is not None and bool(too_few(scores))


def find_model(source: Path | None, runs: Path, *, built_in: bool = True) -> Path:
    """Folder of a run, or a graph's file; where none is named, the best run on new people.

    Args:
        source: path, or name of a run; ``built-in`` is the model that comes with the package.
        runs: folder of the runs.
        built_in: take the model that comes with the package where nothing was trained.

    Raises:
        RunError: there is none, the file is none of those a model is kept in, or no run is good enough to
            answer without being named.
    """
    if source is None:
        if found := best_model(runs):
            return found
        built_in = built_in and BUILT_IN.is_file()
        return BUILT_IN if built_in else list_runs(runs).newest(having=CARD, what="trained model")
    for place in (source, runs / source):
        if (place / CARD).is_file():
            return place
        if (place / GRAPH).is_file():
            return place / GRAPH
        if place.is_file():
            return _by_file(place)
        if place.is_dir():
            raise RunError(f"{place}: holds no {CARD}: {_no_model(place)}")
    if built_in and str(source) == BUILT_IN_NAME:
        return BUILT_IN
    raise RunError(
        f"model '{source}' does not exist; the newest runs in {runs} are: {list_runs(runs).latest_names}"
    )


def _by_file(path: Path) -> Path:
    if path.suffix == ".onnx":
        return path
    if path.name == CARD or path.suffix in (".safetensors", Path(EARLIER).suffix):
        if not (path.parent / CARD).is_file():
            raise RunError(f"{path.parent / CARD}: not found; {path.name} alone does not say what it is")
        return path.parent
    raise RunError(f"{path}: not a model; pass {_FORMATS}")


def _no_model(folder: Path) -> str:
    if is_run(folder):
        folds = sorted(path.parent.name for path in folder.glob(f"*/{CARD}"))
        if folds:
            return f"its models are one for each fold; pass one of them, such as {folder / folds[0]}"
        return "its training was not finished; continue with 'ser train --resume'"
    return f"pass {_FORMATS}"


def _of_run(folder: Path) -> Model:
    card = read_card(folder)
    if card.members:
        return _of_members(folder, card)
    check_card(card, folder / CARD)
    if scorer := _own_graph(folder, card):
        card = card if isinstance(scorer, WaveScorer) else _with_encoder(card)
        return Model(card, scorer, folder.name, run=folder)
    return Model(_with_encoder(card), _network(folder), folder.name)


def _network(folder: Path) -> TorchScorer:
    from ser_pipeline.training.checkpoint import load_model as load_network

    network, card = load_network(folder)
    _check_finite(network.state_dict(), folder)
    return TorchScorer(network, card.model)


def _own_graph(folder: Path, card: ModelCard) -> OnnxScorer | WaveScorer | None:
    """The graph in a run's folder, if there is one that was made of the weights beside it."""
    path = folder / GRAPH
    if not path.is_file():
        return None
    from ser_pipeline.serving.graph import load_graph

    read_weights(folder, card)
    try:
        facts, scorer = load_graph(path)
        if facts.int8 or _fed(facts.card) != _fed(card):
            raise RunError(f"{path}: is not the graph of the weights beside it")
    except RunError as error:
        remark(f"{error}; the network itself answers, 'ser export {folder}' writes the graph again")
        return None
    return scorer


def _fed(card: ModelCard) -> ModelCard:
    """What decides the class scores: the card without what scoring adds and without this machine's places."""
    update = {"inputs": anywhere(card.inputs), "temperature": None, "abstain_below": None}
    return card.model_copy(update=update)


def by_network(model: Model) -> Model:
    """The model by its network, which can be looked into, where the graph of its run answers.

    Raises:
        RunError: the run was changed or damaged since.
        EncoderError: the encoder it learned from is not on this machine.
        SettingsError: torch is not installed.
    """
    if model.run is None:
        return model
    if importlib.util.find_spec("torch") is None:
        raise SettingsError(f"{model.name}: its network needs torch; install it with pip install torch")
    network = _kept_network(model.run, model.card.weights_digest)
    return replace(model, card=_with_encoder(model.card), scorer=network, run=None)


@lru_cache(maxsize=1)
def _kept_network(folder: Path, digest: str) -> TorchScorer:
    """A network that a page asks for again and again."""
    if read_card(folder).weights_digest != digest:
        raise RunError(f"{folder}: was trained again since its graph was loaded; load it again")
    return _network(folder)


def _of_members(folder: Path, card: ModelCard) -> Model:
    from ser_pipeline.serving.ensemble import Ensemble, NoNetwork

    _check_emotions(card, folder / CARD)
    members = tuple(_of_run(member_folder(folder, member)) for member in card.members)
    for member in members:
        if member.emotions != card.emotions:
            raise RunError(
                f"{folder}: its member {member.name} predicts {', '.join(member.emotions)}, the ensemble "
                f"{', '.join(card.emotions)}; make the ensemble again"
            )
    return Ensemble(card, NoNetwork(), folder.name, members)


def _with_encoder(card: ModelCard) -> ModelCard:
    """The card, with the places of its encoders on this machine where the model learned from some.

    Raises:
        EncoderError: one is nowhere on this machine.
    """
    return card.model_copy(update={"inputs": found_again(card.inputs, encoder_folders())})


def _check_finite(tensors: dict[str, object], folder: Path) -> None:
    import torch

    for name, tensor in tensors.items():
        if isinstance(tensor, torch.Tensor) and not torch.isfinite(tensor).all():
            raise RunError(f"{folder}: weights '{name}' are not all finite numbers; train it again")


def check_card(card: ModelCard, path: Path) -> None:
    """Refuse a model that this version cannot feed or whose labels are none.

    Args:
        card: of the model.
        path: it was read from, for the message.

    Raises:
        RunError: a label list, front end or scaling that does not fit.
    """
    _check_emotions(card, path)
    check_inputs_version(card, path)
    if mels_of(card.inputs) is not None:
        _check_gains(card, path)
    if card.model.architecture.inputs == "features" or isinstance(card.inputs, Fused):
        _check_scaling(card, path)


def _check_emotions(card: ModelCard, path: Path) -> None:
    if card.target and not card.emotions:
        if odd := [name for name in card.target if name not in DIMENSIONS]:
            raise RunError(f"{path}: target: '{odd[0]}' does not exist; valid are {', '.join(DIMENSIONS)}")
        return
    unknown = [name for name in card.emotions if name not in EMOTIONS]
    if unknown:
        raise RunError(f"{path}: emotions: '{unknown[0]}' does not exist; valid are {', '.join(EMOTIONS)}")
    if len(card.emotions) < 2 or len(set(card.emotions)) != len(card.emotions):
        raise RunError(f"{path}: emotions: two or more different ones are needed, found {[*card.emotions]}")


def _check_gains(card: ModelCard, path: Path) -> None:
    from ser_pipeline.datasets.normalise import OTHER_CORPORA

    front_end = mels_of(card.inputs)
    levelled = front_end is not None and front_end.level == "corpus_rms"
    if levelled != bool(card.learned.gains_db) or (levelled and OTHER_CORPORA not in card.learned.gains_db):
        raise RunError(f"{path}: learned.gains_db: does not fit the front end's level; train it again")


def _check_scaling(card: ModelCard, path: Path) -> None:
    from ser_pipeline.front_end import vector_names

    scaling = card.learned.scaling
    if scaling is None:
        raise RunError(f"{path}: learned.scaling: missing for a model of features; train it again")
    names = vector_names(card.inputs)
    if scaling.names != names:
        raise RunError(
            f"{path}: learned.scaling: its {len(scaling.names)} features are not the {len(names)} that this "
            f"program computes; train it again"
        )
    if not len(scaling.names) == len(scaling.center) == len(scaling.scale):
        raise RunError(f"{path}: learned.scaling: names, center and scale differ in length; train it again")
