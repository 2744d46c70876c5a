"""Parameters of VOD calls: the refusals that all APIs share."""

from __future__ import annotations

from vod_migrate.sandbox.errors import VodError

Parameters = dict[str, str]


def missing(name: str) -> VodError:
    """A mandatory parameter was not given."""
    return VodError(
        "MissingParameter",
        400,
        f'The input parameter "{name}" that is mandatory for processing this request is not supplied.',
    )


def invalid(name: str, rule: str) -> VodError:
    """A parameter breaks a rule; the message names both."""
    return VodError("InvalidParameter", 400, f"The specified parameter {name} is not valid: {rule}.")


def required(parameters: Parameters, name: str) -> str:
    """The value of a mandatory parameter. Raises `VodError`."""
    value = parameters.get(name, "")
    if not value:
        raise missing(name)
    return value


def whole_number(parameters: Parameters, name: str, default: int, *, least: int, most: int) -> int:
    """An integer parameter between two bounds, both allowed. Raises `VodError`."""
    text = parameters.get(name, "")
    if not text:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or not least <= int(text) <= most:
        raise invalid(name, f"it must be a whole number from {least} to {most}")
    return int(text)


def boolean(parameters: Parameters, name: str) -> bool | None:
    """A boolean parameter, None when it is not given. Raises `VodError`."""
    text = parameters.get(name, "").lower()
    if text not in {"", "true", "false"}:
        raise invalid(name, "it must be true or false")
    return None if not text else text == "true"


def check_bytes(name: str, text: str, most: int) -> None:
    """Raises `VodError` when the UTF-8 form of a text has more than `most` bytes."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > most:
        raise invalid(name, f"it has {size} bytes of UTF-8, {most} are allowed")
