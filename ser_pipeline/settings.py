"""Frozen options, their presets, and ``ser.toml``.

Everything that changes a number is an option here, is passed to what needs it, and is
stored with what it made. Flags win over the file, the file over the defaults.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ser_pipeline.errors import SettingsError

T = TypeVar("T", bound=BaseModel)

LAG_MARGIN = 24
"""Samples beyond a lag that its autocorrelation is interpolated from."""

Preset = Literal["default", "paper"]
PRESETS: tuple[Preset, ...] = ("default", "paper")

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Options(BaseModel):
    """Base of all options: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


FRONT_END_VERSION = 2
"""Raised whenever the same settings give other numbers; part of every store's fingerprint."""


class FrontEnd(Options):
    """From samples to a mel spectrogram; the defaults are preset ``default``.

    Attributes:
        sample_rate: in Hz; every recording is resampled to it and mixed to mono.
        denoise: ``reference`` calls noisereduce's non-stationary gate, ``gate`` is the same
            gate computed faster, ``none`` leaves the noise.
        prop_decrease: share of the gated energy that is taken away.
        trim_db: frames this far below the loudest one are cut from both ends; None keeps all.
        level: ``clip_rms`` scales each clip to ``target_rms``; ``corpus_rms`` moves each corpus
            as a whole, so that loud clips stay louder; ``none`` keeps the recorded level.
        target_rms: of full scale.
        n_fft: window length in samples.
        hop_length: samples between frames.
        n_mels: mel bands.
        max_s: longest stretch a network sees at once, in seconds; the rest is cut.
        reference: ``one`` measures dB against 1.0, ``clip_max`` against the clip's loudest cell.
        floor_db: quietest value that is told apart; at ``reference = one`` it maps to -1.
        ceiling_db: maps to +1 at ``reference = one``; louder cells go beyond, nothing is clipped.
        scale: ``fixed`` maps [floor_db, ceiling_db] to [-1, 1], ``clip_minmax`` each clip's own range.
        pad_value: of frames after the clip's end.
    """

    sample_rate: Count = 22_050
    denoise: Literal["gate", "reference", "none"] = "gate"
    prop_decrease: Share = 1.0
    trim_db: Positive | None = 20.0
    level: Literal["clip_rms", "corpus_rms", "none"] = "clip_rms"
    target_rms: Positive = 0.1
    n_fft: Count = 2048
    hop_length: Count = 512
    n_mels: Annotated[int, Field(ge=8, le=256)] = 96
    max_s: Positive = 4.0
    reference: Literal["one", "clip_max"] = "one"
    floor_db: float = -80.0
    ceiling_db: float = 40.0
    scale: Literal["fixed", "clip_minmax"] = "fixed"
    pad_value: float = -1.0

    @property
    def max_frames(self) -> int:
        """Frames of the longest clip: centred windows, one per hop."""
        return 1 + round(self.max_s * self.sample_rate) // self.hop_length

    @property
    def stored(self) -> "FrontEnd":
        """The options the store is keyed by: a corpus's level is set when clips are read."""
        return self.model_copy(update={"level": "none"}) if self.level == "corpus_rms" else self

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.floor_db >= self.ceiling_db:
            raise ValueError(f"floor_db {self.floor_db} must lie below ceiling_db {self.ceiling_db}")
        if self.level == "corpus_rms" and (self.reference, self.scale) != ("one", "fixed"):
            raise ValueError("level corpus_rms needs reference one and scale fixed")
        return self


