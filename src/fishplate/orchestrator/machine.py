"""The walker with explicit tokens: take the effects to issue, resolve them in any order, take again.

This is the interface for engines that keep their own books, for resuming from records, and for tests. It does
nothing but drive the strands of `walker`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from fishplate.core.errors import FishplateError, UsageError
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.effects import CallEffect, DecisionEffect, ForkEffect, SignalEffect, SleepEffect, Strand

Token: TypeAlias = int
Issued: TypeAlias = CallEffect | SignalEffect | SleepEffect
Failure: TypeAlias = FishplateError | DeclaredError


@dataclass(slots=True)
class _Fork:
    """A fork that is open: who waits for it, what its strands gave, and which of them are still to start."""

    effect: ForkEffect
    parent: _Running
    answers: dict[int, object] = field(default_factory=dict)
    next_index: int = 0
    is_over: bool = False


@dataclass(slots=True)
class _Running:
    """A strand that is open, and its place in the fork that it belongs to."""

    strand: Strand
    fork: _Fork | None = None
    index: int = 0


class Machine:
    """One walk of one workflow.

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
        self._advance(_Running(strand), lambda found: next(found))

    def take(self) -> list[tuple[Token, Issued]]:
        """The effects to issue now, each once, in the order in which the walk asked for them."""
        ready, self._ready = self._ready, []
        return [(token, effect) for token, effect in ready if token in self._pending]

    def resolve(self, token: Token, value: object = None, *, failure: Failure | None = None) -> None:
        """Answer an effect; an answer that is no longer wanted is dropped.

        Raises:
            KeyError: The token was never issued, or it was answered before.
        """
        if token in self.cancelled:
            return
        running = self._pending.pop(token)
        if failure is not None:
            error = failure
            self._advance(running, lambda strand: strand.throw(error))
        else:
            self._advance(running, lambda strand: strand.send(value))

    def _advance(self, running: _Running, step: Callable[[Strand], object]) -> None:
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
            self._open(effect, running)
            return
        assert isinstance(effect, (CallEffect, SignalEffect, SleepEffect))
        token = self._issued
        self._issued += 1
        self._pending[token] = running
        self._ready.append((token, effect))

    def _open(self, effect: ForkEffect, parent: _Running) -> None:
        fork = _Fork(effect, parent)
        if effect.count == 0:
            self._advance(parent, lambda strand: strand.send([]))
            return
        width = effect.count if effect.concurrency is None else min(effect.count, effect.concurrency)
        for _ in range(width):
            self._start_next(fork)

    def _start_next(self, fork: _Fork) -> None:
        if fork.is_over or fork.next_index >= fork.effect.count:
            return
        index, fork.next_index = fork.next_index, fork.next_index + 1
        self._advance(_Running(fork.effect.open_strand(index), fork, index), lambda strand: next(strand))

    def _finish(self, running: _Running, value: object, failure: Failure | None) -> None:
        fork = running.fork
        if fork is None:
            self.is_done, self.result, self.failure = True, value, failure
            return
        if fork.is_over:
            return
        if failure is not None:
            fork.is_over = True
            self._drop(fork)
            self._advance(fork.parent, lambda strand: strand.throw(failure))
            return
        fork.answers[running.index] = value
        if len(fork.answers) == fork.effect.count:
            answers = [fork.answers[index] for index in range(fork.effect.count)]
            self._advance(fork.parent, lambda strand: strand.send(answers))
        else:
            self._start_next(fork)

    def _drop(self, fork: _Fork) -> None:
        """Forget everything that runs below a fork."""
        for token, running in list(self._pending.items()):
            if _is_below(running, fork):
                running.strand.close()
                del self._pending[token]
                self.cancelled.add(token)


def _is_below(running: _Running, fork: _Fork) -> bool:
    found = running.fork
    while found is not None:
        if found is fork:
            return True
        found = found.parent.fork
    return False


def resume(strand: Strand, records: Mapping[str, object]) -> tuple[Machine, list[tuple[Token, Issued]]]:
    """Send a walk every recorded answer; what is left was never recorded and has to be issued.

    Args:
        strand: The walk from its beginning.
        records: Answers by key, in the order in which they were recorded; a failure stands as the exception.

    Raises:
        UsageError: The walk never asks for one of the records (code `diverged`).
    """
    machine = Machine(strand)
    waiting: dict[str, tuple[Token, Issued]] = {}
    for key, answer in records.items():
        waiting.update((effect.key, (token, effect)) for token, effect in machine.take())
        if key not in waiting:
            msg = f"the record of step {key!r} was never asked for: it belongs to another plan or input"
            raise UsageError(msg, code="diverged")
        token, _ = waiting.pop(key)
        if isinstance(answer, (FishplateError, DeclaredError)):
            machine.resolve(token, failure=answer)
        else:
            machine.resolve(token, answer)
    waiting.update((effect.key, (token, effect)) for token, effect in machine.take())
    return machine, [found for found in waiting.values() if found[0] not in machine.cancelled]
