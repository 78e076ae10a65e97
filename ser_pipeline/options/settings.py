"""What is known of each option, read off the fields: name, flag, help, valid values, presets.

The command line, the settings file, ``docs/options.md`` and the errors of wrong values all read it here.
"""

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Final, Literal, Self, TypeVar, Union, get_args, get_origin

import annotated_types as at
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ser_pipeline.options.base import DECLARED, OFF, PANELS, OneOf, Options
from ser_pipeline.options.registry import ARCHITECTURES, MODELS, Architecture

T = TypeVar("T", bound=BaseModel)

_AUDIENCES: Final[Mapping[str, Callable[[Architecture], bool]]] = types.MappingProxyType(
    {
        "all models": lambda model: True,
        "models on mels": lambda model: model.inputs == "mels",
        "models on features": lambda model: model.inputs == "features",
        "models on frames": lambda model: model.inputs == "frames",
        "models on waves": lambda model: model.inputs == "waves",
        "networks": lambda model: model.by_epochs,
        "classifiers": lambda model: not model.by_epochs,
    }
)

_METAVARS: Final = {
    "a whole number": "<int>",
    "a number": "<float>",
    "a list": "<a,b>",
    "text": "<text>",
    "source=": "<a=b>",
}
_WORDS: Final = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One option.

    Attributes:
        path: sections and name, as ``train.learning_rate``.
        description: whole sentences.
        default: value without a preset.
        presets: other defaults, by keyword of :func:`~ser_pipeline.options.base.option`.
        flag: name of its flag without dashes; an argument's is upper case; "" where it has none.
        off: name of a second flag, which takes no value and switches it off; "" where it has none.
        panel: heading in the help.
        choices: names that are valid.
        limits: of a number, in words; "" for none.
        valid: which values are, in words.
        metavar: what stands for its value in the help.
        is_switch: whether its own flag is a switch, ``--name`` or ``--no-name``.
        is_list: whether it takes any number of values, so that its flag may be repeated.
        has_own: whether it holds settings of its own.
        needs: what a model must have for the option to change anything.
    """

    path: str
    description: str
    default: Any
    presets: Mapping[str, Any]
    flag: str
    off: str
    panel: str
    choices: tuple[str, ...]
    limits: str
    valid: str
    metavar: str
    is_switch: bool
    is_list: bool
    has_own: bool
    needs: tuple[str, ...]

    @property
    def section(self) -> str:
        """The path without the name; "" for options that belong to no section."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Name of the field."""
        return self.path.rpartition(".")[2]

    @property
    def spoken(self) -> str:
        """How a user names it: by its flag, or by its path in a settings file."""
        if not self.flag:
            return self.path
        return self.flag.lower() if self.flag.isupper() else f"--{self.flag}"

    @property
    def models(self) -> tuple[str, ...]:
        """Models for which it changes anything."""
        return tuple(name for name in MODELS if self.read_by(name))

    def read_by(self, model: str, has: frozenset[str] | None = None) -> bool:
        """Whether it changes anything for a model, or for an ensemble.

        Args:
            model: its name.
            has: what options may need of it; None takes what it has by itself.
        """
        architecture = ARCHITECTURES[model]
        if self.needs == DECLARED:
            return self.name in architecture.options
        return (architecture.has if has is None else has).issuperset(self.needs)

    @property
    def audience(self) -> str:
        """Models for which it changes anything, in words."""
        if "embeddings" in self.needs:
            return "models on embeddings"
        found = set(self.models)
        for words, fits in _AUDIENCES.items():
            if found == {name for name, model in MODELS.items() if fits(model)}:
                return words
        return _listed([name for name in MODELS if name in found], "and")

    @property
    def defaults(self) -> str:
        """Values without being given, in words: of both presets, on mels and on features."""
        on_mels = {MODELS[name].inputs == "mels" for name in self.models}
        kinds = [kind for kind in ("mels", "features") if (kind == "mels") in on_mels]
        usual, paper = (
            [self._shown(self.preset(preset, mels=kind == "mels")) for kind in kinds]
            for preset in ("default", "paper")
        )
        said = _by_kind(usual, kinds)
        return said if paper == usual else f"{said}; preset paper: {_by_kind(paper, kinds)}"

    def _shown(self, value: Any) -> str:
        return in_words(None if value is False and not self.is_switch else value)

    def preset(self, preset: str, *, mels: bool) -> Any:
        """Value in a preset, for models that learn from mels or from features."""
        names = ["on_mels"] if mels else []
        if preset == "paper":
            names = ["paper"] if mels else ["paper_features", "paper"]
        return next((self.presets[name] for name in names if name in self.presets), self.default)


