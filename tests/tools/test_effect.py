"""What a tool may say about its effect."""

import pytest

from fishplate.tools.effect import EffectDeclaration


@pytest.mark.parametrize(
    ("declaration", "problem"),
    [
        (EffectDeclaration(effect="keyed"), "a keyed effect needs key_ttl="),
        (EffectDeclaration(effect="keyed", key_ttl=0), "key_ttl=0 is not above 0"),
        (EffectDeclaration(effect="readonly", key_ttl=5), "key_ttl= belongs to a keyed effect"),
        (EffectDeclaration(effect="readonly", scopes=("Orders Write",)), "'Orders Write' is not"),
        (EffectDeclaration(effect="idempotent", business_window=0), "business_window=0"),
        (
            EffectDeclaration(effect="idempotent", business_key=("number", "amount")),
            "business_key names 'amount', and the input has: number",
        ),
    ],
)
def test_a_declaration_that_cannot_stand_says_why(
    declaration: EffectDeclaration, problem: str
) -> None:
    """One problem, in words."""
    [found] = declaration.problems(("number",))

    assert problem in found


def test_a_word_that_is_no_effect_is_refused() -> None:
    """The message lists the words."""
    [found] = EffectDeclaration(effect="harmless").problems(())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- what is refused

    assert "readonly, idempotent, keyed" in found


def test_a_declaration_stands_in_a_release_in_one_order() -> None:
    """Scopes in another order are the same declaration."""
    first = EffectDeclaration(effect="keyed", key_ttl=60, scopes=("b:write", "a:read"))
    second = EffectDeclaration(effect="keyed", key_ttl=60, scopes=("a:read", "b:write"))

    assert first.to_json() == second.to_json()
    assert list(first.problems(())) == []
