"""What all options share: frozen, strict about names, errors of one line."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ser_pipeline.errors import SettingsError

T = TypeVar("T", bound=BaseModel)

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
OFF = BeforeValidator(lambda value: None if value is False else value)
"""``false`` in a settings file, which knows no None, switches an option off."""


class Options(BaseModel):
    """Base of all options: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
