"""A server in this process that always streams the same answer, and two who ask it."""

import asyncio
import json
from types import TracebackType
from typing import Final, Self

import httpx2

from fishplate.models.model import Message, ModelRequest
from fishplate.models.providers import ProviderModel

NAME: Final = "same"


class CannedAnswers:
    """Answers every request as OpenAI's chat completions do, in one piece.

    Its own cost stands on both sides of the comparison.

    Args:
        text: What the model says.
    """

    def __init__(self, text: str) -> None:
        body = _stream(text)
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(body)}"
        self._answer = f"{head}\r\n\r\n".encode() + body
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None] | None] = set()

    async def __aenter__(self) -> Self:
        """Listen on a free port of this machine, and open both clients."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        self.completions = f"{url}/chat/completions"
        self.http = httpx2.AsyncClient()
        self.model = ProviderModel(f"openai:{NAME}", key="none", url=url)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close both clients, and the server."""
        await self.http.aclose()
        await self.model.close()
        assert self._server is not None, "entered"
        self._server.close()
        if left := [task for task in self._open if task is not None]:
            await asyncio.wait(left)  # each ends with its connection, which the client has closed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("ascii").lower().split("\r\n")
                (length,) = (line for line in lines if line.startswith("content-length:"))
                await reader.readexactly(int(length.partition(":")[2]))
                writer.write(self._answer)
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()  # the client has closed the connection


async def ask_by_http(server: CannedAnswers, system: str, user: str, requests: int) -> None:
    """So many requests by hand: the body, and the text out of the events."""
    for _ in range(requests):
        said = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        body = {"model": NAME, "messages": said, "stream": True}
        answer = await server.http.post(server.completions, json=body)
        events = [line[6:] for line in answer.text.split("\n") if line.startswith("data: {")]
        choices = [choice for event in events for choice in json.loads(event)["choices"]]
        assert "".join(choice["delta"].get("content", "") for choice in choices)


async def ask_by_adapter(server: CannedAnswers, system: str, user: str, requests: int) -> None:
    """So many requests by the adapter."""
    for _ in range(requests):
        said = (Message(role="system", text=system), Message(role="user", text=user))
        assert (await server.model.request(ModelRequest(messages=said))).text


def _stream(text: str) -> bytes:
    def event(choices: list[object], **others: object) -> str:
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": NAME,
            "choices": choices,
            **others,
        }
        return f"data: {json.dumps(chunk)}\n\n"

    delta = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    events = (
        event([{"index": 0, "delta": delta, "finish_reason": None}]),
        event([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        event([], usage=usage),
        "data: [DONE]\n\n",
    )
    return "".join(events).encode()
