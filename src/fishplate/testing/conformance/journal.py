"""What an engine does whose journal survives the end of its process."""

from __future__ import annotations

from typing import Final

from fishplate.app import App
from fishplate.core.errors import FishplateError
from fishplate.journal.journal import MOST_BYTES
from fishplate.testing.conformance.case import Conformance, End, end_of, expect
from fishplate.testing.conformance.cast import (
    WITHIN,
    Parcel,
    deliveries,
    delivery,
    handling,
    handling_edited,
    look,
    overnight,
    pay,
    refund,
    refund_edited,
    ship_both,
    ship_each,
    sized,
    write,
)
from fishplate.testing.conformance.sweep import crash_at_every_record
from fishplate.testing.conformance.world import Reached

NOTHING: Final[list[str]] = []
"""What the agents of a life have done in which nothing goes on."""


class JournalConformance(Conformance):
    """The tests of a journal, and of an engine over one; derive a `Test...` as of the others."""

    def test_duplicate_start_joins(self) -> None:
        """However often a call is started under one key, also after a crash, it runs once."""

        async def begin(app: App) -> None:
            runs = [await app.start_once(refund("W1"), key="one") for _ in range(3)]
            ids.extend(run.id for run in runs)
            await runs[0].ended()

        async def again(app: App) -> End:
            run = await app.start_once(refund("W1"), key="one")
            ids.append(run.id)
            found = await end_of(run)
            refused = ""
            try:
                await app.start_once(refund("W2"), key="one")
            except FishplateError as error:
                refused = error.code
            expect(
                rule="a used key with another input is refused",
                found=refused,
                wanted="idempotency_conflict",
            )
            return found

        ids: list[str] = []
        with self.case(refund) as case:
            case.world.deadly = {"pay"}
            case.crash(begin)
            case.world.deadly = set()
            found = [case.live(again), case.live(again)]
            expect(rule="starts under one key are one run", found=len(set(ids)), wanted=1)
            expect(
                rule="every start is answered with the same end",
                found=found,
                wanted=[End("succeeded", "paid W1")] * 2,
            )
            expect(
                rule="what is started again does not run again",
                found=case.world.lives[2],
                wanted=[],
            )

    def test_early_signal_is_kept(self) -> None:
        """A signal that comes before its wait answers it, also if the process dies in between."""

        async def early(app: App) -> None:
            run = await app.start_once(delivery("W1"), key="one")
            await case.world.reached("look")
            await app.signal(run.id, "parcel", Parcel(number="P1"))
            case.world.release("look")
            await run.ended()

        async def again(app: App) -> End:
            return await end_of(await app.start_once(delivery("W1"), key="one"))

        with self.case(delivery) as case:
            case.world.held = {"look"}
            case.world.deadly = {"take"}
            case.crash(early)
            case.world.deadly = set()
            expect(
                rule="a signal before its wait is kept for it",
                found=case.live(again),
                wanted=End("succeeded", "took P1"),
            )

    def test_early_signal_survives_a_crash_before_its_wait(self) -> None:
        """Once a signal was answered it is kept, even if the process dies at once."""

        async def early(app: App) -> None:
            run = await app.start_once(delivery("W1"), key="one")
            await case.world.reached("look")
            await app.signal(run.id, "parcel", Parcel(number="P1"))
            case.world.die()
            await run.ended()

        async def again(app: App) -> End:
            return await end_of(await app.start_once(delivery("W1"), key="one"))

        with self.case(delivery) as case:
            case.world.held = {"look"}
            case.crash(early)
            case.world.held = set()
            expect(
                rule="a signal that was answered survives a crash",
                found=case.live(again),
                wanted=End("succeeded", "took P1"),
            )

    def test_double_signal_answers_one_wait_each(self) -> None:
        """One signal answers one wait; another wait for it goes on, until another signal comes."""

        async def first(app: App) -> str:
            run = await app.start_once(deliveries("W1"), key="one")
            await run.ended_or_waiting()
            await app.signal(run.id, "parcel", Parcel(number="P1"))
            await case.world.reached("take")
            expect(
                rule="a signal answers one wait, and not the next one too",
                found=await run.ended_or_waiting(),
                wanted="waiting",
            )
            return run.id

        async def second(app: App) -> End:
            run = await app.run(run_id)
            await app.signal(run_id, "parcel", Parcel(number="P2"))
            found = await end_of(run)
            refused = ""
            try:
                await app.signal(run_id, "parcel", Parcel(number="P3"))
            except FishplateError as error:
                refused = error.code
            expect(
                rule="a signal to a run that has ended is refused",
                found=refused,
                wanted="not_waiting",
            )
            return found

        with self.case(deliveries) as case:
            run_id = case.live(first)
            expect(
                rule="each signal answers one wait, in order",
                found=case.live(second),
                wanted=End("succeeded", "took P1, took P2"),
            )

    def test_double_signal_does_no_harm(self) -> None:
        """Two signals at once: the first answers the wait, and the run goes on once."""

        async def twice(app: App) -> End:
            run = await app.start_once(delivery("W1"), key="one")
            await case.world.reached("look")
            await app.signal(run.id, "parcel", Parcel(number="P1"))
            await app.signal(run.id, "parcel", Parcel(number="P2"))
            case.world.release("look")
            return await end_of(run)

        with self.case(delivery) as case:
            case.world.held = {"look"}
            expect(
                rule="of two signals the first one answers",
                found=case.live(twice),
                wanted=End("succeeded", "took P1"),
            )
            expect(rule="the run goes on once", found=case.world.names(), wanted=["look", "take"])

    def test_cancel_is_kept(self) -> None:
        """A run that was cancelled, running or waiting, stays so in the next life."""

        async def cancel(app: App) -> list[str]:
            running = await app.start_once(refund("W1"), key="one")
            await case.world.reached("write")
            waiting = await app.start_once(delivery("W2"), key="two")
            await waiting.ended_or_waiting()
            running.cancel()
            waiting.cancel()
            await running.ended()
            await waiting.ended()
            case.world.held = set()
            return [running.id, waiting.id]

        async def again(app: App) -> list[str]:
            expect(rule="a cancelled run is not taken up", found=app.resumed, wanted=())
            return [(await app.run(run_id)).state for run_id in ids]

        with self.case(refund, delivery) as case:
            case.world.held = {"write"}
            ids = case.live(cancel)
            expect(
                rule="a cancelled run stays cancelled",
                found=(case.live(again), case.world.names()),
                wanted=(["cancelled", "cancelled"], NOTHING),
            )

    def test_cancel_of_an_effect_says_that_it_may_have_happened(self) -> None:
        """A run that is cancelled while an effect is out needs attention: nobody knows of it."""

        async def cancel(app: App) -> list[str]:
            run = await app.start_once(refund("W1"), key="one")
            await case.world.reached("pay")
            run.cancel()
            await run.ended()
            return [run.id]

        async def again(app: App) -> str:
            return (await app.run(ids[0])).state

        with self.case(refund) as case:
            case.world.held = {"pay"}
            ids = case.live(cancel)
            case.world.held = set()
            expect(
                rule="a cancelled effect may have happened, and nothing repeats it",
                found=(case.live(again), case.world.names()),
                wanted=("needs_attention", NOTHING),
            )

    def test_crash_at_every_record(self) -> None:
        """Wherever a run is cut, it ends as ever; nothing recorded, and no effect, is repeated."""
        crash_at_every_record(
            lambda: self.case(refund),
            lambda: refund("W1"),
            end="paid W1",
            branches=[[Reached(name, "W1") for name in ("look", "pay", "write")]],
        )

    def test_crash_at_every_record_of_a_wait(self) -> None:
        """The same for a run that waits, and for the signal that answers it."""
        crash_at_every_record(
            lambda: self.case(delivery),
            lambda: delivery("W1"),
            end="took P1",
            branches=[[Reached("look", "W1"), Reached("take", "P1")]],
        )

    def test_each_after_a_crash(self) -> None:
        """Of elements side by side each goes on where it was, and answers keep their places."""
        crash_at_every_record(
            lambda: self.case(ship_each),
            lambda: ship_each(["W1", "W2"]),
            end=["W1", "W2"],
            branches=[_shipped("W1"), _shipped("W2")],
        )

    def test_parallel_after_a_crash(self) -> None:
        """Of branches side by side each goes on where it was; what follows runs when all ended."""
        crash_at_every_record(
            lambda: self.case(ship_both),
            lambda: ship_both("W1", "W2"),
            end="W1, W2",
            branches=[_shipped("W1"), _shipped("W2"), [Reached("join", "")]],
        )

    def test_oversize_value_fails_its_step_for_good(self) -> None:
        """What is larger than a journal keeps fails the run; no life tries it again."""

        async def act(app: App) -> End:
            return await end_of(await app.start_once(sized(MOST_BYTES), key="one"))

        with self.case(sized) as case:
            found = [case.live(act), case.live(act)]
            expect(
                rule=f"a value of more than {MOST_BYTES} bytes fails its run",
                found=found,
                wanted=[End("failed", "payload_too_large")] * 2,
            )
            expect(
                rule="what was too large is not tried again",
                found=[[call.name for call in life] for life in case.world.lives],
                wanted=[["grow"], []],
            )

    def test_oversize_within_the_limit_comes_back_whole(self) -> None:
        """A large value within the limit comes back whole after a crash."""
        size = MOST_BYTES // 4

        async def act(app: App) -> End:
            return await end_of(await app.start_once(sized(size), key="one"))

        with self.case(sized) as case:
            case.world.deadly = {"bill"}
            case.crash(act)
            case.world.deadly = set()
            expect(
                rule="a large value comes back whole",
                found=(case.live(act), case.world.names()),
                wanted=(End("succeeded", size), ["bill"]),
            )

    def test_timeouts_go_on_while_no_process_lives(self) -> None:
        """A sleep and a wait end at their wall clock time, and waiting is no work."""

        async def begin(app: App) -> str:
            run = await app.start_once(overnight("W1"), key="one")
            await run.ended_or_waiting()
            return run.id

        async def look_again(app: App) -> str:
            run = await app.run(run_id)
            state = await run.ended_or_waiting()
            waits = [wait.kind for wait in await app.waits(run_id)]
            return f"{state} for {waits}" if state == "waiting" else str(await end_of(run))

        with self.case(overnight) as case:
            run_id = case.live(begin, working_time=WITHIN / 2)
            found: list[str] = []
            for seconds in (WITHIN - 1, 1, WITHIN - 1, 1):
                case.clock.advance(seconds)
                found.append(case.live(look_again, working_time=WITHIN / 2))
            expect(
                rule="a wait is over at its time, and not before",
                found=found,
                wanted=[
                    "waiting for ['sleep']",
                    "waiting for ['signal']",
                    "waiting for ['signal']",
                    str(End("succeeded", "no parcel")),
                ],
            )

    def test_pinned_release_keeps_its_plan(self) -> None:
        """A run goes on under the plan that it began with, whatever stands under its name now."""

        async def begin(app: App) -> None:
            await (await app.start_once(refund("W1"), key="one")).ended()

        async def again(app: App) -> list[End]:
            return [await end_of(run) for run in app.resumed]

        with self.case(refund) as case:
            case.world.deadly = {"write"}
            case.crash(begin)
            case.world.deadly = set()
            case.agents = (refund_edited, look, pay, write)
            expect(
                rule="a run goes on under the plan that it began with",
                found=case.live(again),
                wanted=[End("succeeded", "paid W1")],
            )

    def test_pinned_release_stops_at_an_edited_body(self) -> None:
        """A body that has called others does not go on in other code: a person has to decide."""

        async def begin(app: App) -> str:
            run = await app.start_once(handling("W1"), key="one")
            ids.append(run.id)
            return await run.ended()

        async def again(app: App) -> str:
            for run in app.resumed:
                await run.ended()
            return (await app.run(ids[0])).state

        ids: list[str] = []
        with self.case(handling) as case:
            case.world.deadly = {"finish"}
            case.crash(begin)
            case.world.deadly = set()
            case.agents = (handling_edited,)
            expect(
                rule="an edited body with records needs attention, and does not run",
                found=(case.live(again), case.world.names()),
                wanted=("needs_attention", NOTHING),
            )
            case.agents = (handling,)
            expect(
                rule="what needs attention does not go on by itself",
                found=(case.live(again), case.world.names()),
                wanted=("needs_attention", NOTHING),
            )


def _shipped(order: str) -> list[Reached]:
    return [Reached("look", order), Reached("pay", order)]
