"""Flags made from options: a command's flags, their help and defaults come from the fields themselves.

A command takes what it was given as one object, :class:`Given`, from which a reader can follow an option
to the line that uses it: ``--own-scale`` is ``model.own_scale`` of the recipe, and nothing in between.
The options are imported when a command's flags are looked at, so that ``ser --help`` stays instant.
"""

import inspect
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_type_hints

import typer
from typer.core import TyperCommand
from typer.main import get_command

if TYPE_CHECKING:
    from ser_pipeline.options import Options, Recipe, Setting

O = TypeVar("O", bound="Options")  # noqa: E741
F = TypeVar("F", bound=Callable[..., None])

_GIVEN = "ser_pipeline.given"


@dataclass(frozen=True)
class Given:
    """What a command was told about options.

    Attributes:
        values: path of an option -> value as it was typed: a text, or True or False for a switch.
        settings: path -> what is known of the option.
        command: the command line, as it can be typed again.
    """

    values: Mapping[str, str | bool]
    settings: "Mapping[str, Setting]"
    command: str = ""

    def flag(self, path: str) -> str:
        """The flag that gave an option, as it was typed."""
        known = self.settings.get(path)
        if known is None:
            return path
        if known.off and self.values.get(path) is False:
            return f"--{known.off}"
        return f"--no-{known.flag}" if self.values.get(path) is False else known.spoken

    def nested(self) -> dict[str, Any]:
        """Sections -> fields -> values; a switch of what has settings of its own is a table of no changes."""
        found: dict[str, Any] = {}
        for path, value in self.values.items():
            *sections, name = path.split(".")
            inner = found
            for section in sections:
                inner = inner.setdefault(section, {})
            inner[name] = {} if value is True and self.settings[path].has_own else value
        return found

    def settings_read(self, **usual: Any) -> "Recipe":
        """The recipe these flags make of the settings file.

        Args:
            **usual: fields of a recipe: other values than the file's for what was not given.

        Raises:
            SettingsError: a value that does not fit.
        """
        from ser_pipeline.api.places import SETTINGS_FILE
        from ser_pipeline.options import configured, merged

        changes = merged(usual, self.nested())
        return configured(SETTINGS_FILE, changes.pop("preset", None), spoken=self.flag, **changes)

    def recipe(self, **usual: Any) -> "Recipe":
        """The same, to be trained.

        Args:
            **usual: as for :meth:`settings_read`.

        Raises:
            SettingsError: a value that does not fit, or a flag that would do nothing.
            LabelError: a task that does not exist.
        """
        from ser_pipeline.api.places import SETTINGS_FILE
        from ser_pipeline.labels import task_named
        from ser_pipeline.options import idle, own_tasks

        encoder = any(path.partition(".")[0] in ("embeddings", "layers") for path in self.values)
        made = self.settings_read(**(usual | ({"on": "embeddings"} if encoder else {})))
        self._refuse(lambda path: idle(path, made))
        if made.task != "all":
            task_named(made.task, own_tasks(SETTINGS_FILE))
        return made

    def refuse(self, section: str, about: str) -> None:
        """Refuse flags that are options of a section, or of a recipe itself.

        Args:
            section: whose flags have no effect.
            about: what they have no effect on.

        Raises:
            SettingsError: names the first of them.
        """
        self._refuse(lambda path: about if section in (path, self.settings[path].section) else "")

    def _refuse(self, about: Callable[[str], str]) -> None:
        from ser_pipeline.errors import SettingsError

        for path in self.values:
            if what := about(path):
                raise SettingsError(f"{self.flag(path)}: has no effect on {what}; leave it out")

    def options(self, kind: "type[O]") -> "O":
        """Options of a class that has no sections.

        Raises:
            SettingsError: a value that does not fit.
        """
        from ser_pipeline.options import checked

        return checked(kind, self.nested(), where=kind.__name__, spoken=self.flag)


