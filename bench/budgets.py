"""What a figure may cost."""

from dataclasses import dataclass

from bench.measure import Comparison


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The most that a figure may be. What is not set is not judged.

    Attributes:
        most: In the figure's unit, on the machine on which the budget was set.
        added: The same for what is added to the limit.
        limit_there: What the limit cost on that machine, if the figure follows the machine's speed.
        times: As a multiple of the limit in the same run.
    """

    most: float | None = None
    added: float | None = None
    limit_there: float | None = None
    times: float | None = None

    def scale(self, comparison: Comparison) -> float:
        """How much slower than the budget's machine this one is, by its limit; never below 1."""
        if self.limit_there is None:
            return 1.0
        return max(comparison.limit.median / self.limit_there, 1.0)

    def is_met(self, comparison: Comparison) -> bool:
        """Whether the median, and the median ratio, are within what is allowed here."""
        scale = self.scale(comparison)
        is_too_much = self.most is not None and comparison.ours.median > self.most * scale
        adds_too_much = self.added is not None and comparison.added > self.added * scale
        is_too_many = self.times is not None and comparison.ratio > self.times
        return not (is_too_much or adds_too_much or is_too_many)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the report.

    Attributes:
        row: Name of the row.
        unit: Of both sides: `µs/step`, `s`, `kB/run`, `ms`.
        budget: `None` if the figure is for information.
    """

    row: str
    unit: str
    comparison: Comparison
    budget: Budget | None = None

    @property
    def is_missed(self) -> bool:
        """Whether there is a budget and it is not met."""
        return self.budget is not None and not self.budget.is_met(self.comparison)
