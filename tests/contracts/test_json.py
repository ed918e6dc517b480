"""JSON read strictly, written canonically, addressed by pointers."""

import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from fishplate.contracts.json import (
    JsonLimits,
    canonical_json,
    escape_token,
    parse_json,
    pointer_tokens,
    resolve_pointer,
    to_pointer,
)
from fishplate.core.errors import JsonError, JsonValue

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@given(json_values)
def test_canonical_form_is_that_of_the_rfc(value: JsonValue) -> None:
    """Another implementation of RFC 8785 writes the same bytes."""
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_as_ecmascript_does(number: float) -> None:
    """The shortest digits that read back, with an exponent only far from one."""
    assert canonical_json(number) == rfc8785.dumps(number)


@given(json_values)
def test_the_canonical_form_is_stable(value: JsonValue) -> None:
    """Reading the canonical form and writing it again gives the same bytes."""
    written = canonical_json(value)

    assert canonical_json(parse_json(written, limits=JsonLimits(integer=None))) == written


def test_integers_keep_all_their_digits() -> None:
    """An integer beyond 2^53 is not rounded, so that two of them never share a fingerprint."""
    assert canonical_json(2**64 + 1) == b"18446744073709551617"


def test_tuples_are_written_as_arrays() -> None:
    """A tuple is an array."""
    # What Python code hands over is often a tuple.
    assert canonical_json((1, "a")) == b'[1,"a"]'  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, "\ud800", {"\ud800": 1}, {1: 2}, {"é": 1, 2: 3}, Ellipsis, {"a": {1}}],
    ids=repr,
)
def test_refuses_to_write_what_is_no_json(value: JsonValue) -> None:
    """Numbers that are not finite, lone surrogates, other keys and objects are typed errors."""
    with pytest.raises(JsonError) as caught:
        canonical_json(value)

    assert caught.value.code == "json_not_canonical"


def test_refuses_to_write_without_end() -> None:
    """A value that is nested too deeply is a typed error."""
    value: JsonValue = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(JsonError, match="nested too deeply"):
        canonical_json(value)


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        (b'{"a": 1, "a": 2}', "json_duplicate_key", ""),
        (rb'{"x": {"a": 1, "\u0061": 2}}', "json_duplicate_key", "/x"),
        (b"[0, NaN]", "json_not_finite", "/1"),
        (b'{"a": {"b/c": [1, -Infinity, NaN]}}', "json_not_finite", "/a/b~1c/1"),
        (b"-Infinity", "json_not_finite", ""),
        (b"[NaN, 1,]", "json_malformed", ""),
        (b'["NaN", 1,]', "json_malformed", ""),
        (b"[1, 1e999]", "json_number_range", "/1"),
        (b'{"n": 9007199254740993}', "json_number_range", "/n"),
        (b"1" * 5000, "json_number_range", ""),
        (rb'"\ud800"', "json_malformed", ""),
        ("\ud800", "json_encoding", ""),
        (b"\xef\xbb\xbf{}", "json_encoding", ""),
        ("{}".encode("utf-16"), "json_encoding", ""),
        (b'"\xff"', "json_malformed", ""),
        (b"[" * 65 + b"]" * 65, "json_too_deep", ""),
        (b"[" * 100_000, "json_too_deep", ""),
        (b"[" + b"0," * 100_000 + b"0]", "json_too_many_nodes", ""),
        (b'{"a/b": ["' + b"x" * (256 * 1024 + 1) + b'"]}', "json_string_too_long", "/a~1b/0"),
        (b'{"' + b"k" * (256 * 1024 + 1) + b'": 1}', "json_string_too_long", ""),
        (b" " * (1024 * 1024 + 1), "json_too_large", ""),
        (b"", "json_malformed", ""),
        (b"{} {}", "json_malformed", ""),
        (b"[1,]", "json_malformed", ""),
        (b"{'a': 1}", "json_malformed", ""),
        (b"01", "json_malformed", ""),
    ],
    ids=lambda held: repr(held)[:30],
)
def test_refuses_text_that_two_readers_could_read_differently(
    text: bytes | str, code: str, pointer: str
) -> None:
    """Each trick has its own code, and the pointer of the place where that is known."""
    with pytest.raises(JsonError) as caught:
        parse_json(text)

    assert (caught.value.code, caught.value.pointer) == (code, pointer)
    assert len(caught.value.message) < 200
    assert caught.value.remedy
    assert caught.value.to_json()["remedy"] == caught.value.remedy


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_finite_is_called_by_its_name(name: str) -> None:
    """Other writers of JSON give these three words, so the refusal names the one that it met."""
    with pytest.raises(JsonError, match=f"^{name} is no JSON number$"):
        parse_json(f'{{"a": {name}}}')


def test_the_size_of_a_text_is_told_by_its_limit() -> None:
    """A reader stops one byte beyond the limit, so that it knows no more than that."""
    with pytest.raises(JsonError, match="more than 3 bytes"):
        parse_json("12345", limits=JsonLimits(size_bytes=3))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, true, null, "\\ud83d\\ude00"]}', {"a": [1, 2.5, True, None, "😀"]}),
        (b"9007199254740992", 2**53),
        (b"-0", 0),
        ("[" * 64 + "]" * 64, json.loads("[" * 64 + "]" * 64)),
        (bytearray(b'"a"'), "a"),
    ],
)
def test_reads_what_is_right(text: bytes | bytearray | str, value: JsonValue) -> None:
    """Ordinary JSON is read as any reader would, up to the ends of the limits."""
    assert parse_json(text) == value


def test_a_contract_may_declare_larger_integers() -> None:
    """The range of integers is a limit like any other."""
    assert parse_json(b"18446744073709551616", limits=JsonLimits(integer=None)) == 2**64


@given(st.lists(texts))
def test_pointers_read_back(tokens: list[str]) -> None:
    """Splitting a pointer gives back the keys that it was made of."""
    assert list(pointer_tokens(to_pointer(tokens))) == tokens


def test_pointers_are_those_of_the_rfc() -> None:
    """The examples of RFC 6901, section 5, resolve as they do there."""
    document: JsonValue = {
        "foo": ["bar", "baz"],
        "": 0,
        "a/b": 1,
        "m~n": 8,
        " ": 7,
        'k"l': 6,
    }

    assert resolve_pointer(document, "") == document
    assert resolve_pointer(document, "/foo/0") == "bar"
    assert resolve_pointer(document, "/") == 0
    assert resolve_pointer(document, "/a~1b") == 1
    assert resolve_pointer(document, "/m~0n") == 8
    assert escape_token("m~n/o") == "m~0n~1o"


@pytest.mark.parametrize("pointer", ["/foo/2", "/foo/01", "/foo/-", "/foo/²", "/bar", "/foo/0/x"])
def test_a_pointer_to_nothing_is_an_error(pointer: str) -> None:
    """The error tells the deepest part that exists."""
    with pytest.raises(JsonError) as caught:
        resolve_pointer({"foo": ["bar", "baz"]}, pointer)

    assert caught.value.code == "json_pointer"
    assert pointer.startswith(caught.value.pointer)


def test_a_pointer_starts_with_a_slash() -> None:
    """Anything else is no pointer."""
    with pytest.raises(JsonError, match="start it with '/'"):
        pointer_tokens("foo")
