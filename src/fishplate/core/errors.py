"""Every error that fishplate raises, and how each class of error is treated.

FishplateError
├─ DeclarationError        what does not fit, refused before anything runs; holds every problem
├─ InputError              a value that breaks a contract on its way in: names the JSON pointer
├─ OutputError             a value that breaks a contract on its way out
├─ StepError               a step of a run failed: names the step, its class and its cause
│  └─ NeedsAttention       a person has to decide before the run can go on
├─ Failure                 raised by a body that knows how its failure is to be treated
├─ UsageError              fishplate was called in a way that it cannot answer, e.g. without an app
└─ MissingExtraError       an optional dependency is absent: names the pip command
DeclaredError              base of the errors that an agent's contract declares (see `core.outcome`)

The *class* of an error says how it is treated; its *code* says what happened.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Self, TypeAlias

from fishplate.core.data import dataclass

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


class ErrorClass(Enum):
    """The closed set of error classes: (retried, counted by a breaker, answered by a fallback).

    `retried` is about the same target and still asks that repeating is safe for the tool's effect.
    """

    TRANSIENT = ("transient", True, True, True)
    OVERLOAD = ("overload", True, True, True)
    RATE_LIMITED = ("rate_limited", True, False, True)
    QUOTA_EXHAUSTED = ("quota_exhausted", False, False, True)
    PERMANENT = ("permanent", False, False, False)
    CONTRACT_IN = ("contract_in", False, False, False)
    CONTRACT_OUT = ("contract_out", False, False, True)
    REFUSAL = ("refusal", False, False, False)
    POLICY_DENIED = ("policy_denied", False, False, False)
    BUDGET_EXCEEDED = ("budget_exceeded", False, False, False)
    DEADLINE = ("deadline", False, False, True)
    LOCAL_REJECTION = ("local_rejection", True, False, True)
    CANCELLED = ("cancelled", False, False, False)
    UNKNOWN_OUTCOME = ("unknown_outcome", False, True, False)
    BUG = ("bug", False, False, False)

    def __init__(self, word: str, retried: bool, counted: bool, fallback: bool) -> None:  # noqa: FBT001 -- the rows above are a table
        self.word = word
        self.is_retried = retried
        self.is_counted = counted
        self.allows_fallback = fallback

    def __str__(self) -> str:
        return self.word


class FishplateError(Exception):
    """Base of every error of fishplate.

    Attributes:
        code: Stable word for what happened, e.g. `invalid_input`.
        error_class: How the error is treated.
        has_effect: The call that failed has changed something, or may have; no fallback answers.
        retry_after: Seconds for which the target asks not to be called; `None` if it did not say.
        retry_exhausted: Whether a retry policy has given up, so that no layer above tries again.
    """

    code: str = "error"
    error_class: ErrorClass = ErrorClass.BUG
    has_effect: bool = False
    retry_after: float | None = None
    retry_exhausted: bool = False

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def to_json(self) -> dict[str, JsonValue]:
        """The error as the CLI prints it: code, class, message and what the subclass adds."""
        return {"code": self.code, "class": self.error_class.word, "message": self.message}

    def as_exhausted(self, why: str) -> Self:
        """A copy that tells all layers above not to try again.

        The error itself stays as it is: whoever raised it may raise the same object for the next
        call, and that one has attempts of its own.

        Args:
            why: Becomes a note of the copy.
        """
        copy = type(self).__new__(type(self), *self.args)
        copy.__dict__.update(self.__dict__)
        copy.__notes__ = [*getattr(self, "__notes__", ()), why]
        copy.__cause__ = self.__cause__
        copy.retry_exhausted = True
        return copy.with_traceback(self.__traceback__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One reason why a declaration is refused.

    Attributes:
        code: Stable word, e.g. `mismatched_edge`, `forgotten_case`, `not_recordable`.
        message: What happened, to which thing, and what to do.
        where: `file:line` of the offending source, if known.
        step: Name of the step, if the problem belongs to one.
        pointer: RFC 6901 pointer into the value that does not fit, if there is one.
        counterexample: A value that one side may emit and the other refuses;
            `has_counterexample` tells a counterexample of `None` from the lack of one.
    """

    code: str
    message: str
    where: str | None = None
    step: str | None = None
    pointer: str | None = None
    counterexample: JsonValue = None
    has_counterexample: bool = False

    def to_json(self) -> dict[str, JsonValue]:
        """The problem as a JSON object; what is not known is left out."""
        found: dict[str, JsonValue] = {"code": self.code, "message": self.message}
        for name in ("where", "step", "pointer"):
            if (value := getattr(self, name)) is not None:
                found[name] = value
        if self.has_counterexample:
            found["counterexample"] = self.counterexample
        return found

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.message} [{self.code}]"
            if self.where
            else f"{self.message} [{self.code}]"
        )


