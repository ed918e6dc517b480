"""Keys and addresses that cannot work are refused where a model is made, and never quoted."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import UsageError
from fishplate.models.access import ADDRESSES, KEYS, check_key, check_url
from fishplate.models.providers import ProviderModel

KEY: Final = "sk-live_0f1e2d3c.4b5a~69+78/89=="
BAD_KEYS: Final[dict[str, tuple[object, str]]] = {
    "empty": ("", "is blank"),
    "white space": (" \t ", "is blank"),
    "a space inside": (f"{KEY} {KEY}", "has white space in it"),
    "a space behind": (f"{KEY} ", "has white space in it"),
    "the line break of a file": (f"{KEY}\n", "has a line break in it"),
    "a header of its own": (f"{KEY}\r\nX-Evil: 1", "has a line break in it"),
    "a control character": (f"{KEY}\x00", "has a control character in it"),
    "a letter with an accent": (f"{KEY}\xc9", "has a character outside of ASCII in it"),
    "a zero-width space": (f"{KEY}\u200b", "has a character outside of ASCII in it"),
    "bytes": (KEY.encode(), "is a 'bytes' and no text"),
}
BAD_URLS: Final[dict[str, tuple[object, str]]] = {
    "empty": ("", "is blank"),
    "no scheme": ("127.0.0.1/v1", "has no scheme"),
    "no scheme, but a port": ("localhost:8080/v1", "has no scheme"),
    "words": ("not a url", "has white space in it"),
    "another scheme": ("ftp://localhost/v1", "has the scheme 'ftp'"),
    "a misspelled scheme": ("htps://localhost/v1", "has the scheme 'htps'"),
    "no host": ("https:///v1", "has no host"),
    "one slash": ("http:/localhost/v1", "has no host"),
    "a port alone": ("http://:8080/v1", "has no host"),
    "a space in the host": ("http://local host/v1", "has white space in it"),
    "a line break behind": ("http://localhost/v1\n", "has a line break in it"),
    "a port of letters": ("http://localhost:http/v1", "has a host or a port that cannot be read"),
    "a port that is too high": (
        "http://localhost:99999/v1",
        "has a host or a port that cannot be read",
    ),
    "the port 0": ("http://localhost:0/v1", "has the port 0"),
    "half a bracket": ("http://[::1/v1", "has a host or a port that cannot be read"),
    "a query": (f"http://localhost/v1?key={KEY}", "has a query"),
    "a fragment": ("http://localhost/v1#top", "has a query or a fragment"),
    "a key": (KEY, "has no scheme"),
    "bytes": (b"http://localhost", "is a 'bytes' and no text"),
}


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize(("key", "flaw"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_key_that_cannot_be_one_is_refused(
    provider: str, key: Any, flaw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each provider refuses it where the model is made, even if the environment has a good one."""
    for variable in KEYS.values():
        monkeypatch.setenv(variable, KEY)
    with pytest.raises(UsageError) as refused:
        ProviderModel(f"{provider}:some-model", key=key)

    assert refused.value.code == "bad_key"
    assert f"the model '{provider}:some-model', from key=, {flaw}" in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize(("url", "flaw"), BAD_URLS.values(), ids=BAD_URLS)
def test_an_address_that_cannot_be_one_is_refused(provider: str, url: Any, flaw: str) -> None:
    """Each provider refuses it where the model is made, and quotes nothing of it but a scheme."""
    with pytest.raises(UsageError) as refused:
        ProviderModel(f"{provider}:some-model", key=KEY, url=url)

    assert refused.value.code == "bad_url"
    assert f"the model '{provider}:some-model', from url=, {flaw}" in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("provider", KEYS)
def test_the_environment_is_judged_as_what_is_given(
    provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is named that holds what is wrong; an empty one is as good as none."""
    monkeypatch.setenv(KEYS[provider], f"{KEY}\n")
    with pytest.raises(UsageError, match=KEYS[provider]) as bad_key:
        ProviderModel(f"{provider}:some-model")
    monkeypatch.setenv(KEYS[provider], KEY)
    monkeypatch.setenv(ADDRESSES[provider], "localhost")
    with pytest.raises(UsageError, match=ADDRESSES[provider]) as bad_url:
        ProviderModel(f"{provider}:some-model")
    monkeypatch.setenv(KEYS[provider], "")
    with pytest.raises(UsageError) as missing:
        ProviderModel(f"{provider}:some-model")

    assert [one.value.code for one in (bad_key, bad_url, missing)] == [
        "bad_key",
        "bad_url",
        "missing_key",
    ]
    assert KEY not in str(bad_key.value)


@given(st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_whatever_a_header_carries_as_one_word_may_be_a_key(key: str) -> None:
    """Providers choose their own alphabets, and visible ASCII is all that is asked for."""
    assert check_key("m", key, source="key=") == key


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://127.0.0.1:8080/v1",
        "http://[::1]:8080",
        "HTTPS://EXAMPLE.COM/",
        "https://user:word@proxy.example.com/v1",
    ],
)
def test_whatever_a_client_can_ask_is_an_address(url: str) -> None:
    """With or without a port, a path, and a user for a proxy."""
    assert check_url("m", url, source="url=") == url
