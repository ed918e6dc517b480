"""Contracts as data: from a document, from a file, and back."""

import json
from pathlib import Path

import pytest

from fishplate.contracts.contract import Contract
from fishplate.contracts.fits import fits
from fishplate.contracts.schema import Schema
from fishplate.core.errors import DeclarationError, JsonValue

REFUND: dict[str, JsonValue] = {
    "agent": "refund_eligibility",
    "input_schema": {
        "order_id": "string",
        "reason_code": "enum[damaged, late, wrong_item, changed_mind]",
        "days_since_delivery": "integer",
    },
    "output_schema": {
        "eligible": "boolean",
        "refund_amount": "number",
        "refund_method": "enum[original_payment, store_credit]",
        "explanation": "string",
    },
}
YAML = """\
agent: refund_eligibility
input_schema:
  order_id: string
  reason_code: enum[damaged, late, wrong_item, changed_mind]
  days_since_delivery: integer
output_schema:
  eligible: boolean
  refund_amount: number
  refund_method: enum[original_payment, store_credit]
  explanation: string
"""
REQUEST: dict[str, JsonValue] = {
    "order_id": "O-1",
    "reason_code": "late",
    "days_since_delivery": 3,
}


def refusal(document: JsonValue) -> DeclarationError:
    """The error that a contract document is refused with."""
    with pytest.raises(DeclarationError) as caught:
        Contract.parse(document)
    return caught.value


def test_reads_the_short_notation() -> None:
    """Inputs are open and outputs closed, unless something else is said."""
    contract = Contract.parse(REFUND)
    answer: JsonValue = {
        "eligible": True,
        "refund_amount": 9.5,
        "refund_method": "store_credit",
        "explanation": "",
    }

    assert contract.name == "refund_eligibility"
    assert contract.version == "0.0.0"
    assert contract.input.is_valid({**REQUEST, "channel": "mail"})
    assert not contract.input.is_valid({**REQUEST, "reason_code": "bored"})
    assert contract.output.is_valid(answer)
    assert not contract.output.is_valid({**answer, "secret": 1})


def test_strict_closes_the_input() -> None:
    """With `strict` the input refuses fields that it does not list."""
    contract = Contract.parse({**REFUND, "strict": True})

    assert contract.input.is_valid(REQUEST)
    assert not contract.input.is_valid({**REQUEST, "channel": "mail"})


def test_json_schema_is_taken_as_written() -> None:
    """A full schema keeps its own openness; it is told by `$schema`, or by type and properties."""
    open_output: JsonValue = {"type": "object", "properties": {"a": {"type": "string"}}}
    other: JsonValue = {"$schema": "http://json-schema.org/draft-07/schema#", "minimum": 3}

    contract = Contract.parse(
        {"agent": "a", "input_schema": other, "output_schema": open_output, "strict": True}
    )

    assert contract.input.json == {"minimum": 3}
    assert contract.output.json == open_output


def test_a_field_named_type_is_a_field() -> None:
    """The notation stays the notation when a field has the name of a keyword."""
    contract = Contract.parse(
        {"agent": "a", "input_schema": {"type": "string"}, "output_schema": "any"}
    )

    assert contract.input.is_valid({"type": "refund"})
    assert not contract.input.is_valid("refund")


def test_declared_errors_are_closed_schemas() -> None:
    """Each error code has a schema of its own."""
    contract = Contract.parse({**REFUND, "errors": {"order_not_found": {"order_id": "string"}}})

    assert contract.errors["order_not_found"].is_valid({"order_id": "O-1"})
    assert not contract.errors["order_not_found"].is_valid({"order_id": "O-1", "more": 1})


def test_a_contract_is_immutable() -> None:
    """Neither fields nor errors can be changed; the errors handed in are copied."""
    errors = {"late": Schema(True)}
    contract = Contract(name="a", input=Schema(True), output=Schema(True), errors=errors)

    errors["lost"] = Schema(True)

    assert set(contract.errors) == {"late"}
    with pytest.raises(TypeError):
        contract.errors["lost"] = Schema(True)  # type: ignore[index] # pyright: ignore[reportIndexIssue]
    with pytest.raises(AttributeError):
        contract.name = "b"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"version": "1.2.3-rc.1+build", "description": "Says whether.", "strict": True},
        {"errors": {"a/b": "string", "c": "any"}},
        {"input_schema": "any", "output_schema": ["date"]},
    ],
)
def test_what_is_written_reads_back(changes: dict[str, JsonValue]) -> None:
    """The file form of a contract gives an equal contract."""
    contract = Contract.parse({**REFUND, **changes})

    again = Contract.parse(contract.to_json())

    assert again == contract
    assert hash(again) == hash(contract)
    assert again.fingerprint == contract.fingerprint


