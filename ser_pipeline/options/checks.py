"""Options built from plain values, and one line for each value that does not fit."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ser_pipeline.errors import SettingsError
from ser_pipeline.options.base import Options
from ser_pipeline.options.settings import Setting, in_words, settings_by_path

T = TypeVar("T", bound=BaseModel)


def checked(
    kind: type[T], values: Mapping[str, Any], *, where: str, spoken: Callable[[str], str] | None = None
) -> T:
    """Build options from plain values, with one-line errors that name the field.

    Args:
        kind: class of the options.
        values: by field.
        where: what the values are of, for the error.
        spoken: path of an option -> how an error names it, without ``where``; None names the path.

    Raises:
        SettingsError: a name or value that does not fit.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        # of a name that is missing and one that does not exist, the second says more: it is a misspelling
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
        path, known = _place(kind, first["loc"])
        reason = _reason(first, kind, known)
        if not path:  # about several options at once
            raise SettingsError(reason if spoken else f"{where}: {reason}") from None
        said = f"{spoken(path)} {in_words(first['input'])}" if spoken else f"{where}: {path}"
        given = "" if spoken or first["type"] == "missing" else f" (found {first['input']!r})"
        raise SettingsError(f"{said}: {reason}{given}") from None


def nearest(word: str, valid: Iterable[str]) -> str:
    """The valid word that is most like a wrong one, as the end of a sentence; "" if none is like it.

    Examples:
        >>> nearest("licnce", ["title", "licence"])
        " (did you mean 'licence'?)"
        >>> nearest("x", ["title"])
        ''
    """
    found = get_close_matches(word, list(valid), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _place(kind: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, Setting | None]:
    """Path of an option that an error is about, without the member of a union that was tried."""
    known = settings_by_path(kind) if issubclass(kind, Options) else {}
    words = [str(part) for part in loc if part != "[key]"]
    for length in range(len(words), 0, -1):
        if found := known.get(".".join(words[:length])):
            return found.path, found
    return ".".join(words), None


def _reason(error: Any, kind: type[BaseModel], known: Setting | None) -> str:
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        place = kind
        for part in error["loc"][:-1]:
            inner = _inner(place.model_fields[part].annotation) if part in place.model_fields else None
            place = inner or place
        close = _elsewhere(str(error["loc"][-1]), kind) or nearest(str(error["loc"][-1]), place.model_fields)
        return f"there is no such setting{close}; valid are {', '.join(place.model_fields) or 'none'}"
    if error["type"] == "missing" and not known:
        return "is missing"
    if error["type"] == "model_type":
        return "must hold settings by their names"
    if error["type"] == "literal_error":
        valid = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        must = known.valid if known else f"one of {', '.join(valid)}"
        return f"must be {must}{nearest(str(error['input']), valid)}"
    if error["type"] == "finite_number" and known:
        return "must be " + known.valid.replace("a number", "a finite number")
    return f"must be {known.valid}" if known else str(error["msg"])


def _elsewhere(name: str, kind: type[BaseModel]) -> str:
    """A hint at the settings of that very name in other sections; "" where there are none, or many."""
    paths = settings_by_path(kind) if issubclass(kind, Options) else {}
    found = [path for path in paths if path.rpartition(".")[2] == name]
    return f" (did you mean {' or '.join(map(repr, found))}?)" if 0 < len(found) <= 2 else ""


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The class of options that a field holds, alone, in a union or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_inner, get_args(annotation))), None)
