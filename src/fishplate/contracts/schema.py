"""A JSON Schema that validates: the one place where jsonschema-rs compiles or normalises.

Draft 2020-12 with three rules that are always on: formats are checked, regular expressions run in
linear time (no look-around, no back-references), and nothing is ever retrieved from elsewhere.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from typing import Final, Protocol, Self, cast

import jsonschema_rs
from jsonschema_rs import CanonicalSchema, RegexOptions, ValidationError, Validator
from jsonschema_rs.canonical import Cause, UnsatisfiableReason, find_unsatisfiable
from typing_extensions import override

from fishplate.contracts.complexity import MOST_CASES, count_cases
from fishplate.contracts.dialects import modernised
from fishplate.contracts.json import canonical_json, to_pointer
from fishplate.contracts.keywords import SchemaDocument, without_annotations
from fishplate.contracts.limits import SchemaLimits, lint
from fishplate.contracts.violations import explain, unreadable
from fishplate.core.errors import DeclarationError, JsonValue, Problem, Violation

_MOST_VIOLATIONS: Final = 20
_DEFAULT_LIMITS: Final = SchemaLimits()


class Retriever(Protocol):
    """Finds the schema that a URI names, for references that leave the document."""

    def __call__(self, uri: str, /) -> dict[str, JsonValue]:
        """The schema with this URI; a ValueError or KeyError if there is none."""
        ...


def compiled(document: SchemaDocument, *, retriever: Retriever | None = None) -> Validator:
    """Compile a schema.

    Args:
        document: The schema; draft 2020-12 unless its `$schema` says otherwise.
        retriever: Serves references that leave the document. Without one they are refused;
            with one, nothing but the retriever is asked.

    Raises:
        DeclarationError: Code `invalid_schema`; it is no schema, or asks for what is refused.
    """
    try:
        return jsonschema_rs.validator_for(
            document,
            validate_formats=True,
            pattern_options=RegexOptions(),
            offline=retriever is None,
            retriever=retriever,
        )
    except ValueError as error:
        raise _refused(error) from error


class Schema:
    """A JSON Schema, immutable; two are equal if their documents are, in any order of keys.

    The document is taken to be ours, as pydantic or the contract notation makes it: it is compiled
    on first use and not linted. What comes from outside enters through `from_foreign`.
    """

    __slots__ = (
        "__weakref__",
        "_canonical",
        "_cases",
        "_document",
        "_fingerprint",
        "_shape",
        "_validator",
    )

    def __init__(self, document: Mapping[str, JsonValue] | bool) -> None:  # noqa: FBT001 -- `true` and `false` are schemas
        self._document: SchemaDocument = document if isinstance(document, bool) else _copy(document)
        self._validator: Validator | None = None
        self._canonical: CanonicalSchema | None = None
        self._cases = 0
        self._fingerprint = ""
        self._shape = ""

    @classmethod
    def from_foreign(cls, document: JsonValue, *, limits: SchemaLimits = _DEFAULT_LIMITS) -> Self:
        """A schema from a file, a remote agent or a tool server: linted, then compiled.

        Raises:
            DeclarationError: Code `hostile_schema` if it breaks a limit, which the message names;
                `invalid_schema` if it is no JSON Schema.
        """
        if problems := lint(document, limits):
            raise DeclarationError("foreign schema", problems)
        # The lint has found an object or a boolean.
        schema = cls(modernised(cast("SchemaDocument", document)))
        schema._validator = compiled(schema._document)
        return schema

    @property
    def json(self) -> SchemaDocument:
        """The document itself; must not be changed."""
        return self._document

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole document as canonical JSON, in hexadecimal."""
        if not self._fingerprint:
            self._fingerprint = sha256(canonical_json(self._document)).hexdigest()
        return self._fingerprint

    @property
    def shape_fingerprint(self) -> str:
        """The same without titles, descriptions, examples and comments: these accept nothing."""
        if not self._shape:
            shape = without_annotations(self._document)
            self._shape = sha256(canonical_json(shape)).hexdigest()
        return self._shape

    @property
    def cases(self) -> int:
        """An estimate of the plain cases that the canonical form spells out."""
        if not self._cases:
            self._cases = count_cases(self._document)
        return self._cases

    @property
    def canonical(self) -> CanonicalSchema | None:
        """The canonical form, whose set algebra `contracts.fits` uses; None if it is too large.

        Raises:
            DeclarationError: Code `invalid_schema`; it is no schema, or asks for what is refused.
        """
        if self._canonical is None:
            if self.cases > MOST_CASES:
                # What does not compile is an error here too.
                self._validator = self._validator or self._compile()
                return None
            try:
                self._canonical = jsonschema_rs.canonicalize(
                    self._document,
                    validate_formats=True,
                    pattern_options=RegexOptions(),
                    offline=True,
                )
            except ValueError as error:
                raise _refused(error) from error
        return self._canonical

    def is_valid(self, value: JsonValue) -> bool:
        """Whether the schema accepts a value.

        What is no JSON is refused only where the validator looks at it; a lone surrogate inside a
        larger value may pass. Whoever reads or writes the value as JSON finds it.

        Raises:
            DeclarationError: Code `invalid_schema`; the schema itself does not compile.
        """
        validator = self._validator or self._compile()
        try:
            return validator.is_valid(value)
        except ValueError:
            # Lone surrogates, Python objects and values too deep to be judged: `violations` says
            # which, here the answer is enough.
            return False

    def violations(self, value: JsonValue) -> tuple[Violation, ...]:
        """Where a value breaks the schema: at most 20 places, none if it is valid.

        Raises:
            DeclarationError: Code `invalid_schema`; the schema itself does not compile.
        """
        validator = self._validator or self._compile()
        try:
            if validator.is_valid(value):
                return ()
            errors = list(islice(validator.iter_errors(value), _MOST_VIOLATIONS))
        except ValueError as error:
            return (unreadable(value, error),)
        return tuple(explain(error) for error in errors)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """The parts that accept nothing although they are not written as `false`.

        Yields:
            JSON pointer into the schema, and why nothing satisfies the part.

        Raises:
            DeclarationError: Code `invalid_schema`; the schema itself does not compile.
        """
        if self.cases > MOST_CASES:
            return
        try:
            found = find_unsatisfiable(
                self._document,
                validate_formats=True,
                pattern_options=RegexOptions(),
                offline=True,
            )
        except ValueError as error:
            raise _refused(error) from error
        for pointer, reason in found.items():
            match reason:
                case UnsatisfiableReason.Empty(cause):
                    yield pointer, f"{_named(cause)} leave nothing"
                case UnsatisfiableReason.Conflict(causes):
                    yield pointer, f"{' together with '.join(map(_named, causes))} leave nothing"
                case _:
                    continue

    def _compile(self) -> Validator:
        self._validator = compiled(self._document)
        return self._validator

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schema):
            return NotImplemented
        return self is other or self.fingerprint == other.fingerprint

    @override
    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @override
    def __repr__(self) -> str:
        return f"Schema({self._document!r})"


