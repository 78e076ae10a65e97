"""From an experiment's file to arms and claims about the recordings at hand."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ser_pipeline.errors import SettingsError
from ser_pipeline.experiments.spec import ArmSpec, ClaimSpec, Experiment
from ser_pipeline.manifest import read_manifest
from ser_pipeline.options import Recipe, WaveOptions, deciding, merged
from ser_pipeline.runs.card import ModelCard, content_digest
from ser_pipeline.runs.types import CARD, RESULT_SCHEMA
from ser_pipeline.store import provenance

CELL_VERSION: Final = 2
"""Raised whenever the same settings train another model; part of every cell's key. Cells of 0.1.0 are 1."""


@dataclass(frozen=True)
class Groups:
    """What ``each`` stands for.

    Attributes:
        corpora: ids, sorted.
        languages: language without region -> its corpora.
    """

    corpora: tuple[str, ...]
    languages: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Arm:
    """One thing that is tried, with nothing left to fill in.

    Attributes:
        name: as claims call it.
        settings: fields of a recipe, those of the whole experiment included.
        own: those that the arm itself names.
        protocols: under which it is run.
    """

    name: str
    settings: Mapping[str, Any]
    own: Mapping[str, Any]
    protocols: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """An experiment for the recordings at hand: its arms, and its claims about them."""

    experiment: Experiment
    arms: tuple[Arm, ...]
    claims: tuple[ClaimSpec, ...]

    @property
    def names(self) -> dict[str, Arm]:
        """Arms by name."""
        return {arm.name: arm for arm in self.arms}