class FeatureOptions(Options):
    """From samples to the named hand-crafted features.

    Attributes:
        sample_rate: in Hz; every corpus has 16,000, so that no feature tells a corpus by its bandwidth.
        n_fft: length of the one Fourier transform in samples; it must hold three periods of
            ``pitch_floor_hz`` and the longest lag.
        hop_length: samples between frames.
        n_mels: mel bands under the MFCCs and the onset strength.
        pitch_floor_hz: lowest pitch searched; it sets the analysis window.
        pitch_ceiling_hz: highest pitch searched in speech.
        song_ceiling_hz: highest pitch searched in song.
        formant_ceiling_hz: upper end of the band the formants are fitted in.
        speech_db: frames further than this below the clip's loud frames are not speech.
    """

    sample_rate: Annotated[int, Field(ge=16_000)] = 16_000
    n_fft: Annotated[int, Field(ge=2, multiple_of=2)] = 1024
    hop_length: Count = 160
    n_mels: Annotated[int, Field(ge=21)] = 40
    pitch_floor_hz: Positive = 65.0
    pitch_ceiling_hz: Positive = 500.0
    song_ceiling_hz: Positive = 1000.0
    formant_ceiling_hz: Positive = 5500.0
    speech_db: Positive = 30.0

    @property
    def window_length(self) -> int:
        """Samples of the analysis window: three periods of the lowest pitch."""
        return 2 * round(1.5 * self.sample_rate / self.pitch_floor_hz)

    def ceiling_hz(self, modality: str) -> float:
        """Highest pitch searched in ``speech`` or ``song``, in Hz."""
        return self.song_ceiling_hz if modality == "song" else self.pitch_ceiling_hz

    @model_validator(mode="after")
    def _fits(self) -> Self:
        needed = self.window_length + math.ceil(self.sample_rate / self.pitch_floor_hz) + LAG_MARGIN
        if self.n_fft < needed:
            raise ValueError(f"n_fft {self.n_fft} is too short for pitch_floor_hz: at least {needed}")
        ceilings = (self.pitch_ceiling_hz, self.song_ceiling_hz)
        if not 2 * self.pitch_floor_hz <= min(ceilings) <= max(ceilings) <= self.sample_rate / 8:
            raise ValueError("pitch ceilings must lie between twice the floor and an eighth of sample_rate")
        if not 4000 <= self.formant_ceiling_hz <= self.sample_rate / 2:
            raise ValueError("formant_ceiling_hz must lie between 4000 and half of sample_rate")
        return self


class SpecAugment(Options):
    """Random masks over a mel spectrogram, never over padding.

    Attributes:
        frequency_masks: number of masked bands of bands.
        frequency_width: widest mask, in mel bands.
        time_masks: number of masked stretches.
        time_width: widest mask, in frames.
    """

    frequency_masks: Annotated[int, Field(ge=0)] = 2
    frequency_width: Annotated[int, Field(ge=0)] = 9
    time_masks: Annotated[int, Field(ge=0)] = 2
    time_width: Annotated[int, Field(ge=0)] = 19


class ModelOptions(Options):
    """Shape of a network.

    Attributes:
        name: architecture, as in ``ser train NAME``.
        masked: keep padding out of every layer; preset ``paper`` has no mask.
        attention: pool over time by attention instead of the mean.
        bidirectional: read the steps both ways.
        dropout: share of units dropped in the head and between LSTM layers.
    """

    name: str = "crnn"
    masked: bool = True
    attention: bool = True
    bidirectional: bool = True
    dropout: Share = 0.3


class TrainOptions(Options):
    """How a network is fitted.

    Attributes:
        epochs: at most this many.
        batch_size: clips a step.
        optimizer: ``adamw`` decays weights apart from the gradient, ``adam`` adds L2 to it.
        learning_rate: peak.
        weight_decay: strength of the decay.
        warmup_epochs: linear rise before the cosine.
        restart_epochs: length of the first cosine cycle.
        restart_factor: each cycle is this much longer than the last.
        clip_norm: largest gradient norm.
        patience: epochs without a better ``monitor`` before stopping; None never stops early.
        monitor: validation score that picks the checkpoint.
        loss: objective.
        label_smoothing: share of the target spread over all classes.
        class_weights: weight classes by inverse training frequency, mean 1.
        spec_augment: masks drawn anew for each clip and epoch; None for none.
        seed: of weights, order and masks.
        precision: ``auto`` is bf16 where the processor multiplies it natively, else fp32.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: processes that train together.
        workers: processes that read batches; 0 reads in the training process.
    """

    epochs: Count = 150
    batch_size: Count = 40
    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: Positive = 0.001
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup_epochs: Annotated[int, Field(ge=0)] = 5
    restart_epochs: Count = 10
    restart_factor: Count = 2
    clip_norm: Positive = 1.0
    patience: Count | None = 28
    monitor: Literal["uar", "accuracy"] = "uar"
    loss: Literal["ce", "distance_ce"] = "ce"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    class_weights: bool = True
    spec_augment: SpecAugment | None = SpecAugment()
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: Count = 1
    workers: Annotated[int, Field(ge=0)] = 0


