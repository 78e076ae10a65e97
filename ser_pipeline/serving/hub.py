"""What the Hugging Face Hub is told of a model: the header of its card, its licence and its settings.

References:
    https://github.com/huggingface/hub-docs/blob/main/modelcard.md
    https://huggingface.co/docs/hub/repositories-licenses
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from ser_pipeline.corpora import known_corpora, own_descriptions
from ser_pipeline.corpora.languages import language_of
from ser_pipeline.encoders import known_encoder
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.runs.tested import untested
from ser_pipeline.runs.types import PartScores, RunInfo, RunScores
from ser_pipeline.serving.graph import GraphFacts
from ser_pipeline.serving.load import GRAPH
from ser_pipeline.serving.scorer import heard_through
from ser_pipeline.serving.voices import speaker_wise
from ser_pipeline.tables.cells import listed, plural

LIBRARY: Final = "ser-pipeline"
UNKNOWN: Final = "unknown"
OTHER: Final = "other"
NOT_KNOWN: Final = "not known to this program"

_NAMED: Final = {
    "MIT": "mit",
    "Apache 2.0": "apache-2.0",
    "CC0": "cc0-1.0",
    "CC0 1.0": "cc0-1.0",
    "GPL-3.0": "gpl-3.0",
    "ODbL 1.0 (database), DbCL 1.0 (contents)": "odbl",
}
"""Licence in its publisher's words -> identifier on the Hub; those of Creative Commons follow a pattern."""

_DATASETS: Final = "https://huggingface.co/datasets/"
"""Address of a corpus that has an id on the Hub; others must not be named as if they had."""

