"""YAML as JSON with other punctuation.

Only the part of YAML is read that means the same to everyone: keys are text and stand once, only
`true` and `false` are booleans, a date is text, and nothing refers to anything else.
"""

import json
import re
from collections.abc import Hashable
from typing import Final, cast

import yaml
from typing_extensions import override
from yaml.error import MarkedYAMLError

from fishplate.core.errors import JsonError


def yaml_as_json(data: bytes) -> bytes:
    """Rewrite one YAML document as JSON, keys in their order.

    Raises:
        JsonError: Code `invalid_yaml`; the text is no YAML, or more than is read here.
    """
    try:
        value = yaml.load(data.decode("utf-8"), _StrictLoader)  # noqa: S506 -- a SafeLoader
        return json.dumps(value, allow_nan=False).encode("utf-8")
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise JsonError(
            f"file is not the YAML that is read here: {_reason(error)}", code="invalid_yaml"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark is not None:
        mark = error.problem_mark
        problem = " ".join(filter(None, (error.context, error.problem)))
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    return " ".join(str(error).split())


class _StrictLoader(yaml.SafeLoader):
    """A safe loader for the part of YAML that means the same to everyone."""

    @override
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # A few aliases of aliases grow to billions of values.
            raise MarkedYAMLError(
                problem="aliases are not read: write it out", problem_mark=self.get_mark()
            )
        return super().compose_node(parent, index)

    @override
    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            name = key.value
            if not isinstance(name, str) or not key.tag.endswith(":str"):
                problem = f"key {name!r} is no text: put it in quotes"
            elif name in seen:
                problem = f"key {name!r} stands twice"
            else:
                seen.add(name)
                continue
            raise MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


# YAML 1.1 takes `no` for false and 2024-05-01 for a date, which surprises in a list of words.
_BOOLEAN: Final = ("tag:yaml.org,2002:bool", re.compile("(?:true|false)$"))
_StrictLoader.yaml_implicit_resolvers = {
    sign: [
        *(each for each in resolvers if not each[0].endswith((":timestamp", ":bool"))),
        *([_BOOLEAN] if sign in {"t", "f"} else []),
    ]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
