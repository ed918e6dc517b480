"""YAML as JSON with other punctuation.

Only the part of YAML is read that means the same to everyone: keys are text and stand once, only
`true` and `false` are booleans, a date is text, and nothing refers to anything else.
"""

from collections.abc import Hashable
from typing import cast

import yaml
from typing_extensions import override
from yaml.error import MarkedYAMLError

from fishplate.core.errors import JsonError, JsonValue


def read_yaml(data: bytes) -> JsonValue:
    """Read one YAML document.

    Raises:
        JsonError: Code `invalid_yaml`; the text is no YAML, or more than is read here.
    """
    try:
        # What the loader makes of plain scalars, lists and mappings is JSON, but for numbers that
        # are not finite; whoever writes or checks it as JSON finds those.
        return cast("JsonValue", yaml.load(data.decode("utf-8"), _StrictLoader))  # noqa: S506 -- a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise JsonError(
            f"file is not the YAML that is read here: {reason}", code="invalid_yaml"
        ) from error


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
_StrictLoader.yaml_implicit_resolvers = {
    sign: [
        (tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))
    ]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
