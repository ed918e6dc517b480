"""A contract as data: what an agent takes, gives and declares as errors, in a file or from code."""

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from fishplate.contracts.dialects import CURRENT_DIALECT
from fishplate.contracts.documents import read_document
from fishplate.contracts.identity import accepted_fingerprint
from fishplate.contracts.json import canonical_json, escape_token
from fishplate.contracts.notation import read_notation
from fishplate.contracts.schema import Schema
from fishplate.contracts.versions import is_version
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, JsonValue, Problem, ProblemList

_KEYS: Final = (
    "agent",
    "version",
    "description",
    "input_schema",
    "output_schema",
    "errors",
    "strict",
)
_ANYTHING: Final = Schema(True)  # noqa: FBT003 -- the schema that accepts everything

# Words of JSON Schema that would be odd names of fields.
_TELLING: Final = frozenset(
    {
        *("$defs", "$id", "$ref", "additionalProperties", "allOf", "anyOf", "const", "enum"),
        *("items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum"),
        *("oneOf", "pattern", "prefixItems", "properties", "required"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """What an agent promises.

    Attributes:
        name: Name of the agent; not empty.
        input: What it accepts.
        output: What it gives.
        errors: What each declared error carries, by error code.
        version: Semantic version.
        description: For readers; changes nothing.
    """

    name: str
    input: Schema
    output: Schema
    errors: Mapping[str, Schema] = field(default_factory=dict[str, Schema], hash=False)
    version: str = "0.0.0"
    description: str = ""

    def __post_init__(self) -> None:
        """Take a copy of the errors, and check the name and the version.

        Raises:
            DeclarationError: Code `invalid_contract`.
        """
        object.__setattr__(self, "errors", MappingProxyType(dict(self.errors)))
        if problems := list(_wrong_facts(self.name, self.version)):
            raise DeclarationError(f"contract {self.name!r}", problems)

    @classmethod
    def parse(cls, document: JsonValue) -> Self:
        """A contract from its file form.

        The form is `{"agent": name, "input_schema": ..., "output_schema": ...}` with the optional
        keys `errors` (error code to schema), `version`, `description` and `strict`. A schema is
        either JSON Schema, if it has `$schema` or both `"type": "object"` and `properties` at its
        top, and then taken as written; or the short notation of `contracts.notation`, in which
        outputs and errors are closed, and inputs are open unless `strict` is true.

        Raises:
            DeclarationError: With every problem that was found: code `invalid_contract`,
                `invalid_notation`, `hostile_schema` or `invalid_schema`; each with its pointer.
        """
        fields = _Fields(document)
        name, version = fields.text("agent"), fields.text("version", "0.0.0")
        contract = {
            "input": fields.schema("input_schema", is_closed=fields.flag("strict")),
            "output": fields.schema("output_schema", is_closed=True),
        }
        errors, description = fields.errors(), fields.text("description", "")
        fields.problems.raise_if_any()
        return cls(name=name, version=version, errors=errors, description=description, **contract)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """A contract from a `.json`, `.yaml` or `.yml` file.

        Raises:
            DeclarationError: As `parse` and `contracts.documents.read_document` do.
        """
        path = Path(path)
        document = read_document(path)
        try:
            return cls.parse(document)
        except DeclarationError as error:
            raise DeclarationError(f"contract file {str(path)!r}", error.problems) from error

    def to_json(self) -> dict[str, JsonValue]:
        """The file form with full JSON Schemas; `parse` gives an equal contract back."""
        written: dict[str, JsonValue] = {"agent": self.name, "version": self.version}
        if self.description:
            written["description"] = self.description
        written["input_schema"] = _declared(self.input)
        written["output_schema"] = _declared(self.output)
        if self.errors:
            written["errors"] = {code: _declared(held) for code, held in self.errors.items()}
        return written

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of name and schemas; not of texts, version or spelling."""
        return sha256(
            canonical_json(
                {
                    "agent": self.name,
                    "input": accepted_fingerprint(self.input.json),
                    "output": accepted_fingerprint(self.output.json),
                    "errors": {
                        code: accepted_fingerprint(held.json) for code, held in self.errors.items()
                    },
                }
            )
        ).hexdigest()


def _declared(schema: Schema) -> JsonValue:
    """A schema that no reader takes for the short notation."""
    document = schema.json
    if isinstance(document, bool):
        return {"$schema": CURRENT_DIALECT} if document else {"$schema": CURRENT_DIALECT, "not": {}}
    return {"$schema": CURRENT_DIALECT, **document}


class _Fields:
    """Reads the keys of one contract document and gathers everything that is wrong with them."""

    def __init__(self, document: JsonValue) -> None:
        self.problems = ProblemList("contract")
        self._document: Mapping[str, JsonValue] = {}
        if isinstance(document, dict):
            self._document = document
        else:
            given = type(document).__name__
            self._wrong(
                f"it is of type {given!r}: a contract is an object with 'agent', 'input_schema' "
                "and 'output_schema'",
                "",
            )
            self.problems.raise_if_any()
        for key in self._document:
            if key not in _KEYS:
                self._wrong(f"unknown key {key!r}; known are {', '.join(_KEYS)}", _below(key))

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default the key has to be there."""
        held = self._document.get(key, default)
        if isinstance(held, str):
            return held
        what = "is missing" if held is None else f"is {type(held).__name__}, not text"
        self._wrong(f"{key!r} {what}", _below(key))
        return ""

    def flag(self, key: str) -> bool:
        """A boolean, false if it is absent."""
        held = self._document.get(key, False)
        if not isinstance(held, bool):
            self._wrong(f"{key!r} is {held!r}, not true or false", _below(key))
        return held is True

    def schema(self, key: str, *, is_closed: bool) -> Schema:
        """A schema under a key that has to be there, in either notation."""
        if key not in self._document:
            self._wrong(f"{key!r} is missing; for anything at all, write 'any'", _below(key))
            return _ANYTHING
        return self._read(self._document[key], _below(key), is_closed=is_closed)

    def errors(self) -> dict[str, Schema]:
        """The declared errors, by code; none if the key is absent."""
        held = self._document.get("errors", {})
        if not isinstance(held, dict):
            self._wrong("'errors' is an object of error codes and schemas", "/errors")
            return {}
        return {
            code: self._read(notation, f"/errors{_below(code)}", is_closed=True)
            for code, notation in held.items()
        }

    def _read(self, held: JsonValue, pointer: str, *, is_closed: bool) -> Schema:
        document = held
        if not _is_full_schema(held):
            document, problems = read_notation(held, is_closed=is_closed, pointer=pointer)
            words = sorted(_TELLING & held.keys()) if isinstance(held, dict) else []
            if problems and words:
                self._wrong(
                    f"{pointer!r} is read as the short notation, in which {', '.join(words)} would "
                    f'be fields. If it is JSON Schema, add "$schema": "{CURRENT_DIALECT}" to it',
                    pointer,
                )
            elif problems:
                self.problems.found.extend(problems)
            if problems:
                return _ANYTHING
        try:
            return Schema.from_foreign(document)
        except DeclarationError as error:
            for problem in error.problems:
                place = f"{pointer}{problem.pointer or ''}"
                self.problems.add(replace(problem, pointer=place))
            return _ANYTHING

    def _wrong(self, message: str, pointer: str) -> None:
        self.problems.add(Problem(code="invalid_contract", message=message, pointer=pointer))


def _is_full_schema(held: JsonValue) -> bool:
    """Whether it is JSON Schema; a field that is named `type` does not make it so."""
    return isinstance(held, dict) and (
        "$schema" in held or (held.get("type") == "object" and "properties" in held)
    )


def _below(key: str) -> str:
    return f"/{escape_token(key)}"


def _wrong_facts(name: str, version: str) -> Iterator[Problem]:
    if not name.strip():
        yield Problem(
            code="invalid_contract", message="the name of the agent is empty", pointer="/agent"
        )
    if not is_version(version):
        yield Problem(
            code="invalid_contract",
            message=f"version {version!r} is no semantic version, such as '1.4.0'",
            pointer="/version",
        )