def test_a_contract_that_takes_nothing_reads_back() -> None:
    """Boolean schemas have a file form too."""
    contract = Contract(name="a", input=Schema(False), output=Schema(True))

    again = Contract.parse(contract.to_json())

    assert fits(again.input, contract.input).verdict == "fits"
    assert fits(contract.output, again.output).verdict == "fits"


def test_the_fingerprint_covers_what_is_accepted() -> None:
    """Texts, version and spelling leave the fingerprint alone; a field, a name, an error do not."""
    contract = Contract.parse(REFUND)
    spelled = Contract.parse(
        {
            **REFUND,
            "version": "2.0.0",
            "description": "Says whether a refund is due.",
            "output_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$ref": "#/$defs/Answer",
                "$defs": {"Answer": {**_answer(contract), "title": "Answer"}},
            },
        }
    )

    assert spelled.fingerprint == contract.fingerprint
    changes: list[dict[str, JsonValue]] = [
        {"agent": "refunds"},
        {"input_schema": {"order_id": "string"}},
        {"errors": {"late": "any"}},
        {"strict": True},
    ]
    for change in changes:
        assert Contract.parse({**REFUND, **change}).fingerprint != contract.fingerprint


def _answer(contract: Contract) -> dict[str, JsonValue]:
    document = contract.output.json
    assert isinstance(document, dict)
    return {**document, "required": list(reversed(list(contract_required(document))))}


def contract_required(document: dict[str, JsonValue]) -> list[JsonValue]:
    """The required names of an object schema."""
    names = document["required"]
    assert isinstance(names, list)
    return names


@pytest.mark.parametrize(
    ("changes", "pointer", "message"),
    [
        ({"agent": " "}, "/agent", "the name of the agent is empty"),
        ({"agent": 5}, "/agent", "'agent' is int, not text"),
        ({"version": "1.0"}, "/version", "'1.0' is no semantic version"),
        ({"version": 1.0}, "/version", "'version' is float, not text"),
        ({"strict": "yes"}, "/strict", "not true or false"),
        ({"errors": ["late"]}, "/errors", "an object of error codes"),
        ({"outputs": "any"}, "/outputs", "unknown key 'outputs'; known are agent, version"),
        ({"input_schema": {"a": "strng"}}, "/input_schema/a", "did you mean 'string'?"),
        ({"errors": {"late": {"a": 5}}}, "/errors/late/a", "5 is no type"),
        (
            {
                "output_schema": {
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "$ref": "#",
                }
            },
            "/output_schema",
            "recursion without data",
        ),
        (
            {"output_schema": {"type": "object", "properties": {"a": {"$ref": "http://x"}}}},
            "/output_schema/properties/a",
            "only references inside the schema",
        ),
        (
            {"input_schema": {"type": "object", "properties": {"a": {"type": "strin"}}}},
            "/input_schema/properties/a/type",
            "no valid schema",
        ),
    ],
)
def test_names_the_place_of_a_mistake(
    changes: dict[str, JsonValue], pointer: str, message: str
) -> None:
    """Each problem has a pointer into the document."""
    error = refusal({**REFUND, **changes})

    assert error.problems[0].pointer == pointer
    assert message in error.problems[0].message


def test_tells_all_mistakes_at_once() -> None:
    """Every problem of a document is found in one go."""
    error = refusal({"input_schema": {"a": "x", "b": 1}, "strict": 1, "more": 1})

    assert {problem.pointer for problem in error.problems} == {
        "/agent",
        "/input_schema/a",
        "/input_schema/b",
        "/output_schema",
        "/strict",
        "/more",
    }


@pytest.mark.parametrize("document", [None, [], "agent"])
def test_a_contract_is_an_object(document: JsonValue) -> None:
    """Anything else is refused in plain words, without a list of the keys that it lacks."""
    [problem] = refusal(document).problems

    assert "a contract is an object" in problem.message


def test_code_is_held_to_the_same_rules() -> None:
    """A contract made in code has a name and a semantic version as well."""
    with pytest.raises(DeclarationError) as caught:
        Contract(name="", input=Schema(True), output=Schema(True), version="one")

    assert [problem.pointer for problem in caught.value.problems] == ["/agent", "/version"]


