"""What an experiment's file may say, and how it is read."""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from ser_pipeline.errors import LabelError, SettingsError
from ser_pipeline.labels import emotion_id
from ser_pipeline.options import Options, merged

Each = Literal["corpus", "language"]
Kind = Literal["better", "no worse", "reaches", "best class", "top confusions", "faster"]
ScoreName = Literal["accuracy", "uar", "macro_f1", "error_distance"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SHIPPED: Final = files("ser_pipeline.experiments") / "shipped"

_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "better": ("second",),
    "no worse": ("second",),
    "faster": ("second",),
    "reaches": ("value",),
    "best class": ("emotion",),
    "top confusions": ("pairs",),
}
"""Kind of claim -> fields that it needs."""


class ArmSpec(Options):
    """One thing that is tried.

    Attributes:
        settings: fields of a recipe that differ from the experiment's own.
        vary: field of a recipe, as ``train.loss`` -> values; one arm for each combination, named
            ``arm[train.loss=ce]``.
        each: make one arm for each corpus, or language, of the manifest; ``{corpus}``, ``{language}`` and
            ``{corpora}``, the corpora of that language, stand for it in name and settings.
        protocols: run under these although no claim needs it.
    """

    settings: dict[str, Any] = Field(default_factory=dict)
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    each: Each | None = None
    protocols: tuple[str, ...] = ()


class ClaimSpec(Options):
    """A claim that is tested.

    Attributes:
        text: the claim in words.
        kind: ``better``: ``first`` scores higher than ``second`` (for ``error_distance``: lower);
            ``no worse``: not more than ``margin`` below it; ``reaches``: ``first`` scores at least
            ``value``; ``best class``: no emotion has a higher recall than ``emotion``; ``top
            confusions``: no emotions are confused more often than those of ``pairs``; ``faster``: more
            clips a second from samples to decision.
        first: name of an arm.
        second: name of the arm it is compared with.
        score: what is compared.
        at_least: difference that is claimed, as 0.02 for two points.
        margin: of ``no worse``.
        value: of ``reaches``.
        emotion: of ``best class``.
        pairs: of ``top confusions``.
        corpora: look at test clips of these corpora only.
        languages: look at test clips of these languages only; ``en`` holds ``en-US``.
        family: claims that are corrected together.
        protocol: under which it is decided; the first of the file by default.
        against: protocol of the second arm, where it is another than that of the first.
        beside: protocol whose figures are shown beside, without deciding anything.
        each: make one claim for each corpus or language, or for each ordered ``pair`` of corpora, which
            ``{a}`` and ``{b}`` stand for.
    """

    text: str
    kind: Kind = "better"
    first: str
    second: str = ""
    score: ScoreName = "uar"
    at_least: Annotated[float, Field(ge=0, lt=1)] = 0.0
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.02
    value: Annotated[float, Field(gt=0, lt=1)] | None = None
    emotion: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    corpora: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    family: str = "all"
    protocol: str = ""
    against: str = ""
    beside: str = ""
    each: Each | Literal["pair"] | None = None


class Among(Options):
    """What a search may try for one field.

    Attributes:
        choices: one of these.
        low: or a number from here
        high: to here, both included.
        log: drawn evenly over the logarithm.
        whole: whole numbers.
    """

    choices: Annotated[list[Any], Field(min_length=1)] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> "Among":
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("needs either choices, or low and high")
        if self.choices is None:
            low, high = self.ends()
            if low >= high or (self.log and low <= 0):
                raise ValueError("low must lie below high, and above 0 with log")
            if self.whole and (not low.is_integer() or not high.is_integer()):
                raise ValueError("low and high must be whole numbers with whole")
        return self

    def ends(self) -> tuple[float, float]:
        """Lowest and highest number."""
        return float(self.low or 0.0), float(self.high or 0.0)


class SearchSpec(Options):
    """What ``ser experiment search`` tries.

    Attributes:
        arm: whose settings are varied.
        protocol: whose validation clips decide; the first of the file by default.
        trials: how many to train.
        seed: of what is drawn.
        space: field of a recipe, as ``train.learning_rate`` -> what it may be.
    """

    arm: str
    protocol: str = ""
    trials: Annotated[int, Field(ge=1)] = 30
    seed: Annotated[int, Field(ge=0)] = 0
    space: Annotated[dict[str, Among], Field(min_length=1)]


class Experiment(Options):
    """A file.

    Attributes:
        name: of the file, without suffix.
        source: name of a shipped one, or path of the file: what commands call it by.
        title: in a few words.
        about: what it is for.
        seeds: of weights and order; every arm is trained with each.
        settings: fields of a recipe that all arms share, as in ``ser.toml``.
        protocols: name -> fields of a recipe that say who trains and who tests.
        arms: by name.
        claims: in the order they are shown.
        take: shipped experiment -> families of its claims, all where none is named. They stand after this
            one's own, with the arms and protocols that they need; arms that no claim is about are left out.
        search: what ``ser experiment search`` tries; None for nothing.
    """

    name: str
    source: str
    title: str
    about: str = ""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2)
    settings: dict[str, Any] = Field(default_factory=dict)
    protocols: dict[str, dict[str, Any]] = Field(default_factory=lambda: {"speaker": {"split": "speaker"}})
    arms: dict[str, ArmSpec] = Field(default_factory=dict)
    claims: tuple[ClaimSpec, ...] = ()
    take: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    search: SearchSpec | None = None


