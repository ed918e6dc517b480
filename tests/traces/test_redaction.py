"""Finding secrets, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.traces.capture import bounded
from fishplate.traces.redaction import HIDDEN, Redactor, secrets_of


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("my password is hunter22", f"my password is {HIDDEN}"),
        ("Authorization: Bearer abcdef123456", f"Authorization: {HIDDEN}"),
        ("x-api-key: 12345678", f"x-api-key: {HIDDEN}"),
        ("postgres://ada:pw@host/db", f"postgres://{HIDDEN}@host/db"),
        ("see api_key=XYZ12345&x=1", f"see api_key={HIDDEN}&x=1"),
        ('{"client_secret": "abc123xyz"}', f'{{"client_secret": "{HIDDEN}"}}'),
        ("Basic dXNlcjpwYXNz", HIDDEN),
        ("token usage is fine", "token usage is fine"),
        (
            "he forgot the token and the key to success",
            "he forgot the token and the key to success",
        ),
        ("a risky task-force-of-twelve", "a risky task-force-of-twelve"),
        ("https://example.org/a:b@c", "https://example.org/a:b@c"),
        ("order #W6231698, 12 items", "order #W6231698, 12 items"),
    ],
)
def test_texts_lose_their_secrets_alone(text: str, left: str) -> None:
    """What looks like a secret goes, and the words around it stay."""
    redactor = Redactor()

    assert redactor.text(text) == left
    assert (text == left) or redactor.is_suspect(json.dumps(text).encode())


def test_what_stands_under_a_telling_name_goes_whole() -> None:
    """A secret by its name is hidden whatever it looks like; counts of tokens are none."""
    value = bounded(
        {"password": "x", "input_tokens": 3, "auth": ["a"], "tokens_left": 1, "author": "Ada"},
        Redactor(),
    )

    assert value == {
        "password": HIDDEN,
        "input_tokens": 3,
        "auth": HIDDEN,
        "tokens_left": 1,
        "author": "Ada",
    }


@given(st.text(max_size=30), st.text(max_size=30), st.text(min_size=4, max_size=12))
def test_a_named_secret_is_always_found(before: str, after: str, secret: str) -> None:
    """Whatever stands around it, and however JSON spells it, a named secret is suspected."""
    redactor = Redactor([secret])
    text = f"{before}{secret}{after}"

    encoded = text.encode("utf-8", "replace").decode()
    assert secret not in redactor.text(text) or secret in HIDDEN
    if encoded == text:
        assert redactor.is_suspect(json.dumps(text, ensure_ascii=False).encode())


def test_the_longer_of_two_secrets_goes_whole() -> None:
    """Nothing is left of a secret that begins like another."""
    assert Redactor(["abcd", "abcd-efgh"]).text("abcd-efgh abcd") == f"{HIDDEN} {HIDDEN}"


def test_secrets_of_the_environment_are_known_by_name() -> None:
    """Variables that are named like secrets, unless their values are too short to be any."""
    found = secrets_of(
        {
            "OPENAI_API_KEY": "value-one",
            "DB_PASSWORD": "value-two",
            "GITHUB_PAT": "value-three",
            "SIGNING_KEY": "value-four",
            "SHORT_TOKEN": "abc",
            "KEYBOARD": "dvorak-layout",
            "HOME": "/a/long/path",
        }
    )

    assert found == {"value-one", "value-two", "value-three", "value-four"}