_CC: Final = re.compile(r"CC (BY(?:-NC)?(?:-SA|-ND)?) (\d\.\d)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Something that a model learned from, whose terms it inherits.

    Attributes:
        name: corpus id, or name of an encoder.
        title: its own name.
        licence: in the publisher's words.
        place: DOI, address or id on the Hub; "" where it is not known.
    """

    name: str
    title: str
    licence: str
    place: str

    @property
    def line(self) -> str:
        """Title, licence and place."""
        return f"{self.title}: {self.licence}{f', {self.place}' if self.place else ''}"


def corpora_of(info: RunInfo) -> list[Origin]:
    """The corpora that a run learned from.

    Raises:
        CorpusError: a description of a corpus below the working folder cannot be read.
    """
    known = known_corpora(own_descriptions(Path()))
    found = []
    for name in info.learned_from:
        if name in known:
            card = known[name].CARD
            found.append(Origin(name, card.title, card.licence, card.source))
        else:
            found.append(Origin(name, name, NOT_KNOWN, ""))
    return found


def acted(corpora: Sequence[str], card: ModelCard) -> bool:
    """Whether it is known that all recordings of some corpora are of actors, who are people.

    What a description of one's own says is often no more than the default.

    Args:
        corpora: that a model learned from.
        card: of the model.
    """
    known = known_corpora()
    styles = {known[name].CARD.style if name in known else "" for name in corpora}
    return styles == {"acted"} and not card.synthetic


def encoders_inside(card: ModelCard) -> list[Origin]:
    """The pretrained encoders that a model hears through."""
    found = []
    for name in dict.fromkeys(encoder.name for encoder in heard_through(card)):
        known = known_encoder(name)
        found.append(
            Origin(known.name, known.name, known.licence, known.hub_id)
            if known
            else Origin(name, name, NOT_KNOWN, "")
        )
    return found


def licence_for(info: RunInfo, card: ModelCard) -> str:
    """Identifier on the Hub of a model's licence, which follows from what it learned from.

    Args:
        info: of the run.
        card: of its model.
    """
    return licence_of([each.licence for each in _origins(info, card)])


def _origins(info: RunInfo, card: ModelCard) -> list[Origin]:
    return [*corpora_of(info), *encoders_inside(card)]


def licence_of(licences: Sequence[str]) -> str:
    """Identifier on the Hub of the licence that keeps the terms of several: the strictest of them.

    Args:
        licences: in the publishers' words.

    Returns:
        ``unknown`` where one is not stated or not known, or there is none; ``other`` where one has no
        identifier, none of them has the duties of all, or two of them each ask for themselves. Of several
        versions of a licence it is the highest.

    Examples:
        >>> licence_of(["MIT", "CC BY 4.0", "CC BY-NC-SA 4.0"])
        'cc-by-nc-sa-4.0'
        >>> licence_of(["CC BY-SA 4.0", "CC BY-NC 4.0"]), licence_of(["CC BY 4.0", "for research only"])
        ('other', 'other')
        >>> licence_of(["CC BY-SA 3.0", "CC BY-SA 4.0"]), licence_of(["GPL-3.0", "CC BY-SA 4.0"])
        ('cc-by-sa-4.0', 'other')
        >>> licence_of(["CC BY 4.0", "not stated"]), licence_of([])
        ('unknown', 'unknown')
    """
    if not licences or any(each in (NOT_KNOWN, "not stated") for each in licences):
        return UNKNOWN
    found = {_identifier(each) for each in licences}
    if OTHER in found:
        return OTHER
    newest = {_family(each): each for each in sorted(found)}
    strictest = max(newest.values(), key=lambda each: _strictness(_duties(each)))
    duties = set[str]().union(*map(_duties, found))
    alike = [family for family in newest if "sa" in _duties(family)]
    return strictest if duties <= _duties(strictest) and len(alike) < 2 else OTHER


def _identifier(licence: str) -> str:
    if found := _CC.fullmatch(licence):
        return f"cc-{found[1]}-{found[2]}".lower()
    return _NAMED.get(licence, OTHER)


def _family(identifier: str) -> str:
    """A licence of Creative Commons without its version; any other as it is."""
    return identifier.rpartition("-")[0] if identifier.startswith("cc-") else identifier


def _duties(identifier: str) -> set[str]:
    """What a licence asks of those who pass a work on: credit, the same licence, no money, no changes."""
    if identifier in ("odbl", "gpl-3.0"):
        return {"by", "sa"}
    return {"by", "nc", "sa", "nd"} & set(identifier.split("-"))


def _strictness(duties: set[str]) -> tuple[bool, ...]:
    return tuple(duty in duties for duty in ("nd", "nc", "sa", "by"))


def header(info: RunInfo, scores: RunScores, card: ModelCard) -> str:
    """The YAML that a model card on the Hub begins with.

    Args:
        info: of the run.
        scores: of the run; those of new people alone are told.
        card: of its model.
    """
    licence = licence_for(info, card)
    named = {"license_name": "terms-of-the-training-data", "license_link": "LICENSE"}
    bases = [each.place for each in encoders_inside(card) if each.place]
    places = [each.place for each in corpora_of(info)]
    test = None if info.split.leaks_speakers else scores.parts.get("test")
    told: dict[str, Any] = {
        "license": licence,
        **(named if licence == OTHER else {}),
        "language": sorted({*map(language_of, info.languages)} - {""}),
        "library_name": LIBRARY,
        "pipeline_tag": "audio-classification",
        "tags": ["audio", "speech", "speech-emotion-recognition", "onnx", info.model]
        + ["synthetic-voices"] * info.synthetic,
        "datasets": [place.removeprefix(_DATASETS) for place in places if place.startswith(_DATASETS)],
        "metrics": ["recall", "accuracy", "f1"],
        "base_model": bases,
        "model-index": [{"name": info.name, "results": [_result(info, test)]}] if test else [],
    }
    told = {name: value for name, value in told.items() if value}
    return f"---\n{yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=1000)}---\n"


def _result(info: RunInfo, test: PartScores) -> dict[str, Any]:
    """Scores on the test clips of all corpora; what there is of one alone is often too little."""
    pooled = test.pooled
    corpora = [group.name for group in test.groups if group.by == "corpus"]
    whom = plural(pooled.speakers, "new speaker")
    without = f", no clips of {listed(none, 'or')}" if (none := untested(pooled)) else ""
    told = (
        ("recall", "UAR", pooled.uar), ("accuracy", "accuracy", pooled.accuracy),
        ("f1", "macro-F1", pooled.macro_f1),
    )  # fmt: skip
    return {
        "task": {"type": "audio-classification", "name": "speech emotion recognition"},
        "dataset": {
            "name": f"{', '.join(corpora)}: {whom}, split {info.split.name}{without}",
            "type": corpora[0] if len(corpora) == 1 else "several-corpora",
            "split": "test",
        },
        "metrics": [
            {"type": metric, "value": round(found.value, 4), "name": f"{name}{_interval(found)}"}
            for metric, name, found in told
        ],
    }


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" (95 % interval {estimate.low:.3f} to {estimate.high:.3f})"


LICENCE_FILE: Final = """\
{granted}

It inherits these terms from what it learned from; no recording is part of it:

{origins}

The MIT licence of ser-pipeline covers the code of that program, not this model.
"""

NO_LICENCE: Final = """\
has no licence of its own: the terms of all that it
learned from hold together. Where they are not stated or not known, ask the publisher before you
use the model or pass it on."""


def licence_text(info: RunInfo, card: ModelCard) -> str:
    """What the file LICENSE of an exported folder says.

    Args:
        info: of the run.
        card: of its model.
    """
    origins = _origins(info, card)
    return LICENCE_FILE.format(
        granted=_granted(licence_of([each.licence for each in origins])),
        origins="\n".join(f"  {each.line}" for each in origins),
    )


def _granted(licence: str) -> str:
    what = f"The model in this folder ({GRAPH})"
    if licence.startswith("cc-"):
        *kind, version = licence.removeprefix("cc-").split("-")
        place = f"licenses/{'-'.join(kind)}/{version}/legalcode"
        name = f"CC {'-'.join(kind).upper()} {version}"
        return f"{what} is licensed under {name}:\nhttps://creativecommons.org/{place}"
    if licence in (OTHER, UNKNOWN):
        return f"{what} {NO_LICENCE}"
    return f"{what} may be used under the terms of the licence '{licence}'."


def settings_text(facts: GraphFacts) -> str:
    """What the file config.json of an exported folder holds: labels, and all that a graph says of itself."""
    names = facts.card.emotions
    told = {
        "library_name": LIBRARY,
        "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)},
        "sampling_rate": facts.card.inputs.sample_rate,
        **facts.model_dump(mode="json"),
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


ALONE: Final = """\
With ser-pipeline installed, in this folder:

```sh
ser predict a.wav --model .
```

```python
from ser_pipeline import load_model

model = load_model(".")
said = model.predict("a.wav")
print(said.decision, said.probabilities)
```
"""

TOGETHER: Final = """\
It judges five or more recordings of one person together. With ser-pipeline installed, in this folder:

```sh
ser predict recordings --one-speaker --model .
```

```python
from pathlib import Path

from ser_pipeline import load_model

model = load_model(".")
for said in model.predict_many(sorted(Path("recordings").iterdir()), one_speaker=True):
    print(said.name, said.decision, said.probabilities)
```
"""

BY_GRAPH: Final = """\
Or with onnxruntime alone; `a.wav` is mono, at {rate:,} Hz:

```python
import onnxruntime
import soundfile

wave, _ = soundfile.read("a.wav", dtype="float32")
graph = onnxruntime.InferenceSession("{graph}")
(shares,) = graph.run(["probabilities"], {{"wave": wave}})
print(dict(zip({names}, shares[0].tolist())))
```
"""


def usage(facts: GraphFacts) -> str:
    """How to use the model of an exported folder, in Markdown; what it shows works when it is copied."""
    together = speaker_wise(facts.card)
    parts = ["## How to use\n", TOGETHER if together else ALONE]
    if facts.takes == "wave" and not together:
        names = json.dumps(facts.card.emotions)
        parts.append(BY_GRAPH.format(rate=facts.card.inputs.sample_rate, graph=GRAPH, names=names))
    inputs = " and ".join(f"`{name}`" for name in facts.inputs)
    parts.append(
        f"The graph `{GRAPH}` takes {inputs}. Its labels, its preprocessing and all other settings are in "
        "`config.json`; `ser-pipeline` prepares recordings of any format and sample rate by them.\n"
    )
    if facts.int8:
        parts.append(
            "Its weights are stored in 8 bits. The scores below are those of the model before that, and its "
            "probabilities differ a little.\n"
        )
    return "\n".join(parts)


def licence_line(info: RunInfo, card: ModelCard) -> str:
    """The licence of a model in one line, with what must be known before it is published."""
    licence = licence_for(info, card)
    doubt = licence in (OTHER, UNKNOWN) or "-nd" in licence
    more = "; what it learned from may not allow it to be published: the file LICENSE lists the terms"
    return f"licence: {licence}{more if doubt else ''}"