_PARTS: Final[Mapping[str, type[Options]]] = {"arms": ArmSpec, "claims": ClaimSpec, "search": SearchSpec}


def shipped_names() -> list[str]:
    """Names of the experiments of this package, sorted."""
    return sorted(
        entry.name.removesuffix(".toml") for entry in SHIPPED.iterdir() if entry.name.endswith(".toml")
    )


def find_experiment(name: str) -> Experiment:
    """Read an experiment by the name of a shipped one, or by its file.

    Raises:
        SettingsError: there is none, or the file does not fit; the message names the place.
    """
    if name in shipped_names():
        return parse_experiment((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"), name)
    path = Path(name)
    if not path.is_file():
        raise SettingsError(
            f"experiment '{name}' does not exist; shipped are {', '.join(shipped_names())}; "
            "or pass a file, such as my.toml"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as text: {error}") from None
    return parse_experiment(text, str(path))


def parse_experiment(text: str, where: str) -> Experiment:
    """Read an experiment from the text of its file.

    Args:
        text: TOML.
        where: name of a shipped one, or path of the file, whose stem names the experiment.

    Raises:
        SettingsError: not TOML, an unknown key, a wrong value, a repeated seed, or a claim without what its
            kind needs.
    """
    name = Path(where).stem
    if not _NAME.fullmatch(name) or name == "cells":
        raise SettingsError(f"{where}: cannot name an experiment; use letters, digits, '.', '_', '-'")
    if name != where and name in shipped_names():
        raise SettingsError(
            f"{where}: experiment '{name}' comes with the package, and its findings would be overwritten; "
            "rename the file"
        )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where}: not a TOML file: {error}") from None
    if unread := sorted({"name", "source"} & values.keys()):
        raise SettingsError(f"{where}: {unread[0]}: no such key; the file's own name names the experiment")
    try:
        found = Experiment.model_validate({**values, "name": name, "source": where})
    except ValidationError as error:
        raise SettingsError(_explained(error, where)) from None
    if len({*found.seeds}) < len(found.seeds):
        raise SettingsError(f"{where}: seeds: the same one stands there twice; name each once")
    for number, claim in enumerate(found.claims, 1):
        _check_claim(claim, f"{where}: claims.{number}")
    for other, families in found.take.items():
        found = _with_taken(found, other, families, where)
    if not found.arms:
        raise SettingsError(f"{where}: arms: is missing; add it")
    return found


def _with_taken(found: Experiment, name: str, families: tuple[str, ...], where: str) -> Experiment:
    """The same experiment with claims of a shipped one."""
    others = [other for other in shipped_names() if other != found.name]
    if name not in others:
        raise SettingsError(f"{where}: take: '{name}' is not shipped; valid are {', '.join(others)}")
    other = find_experiment(name)
    valid = list(dict.fromkeys(claim.family for claim in other.claims))
    if unknown := sorted({*families} - {*valid}):
        raise SettingsError(
            f"{where}: take: {name} has no claims of family '{unknown[0]}'; valid are {'; '.join(valid)}"
        )
    first = next(iter(other.protocols))
    claims = [
        claim.model_copy(update={"protocol": claim.protocol or first})
        for claim in other.claims
        if claim.family in (families or valid)
    ]
    arms = {
        arm: spec.model_copy(update={"settings": merged(other.settings, spec.settings)})
        for arm, spec in other.arms.items()
    }
    own = "protocols" in found.model_fields_set
    protocols = found.protocols if own else {}
    for kind, mine, theirs in (("arm", found.arms, arms), ("protocol", protocols, other.protocols)):
        for key in mine.keys() & theirs.keys():
            if mine[key] != theirs[key]:
                raise SettingsError(
                    f"{where}: take: {kind} '{key}' of {name} has other settings here; rename it"
                )
    return found.model_copy(
        update={
            "arms": {**found.arms, **arms},
            "protocols": {**protocols, **other.protocols},
            "claims": (*found.claims, *claims),
        }
    )


def _check_claim(claim: ClaimSpec, where: str) -> None:
    missing = [field for field in _NEEDS[claim.kind] if not getattr(claim, field)]
    if missing:
        raise SettingsError(f"{where}: kind '{claim.kind}' needs '{missing[0]}'; add it")
    if claim.score == "error_distance" and claim.kind != "better":
        raise SettingsError(f"{where}: score 'error_distance' goes with kind 'better' alone; choose another")
    try:
        for name in (*filter(None, [claim.emotion]), *(name for pair in claim.pairs for name in pair)):
            emotion_id(name)
    except LabelError as error:
        raise SettingsError(f"{where}: {error}") from None
    if alike := next((one for one, other in claim.pairs if one == other), None):
        raise SettingsError(f"{where}: pairs: '{alike}' cannot be confused with itself; name two emotions")


def _explained(error: ValidationError, where: str) -> str:
    """One line: file, place, what is wrong, what is valid."""
    first = error.errors()[0]
    place = [str(part + 1) if isinstance(part, int) else str(part) for part in first["loc"]]
    text = f"{where}: {'.'.join(place)}: "
    if first["type"] == "extra_forbidden":
        kind = _PARTS.get(place[0], Experiment) if len(place) > 1 else Experiment
        valid = ", ".join(name for name in kind.model_fields if name not in ("name", "source"))
        return f"{text}no such key; valid are {valid}"
    if first["type"] == "missing":
        return f"{text}is missing; add it"
    return f"{text}{first['msg']} (found {first['input']!r})"
