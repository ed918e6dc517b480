"""Expected pieces come from the `tokenizers` library 0.23 with the model's published settings."""

import hashlib
import unicodedata
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import UsageError
from fishplate.models.wordpiece import VOCABULARY_SHA256, WordPiece, split_words

TOKENS = WordPiece.bert_uncased()
IDS = TOKENS.vocabulary

# Letters of many scripts, marks, blanks and controls, close together.
TRICKY = st.text(
    st.one_of(
        st.characters(), st.sampled_from("aA1'-.#$\t\n éÉßİΣ\u0301\u200b\u00ad中語한हि🎉\x00")
    )
)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Where is my parcel?", "where is my parcel ?"),
        ("unaffable embeddings", "una ##ffa ##ble em ##bed ##ding ##s"),
        ("#W1234567", "# w ##12 ##34 ##56 ##7"),
        ("don't", "don ' t"),
        ("$5+3~`ok`", "$ 5 + 3 ~ ` ok `"),
        ("e-mail@shop.co.uk", "e - mail @ shop . co . uk"),
        ("...", ". . ."),
        ("¡Hola! «sí»", "¡ ho ##la ! « si »"),
        ("naïve café, résumé", "naive cafe , resume"),
        ("e\u0301te\u0301", "et ##e"),
        ("Ünïcödé Straße", "unicode st ##raße"),
        ("ΣΟΦΟΣ", "σ ##ο ##φ ##ο ##σ"),  # noqa: RUF001 -- Greek is the point
        ("İstanbul", "istanbul"),
        ("ﬁne Ⅳ", "ﬁ ##ne [UNK]"),
        ("東京タワー", "東 京 タ ##ワ ##ー"),
        ("order中文id", "order 中 文 id"),
        ("한국어", "ᄒ ##ᅡ ##ᆫ ##ᄀ ##ᅮ ##ᆨ ##ᄋ ##ᅥ"),
        ("हिन्दी", "ह ##ि ##न ##द ##ी"),
        ("yay🎉", "[UNK]"),
        ("soft\u00adhyphen a\u200bb", "soft ##hy ##ph ##en ab"),
        ("tab\tand\nline", "tab and line"),
        ("\x00\ufffd", ""),
        ("   ", ""),
        ("", ""),
        ("x" * 100, " ".join(["xx"] + ["##xx"] * 49)),
        ("x" * 101, "[UNK]"),
    ],
)
def test_pieces_are_those_of_the_reference_tokenizer(text: str, pieces: str) -> None:
    """Accents, scripts, symbols, controls and long words are cut as in the model's training."""
    assert TOKENS.pieces(text) == tuple(pieces.split())


def test_a_sequence_carries_its_borders() -> None:
    """Ids are those of the published vocabulary, from `[CLS]` to `[SEP]`."""
    assert TOKENS.encode("Where is my parcel?") == (101, 2073, 2003, 2026, 20463, 1029, 102)


def test_an_empty_text_is_its_borders() -> None:
    """A text without pieces still is a valid sequence."""
    assert TOKENS.encode("") == (IDS["[CLS]"], IDS["[SEP]"])


def test_a_text_cannot_name_a_control_token() -> None:
    """What a customer writes as `[SEP]` ends nothing: it is three ordinary pieces."""
    assert TOKENS.pieces("a [SEP] b") == ("a", "[", "sep", "]", "b")


def test_the_packaged_vocabulary_is_the_published_one() -> None:
    """The file is byte for byte what the model was trained with: 30,522 pieces."""
    content = files("fishplate.models").joinpath("data/vocab.txt").read_bytes()

    assert hashlib.sha256(content).hexdigest() == VOCABULARY_SHA256
    assert len(IDS) == 30_522


def test_a_vocabulary_without_control_tokens_is_refused() -> None:
    """A word list that is no BERT vocabulary is told at once, with what it lacks."""
    with pytest.raises(UsageError, match=r"lacks \['\[CLS\]', '\[SEP\]'\]"):
        WordPiece({"[UNK]": 0, "a": 1})


@given(TRICKY, st.integers(2, 40))
def test_a_sequence_is_never_too_long(text: str, most: int) -> None:
    """The length limit holds, the borders stay, and what is kept is the start of the text."""
    whole = TOKENS.encode(text, most=10_000)
    cut = TOKENS.encode(text, most=most)

    assert len(cut) == min(len(whole), most)
    assert (cut[0], cut[-1]) == (IDS["[CLS]"], IDS["[SEP]"])
    assert cut[:-1] == whole[: len(cut) - 1]


@given(TRICKY)
def test_pieces_spell_the_words_they_came_from(text: str) -> None:
    """Joining the pieces gives the words back, but where a word is unknown as a whole."""
    spelled = "".join(piece.removeprefix("##") for piece in TOKENS.pieces(text))

    known = [
        word if (found := TOKENS.pieces(word)) != ("[UNK]",) else "".join(found)
        for word in split_words(text)
    ]
    assert spelled == "".join(known)


@given(TRICKY)
def test_every_piece_is_in_the_vocabulary(text: str) -> None:
    """No text makes a piece that the model has no id for."""
    assert set(TOKENS.pieces(text)) <= IDS.keys()


@given(TRICKY)
def test_composed_and_decomposed_spelling_are_one(text: str) -> None:
    """How a keyboard encodes an accent does not change what the model reads."""
    assert TOKENS.pieces(unicodedata.normalize("NFC", text)) == TOKENS.pieces(
        unicodedata.normalize("NFD", text)
    )


@given(TRICKY, TRICKY)
def test_a_blank_separates(left: str, right: str) -> None:
    """Words are cut alone: the pieces of two texts are those of both, one after the other."""
    assert TOKENS.pieces(f"{left} {right}") == TOKENS.pieces(left) + TOKENS.pieces(right)