class OptionCommand(TyperCommand):
    """A command that makes its flags of options when they are first looked at."""

    made_from: Callable[[], "Iterable[Setting]"]

    @cached_property
    def _settings(self) -> "dict[str, Setting]":
        return {_key(setting): setting for setting in type(self).made_from() if setting.flag}

    @cached_property
    def _flags(self) -> list[Any]:
        def parameters(**values: Any) -> None:
            """Holds the flags."""

        shown = [(key, _annotation(setting)) for key, setting in self._settings.items()]
        shown += [(f"{key}__off", _off(found)) for key, found in self._settings.items() if found.off]
        parameters.__annotations__ = dict(shown)
        vars(parameters)["__signature__"] = inspect.Signature(
            [
                inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
                for key, annotation in shown
            ]
        )
        holder = typer.Typer(add_completion=False)
        holder.command()(parameters)
        return list(get_command(holder).params)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; how a switch is turned off stands in words, or long flags would be broken."""
        switches = [(each, each.secondary_opts, each.help) for each in self._flags if each.secondary_opts]
        for each, off, told in switches:
            each.secondary_opts, each.help = [], f"{told} Off: {', '.join(off)}."
        try:
            super().format_help(ctx, formatter)
        finally:
            for each, off, told in switches:
                each.secondary_opts, each.help = off, told

    def get_params(self, ctx: Any) -> list[Any]:
        """Arguments, flags of options, the command's own flags, and --help."""
        own = super().get_params(ctx)
        every = [*self._flags, *own]  # an argument that is an option comes first
        arguments = [each for each in every if each.param_type_name == "argument"]
        return [*arguments, *(each for each in every if each not in arguments)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; what it says of options becomes one object."""
        command = shlex.join([*ctx.command_path.split(), *args])
        rest = super().parse_args(ctx, args)
        values: dict[str, str | bool] = {}
        for key, setting in self._settings.items():
            value = ctx.params.pop(key)
            off = ctx.params.pop(f"{key}__off") if setting.off else None
            if setting.is_list and value is not None:  # --merge a=b --merge c=b is --merge a=b,c=b
                value = ",".join(value) if value else None
            if value is not None or off:
                values[setting.path] = value if value is not None else False
        settings = {setting.path: setting for setting in self._settings.values()}
        ctx.meta[_GIVEN] = Given(values, settings, command)
        return rest


def option_command(app: typer.Typer, made_from: "Callable[[], Iterable[Setting]]") -> Callable[[F], F]:
    """Register a command whose flags are made of options; it takes them as its parameter ``given``.

    Args:
        app: to register it with.
        made_from: the options, called when the flags are first looked at.
    """

    def register(function: F) -> F:
        kind = type("Command", (OptionCommand,), {"made_from": staticmethod(made_from)})
        app.command(cls=kind)(spread(function))
        return function

    return register


def spread(function: F) -> F:
    """Let a command take what is written once: flags as fields of a dataclass, and what was given of options.

    Args:
        function: a command. Each field of a parameter that is a dataclass is a flag of it.

    Returns:
        What is to be registered in its place.
    """
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {
        name: kind for name, kind in hints.items() if is_dataclass(kind) and kind is not Given
    }
    parameters: list[inspect.Parameter] = []
    for each in inspect.signature(function).parameters.values():
        if each.name in groups:
            parameters += _flags_of(groups[each.name])
        else:
            kind = typer.Context if hints[each.name] is Given else hints[each.name]
            parameters.append(each.replace(kind=each.KEYWORD_ONLY, annotation=kind))

    @wraps(function)
    def called(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
        if "given" in values:
            values["given"] = values["given"].meta[_GIVEN]
        function(**values)

    vars(called)["__signature__"] = inspect.Signature(parameters)
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return cast(F, called)


def _flags_of(kind: Any) -> list[inspect.Parameter]:
    """Fields of a dataclass as parameters."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(kind)
    ]


def options_of(command: str) -> "Callable[[], tuple[Setting, ...]]":
    """Options of a recipe that a command has flags for, for :func:`option_command`."""

    def found() -> "tuple[Setting, ...]":
        from ser_pipeline.options import flags_of

        return flags_of(command)

    return found


def options_of_prediction() -> "tuple[Setting, ...]":
    """Options of ``ser predict`` and ``ser listen``."""
    from ser_pipeline.options import PredictOptions, settings_of

    return settings_of(PredictOptions)


def options_of_server() -> "tuple[Setting, ...]":
    """Options of ``ser demo``."""
    from ser_pipeline.options import Limits, settings_of

    return settings_of(Limits)


def names_in(given: Iterable[str]) -> list[str]:
    """Names that a flag was given, which may be repeated, or have commas between names, or both.

    Examples:
        >>> names_in(["emodb, nemo", "tess"])
        ['emodb', 'nemo', 'tess']
    """
    return [name.strip() for each in given for name in each.split(",") if name.strip()]


def _key(setting: "Setting") -> str:
    return setting.path.replace(".", "__")


def _annotation(setting: "Setting") -> Any:
    """Type and help of a flag, as Typer reads them."""
    about: dict[str, Any] = {
        "help": help_text(setting),
        "show_default": setting.defaults,
        "rich_help_panel": setting.panel,
    }
    if setting.flag.isupper():
        return Annotated[str | None, typer.Argument(metavar=setting.flag, **{**about, "show_default": False})]
    if setting.is_switch:
        return Annotated[bool | None, typer.Option(f"--{setting.flag}/--no-{setting.flag}", **about)]
    kind: Any = list[str] | None if setting.is_list else str | None
    return Annotated[kind, typer.Option(f"--{setting.flag}", metavar=setting.metavar, **about)]


def _off(setting: "Setting") -> Any:
    about: dict[str, Any] = {"help": f"The same as --{setting.flag} none.", "rich_help_panel": setting.panel}
    return Annotated[bool | None, typer.Option(f"--{setting.off}", show_default=False, **about)]


def help_text(setting: "Setting") -> str:
    """What a flag means, what is valid, and for which models, where its heading does not say so."""
    parts = [setting.description]
    if any(choice not in setting.description for choice in setting.choices):
        parts.append(f"One of {', '.join(setting.choices)}.")
    if setting.limits:
        parts.append(f"{setting.limits[0].upper()}{setting.limits[1:]}.")
    heading = setting.panel.partition("(")[2].rstrip(")") or "all models"
    if setting.audience != heading:
        parts.append(f"For {setting.audience}.")
    return " ".join(parts)
