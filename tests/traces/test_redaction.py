"""Finding secrets, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import JsonValue
from fishplate.traces.bounding import CUT, bounded
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
        ("the passcode: 482913", f"the passcode: {HIDDEN}"),
        ("my secret 'abc1234'", f"my secret '{HIDDEN}'"),
        ("curl -u bob:hunter22 https://host", f"curl -u {HIDDEN} https://host"),
        ("curl --user bob:hunter22 x", f"curl --user {HIDDEN} x"),
        ("https://host/a?sig=Zm9vYmFyYmF6&x=1", f"https://host/a?sig={HIDDEN}&x=1"),
        ("https://h/?X-Amz-Signature=0123456789abcdef", f"https://h/?X-Amz-Signature={HIDDEN}"),
        ("ASIAIOSFODNN7EXAMPLE", HIDDEN),
        (f"whsec_{'Ab1' * 10}", HIDDEN),
        (f"npm_{'Ab1' * 12}", HIDDEN),
        (f"hf_{'AbC' * 12}", HIDDEN),
        ("card 4111111111111111.", f"card {HIDDEN}."),
        ("card 4111 1111 1111 1111", f"card {HIDDEN}"),
        ("card 5500-0000-0000-0004", f"card {HIDDEN}"),
        ("card 3782 822463 10005", f"card {HIDDEN}"),
        ("<db:password>hunter22</db:password>", f"<db:password>{HIDDEN}</db:password>"),
        ("a: Cookie\nCookie: theme=dark; sid=1a2b3c\nx: y", f"a: Cookie\nCookie: {HIDDEN}\nx: y"),
        ('Authorization: Digest response="1a2b", uri="/"', f"Authorization: {HIDDEN}"),
        ("password:\n  hunter22", f"password:\n  {HIDDEN}"),
        (r"{\"password\": \"hunter22\"}", rf"{{\"password\": \"{HIDDEN}\"}}"),
        (
            r"HTTP/1.1 200 OK\r\nAuthorization: abc\r\n",
            rf"HTTP/1.1 200 OK\r\nAuthorization: {HIDDEN}\r\n",
        ),
        ("the cookies and the authorization of it", "the cookies and the authorization of it"),
        ("token usage is fine", "token usage is fine"),
        ("4111111111111112 is no card", "4111111111111112 is no card"),
        ("#4111111111111111", "#4111111111111111"),
        ("a score of 0.4111111111111111", "a score of 0.4111111111111111"),
        ("1795390000000000000 ns", "1795390000000000000 ns"),
        ("2026-11-22 23:43:10 2026-11-23", "2026-11-22 23:43:10 2026-11-23"),
        ("1,234,567.89 EUR and 4990 cents", "1,234,567.89 EUR and 4990 cents"),
        (
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736 4bf92f3577b34da6a3ce929d0e0e4736",
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736 4bf92f3577b34da6a3ce929d0e0e4736",
        ),
        ("docker run -u 1000:1000 x", "docker run -u 1000:1000 x"),
        ("date -u +%H:%M", "date -u +%H:%M"),
        ("a signature is missing", "a signature is missing"),
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


@pytest.mark.parametrize(
    "told",
    [
        ["X-Api-Key", "hunter22"],
        {"key": "Authorization", "value": "hunter22"},
        {"Name": "Cookie", "Value": "hunter22"},
        {"password": "hunter22"},
        "Authorization: hunter22",
    ],
)
@pytest.mark.parametrize("levels", range(4))
def test_a_secret_is_found_however_often_it_was_spelled_as_json(
    told: JsonValue, levels: int
) -> None:
    """What a tool gives stands as JSON in the text of a message, which stands in JSON itself."""
    text: JsonValue = {"note": told, "other": 1}
    for _ in range(levels):
        text = {"messages": [{"text": json.dumps(text)}]}

    left = json.dumps(bounded(text, Redactor()))

    assert "hunter22" not in left
    assert HIDDEN in left or CUT in left


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


def test_a_named_value_is_what_its_name_says() -> None:
    """A list of names and values hides as an object does, and passes that open no door stay."""
    value = bounded(
        [
            {"name": "password", "value": "x"},
            {"name": "colour", "value": "x"},
            {"smtp_pass": "x", "ski_pass": "day", "cvv": "123", "X-Shop-Signature": "x"},
        ],
        Redactor(),
    )

    assert value == [
        {"name": "password", "value": HIDDEN},
        {"name": "colour", "value": "x"},
        {"smtp_pass": HIDDEN, "ski_pass": "day", "cvv": HIDDEN, "X-Shop-Signature": HIDDEN},
    ]


@given(st.text("abcdefGHIJ-_ äÖ", min_size=4, max_size=12))
def test_a_named_secret_is_found_in_capitals_too(secret: str) -> None:
    """Headers and shells write the same word in other letters."""
    redactor = Redactor([secret])

    for text in (secret.upper(), secret.lower()):
        assert redactor.is_suspect(json.dumps(text, ensure_ascii=False).encode())
        assert redactor.text(text) == HIDDEN


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
            "SMTP_PASS": "value-five",
            "SESSION": "value-six",
            "SENTRY_DSN": "value-seven",
            "DATABASE_URL": "postgres://ada:value-eight@host/db",
            "HOME": "/a/long/path",
            "PWD": "/a/long/path",
            "DESKTOP_SESSION": "plasma-wayland",
        }
    )

    assert found == {
        *("value-one", "value-two", "value-three", "value-four", "value-five", "value-six"),
        *("value-seven", "value-eight"),
    }