def cell_key(
    recipe: Recipe,
    *,
    manifest_digest: str,
    split_digest: str,
    own_tasks: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Name of a cell: 24 hex digits of BLAKE2b over all that decides its numbers.

    Args:
        recipe: with seed and model.
        manifest_digest: of the recordings.
        split_digest: of the split file.
        own_tasks: tasks of ``ser.toml``; a task of one's own counts by its emotions.

    Raises:
        SettingsError: a library that the inputs need is not installed.
        ManifestError: the manifest of recordings without a label is missing.
    """
    recipe = _told_by_content(recipe)
    content = {
        "versions": [CELL_VERSION, RESULT_SCHEMA, ModelCard.model_fields["schema_version"].default],
        "settings": deciding(recipe),
        "emotions": list((own_tasks or {}).get(recipe.task, ())),
        "manifest": manifest_digest,
        "split": split_digest,
        "store": _one_or_more([provenance(part) for part in recipe.parts]),
    }
    tuned = [part.encoder.weights for part in recipe.parts if isinstance(part, WaveOptions) and part.encoder]
    if tuned:  # their store does not depend on them
        content["encoders"] = tuned
    if recipe.variants:
        content["variants"] = _one_or_more([provenance(each) for each in recipe.variants])
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _told_by_content(recipe: Recipe) -> Recipe:
    """The same recipe with digests of its teacher and of the unlabelled recordings instead of folders."""
    train = recipe.train
    if train.teacher is None:
        return recipe
    cards = [content_digest(path.read_bytes()) for path in sorted(Path(train.teacher).rglob(CARD))]
    known = {"teacher": " ".join(cards)}
    if train.unlabelled is not None:
        known["unlabelled"] = read_manifest(Path(train.unlabelled)).digest
    return recipe.model_copy(update={"train": train.model_copy(update=known)})


def _one_or_more(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def designed(experiment: Experiment, groups: Groups) -> Design:
    """Fill in corpora and languages, spell out variations, and find out what runs under which protocol.

    Args:
        experiment: as read.
        groups: corpora and languages of the manifest.

    Raises:
        SettingsError: a claim about an arm or protocol that does not exist, or two arms of one name.
    """
    first = next(iter(experiment.protocols))
    claims = tuple(
        claim.model_copy(
            update={
                "protocol": claim.protocol or first,
                "against": claim.against or claim.protocol or first,
            }
        )
        for template in experiment.claims
        for claim in _claims(template, groups)
    )
    found: dict[str, ArmSpec] = {}
    for arm, spec in itertools.chain(*(_arms(*each, groups) for each in experiment.arms.items())):
        if arm in found:
            raise SettingsError(
                f"experiment '{experiment.name}': two arms are called '{arm}'; name what they differ in, "
                'as [arms."from {corpus}"] does'
            )
        found[arm] = spec
    _check(experiment, found, claims)
    if experiment.take:
        named = {name for claim in claims for name in (claim.first, claim.second)}
        found = {name: spec for name, spec in found.items() if name in named}
    arms = []
    for name, spec in found.items():
        asked = [spec.protocols, *(_under(claim, name) for claim in claims)]
        under = tuple(dict.fromkeys(itertools.chain(*asked))) or (first,)
        arms.append(Arm(name, merged(experiment.settings, spec.settings), spec.settings, under))
    return Design(experiment, tuple(arms), claims)


def _under(claim: ClaimSpec, arm: str) -> tuple[str, ...]:
    """Protocols a claim wants an arm under."""
    asked = [claim.protocol] if arm == claim.first else []
    asked += [claim.against] if arm == claim.second else []
    return (*asked, claim.beside) if asked and claim.beside else tuple(asked)


def _arms(name: str, spec: ArmSpec, groups: Groups) -> Iterator[tuple[str, ArmSpec]]:
    for words in _substitutes(spec.each, groups):
        settings = _filled(spec.settings, words)
        here = str(_filled(name, words))
        for values in itertools.product(*spec.vary.values()):
            chosen = dict(zip(spec.vary, values, strict=True))
            label = ",".join(f"{field}={_text(value)}" for field, value in chosen.items())
            varied = settings
            for field, value in chosen.items():
                varied = merged(varied, _nested(field, value))
            yield f"{here}[{label}]" if label else here, spec.model_copy(update={"settings": varied})


def _claims(template: ClaimSpec, groups: Groups) -> Iterator[ClaimSpec]:
    for words in _substitutes(template.each, groups):
        values = _filled(template.model_dump(mode="json"), words)
        yield ClaimSpec.model_validate(values)


def _substitutes(each: str | None, groups: Groups) -> list[dict[str, Any]]:
    """What the names in braces stand for, one mapping for each arm or claim."""
    if each == "corpus":
        return [{"corpus": corpus} for corpus in groups.corpora]
    if each == "language":
        return [{"language": tag, "corpora": list(corpora)} for tag, corpora in groups.languages.items()]
    if each == "pair":
        return [{"a": one, "b": other} for one, other in itertools.permutations(groups.corpora, 2)]
    return [{}]


def _filled(value: Any, words: Mapping[str, Any]) -> Any:
    """Put words in place of their names in braces; a name that stands alone becomes the value itself."""
    if isinstance(value, dict):
        return {key: _filled(inner, words) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, words) for inner in value]
    if not isinstance(value, str):
        return value
    for name, word in words.items():
        if value == f"{{{name}}}":
            return word
        value = value.replace(f"{{{name}}}", str(word))
    return value


def _nested(field: str, value: Any) -> dict[str, Any]:
    """``train.loss`` and a value as nested settings."""
    for part in reversed(field.split(".")):
        value = {part: value}
    return dict(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(experiment: Experiment, arms: Mapping[str, Any], claims: Sequence[ClaimSpec]) -> None:
    """Make sure that claims are about arms and protocols that exist."""
    where = f"experiment '{experiment.name}'"
    named = [
        (f"claim '{claim.text}'", name)
        for claim in claims
        for name in filter(None, (claim.protocol, claim.against, claim.beside))
    ]
    named += [(f"arm '{arm}'", name) for arm, spec in arms.items() for name in spec.protocols]
    for place, protocol in named:
        if protocol not in experiment.protocols:
            valid = ", ".join(experiment.protocols)
            raise SettingsError(f"{where}: {place}: protocol '{protocol}' does not exist; valid are {valid}")
    for claim in claims:
        for name in filter(None, (claim.first, claim.second)):
            if name not in arms:
                raise SettingsError(
                    f"{where}: claim '{claim.text}': arm '{name}' does not exist; valid are {', '.join(arms)}"
                )