class Recipe(Options):
    """All that decides a model: preset, front end, network, training, data choice."""

    preset: Preset = "default"
    front_end: FrontEnd = FrontEnd()
    model: ModelOptions = ModelOptions()
    train: TrainOptions = TrainOptions()
    task: str = "4class"
    merges: dict[str, str] = Field(default_factory=dict)
    split: str = "speaker"
    fold: str | None = None
    corpora: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


_PAPER: dict[str, Any] = {
    "preset": "paper",
    "front_end": {
        "prop_decrease": 0.5,
        "level": "clip_rms",
        "reference": "clip_max",
        "scale": "clip_minmax",
    },
    "model": {"masked": False},
    "train": {
        "optimizer": "adam",
        "warmup_epochs": 0,
        "monitor": "accuracy",
        "loss": "distance_ce",
    },
    "merges": {"calm": "neutral", "excitement": "happiness"},
    "split": "stratified",
}


def recipe(preset: str = "default", **changes: Any) -> Recipe:
    """Make the recipe of a preset, with changes merged into it.

    Args:
        preset: ``default`` or ``paper``.
        **changes: values by field of :class:`Recipe`; mappings are merged into the field's own,
            and a value of None is left out.

    Raises:
        SettingsError: no such preset, field, or value.

    Examples:
        >>> recipe("paper", train={"epochs": 3}).train.optimizer
        'adam'
        >>> recipe().front_end.max_frames
        173
    """
    if preset not in PRESETS:
        raise SettingsError(f"preset '{preset}' does not exist; valid are {', '.join(PRESETS)}")
    values = _merge(_PAPER if preset == "paper" else {}, changes)
    return checked(Recipe, values, where="settings")


def checked(kind: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Build options from plain values, with one-line errors that name the field.

    Raises:
        SettingsError: a name or value that does not fit.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or kind.__name__
        raise SettingsError(f"{where}: {place}: {first['msg']} (found {first['input']!r})") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a settings file; a missing one is empty.

    Raises:
        SettingsError: the file is not TOML.
    """
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from None


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            continue
        old = merged.get(key)
        if isinstance(value, Mapping) and key != "merges":
            value = _merge(old if isinstance(old, Mapping) else {}, value)
        merged[key] = value
    return merged


def configured(path: Path, preset: str | None = None, **changes: Any) -> Recipe:
    """Make a recipe of defaults, a settings file, and flags, each winning over the one before.

    Args:
        path: of ``ser.toml``; its keys are the fields of :class:`Recipe`, and ``tasks``.
        preset: as a flag; None takes the file's, or ``default``.
        **changes: flags, as for :func:`recipe`.

    Raises:
        SettingsError: a name or value that does not fit, in the file or in a flag.
    """
    own = {key: value for key, value in read_toml(path).items() if key != "tasks"}
    chosen = preset or own.pop("preset", "default")
    own.pop("preset", None)
    try:
        recipe(chosen, **own)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}" if own else str(error)) from None
    return recipe(chosen, **_merge(own, changes))


def own_tasks(path: Path) -> dict[str, tuple[str, ...]]:
    """Tasks a settings file defines under ``[tasks]``: name -> emotions.

    Raises:
        SettingsError: not a table of lists, or a name that cannot stand in a folder's.
    """
    tasks = read_toml(path).get("tasks", {})
    if not isinstance(tasks, dict) or not all(isinstance(value, list) for value in tasks.values()):
        raise SettingsError(f"{path}: tasks: each must be a list of emotions, as in mine = ['anger', 'calm']")
    wrong = [name for name in tasks if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)]
    if wrong:
        raise SettingsError(
            f"{path}: tasks: '{wrong[0]}' cannot name a task; use letters, digits, '.', '_', '-'"
        )
    return {name: tuple(str(item) for item in value) for name, value in tasks.items()}
