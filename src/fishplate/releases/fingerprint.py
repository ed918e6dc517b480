"""The release of an agent: a fingerprint over contract, behaviour and policy, each of its own.

A comment, a docstring, an annotation or formatting changes nothing; one character of a prompt
changes only the behaviour; a new field changes only the contract, unless it comes with code, such
as a default of a class that the body mentions.
"""

from __future__ import annotations

from collections.abc import Mapping

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.releases.digest import digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """An immutable version of an agent.

    Attributes:
        name: The agent's name.
        version: Its semantic version.
        contract: Hex digest of what it takes, gives and declares as errors.
        behaviour: Hex digest of its code or plan, and of the contracts and behaviours of the agents
            that it calls.
        policy: Hex digest of how it is protected, and how those that it calls are.
        fingerprint: Hex digest over the three, and the name.
    """

    name: str
    version: str
    contract: str
    behaviour: str
    policy: str
    fingerprint: str

    @staticmethod
    def of(  # noqa: PLR0913 -- the parts of a release, keyword-only
        name: str,
        version: str,
        *,
        contract: JsonValue,
        behaviour: JsonValue,
        policy: JsonValue,
        children: Mapping[str, Release],
    ) -> Release:
        """Digest the parts; a child's change reaches every ancestor.

        A caller sees only the agent's own contract: a child's contract is part of how it behaves.
        """
        does: dict[str, JsonValue] = {
            child: [release.contract, release.behaviour] for child, release in children.items()
        }
        protects: dict[str, JsonValue] = {
            child: release.policy for child, release in children.items()
        }
        parts = (digest(contract), digest([behaviour, does]), digest([policy, protects]))
        return Release(
            name=name,
            version=version,
            contract=parts[0],
            behaviour=parts[1],
            policy=parts[2],
            fingerprint=digest([name, *parts]),
        )

    @property
    def label(self) -> str:
        """`1.2.0+fp.9c3e12ab34cd`, as it stands on runs and spans."""
        return f"{self.version}+fp.{self.fingerprint[:12]}"

    def to_json(self) -> dict[str, JsonValue]:
        """The release as a JSON object."""
        return {
            "name": self.name,
            "version": self.version,
            "label": self.label,
            "contract": self.contract,
            "behaviour": self.behaviour,
            "policy": self.policy,
        }
