"""Targets: `path/to/file.py:NAME` or `package.module:NAME`, and the agent that each one names."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Final, cast

from fishplate.agents.agent import Agent, AnyAgent
from fishplate.app import App
from fishplate.cli.modules import load_file, load_module
from fishplate.core.data import dataclass
from fishplate.core.errors import UsageError
from fishplate.workflows.workflow import Workflow

FORM: Final = "FILE.py:NAME or package.module:NAME"
_SEPARATORS: Final = frozenset("/\\")


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A target as it was typed.

    Attributes:
        place: Path of a file, or dotted name of a module.
        name: Variable in it; None if the place is to have one agent alone.
    """

    place: str
    name: str | None

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Read a target.

        Raises:
            UsageError: It is not of the form of a target (code `bad_target`).
        """
        place, colon, name = text.rpartition(":")
        if not colon or _SEPARATORS & set(name):  # the colon of a Windows drive
            place, name = text, ""
        elif not name.isidentifier():
            message = f"{text!r} names no variable behind its ':'. A target is {FORM}"
            raise UsageError(message, code="bad_target")
        if not place:
            message = f"{text!r} names no file. A target is {FORM}"
            raise UsageError(message, code="bad_target")
        return cls(place=place, name=name or None)

    def load(self) -> ModuleType:
        """Import the place; see `cli.modules`."""
        if _SEPARATORS & set(self.place) or ("." in self.place and Path(self.place).is_file()):
            return load_file(Path(self.place))
        if self.place.endswith(".py"):
            return load_file(Path(self.place))
        if not all(part.isidentifier() for part in self.place.split(".")):
            message = f"{self.place!r} is neither a file nor a module. A target is {FORM}"
            raise UsageError(message, code="bad_target")
        return load_module(self.place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A target that has been imported.

    Attributes:
        agent: What it names.
        spelled: The target with its name, also if none was typed.
        module: Where the agent was found.
        is_chosen: No name was typed, and the place has but one agent to choose.
    """

    agent: AnyAgent
    spelled: str
    module: ModuleType
    is_chosen: bool

    def app(self, agent: AnyAgent | None = None) -> App:
        """The app of the agent's module, which knows its resources; one of the agent else.

        Args:
            agent: What is to run in its place, e.g. with stand-ins.

        Raises:
            UsageError: The module has several apps (code `several_apps`).
        """
        return self.declared_app() or App(self.agent if agent is None else agent)

    def declared_app(self) -> App | None:
        """The app of the agent's module, if it has one.

        Raises:
            UsageError: The module has several apps (code `several_apps`).
        """
        found = {id(value): value for value in vars(self.module).values() if isinstance(value, App)}
        if len(found) > 1:
            message = f"{self.module.__name__!r} has {len(found)} apps, and a run has one: keep one"
            raise UsageError(message, code="several_apps")
        return next(iter(found.values()), None)


