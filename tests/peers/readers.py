"""What others have read of a trace, in one form, asked by their own interfaces."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol, cast

from fishplate.traces.capture import Capture
from fishplate.traces.export import OtlpExport

PROJECT: Final = "shop"
"""The name of the program whose spans are sent."""
INSERTED_WITHIN: Final = 30.0
"""Seconds. Phoenix takes spans at once, and stores them later."""

_PHOENIX_QUERY: Final = """
query ($trace: String!) {
  getTraceByOtelId(traceId: $trace) {
    project { name }
    rootSpan { statusCode }
    costSummary { total { cost tokens } }
    spans(first: 1000) { edges { node {
      spanId parentId name spanKind statusCode attributes
      input { value mimeType } output { value mimeType }
      tokenCountPrompt tokenCountCompletion
      costSummary { total { cost } }
    } } }
  }
}"""


class ReadSpan(NamedTuple):
    """A span as a reader shows it.

    Attributes:
        parent_id: Of the span above it, as 16 hex digits; `None` at the top.
        name: As it is shown.
        kind: In capitals, a word of OpenInference.
        status: `UNSET`, `OK` or `ERROR`.
        tokens: In and out; `None`: not told.
        cost_nanos: In 10^-9 dollars, as the reader reckons it from its own prices; `None`: unknown.
        given: What the reader shows as its input.
        gave: What the reader shows as its output.
        attributes: As they were sent, under their dotted names.
    """

    parent_id: str | None
    name: str
    kind: str
    status: str
    tokens: tuple[int, int] | None
    cost_nanos: int | None
    given: Any
    gave: Any
    attributes: Mapping[str, Any]

    @property
    def line(self) -> str:
        """Kind, name, status if one is told, and whether it was answered from a record."""
        told = "" if self.status == "UNSET" else f" {self.status}"
        again = " replayed" if self.attributes.get("fishplate.replayed") else ""
        return f"{self.kind} {self.name}{told}{again}"


class ReadTrace(NamedTuple):
    """A trace as a reader shows it.

    Attributes:
        spans: By their ids, as 16 hex digits.
        tokens: In and out together, of the whole.
        cost_nanos: Of the whole, in 10^-9 dollars.
        project: What it is found under.
        state: `OK` or `ERROR`, as a list of traces shows it.
    """

    spans: Mapping[str, ReadSpan]
    tokens: int
    cost_nanos: int
    project: str
    state: str

    def tree(self) -> list[str]:
        """A line for each span, indented below its parent; names beside each other are sorted.

        Raises:
            AssertionError: The parent of a span is not there.
        """
        lost = [one.name for one in self.spans.values() if one.parent_id not in {None, *self.spans}]
        assert not lost, f"without their parent: {lost}"
        return list(self._below(None, 0))

    def _below(self, parent: str | None, depth: int) -> Iterator[str]:
        beside = [(one.line, key) for key, one in self.spans.items() if one.parent_id == parent]
        for line, key in sorted(beside, key=lambda found: found[0].partition(" ")[2]):
            yield f"{'  ' * depth}{line}"
            yield from self._below(key, depth + 1)


class Peer(Protocol):
    """A program of others that takes spans and shows them.

    Attributes:
        project: Under which it shows what `export` sends there.
    """

    project: str

    def export(self, capture: Capture = "off") -> OtlpExport:
        """How an app sends its spans there."""
        ...

    def read(self, trace_id: str, spans: int) -> ReadTrace:
        """Read a trace back, when so many of its spans are there; blocks.

        Raises:
            AssertionError: They are not there in time.
        """
        ...


class PhoenixPeer:
    """Arize Phoenix, asked by GraphQL, which its own pages use.

    Args:
        url: Where it listens.
    """

    def __init__(self, url: str) -> None:
        self.project = PROJECT
        self._url = url

    def export(self, capture: Capture = "off") -> OtlpExport:
        """See `Peer`."""
        return OtlpExport(endpoint=f"{self._url}/v1/traces", service=PROJECT, capture=capture)

    def read(self, trace_id: str, spans: int) -> ReadTrace:
        """See `Peer`."""
        until = time.monotonic() + INSERTED_WITHIN
        while True:
            found = self._asked({"trace": trace_id})["getTraceByOtelId"]
            nodes = [edge["node"] for edge in found["spans"]["edges"]] if found else []
            if len(nodes) >= spans or time.monotonic() > until:
                break
            time.sleep(0.1)  # it inserts in batches, and tells nobody when it has
        assert len(nodes) == spans, f"{len(nodes)} of {spans} spans are there"
        total = found["costSummary"]["total"]
        return ReadTrace(
            spans={node["spanId"]: _phoenix_span(node) for node in nodes},
            tokens=round(total["tokens"] or 0),
            cost_nanos=_nanos(total["cost"]) or 0,
            project=found["project"]["name"],
            state=found["rootSpan"]["statusCode"],
        )

    def _asked(self, variables: Mapping[str, str]) -> dict[str, Any]:
        body = json.dumps({"query": _PHOENIX_QUERY, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        data: dict[str, Any] = found["data"]
        return data


class MlflowPeer:
    """MLflow, asked by its own client in a process of its own.

    Args:
        url: Where it listens.
        programs: Of the environment that has the client.
    """

    def __init__(self, url: str, programs: Path) -> None:
        self.project = "0"  # the experiment that is always there
        self._url = url
        script = Path(__file__).with_name("mlflow_reads.py")
        self._client = subprocess.Popen(
            [programs / "python", script, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={"MLFLOW_DISABLE_TELEMETRY": "true"},
        )

    def export(self, capture: Capture = "off") -> OtlpExport:
        """See `Peer`."""
        return OtlpExport(
            endpoint=f"{self._url}/v1/traces",
            headers={"x-mlflow-experiment-id": self.project},
            service=PROJECT,
            capture=capture,
            timeout=20,  # it answers when it has stored them
        )

    def read(self, trace_id: str, spans: int) -> ReadTrace:
        """See `Peer`."""
        print(trace_id, file=_open(self._client.stdin), flush=True)
        found = json.loads(_open(self._client.stdout).readline())
        read = {one["span_id"]: _mlflow_span(one) for one in found["spans"]}
        assert len(read) == spans, f"{len(read)} of {spans} spans are there"
        return ReadTrace(
            spans=read,
            tokens=found["tokens"]["total_tokens"] if found["tokens"] else 0,
            cost_nanos=_nanos(found["cost"] and found["cost"]["total_cost"]) or 0,
            project=found["project"],
            state=found["state"],
        )

    def close(self) -> None:
        """Ask no more."""
        _open(self._client.stdin).close()
        _open(self._client.stdout).close()
        self._client.wait(20)


def _phoenix_span(node: Mapping[str, Any]) -> ReadSpan:
    given, gave = node["tokenCountPrompt"], node["tokenCountCompletion"]
    cost = node["costSummary"]
    return ReadSpan(
        parent_id=node["parentId"],
        name=node["name"],
        kind=node["spanKind"].upper(),
        status=node["statusCode"],
        tokens=None if given is None else (given, gave),
        cost_nanos=None if cost is None else _nanos(cost["total"]["cost"]),
        given=_read(node["input"]),
        gave=_read(node["output"]),
        attributes=dict(_flat("", json.loads(node["attributes"]))),
    )


def _mlflow_span(span: Mapping[str, Any]) -> ReadSpan:
    attributes: Mapping[str, Any] = span["attributes"]
    usage = attributes.get("mlflow.chat.tokenUsage")
    return ReadSpan(
        parent_id=span["parent_id"],
        name=span["name"],
        kind=span["kind"],
        status=span["status"],
        tokens=None if usage is None else (usage["input_tokens"], usage["output_tokens"]),
        cost_nanos=None if span["cost"] is None else _nanos(span["cost"]["total_cost"]),
        given=span["inputs"],
        gave=span["outputs"],
        attributes=attributes,
    )


def _nanos(amount: float | None) -> int | None:
    return None if amount is None else round(amount * 1e9)


def _read(found: Mapping[str, str] | None) -> Any:
    if found is None:
        return None
    return json.loads(found["value"]) if found["mimeType"] == "json" else found["value"]


def _flat(above: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, below in cast("dict[str, Any]", value).items():
            yield from _flat(f"{above}.{name}" if above else name, below)
    else:
        yield above, value


def _open(found: IO[str] | None) -> IO[str]:
    assert found is not None, "the pipe was asked for"
    return found
