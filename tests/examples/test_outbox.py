"""Messages to customers: one for each run, kept beyond the process."""

from pathlib import Path

from examples.order_support.models import ChatReply, EmailReply
from examples.order_support.outbox import Outbox


def test_a_message_is_found_by_its_run(tmp_path: Path) -> None:
    """It is read as it was put, also by another process; a run that sent none has none."""
    message = EmailReply(subject="Your question", text="Who are you?")
    Outbox(tmp_path / "outbox").put("r1", message)

    assert Outbox(tmp_path / "outbox").message("r1") == message
    assert Outbox(tmp_path / "outbox").message("r2") is None
    assert Outbox(tmp_path / "nowhere").message("r1") is None


def test_a_message_that_is_put_again_is_one_message(tmp_path: Path) -> None:
    """A step that runs twice sends once."""
    outbox = Outbox(tmp_path)
    for _ in range(2):
        outbox.put("r1", ChatReply(text="Who are you?"))

    assert [file.name for file in tmp_path.iterdir()] == ["r1.json"]
