"""The page ``docs/options.md``: every option, written from the fields. ``make docs`` prints it."""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from ser_pipeline.options.effect import COMMANDS, flags_of
from ser_pipeline.options.recipe import Recipe
from ser_pipeline.options.serving import Limits, PredictOptions
from ser_pipeline.options.settings import Setting, in_words, settings_of

HEAD: Final = """\
# Options

Every option of a model, as a flag of `ser train` and a key of `ser.toml`. This page is written from the options
themselves (`make docs`), and so is the help of the commands.

## The settings file

Commands read the file `ser.toml` in the current folder, if there is one. Flags win over the file, and the file wins over
the preset. `train.learning_rate` is `learning_rate` in the table `[train]`:

```toml
preset = "default"
corpora = ["emodb", "nemo"]

[train]
learning_rate = 0.0005
patience = false            # "none" in a flag

[train.spec_augment]
time_width = 30

[model]
attention = false
```

The file may also hold two things that are not options; `descriptions` stands above all tables:

```toml
descriptions = ["../shared/emovo.toml"]    # of corpora, beside those in the folder corpora

[tasks]                                    # your own tasks: --task loud
loud = ["anger", "happiness"]
```

[Descriptions](corpora/describe.md) and [tasks](training.md#tasks) have pages of their own. A name in the file that does
not exist is an error. The file is judged together with the model that is trained; `model = "svm"` above all tables is short
for `name = "svm"` under `[model]`.

## Flags

Where a list is valid, the flag takes its values with commas between them, or is repeated: `--merge calm=neutral
--merge sadness=anger`. Any other flag that is repeated has its last value.

A flag that changes nothing for the model, loss or features chosen is refused; in the file it is ignored.
Where two defaults are given, one is for models that learn from mels, the other for models of features.
"""

CACHES: Final = """\
## Flags of `ser cache`

The commands that build stores take the options that decide what a store holds, and the flags mean the same:

"""


def options_page() -> str:
    """The page, as Markdown."""
    named = {each.path: each for each in flags_of("train")}
    settings = [named.get(each.path, each) for each in settings_of(Recipe)]
    parts = [HEAD]
    for panel, group in groupby(settings, key=lambda each: each.panel):
        parts += [f"## {panel}\n", _table(group)]
    parts += [CACHES + "\n".join(_commands()) + "\n"]
    for title, words, kind in (
        ("Prediction", "Flags of `ser predict` and `ser listen`.", PredictOptions),
        ("The server", "Flags of `ser demo`.", Limits),
    ):
        parts += [f"## {title}\n\n{words}\n", _table(settings_of(kind), models=False)]
    parts += ["## What the presets change\n", _presets(settings)]
    return "\n".join(parts)


def _table(settings: Iterable[Setting], *, models: bool = True) -> str:
    """Options as a table; without ``models`` it leaves out which models they are for."""
    columns = ["option", "flag", "default", "valid", *(["for"] if models else []), "what"]
    rows = [columns, ["---"] * len(columns)]
    for each in settings:
        audience = [each.audience] if models else []
        default = "the best at hand" if each.flag.isupper() else each.defaults  # an argument: the model
        rows.append([f"`{each.path}`", _flag(each), default, each.valid, *audience, each.description])
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in rows)


def _flag(setting: Setting) -> str:
    if not setting.flag or setting.flag.isupper():
        return f"`{setting.flag}`" if setting.flag else ""
    flag = f"`--{setting.flag}`" + (f", `--no-{setting.flag}`" if setting.is_switch else "")
    return flag + (f", `--{setting.off}`" if setting.off else "")


def _commands() -> Iterator[str]:
    for command, fields in COMMANDS.items():
        if fields:
            named = {each.path: each.flag for each in flags_of("train")}
            other = [
                f"`{each.path}` is `--{each.flag}` there"
                for each in flags_of(command)
                if named.get(each.path, each.flag) != each.flag
            ]
            more = f" ({'; '.join(other)})" if other else ""
            yield f"- `ser {command}`: {', '.join(f'`{field}`' for field in fields)}{more}."


def _presets(settings: Iterable[Setting]) -> str:
    columns = ("default on mels", "default on features", "paper on mels", "paper on features")
    lines = [f"| option | {' | '.join(columns)} |", "| --- " * 5 + "|"]
    for each in settings:
        if each.presets:
            values = [each.preset(name, mels=mels) for name in ("default", "paper") for mels in (True, False)]
            shown = [in_words(None if value is False and not each.is_switch else value) for value in values]
            lines.append(f"| `{each.path}` | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(options_page())
