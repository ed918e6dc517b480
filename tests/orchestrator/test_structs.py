"""What `struct` builds at run time is what was proved at declaration."""

import datetime as dt
import uuid

from pydantic import BaseModel

from fishplate import App, agent, struct, workflow
from fishplate.testing import run_in_virtual_time


class Booking(BaseModel):
    """Fields that are a text in JSON."""

    id: uuid.UUID
    day: dt.date


class Letter(BaseModel):
    """Takes the same as text."""

    reference: str
    day: str


@agent
async def find(number: int) -> Booking:
    """Find a booking."""
    return Booking(id=uuid.UUID(int=number), day=dt.date(2026, 11, 1))


@agent
async def write(letter: Letter) -> str:
    """Write a letter."""
    return f"{letter.reference} {letter.day}"


@workflow
async def confirm(number: int) -> str:
    """Confirm a booking."""
    booking = await find(number)
    return await write(struct(Letter, reference=booking.id, day=booking.day))


def test_a_field_takes_what_its_json_form_takes() -> None:
    """A UUID and a date go into fields of text, as their JSON forms do."""

    async def scenario() -> str:
        async with App(confirm) as app:
            return await app.start(confirm, 7).result()

    assert run_in_virtual_time(scenario()) == "00000000-0000-0000-0000-000000000007 2026-11-01"
