"""Contract files: JSON or YAML, read as strictly as anything else that comes from outside."""

from pathlib import Path
from typing import Final

from fishplate.contracts.json import JsonLimits, parse_json
from fishplate.core.errors import DeclarationError, JsonError, JsonValue, Problem

_LIMITS: Final = JsonLimits(size_bytes=256 * 1024)
_YAML_SUFFIXES: Final = frozenset({".yaml", ".yml"})


def read_document(path: Path) -> JsonValue:
    """Read a JSON or YAML file of at most 256 KiB.

    YAML is read as JSON with other punctuation, see `contracts.yaml`.

    Raises:
        DeclarationError: Code `unreadable_contract` if the file cannot be read or has another
            suffix, `invalid_yaml`, or one of the codes of `contracts.json.parse_json`.
    """
    suffix = path.suffix.lower()
    if suffix != ".json" and suffix not in _YAML_SUFFIXES:
        raise _refused(path, "unreadable_contract", "is neither .json nor .yaml")
    try:
        with path.open("rb") as file:
            data = file.read(_LIMITS.size_bytes + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _refused(path, "unreadable_contract", f"cannot be read: {reason}") from error
    try:
        return parse_json(data if suffix == ".json" else _as_json(data), limits=_LIMITS)
    except JsonError as error:
        remedy = f": {error.remedy}" if error.remedy else ""
        raise _refused(path, error.code, f"{error.message}{remedy}", error.pointer) from error


def _as_json(data: bytes) -> bytes:
    if len(data) > _LIMITS.size_bytes:
        # The reader of JSON says so; reading so much YAML would take seconds.
        return data
    # The YAML reader takes as long to import as all else here, and few programs read YAML.
    from fishplate.contracts.yaml import yaml_as_json  # noqa: PLC0415

    return yaml_as_json(data)


def _refused(path: Path, code: str, message: str, pointer: str = "") -> DeclarationError:
    problem = Problem(code=code, message=message, where=str(path), pointer=pointer or None)
    return DeclarationError(f"contract file {str(path)!r}", [problem])