def test_yaml_and_json_files_are_the_same(tmp_path: Path) -> None:
    """Both kinds of file give the same contract."""
    (tmp_path / "a.json").write_text(json.dumps(REFUND), encoding="utf-8")
    (tmp_path / "a.yaml").write_text(YAML, encoding="utf-8")
    (tmp_path / "a.YML").write_text(YAML, encoding="utf-8")

    contract = Contract.parse(REFUND)

    assert Contract.load(tmp_path / "a.json") == contract
    assert Contract.load(str(tmp_path / "a.yaml")) == contract
    assert Contract.load(tmp_path / "a.YML") == contract


def test_yaml_words_stay_words(tmp_path: Path) -> None:
    """`no`, `on` and a date are text, as they look."""
    path = tmp_path / "a.yaml"
    path.write_text(
        "agent: a\ndescription: no\ninput_schema:\n  on: string\n  2024-05-01: date\n"
        "output_schema: any\nstrict: true\n",
        encoding="utf-8",
    )

    contract = Contract.load(path)

    assert contract.description == "no"
    assert contract.input.is_valid({"on": "x", "2024-05-01": "2024-05-01"})


@pytest.mark.parametrize(
    ("name", "text", "code", "message"),
    [
        ("a.json", '{"agent": "a", "agent": "b"}', "json_duplicate_key", "twice"),
        ("a.json", "{", "json_malformed", "not JSON"),
        ("a.json", " " * (256 * 1024 + 1), "json_too_large", "more than 262144 bytes"),
        ("a.yaml", "a: " + "x" * (256 * 1024), "json_too_large", "more than 262144 bytes"),
        (
            "a.yaml",
            "agent: a\nagent: b\n",
            "invalid_yaml",
            "line 2, column 1: key 'agent' stands twice",
        ),
        ("a.yaml", "a: &x [1]\nb: *x\n", "invalid_yaml", "aliases are not read"),
        ("a.yaml", "1: a\n", "invalid_yaml", "'1' is no text: put it in quotes"),
        ("a.yaml", "? [a]\n: b\n", "invalid_yaml", "is no text"),
        ("a.yaml", "a: !!python/object:os.system x", "invalid_yaml", "constructor"),
        ("a.yaml", "a: .inf\n", "invalid_yaml", "not JSON compliant"),
        ("a.yaml", "a: !!binary aGk=\n", "invalid_yaml", "not JSON serializable"),
        ("a.yaml", "a: b: c\n", "invalid_yaml", "not the YAML that is read here"),
        ("a.yaml", "- " * 5000, "invalid_yaml", "it is nested too deeply"),
        ("a.yaml", "a: 1\n---\nb: 2\n", "invalid_yaml", "single document"),
        ("a.toml", "", "unreadable_contract", "neither .json nor .yaml"),
    ],
)
def test_refuses_a_file_that_could_be_read_in_two_ways(
    tmp_path: Path, name: str, text: str, code: str, message: str
) -> None:
    """A bad file is a typed error that names the file."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DeclarationError) as caught:
        Contract.load(path)

    assert caught.value.code == code
    assert message in caught.value.message
    assert str(path) in caught.value.message


def test_a_missing_file_is_a_typed_error(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(DeclarationError, match="No such file") as caught:
        Contract.load(tmp_path / "a.json")

    assert caught.value.code == "unreadable_contract"


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    """What is wrong inside a file is told with the file."""
    path = tmp_path / "a.yaml"
    path.write_text("agent: a\ninput_schema: strng\noutput_schema: any\n", encoding="utf-8")

    with pytest.raises(DeclarationError) as caught:
        Contract.load(path)

    assert repr(str(path)) in caught.value.message
    assert caught.value.problems[0].pointer == "/input_schema"


@pytest.mark.parametrize(
    "schema",
    [{"type": "string", "minLength": 2}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}],
)
def test_json_schema_without_its_mark_is_told_as_such(schema: JsonValue) -> None:
    """One problem says how the slot was read and what to add, in place of one for each word."""
    with pytest.raises(DeclarationError) as refused:
        Contract.parse({"agent": "a", "input_schema": schema, "output_schema": "any"})

    [problem] = refused.value.problems
    assert problem.pointer == "/input_schema"
    assert "is read as the short notation" in problem.message
    assert 'add "$schema": "https://json-schema.org/draft/2020-12/schema"' in problem.message