class DeclarationError(FishplateError):
    """An agent, tool, workflow or contract that is refused when it is declared.

    Attributes:
        problems: Every problem that was found, at least one.
    """

    code = "refused"
    error_class = ErrorClass.CONTRACT_IN

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{subject} is refused:\n{lines}", code=self.problems[0].code)

    def to_json(self) -> dict[str, JsonValue]:
        """The error with its problems."""
        return {
            **super().to_json(),
            "subject": self.subject,
            "problems": [problem.to_json() for problem in self.problems],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One place where a value breaks a schema: an RFC 6901 pointer, and the rule broken."""

    pointer: str
    message: str
    keyword: str = ""


class ContractError(FishplateError):
    """A value that breaks a contract.

    Attributes:
        violations: At least one, in the order the validator found them.
        pointer: Where the first violation is.
    """

    code = "contract_violation"

    def __init__(self, subject: str, violations: Sequence[Violation]) -> None:
        self.subject = subject
        self.violations = tuple(violations)
        self.pointer = self.violations[0].pointer
        found = "; ".join(f"at {v.pointer or '/'}: {v.message}" for v in self.violations[:5])
        super().__init__(f"{subject} breaks its contract: {found}")

    def to_json(self) -> dict[str, JsonValue]:
        """The error with its pointers."""
        return {
            **super().to_json(),
            "subject": self.subject,
            "pointer": self.pointer,
            "violations": [
                {"pointer": v.pointer, "message": v.message, "keyword": v.keyword}
                for v in self.violations
            ],
        }


class InputError(ContractError):
    """A value that breaks the contract of what it is given to."""

    code = "invalid_input"
    error_class = ErrorClass.CONTRACT_IN


class OutputError(ContractError):
    """A value that breaks the contract of what produced it."""

    code = "invalid_output"
    error_class = ErrorClass.CONTRACT_OUT


_LESS_JSON = "give less data, or the path or id of where the rest is"
_JSON_REMEDIES: Mapping[str, str] = {
    "json_malformed": "write JSON: double quotes, no comment, no comma before a closing bracket",
    "json_not_finite": "write a finite number, or null if there is none",
    "json_duplicate_key": "keep one of the two",
    "json_number_range": "write the number as a text, and take a text",
    "json_encoding": "save the text as UTF-8 without a byte order mark",
    "json_too_deep": "give flatter data",
    "json_too_large": _LESS_JSON,
    "json_too_many_nodes": _LESS_JSON,
    "json_string_too_long": _LESS_JSON,
}


class JsonError(FishplateError):
    """Text that is not acceptable JSON: malformed, duplicate keys, NaN, too deep, too large."""

    code = "invalid_json"
    error_class = ErrorClass.CONTRACT_IN

    def __init__(self, message: str, *, code: str | None = None, pointer: str = "") -> None:
        super().__init__(message, code=code)
        self.pointer = pointer

    @property
    def remedy(self) -> str:
        """What to do, by code; empty where that depends on who asked."""
        return _JSON_REMEDIES.get(self.code, "")

    def to_json(self) -> dict[str, JsonValue]:
        """The error with the pointer at which reading stopped, if it is known, and the remedy."""
        found = {**super().to_json(), "pointer": self.pointer}
        return {**found, "remedy": self.remedy} if self.remedy else found


class UsageError(FishplateError):
    """fishplate was used in a way that it cannot answer; the message says what to write instead."""

    code = "usage"
    error_class = ErrorClass.PERMANENT


class MissingExtraError(UsageError):
    """An optional dependency is absent."""

    code = "missing_extra"

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"{module!r} is not installed. Install it with: pip install 'fishplate[{extra}]'"
        )
        self.extra = extra


class StepError(FishplateError):
    """A step of a run failed.

    Attributes:
        step: Path of the step within the run, e.g. `support/refund`.
        where: `file:line` of the step in the workflow's source, if known.
        details: JSON that belongs to the code, e.g. the last value of `limit_reached`.
    """

    code = "step_failed"

    def __init__(  # noqa: PLR0913 -- keyword-only facts about one failure
        self,
        message: str,
        *,
        step: str,
        code: str,
        error_class: ErrorClass,
        where: str | None = None,
        details: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.step = step
        self.error_class = error_class
        self.where = where
        self.details = dict(details or {})

    def to_json(self) -> dict[str, JsonValue]:
        """The error with its step, source line and details."""
        found = {**super().to_json(), "step": self.step}
        if self.where:
            found["where"] = self.where
        if self.details:
            found["details"] = self.details
        return found


class NeedsAttention(StepError):  # noqa: N818 -- a state of a run, by its name
    """A person has to decide before the run can go on.

    Attributes:
        run_id: Of the run.
    """

    def __init__(self, message: str, *, run_id: str, step: str, code: str, where: str) -> None:
        super().__init__(
            message, step=step, code=code, error_class=ErrorClass.UNKNOWN_OUTCOME, where=where
        )
        self.run_id = run_id


class Failure(FishplateError):  # noqa: N818 -- raised by users, who read it as a word
    """Raised by a body that knows how its failure is to be treated.

    Example: `raise Failure("the carrier answered 503", error_class=ErrorClass.OVERLOAD)`

    Attributes:
        is_answer: The other side has answered with this failure. Where it answers a repeated key
            with its first answer (`key_caches="all"`), the call is not repeated, but looked up.
    """

    code = "failure"
    is_answer: bool = False

    def __init__(  # noqa: PLR0913 -- facts about a failure, keyword-only
        self,
        message: str,
        *,
        error_class: ErrorClass,
        code: str | None = None,
        retry_after: float | None = None,
        retry_exhausted: bool = False,
        is_answer: bool = False,
    ) -> None:
        super().__init__(message, code=code)
        self.error_class = error_class
        self.is_answer = is_answer
        self.retry_after = retry_after
        self.retry_exhausted = retry_exhausted

    def to_json(self) -> dict[str, JsonValue]:
        """The error, with the delay that its target asks for if it is known."""
        found = super().to_json()
        if self.retry_after is not None:
            found["retry_after"] = self.retry_after
        return found


class ProblemList:
    """Gathers the problems of one declaration, so that all of them are told at once."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.found: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Keep one problem."""
        self.found.append(problem)

    def raise_if_any(self) -> None:
        """Refuse the declaration if anything was found.

        Raises:
            DeclarationError: At least one problem was found.
        """
        if self.found:
            raise DeclarationError(self.subject, self.found)
