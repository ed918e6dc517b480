"""The recorded calls of the retail tasks, and how answers and rows are compared with them."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NotRequired, TypedDict

from pydantic import BaseModel, JsonValue

RECORDED = Path(__file__).parents[1] / "data" / "retail"


class Step(TypedDict):
    """One recorded call."""

    name: str
    arguments: dict[str, JsonValue]
    ok: bool
    result: JsonValue  # absent from a refused call
    error: str  # absent from an answered one


class Items(TypedDict):
    """What an order's lines should have been."""

    items: list[JsonValue]


class Corrections(TypedDict):
    """Where the recording is wrong, by number of step and by key of row."""

    steps: dict[str, Items]
    db_changed: dict[str, Items]


class Task(TypedDict):
    """One line of the recording."""

    task_id: str
    steps: list[Step]
    db_changed: dict[str, JsonValue]
    corrections: NotRequired[Corrections]


def lines(name: str) -> Iterator[str]:
    """Read a file of the recording line by line."""
    return iter((RECORDED / name).read_text(encoding="utf-8").splitlines())


TASKS: list[Task] = [json.loads(line) for line in lines("golden_calls.jsonl")]
TASK_NAMES = [f"task {task['task_id']}" for task in TASKS]


def recorded_answer(step: Step) -> JsonValue:
    """Give a call's recorded answer; a refusal as `{"refused": text}`."""
    return comparable(step["result"]) if step["ok"] else {"refused": step["error"]}


def corrected(task: Task) -> Task:
    """Put in what should stand where the recording is wrong."""
    found: Task = json.loads(json.dumps(task))
    if "corrections" in task:
        for number, correction in task["corrections"]["steps"].items():
            result = found["steps"][int(number)]["result"]
            assert isinstance(result, dict)
            result["items"] = correction["items"]
        for row, correction in task["corrections"]["db_changed"].items():
            changed = found["db_changed"][row]
            assert isinstance(changed, dict)
            changed["items"] = correction["items"]
    return found


def comparable(value: JsonValue) -> JsonValue:
    """Drop what is null and round amounts to the cent; lists keep their order."""
    match value:
        case dict():
            return {key: comparable(entry) for key, entry in value.items() if entry is not None}
        case list():
            return [comparable(entry) for entry in value]
        case float():
            return round(value, 2)
        case _:
            return value


def documents(database: Path) -> dict[str, str]:
    """Read every row past the shop: `orders/<id>` to the stored text."""
    with closing(sqlite3.connect(database)) as connection:
        return dict(
            connection.execute(
                "SELECT 'orders/' || order_id, document FROM orders"
                " UNION ALL SELECT 'users/' || user_id, document FROM users"
                " UNION ALL SELECT 'products/' || product_id, document FROM products"
            )
        )


def changed_rows(
    before: Mapping[str, str],
    after: Mapping[str, str],
    read: Mapping[str, Callable[[str], BaseModel]],
) -> JsonValue:
    """Give every row that differs, whole, as the shop tells it.

    Args:
        before: See `documents`.
        after: The same rows, later.
        read: How to read a row by its key, for each table that may change.
    """
    assert before.keys() == after.keys()
    changed: dict[str, JsonValue] = {}
    for row, document in after.items():
        if document == before[row] or json.loads(document) == json.loads(before[row]):
            continue
        table, _, key = row.partition("/")
        changed[row] = comparable(read[table](key).model_dump(mode="json"))
    return changed