def load_agent(text: str) -> Loaded:
    """Import the agent, tool or workflow that a target names.

    Raises:
        UsageError: There is no such agent (codes `bad_target`, `unknown_target`, `not_an_agent`,
            `ambiguous_target`), or its module cannot be imported; see `cli.modules`.
        DeclarationError: A declaration in the module is refused.
    """
    target = Target.parse(text)
    module = target.load()
    agents = agents_of(module)
    if target.name is not None:
        agent = _named(target, target.name, module, agents)
        return Loaded(agent=agent, spelled=text, module=module, is_chosen=False)
    name = _only(target.place, agents, declared_in(module, agents))
    return Loaded(
        agent=agents[name], spelled=f"{target.place}:{name}", module=module, is_chosen=True
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Runnable:
    """What a target names that may be started, and the app that it runs in."""

    agents: tuple[AnyAgent, ...]
    app: App


def load_runnable(text: str) -> Runnable:
    """Import the agent that a target names, or all agents of the app that it names.

    Raises:
        UsageError: There is neither; see `load_agent`.
        DeclarationError: A declaration in the module is refused.
    """
    target = Target.parse(text)
    found = None if target.name is None else vars(target.load()).get(target.name)
    if isinstance(found, App):
        return Runnable(agents=tuple(found.agents.values()), app=found)
    loaded = load_agent(text)
    return Runnable(agents=(loaded.agent,), app=loaded.app())


def load_agents(text: str) -> list[Loaded]:
    """Import all agents of a target without a name: those that the module declares.

    Raises:
        UsageError: As `load_agent`; also if the module has no agent (code `unknown_target`).
        DeclarationError: A declaration in the module is refused.
    """
    target = Target.parse(text)
    if target.name is not None:
        return [load_agent(text)]
    module = target.load()
    agents = agents_of(module)
    own = declared_in(module, agents) or agents
    if not own:
        raise UsageError(f"{target.place!r} has no agent", code="unknown_target")
    return [
        Loaded(agent=agent, spelled=f"{target.place}:{name}", module=module, is_chosen=False)
        for name, agent in own.items()
    ]


def agents_of(module: ModuleType) -> dict[str, AnyAgent]:
    """The agents in a module's variables, by name; an agent with two names stands once."""
    found: dict[int, tuple[str, AnyAgent]] = {}
    for name, value in vars(module).items():
        if isinstance(value, Agent):
            agent = cast("AnyAgent", value)
            found.setdefault(id(agent), (name, agent))
    return dict(found.values())


def declared_in(module: ModuleType, agents: Mapping[str, AnyAgent]) -> dict[str, AnyAgent]:
    """Those agents whose behaviour is written in the module itself."""
    return {
        name: agent
        for name, agent in agents.items()
        if getattr(agent.about.written, "__module__", None) == module.__name__
    }


def suggestion(word: str, known: Mapping[str, object]) -> str:
    """` Did you mean 'x'?` if a known word is close, else nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _named(
    target: Target, name: str, module: ModuleType, agents: Mapping[str, AnyAgent]
) -> AnyAgent:
    found = vars(module).get(name)
    if isinstance(found, Agent):
        return cast("AnyAgent", found)
    if name in vars(module):
        kind = "a class" if isinstance(found, type) else f"of type {type(found).__name__!r}"
        message = f"{name!r} in {target.place!r} is {kind} and no agent. {_listed(agents)}"
        raise UsageError(message, code="not_an_agent")
    # The one that is meant, or else all of them: both at once hide each other.
    instead = suggestion(name, agents) or f" {_listed(agents)}"
    message = f"{target.place!r} has no {name!r}.{instead}"
    raise UsageError(message, code="unknown_target")


def _only(place: str, agents: Mapping[str, AnyAgent], own: Mapping[str, AnyAgent]) -> str:
    """The name of the one workflow, or else of the one agent; what is imported counts last.

    Tools are meant only where there is nothing else.
    """
    for group in (own, agents):
        workflows = [name for name, agent in group.items() if isinstance(agent, Workflow)]
        agents_alone = [name for name, agent in group.items() if agent.about.effect is None]
        names = workflows or agents_alone or list(group)
        if len(names) == 1:
            return names[0]
        if names:
            word = "workflows" if workflows else "agents"
            message = f"{place!r} has {len(names)} {word}: name one, as in {place}:{names[0]}."
            chosen = {name: group[name] for name in names}
            raise UsageError(f"{message} {_listed(chosen)}", code="ambiguous_target")
    raise UsageError(f"{place!r} has no agent", code="unknown_target")


def _listed(agents: Mapping[str, AnyAgent]) -> str:
    if not agents:
        return "There is none in the module: decorate a function with @agent, @tool or @workflow"
    return f"It has: {', '.join(f'{name} ({_word(agent)})' for name, agent in agents.items())}"


def _word(agent: AnyAgent) -> str:
    return agent.about.subject.partition(" ")[0]
