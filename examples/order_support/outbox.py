"""What has been sent to customers beside replies: a folder, with one message in a file each."""

from pathlib import Path

from pydantic import TypeAdapter

from examples.order_support.models import Reply

_REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)


class Outbox:
    """Messages by the run that sends them, whose question it is; they outlive the process.

    A message that is put again is the same file, so that a repeated put changes nothing.

    Args:
        folder: Made with the first message.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, run_id: str, message: Reply) -> None:
        """Send the message of a run; each run has one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # Replaced whole: a reader never sees a half of it.
        new = self._folder / f"{run_id}.new"
        new.write_bytes(_REPLY.dump_json(message))
        new.replace(self._file(run_id))

    def message(self, run_id: str) -> Reply | None:
        """The message of a run; `None` if it has sent none."""
        try:
            return _REPLY.validate_json(self._file(run_id).read_bytes())
        except FileNotFoundError:
            return None

    def _file(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"
