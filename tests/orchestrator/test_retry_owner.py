"""One owner of retries: however many layers retry, one call makes its attempts once."""

import pytest

from fishplate import (
    App,
    DeclaredError,
    ErrorClass,
    Failure,
    Policy,
    Retry,
    StepError,
    agent,
    tool,
    workflow,
)
from fishplate.resilience.classify import ErrorMap
from tests.engines.running import failure_of, in_app

THREE = Policy(retry=Retry(attempts=3))


class Busy(DeclaredError):  # noqa: N818 -- an answer of the dependency
    """Come back later."""


class Dependency:
    """Counts the requests that reach it; fails all of them, or the first few."""

    def __init__(self, failures: int = 1000, error: type[Exception] = ConnectionResetError) -> None:
        self.requests = 0

        @tool(
            effect="readonly",
            policy=THREE,
            errors=[Busy],
            error_classes={Busy: ErrorClass.TRANSIENT},
        )
        async def ask(number: int) -> int:
            self.requests += 1
            if self.requests <= failures:
                raise error
            return number

        self.ask = ask


def test_nested_workflows_share_three_attempts() -> None:
    """Three workflows in each other and a tool, each with three attempts: three requests."""
    dependency = Dependency()
    ask = dependency.ask

    @workflow(tools=[ask], policy=THREE, errors=[Busy])
    async def inner(number: int) -> int:
        return await ask(number)

    @workflow(policy=THREE, errors=[Busy])
    async def middle(number: int) -> int:
        return await inner(number)

    @workflow(policy=THREE, errors=[Busy])
    async def outer(number: int) -> int:
        return await middle(number)

    failure = failure_of(outer, 1)

    assert dependency.requests == 3
    assert failure.retry_exhausted


def test_nested_bodies_share_three_attempts() -> None:
    """The same for plain agents that call each other."""
    dependency = Dependency()
    ask = dependency.ask

    @agent(tools=[ask], policy=THREE)
    async def inner(number: int) -> int:
        return await ask(number)

    @agent(agents=[inner], policy=THREE)
    async def outer(number: int) -> int:
        return await inner(number)

    failure_of(outer, 1)

    assert dependency.requests == 3


def test_bodies_that_each_word_a_failure_anew_share_three_attempts() -> None:
    """Also if one chains what it raises to the exhausted failure, and the next one does not."""
    dependency = Dependency()
    ask = dependency.ask

    @agent(tools=[ask], policy=THREE)
    async def inner(number: int) -> int:
        try:
            return await ask(number)
        except Failure as failure:
            raise ConnectionError from failure

    @agent(agents=[inner], policy=THREE)
    async def outer(number: int) -> int:
        try:
            return await inner(number)
        except StepError:
            raise Failure("no answer", error_class=ErrorClass.TRANSIENT)  # noqa: B904 -- the case

    failure_of(outer, 1)

    assert dependency.requests == 3


@pytest.mark.parametrize("is_chained", [True, False])
def test_a_body_that_words_a_failure_anew_is_not_repeated(is_chained: bool) -> None:
    """What is raised because of an exhausted failure is exhausted too."""
    dependency = Dependency()
    ask = dependency.ask

    @agent(tools=[ask], policy=THREE)
    async def inner(number: int) -> int:
        try:
            return await ask(number)
        except Failure as failure:
            worded = Failure("no answer", error_class=ErrorClass.TRANSIENT)
            if is_chained:
                raise worded from failure
            raise worded  # noqa: B904 -- that is the case here

    @workflow(policy=THREE)
    async def outer(number: int) -> int:
        return await inner(number)

    failure_of(outer, 1)

    assert dependency.requests == 3


def test_a_declared_error_that_is_retried_is_retried_by_one_layer() -> None:
    """A declared error of a class that is retried is given up once, and not anew above."""
    dependency = Dependency(error=Busy)
    ask = dependency.ask
    classes: ErrorMap = {Busy: ErrorClass.TRANSIENT}

    @agent(tools=[ask], policy=THREE, errors=[Busy], error_classes=classes)
    async def inner(number: int) -> int:
        return await ask(number)

    @agent(agents=[inner], policy=THREE, errors=[Busy], error_classes=classes)
    async def outer(number: int) -> int:
        return await inner(number)

    assert failure_of(outer, 1) == Busy()
    assert dependency.requests == 3


def test_a_chain_that_nobody_answers_is_not_gone_through_again() -> None:
    """The last fallback has no retry of its own, and the retry around it begins no second pass."""
    dependency = Dependency()
    ask, asked = dependency.ask, list[int]()

    @agent
    async def spare(number: int) -> int:
        asked.append(number)
        raise ConnectionResetError

    @workflow(tools=[ask], policy=THREE, errors=[Busy])
    async def flow(number: int) -> int:
        return await ask.or_else(spare)(number)

    failure = failure_of(flow, 1)

    assert failure.retry_exhausted
    assert (dependency.requests, asked) == (3, [1])


def test_a_layer_without_retries_leaves_them_to_the_one_above() -> None:
    """Whoever retries is the owner: with the tool's off, the agent around it has three attempts."""
    dependency = Dependency(failures=2)
    once = dependency.ask.using(Policy(retry="off"))

    @agent(tools=[dependency.ask], policy=THREE)
    async def owner(number: int) -> int:
        return await once(number)

    async def scenario(_: App) -> int:
        return await owner(1)

    assert in_app(scenario) == 1
    assert dependency.requests == 3


def test_the_next_call_has_attempts_of_its_own() -> None:
    """That one call has given up says nothing of the next one to the same dependency."""
    dependency = Dependency(failures=4)
    ask = dependency.ask

    @agent(tools=[ask], policy=THREE)
    async def twice(number: int) -> int:
        try:
            return await ask(number)
        except Failure:
            return await ask(number)

    async def scenario(_: App) -> int:
        return await twice(1)

    assert in_app(scenario) == 1
    assert dependency.requests == 5
