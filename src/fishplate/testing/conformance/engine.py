"""What every engine does, whether it keeps its runs or not."""

from __future__ import annotations

from fishplate.app import App
from fishplate.testing.conformance.case import Conformance, End, end_of, expect
from fishplate.testing.conformance.cast import (
    hasty,
    refund,
    ship_both,
    ship_each,
    sized,
)
from fishplate.testing.conformance.world import Reached


class EngineConformance(Conformance):
    """The tests of an engine; derive a `Test...` of it that says how an app is opened."""

    def test_steps_follow_one_another(self) -> None:
        """Each step runs once, after the one whose output it takes."""

        async def act(app: App) -> End:
            return await end_of(app.start(refund, "W1"))

        with self.case(refund) as case:
            found = case.live(act)
            expect(rule="a run gives its output", found=found, wanted=End("succeeded", "paid W1"))
            expect(
                rule="each step runs once and in order",
                found=case.world.names(),
                wanted=["look", "pay", "write"],
            )

    def test_cancel_ends_a_running_step(self) -> None:
        """A cancelled run ends as such; its running step is cancelled, and no other begins."""

        async def act(app: App) -> End:
            run = app.start(refund, "W1")
            await case.world.reached("look")
            run.cancel()
            return await end_of(run)

        with self.case(refund) as case:
            case.world.held = {"look"}
            found = case.live(act)
            expect(
                rule="a cancelled run ends as cancelled",
                found=found,
                wanted=End("cancelled", "run_cancelled"),
            )
            expect(
                rule="a cancelled step is told so before its run has ended",
                found=case.world.cut,
                wanted=[Reached("look", "W1")],
            )
            expect(
                rule="no step begins in a cancelled run", found=case.world.names(), wanted=["look"]
            )

    def test_timeout_of_a_step(self) -> None:
        """A step that takes longer than its policy allows is cut off, and fails the run."""

        async def act(app: App) -> End:
            return await end_of(app.start(hasty, "W1"))

        with self.case(hasty) as case:
            case.world.held = {"hang"}
            expect(
                rule="a step past its timeout fails with 'step_timeout'",
                found=case.live(act),
                wanted=End("failed", "step_timeout"),
            )
            expect(
                rule="a step past its timeout is cut off, and the next one does not begin",
                found=(case.world.cut, case.world.names()),
                wanted=([Reached("hang", "W1")], ["hang"]),
            )

    def test_timeout_of_a_run(self) -> None:
        """A run that works longer than the app allows is cut off with `deadline`."""

        async def act(app: App) -> End:
            return await end_of(app.start(refund, "W1"))

        with self.case(refund) as case:
            case.world.held = {"look"}
            expect(
                rule="a run past its working time fails with 'deadline'",
                found=case.live(act, working_time=0.02),
                wanted=End("failed", "deadline"),
            )

    def test_each_answers_in_the_order_of_its_elements(self) -> None:
        """Elements run side by side, and whatever ends first, answers keep their places."""

        async def act(app: App) -> End:
            run = app.start(ship_each, ["W1", "W2", "W3"])
            await case.world.reached("look", 3)
            case.world.release("look")
            return await end_of(run)

        with self.case(ship_each) as case:
            case.world.held = {"look"}
            expect(
                rule="each gives its answers in the order of its elements",
                found=case.live(act),
                wanted=End("succeeded", ["W1", "W2", "W3"]),
            )

    def test_parallel_runs_its_branches_side_by_side(self) -> None:
        """No branch waits for another one, and what follows waits for all."""

        async def act(app: App) -> End:
            run = app.start(ship_both, "W1", "W2")
            await case.world.reached("pay", 2)
            expect(
                rule="what follows a parallel waits for all branches",
                found=case.world.names().count("join"),
                wanted=0,
            )
            case.world.release("pay")
            return await end_of(run)

        with self.case(ship_both) as case:
            case.world.held = {"pay"}
            expect(
                rule="parallel gives its answers by branch",
                found=case.live(act),
                wanted=End("succeeded", "W1, W2"),
            )

    def test_runs_do_not_wait_for_each_other(self) -> None:
        """While one run stands still another one comes to its end."""

        async def act(app: App) -> End:
            first = app.start(refund, "W1")
            await case.world.reached("pay")
            found = await end_of(app.start(sized, 3))
            case.world.release("pay")
            await first.ended()
            return found

        with self.case(refund, sized) as case:
            case.world.held = {"pay"}
            expect(
                rule="a run ends while another one stands still",
                found=case.live(act),
                wanted=End("succeeded", 3),
            )
