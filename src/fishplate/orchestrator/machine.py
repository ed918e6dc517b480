"""The walker with explicit tokens: take the effects to issue, resolve them, take again.

This is the interface for engines that keep their own books, for resuming from records, and for
tests. It does nothing but drive the strands of `walker`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TypeAlias

from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError, UsageError
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.effects import (
    CallEffect,
    DecisionEffect,
    Effect,
    ForkEffect,
    SignalEffect,
    SleepEffect,
    Strand,
)

Token: TypeAlias = int
Issued: TypeAlias = CallEffect | SignalEffect | SleepEffect
Failure: TypeAlias = FishplateError | DeclaredError


@dataclass(slots=True)
class _Fork:
    """A fork that is open: who waits for it, what its strands gave, and what is still to start."""

    effect: ForkEffect
    parent: _Running
    answers: dict[int, object] = field(default_factory=dict[int, object])
    next_index: int = 0
    running: int = 0
    is_filling: bool = False
    is_over: bool = False


@dataclass(slots=True)
class _Running:
    """A strand that is open, and its place in the fork that it belongs to."""

    strand: Strand
    fork: _Fork | None = None
    index: int = 0


class Machine:
    """One walk of one workflow.

    Args:
        strand: The walk from its beginning.

    Attributes:
        decisions: The decisions so far, in order.
        cancelled: Tokens whose answers are no longer wanted, since a sibling has failed.
        is_done: The walk has ended; `result` holds the value, or `failure` the failure.
    """

    def __init__(self, strand: Strand) -> None:
        self.decisions: list[DecisionEffect] = []
        self.cancelled: set[Token] = set()
        self.is_done = False
        self.result: object = None
        self.failure: Failure | None = None
        self._issued = 0
        self._ready: list[tuple[Token, Issued]] = []
        self._pending: dict[Token, _Running] = {}
        self._advance(_Running(strand), next)

    def take(self) -> list[tuple[Token, Issued]]:
        """The effects to issue now, each once, in the order in which the walk asked for them."""
        ready, self._ready = self._ready, []
        return [(token, effect) for token, effect in ready if token in self._pending]

    def resolve(
        self, token: Token, value: object = None, *, failure: Failure | None = None
    ) -> None:
        """Answer an effect; an answer that is no longer wanted is dropped.

        Raises:
            KeyError: The token was never issued, or it was answered before.
        """
        if token in self.cancelled:
            return
        running = self._pending.pop(token)
        if failure is None:
            self._advance(running, lambda strand: strand.send(value))
        else:
            self._advance(running, lambda strand: strand.throw(failure))

    def _advance(self, running: _Running, step: Callable[[Strand], Effect]) -> None:
        try:
            effect = step(running.strand)
            while isinstance(effect, DecisionEffect):
                self.decisions.append(effect)
                effect = running.strand.send(None)
        except StopIteration as stop:
            self._finish(running, stop.value, None)
            return
        except (FishplateError, DeclaredError) as error:
            self._finish(running, None, error)
            return
        if isinstance(effect, ForkEffect):
            self._fill(_Fork(effect, running))
            return
        token, self._issued = self._issued, self._issued + 1
        self._pending[token] = running
        self._ready.append((token, effect))

    def _fill(self, fork: _Fork) -> None:
        """Start strands until enough of them run; the answers, if that was all."""
        if fork.is_filling:
            return  # a strand has ended while it was being started
        fork.is_filling = True
        effect = fork.effect
        width = effect.size if effect.concurrency is None else effect.concurrency
        while not fork.is_over and fork.running < width and fork.next_index < effect.size:
            index, fork.next_index = fork.next_index, fork.next_index + 1
            fork.running += 1
            self._advance(_Running(_strand_of(effect, index), fork, index), next)
        fork.is_filling = False
        if not fork.is_over and len(fork.answers) == effect.size:
            answers = [fork.answers[index] for index in range(effect.size)]
            self._advance(fork.parent, lambda strand: strand.send(answers))

    def _finish(self, running: _Running, value: object, failure: Failure | None) -> None:
        fork = running.fork
        if fork is None:
            self.is_done, self.result, self.failure = True, value, failure
            return
        fork.running -= 1
        if failure is not None:
            fork.is_over = True
            self._drop(fork)
            self._advance(fork.parent, lambda strand: strand.throw(failure))
            return
        fork.answers[running.index] = value
        self._fill(fork)

    def _drop(self, fork: _Fork) -> None:
        """Forget everything that runs below a fork."""
        for token, running in list(self._pending.items()):
            if _is_below(running, fork):
                running.strand.close()
                del self._pending[token]
                self.cancelled.add(token)


def _strand_of(fork: ForkEffect, index: int) -> Strand:
    """The strand of a branch, also of one that is a call; opened when it begins."""
    branch = fork.open_branch(index)
    if isinstance(branch, CallEffect):
        return (yield branch)
    return (yield from branch)


def _is_below(running: _Running, fork: _Fork) -> bool:
    found = running.fork
    while found is not None:
        if found is fork:
            return True
        found = found.parent.fork
    return False


def resume(
    strand: Strand, records: Mapping[str, object]
) -> tuple[Machine, list[tuple[Token, Issued]]]:
    """Send a walk every recorded answer; what is left was never recorded and has to be issued.

    Args:
        strand: The walk from its beginning.
        records: Answers by key, in the order in which they were recorded; a failure stands as the
            exception.

    Raises:
        UsageError: The walk never asks for one of the records (code `diverged`).
    """
    machine = Machine(strand)
    waiting: dict[str, tuple[Token, Issued]] = {}
    for key, answer in records.items():
        waiting.update((effect.key, (token, effect)) for token, effect in machine.take())
        if key not in waiting:
            msg = (
                f"the record of step {key!r} was never asked for: "
                "it belongs to another plan or input"
            )
            raise UsageError(msg, code="diverged")
        token, _ = waiting.pop(key)
        if isinstance(answer, (FishplateError, DeclaredError)):
            machine.resolve(token, failure=answer)
        else:
            machine.resolve(token, answer)
    waiting.update((effect.key, (token, effect)) for token, effect in machine.take())
    return machine, [found for found in waiting.values() if found[0] not in machine.cancelled]
