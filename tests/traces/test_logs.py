"""Log records name the call that they were written in."""

import asyncio
import logging

from fishplate import App, agent, tool
from fishplate.traces.logs import TraceIds

LOG = logging.getLogger("tests.traces.shop")


class Kept(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.records.append(record)


@tool(effect="readonly")
def look(number: int) -> int:
    """Log on a thread."""
    LOG.warning("looked")
    return number


@agent(tools=[look])
async def body(number: int) -> int:
    """Log, and call the tool."""
    LOG.warning("began")
    return await look(number)


def test_a_record_has_the_ids_of_its_call() -> None:
    """Trace, span, run and step are those of the spans, on threads too; outside they are empty."""
    handler = Kept()
    handler.addFilter(TraceIds())
    LOG.addHandler(handler)

    async def main() -> list[tuple[str, str, str, str]]:
        async with App(body) as app:
            run = app.start(body, 1)
            await run.result()
            spans = {span.path: span.span_id for span in app.spans(run)}
            return [
                (run.trace_id, f"{spans[path]:016x}", run.id, path)
                for path in ("body", "body/0.look")
            ]

    try:
        expected = asyncio.run(main())
        LOG.warning("outside")
    finally:
        LOG.removeHandler(handler)
    told = [
        tuple(getattr(one, word) for word in ("trace_id", "span_id", "run_id", "step"))
        for one in handler.records
    ]

    assert told == [*expected, ("", "", "", "")]
