"""What model agents tell their models: as source, for comparisons, and what they leave untold."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.agents.model import ModelAgent
from fishplate.contracts.keywords import SchemaDocument, all_schemas
from fishplate.core.errors import JsonValue
from fishplate.core.source import read_source

# What says nothing to a model that has to choose a tool, or to fill in a field.
VAGUE: Final = frozenset(
    {"arg", "args", "data", "do", "foo", "get", "handle", "info", "item", "misc", "obj", "object"}
    | {"param", "params", "process", "stuff", "thing", "tmp", "tool", "value", "x"}
)

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NUMBER: Final = re.compile(r"(?:v?[0-9]+)$")
_PLURALS: Final = (
    (re.compile(r"(?<=[a-z]{2})ies$"), "y"),
    (re.compile(r"(?<=ss|sh|ch)es$"), ""),
    (re.compile(r"(?<=[a-z]{2}[^s])s$"), ""),
)


def prompt_source(agent: AnyAgent) -> str | None:
    """The prompt function of a model agent without its comments; `None` for other agents."""
    source = read_source(agent.about.written) if isinstance(agent, ModelAgent) else None
    if source is None:
        return None
    plain = ast.FunctionDef(
        name=source.tree.name,
        args=source.tree.args,
        body=source.tree.body,
        decorator_list=[],
        returns=source.tree.returns,
    )
    return ast.unparse(ast.fix_missing_locations(plain))


def unclear_to_models(agent: AnyAgent) -> dict[str, JsonValue]:
    """What a model that is asked by an agent is not told, and which names say little.

    Names of tools that differ in spelling, a plural or a number alone say the same: the model has
    to choose between them.

    Returns:
        Facts by name; nothing for agents that ask no model.
    """
    if not isinstance(agent, ModelAgent):
        return {}
    tools = agent.about.tools
    missing = [] if agent.about.text else [f"prompt {agent.name}"]
    missing += [f"tool {tool.name}" for tool in tools if not tool.about.text]
    named = [(tool.name, tool.signature.takes.json) for tool in tools]
    named.append(("output", agent.signature.output.gives.json))
    fields = [(owner, *field) for owner, schema in named for field in _fields(schema)]
    missing += [f"field {owner}.{name}" for owner, name, is_told in fields if not is_told]
    vague = [tool.name for tool in tools if tool.name in VAGUE]
    vague += [f"{owner}.{name}" for owner, name, _ in fields if name in VAGUE]
    facts: dict[str, list[str]] = {
        "without a description": missing,
        "vague names": vague,
        "names that are nearly the same": list(_alike(tool.name for tool in tools)),
    }
    return {name: list[JsonValue](dict.fromkeys(found)) for name, found in facts.items() if found}


def _alike(names: Iterable[str]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_said(name), []).append(name)
    yield from (" / ".join(group) for group in groups.values() if len(group) > 1)


def _said(name: str) -> str:
    """A name without what is easily overlooked: spelling, plurals, and numbers at its end."""
    words = (_NUMBER.sub("", word) for word in _HUMP.sub("_", name).lower().split("_"))
    return "".join(map(_singular, words)) or name


def _singular(word: str) -> str:
    for plural, ending in _PLURALS:
        found, count = plural.subn(ending, word)
        if count:
            return found
    return word


def _fields(schema: SchemaDocument) -> Iterator[tuple[str, bool]]:
    """Names of the fields at any depth, and whether each is described; tags need no words."""
    for part in all_schemas(schema):
        properties = part.get("properties")
        if isinstance(properties, dict):
            for name, field in properties.items():
                words = field.keys() if isinstance(field, Mapping) else frozenset[str]()
                yield name, bool(words & {"description", "const"})