def written(form: CanonicalSchema | None) -> SchemaDocument | None:
    """A canonical form as a schema, or None if it holds a number that only a decimal can."""
    if form is None:
        return None
    document = form.to_json_schema()
    # A canonical form is a schema, so that it is an object or a boolean.
    return None if _holds_decimal(document) else cast("SchemaDocument", document)


def _holds_decimal(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_decimal, cast("dict[str, object]", value).values()))
    if isinstance(value, list):
        return any(map(_holds_decimal, cast("list[object]", value)))
    return isinstance(value, Decimal)


def _copy(document: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Copy a document, so that whoever made it cannot change ours."""
    try:
        return jsonschema_rs.canonical.schema.clone(dict(document))
    except ValueError as error:
        raise _refused(error) from error


def _named(cause: Cause) -> str:
    words = " and ".join(repr(keyword) for keyword in cause.keywords)
    where = f" at {cause.pointer!r}" if cause.pointer else ""
    return f"{words or 'the schema'}{where}"


def _refused(error: ValueError) -> DeclarationError:
    if isinstance(error, ValidationError):
        pointer = to_pointer(error.instance_path)
        message = f"is no valid schema: {explain(error).message}"
    else:
        pointer = ""
        message = f"cannot be read as a schema: {error}"
    where = f"schema at {pointer!r}" if pointer else "schema"
    problem = Problem(code="invalid_schema", message=f"{where} {message}", pointer=pointer)
    return DeclarationError("schema", [problem])