@dataclass(frozen=True, slots=True)
class _Outer:
    """What options take from the class they belong to, where they say nothing themselves."""

    path: str = ""
    panel: str = ""
    needs: tuple[str, ...] = ()
    flags: bool = True

    def inside(self, name: str, field: FieldInfo) -> Self:
        """The same for the options of a field that holds options."""
        known = _known(field)
        return replace(
            self,
            path=f"{self.path}{name}.",
            panel=known.get("panel") or self.panel,
            needs=self.needs if known.get("needs") is None else tuple(known["needs"]),
            flags=self.flags and known.get("flag") != "",
        )


@cache
def settings_of(kind: type[Options]) -> tuple[Setting, ...]:
    """All options of a class of options and of those it holds, by heading.

    Examples:
        >>> from ser_pipeline.options import Mixup
        >>> [(found.path, found.valid) for found in settings_of(Mixup)]
        [('alpha', 'a number above 0')]
    """
    found = list(_walk(kind, _Outer()))
    return tuple(sorted(found, key=lambda each: PANELS.index(each.panel) if each.panel in PANELS else -1))


def with_flags(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Options of one command that have a flag; where its name is taken, its section's stands before it.

    Examples:
        >>> from ser_pipeline.options import Recipe
        >>> found = {each.path: each.flag for each in with_flags(settings_of(Recipe))}
        >>> found["front_end.trim_db"], found["features.trim_db"]
        ('trim-db', 'features-trim-db')
    """
    found: dict[str, Setting] = {}
    for each in settings:
        flag = f"{each.section.replace('_', '-')}-{each.flag}" if each.flag in found else each.flag
        if flag:
            found[flag] = replace(each, flag=flag)
    return tuple(found.values())


@cache
def settings_by_path(kind: type[Options]) -> Mapping[str, Setting]:
    """The same by path."""
    return types.MappingProxyType({found.path: found for found in settings_of(kind)})


def _walk(kind: type[Options], outer: _Outer) -> Iterator[Setting]:
    for name, field in kind.model_fields.items():
        inner = next((leaf for leaf, _ in _leaves(field.annotation) if _is_options(leaf)), None)
        optional = type(None) in get_args(field.annotation)
        if inner is None or optional:
            yield _setting(name, field, outer, has_own=inner is not None)
        if inner is not None:
            within = outer.inside(name, field)
            yield from _walk(inner, replace(within, flags=False) if optional else within)


def _setting(name: str, field: FieldInfo, outer: _Outer, *, has_own: bool) -> Setting:
    known = _known(field)
    flag = known.get("flag")
    choices, limits, valid = _described(field)
    return Setting(
        path=outer.path + name,
        description=field.description or "",
        default=field.get_default(call_default_factory=True),
        presets=known.get("presets", {}),
        flag=(name.replace("_", "-") if flag is None else flag) if outer.flags else "",
        off=known.get("off", ""),
        panel=known.get("panel") or outer.panel,
        choices=choices,
        limits=limits,
        valid=valid,
        metavar=next((word for kind, word in _METAVARS.items() if valid.startswith(kind)), "<name>"),
        is_switch=has_own or field.annotation is bool,
        is_list=bool(known.get("many")) or _takes_many(field.annotation),
        has_own=has_own,
        needs=outer.needs if known.get("needs") is None else tuple(known["needs"]),
    )


def _known(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}


def _is_options(leaf: Any) -> bool:
    return isinstance(leaf, type) and issubclass(leaf, Options)


def _leaves(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Members of a union, each with what is noted beside it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *notes = get_args(annotation)
        yield from _leaves(inner, (*metadata, *notes))
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _leaves(member, metadata)
    else:
        yield annotation, metadata


def _takes_many(annotation: Any) -> bool:
    """Whether a list of any length, or a table, is valid."""
    kinds = [leaf for leaf, _ in _leaves(annotation)]
    return any(get_origin(kind) is dict or Ellipsis in get_args(kind) for kind in kinds)


def _described(field: FieldInfo) -> tuple[tuple[str, ...], str, str]:
    """Names that are valid, limits of a number, and all valid values in words."""
    choices: list[str] = []
    limits, parts, off = "", [], OFF in field.metadata
    for leaf, notes in _leaves(field.annotation, tuple(field.metadata)):
        off = off or OFF in notes
        names = [str(value) for value in get_args(leaf)] if get_origin(leaf) is Literal else []
        names += [name for note in notes if isinstance(note, OneOf) for name in note.table]
        choices += names
        if names:
            parts.append(_listed(names))
        elif leaf in _WORDS:
            limits = _limits(notes)
            parts.append(
                _WORDS[leaf] + (" of " if limits.startswith("at ") else " " if limits else "") + limits
            )
        elif leaf is not type(None):
            parts.append(_structure(leaf))
    return tuple(choices), limits, " or ".join([*dict.fromkeys(parts), *(["'none'"] if off else [])])


def _structure(leaf: Any) -> str:
    if _is_options(leaf):
        return "a table of its own settings"
    if get_origin(leaf) is tuple:
        items = get_args(leaf)
        if get_origin(items[0]) is Literal:
            return f"a list of {_listed(list(get_args(items[0])))}"
        if Ellipsis not in items:
            return f"{len(items)} numbers, such as 1,2"
        whole = {leaf for leaf, _ in _leaves(items[0])} == {int}
        return "a list of whole numbers, such as 2,3" if whole else "a list, such as a,b"
    return "source=target, such as calm=neutral"


def _listed(names: list[str], word: str = "or") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _by_kind(values: list[str], kinds: list[str]) -> str:
    if len(set(values)) == 1:
        return values[0]
    return ", ".join(f"{value} for {kind}" for value, kind in zip(values, kinds, strict=True))


def in_words(value: Any) -> str:
    """Value of an option as a user would write it.

    Examples:
        >>> in_words(True), in_words(None), in_words((0.2, 0.8)), in_words({"calm": "neutral"}), in_words(())
        ('on', 'none', '0.2,0.8', 'calm=neutral', 'none')
        >>> in_words(((2, 3), "middle"))
        '2,3/middle'
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value in ((), {}, ""):
        return "none"
    if isinstance(value, Options):
        return "on"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={inner}" for name, inner in value.items())
    if not isinstance(value, tuple | list):
        return str(value)
    nested = any(isinstance(each, tuple | list) for each in value)
    return ("/" if nested else ",").join(map(in_words, value) if nested else map(str, value))


def _limits(notes: tuple[Any, ...]) -> str:
    """Limits of a number in words, as ``at least 1``."""
    flat = [part for note in notes for part in (note.metadata if isinstance(note, FieldInfo) else [note])]
    lowest: list[Any] = [note.ge for note in flat if isinstance(note, at.Ge)]
    highest: list[Any] = [note.le for note in flat if isinstance(note, at.Le)]
    if lowest and highest:
        return f"from {max(lowest)} to {min(highest)}"
    parts = [f"above {note.gt}" for note in flat if isinstance(note, at.Gt)]
    parts += [f"at least {max(lowest)}"] if lowest else []
    parts += [f"at most {min(highest)}"] if highest else []
    parts += [f"below {note.lt}" for note in flat if isinstance(note, at.Lt)]
    parts += [f"divisible by {note.multiple_of}" for note in flat if isinstance(note, at.MultipleOf)]
    return " and ".join(parts)
