"""Text to token ids as BERT's uncased models expect them, without a tokenizer library.

A text goes through three stages: it is made plain (control characters dropped, accents stripped,
lower case), cut into words (at white space, around punctuation, around each CJK ideograph), and
each word is cut greedily into the longest pieces that the vocabulary holds.

Unlike the `tokenizers` library, a text cannot name a control token: `[SEP]` written by a customer
is three ordinary pieces, so nobody ends or pads the sequence from inside the text.

Source: Devlin et al., "BERT" (arXiv 1810.04805), and the uncased vocabulary published with it.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import islice
from typing import Final

from fishplate.core.errors import UsageError

VOCABULARY_SHA256: Final = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
"""The bytes of `data/vocab.txt`; another vocabulary would shift every token id unnoticed."""

LONGEST_WORD: Final = 100
"""Words with more characters than this become one `[UNK]`, as they did in the model's training."""

# First and last code point of the blocks whose characters are words of their own.
_IDEOGRAPHS: Final = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)

# Controls, formats, private use, lone surrogates. Unassigned (Cn) stays: which characters that is
# depends on the Unicode version of the Python at hand, and tokens must not.
_INVISIBLE: Final = frozenset(("Cc", "Cf", "Co", "Cs"))


class WordPiece:
    """Cuts texts into the pieces of one vocabulary.

    Attributes:
        vocabulary: Piece to id; a piece that continues a word starts with `##`.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self.vocabulary = vocabulary
        missing = [name for name in ("[UNK]", "[CLS]", "[SEP]") if name not in vocabulary]
        if missing:
            raise UsageError(
                f"The vocabulary of {len(vocabulary)} pieces lacks {missing!r}. "
                "Use the vocabulary that was published with the model."
            )

    @classmethod
    def bert_uncased(cls) -> "WordPiece":
        """The tokenizer of BERT's English uncased models, with the vocabulary in this package.

        Raises:
            UsageError: The packaged vocabulary is not the published one.
        """
        content = files("fishplate.models").joinpath("data/vocab.txt").read_bytes()
        if (found := hashlib.sha256(content).hexdigest()) != VOCABULARY_SHA256:
            raise UsageError(
                f"'vocab.txt' has SHA-256 {found!r} instead of {VOCABULARY_SHA256!r}. "
                "Install fishplate again; a checkout must not convert line ends."
            )
        pieces = content.decode("utf-8").splitlines()
        return cls({piece: number for number, piece in enumerate(pieces)})

    def encode(self, text: str, *, most: int = 256) -> tuple[int, ...]:
        """Turn a text into the token ids of one sequence.

        Args:
            text: Any text; what does not fit is cut off at its end.
            most: Greatest length of the result in tokens, at least 2.

        Returns:
            Ids from `[CLS]` to `[SEP]`, both included; an empty text gives these two alone.
        """
        ids = (self.vocabulary[piece] for piece in self._pieces(text))
        inner = islice(ids, most - 2)
        return (self.vocabulary["[CLS]"], *inner, self.vocabulary["[SEP]"])

    def pieces(self, text: str) -> tuple[str, ...]:
        """The pieces of a whole text in reading order, without `[CLS]` and `[SEP]`."""
        return tuple(self._pieces(text))

    def _pieces(self, text: str) -> Iterator[str]:
        for word in split_words(text):
            yield from self._pieces_of_word(word)

    def _pieces_of_word(self, word: str) -> tuple[str, ...]:
        if len(word) > LONGEST_WORD:
            return ("[UNK]",)
        found: list[str] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                if (piece := prefix + word[start:end]) in self.vocabulary:
                    found.append(piece)
                    start = end
                    break
            else:
                # One unknown character makes the whole word unknown: the model saw no half words.
                return ("[UNK]",)
        return tuple(found)


def split_words(text: str) -> list[str]:
    """Make a text plain and cut it into words, punctuation marks and CJK ideographs."""
    return "".join(_spaced(character) for character in _plain(text)).split()


def _plain(text: str) -> Iterator[str]:
    """Visible characters and blanks, decomposed, without accents, in lower case."""
    kept = "".join(character for character in text if not _is_control(character))
    for character in unicodedata.normalize("NFD", kept):
        if unicodedata.category(character) != "Mn":
            # Character by character: `str.lower` on a whole text picks the final form of sigma.
            yield from character.lower()


def _spaced(character: str) -> str:
    return f" {character} " if _is_punctuation(character) or _is_ideograph(character) else character


def _is_control(character: str) -> bool:
    if character in "\t\n\r":
        return False
    return character == "\N{REPLACEMENT CHARACTER}" or unicodedata.category(character) in _INVISIBLE


def _is_punctuation(character: str) -> bool:
    # The published vocabulary treats every ASCII symbol as punctuation, also `$`, `+` and `~`.
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character)[0] == "P"


def _is_ideograph(character: str) -> bool:
    code = ord(character)
    return any(first <= code <= last for first, last in _IDEOGRAPHS)
