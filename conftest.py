"""What holds for every run of the tests: no network, no silent skips, executed pages."""

import os
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from typing import cast

import pytest
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from tests.pages import close_page, open_page, run_console
from tests.peers.servers import NOT_STARTED

# Reason of a skip → why CI cannot run that test. A skip that is not listed fails CI.
SKIPS_ALLOWED_IN_CI: Mapping[str, str] = {
    NOT_STARTED: ".ci/run runs it by that command, a step of its own",
}

pytest_collect_file = Sybil(
    parsers=[
        SkipParser(),
        PythonCodeBlockParser(),
        CodeBlockParser(language="console", evaluator=run_console),
    ],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],  # `**` is one folder or more here
    setup=open_page,
    teardown=close_page,
).pytest()


def pytest_configure() -> None:
    """Refuse the network for the whole run."""
    sys.addaudithook(_refuse_network)


def _refuse_network(event: str, arguments: tuple[object, object]) -> None:
    """Let a socket reach this machine alone; an audit hook sees every connection of the process."""
    if event in {"socket.connect", "socket.sendto"}:
        # (host, port, ...); the address of a Unix socket is no tuple and has no host
        address = cast("tuple[object, ...]", arguments[1])
        host = address[0] if isinstance(arguments[1], tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if isinstance(host, str) and host not in {"", "localhost"} and not _is_loopback(host):
        raise RuntimeError(f"a test reached for {host!r}; tests use the loopback address alone")


def _is_loopback(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified  # a server may listen on 0.0.0.0


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped a test, whose failure would then go unseen."""
    if os.environ.get("CI") and (reasons := _skips_not_allowed(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.get_terminal_writer()
        reporter.line()
        for reason in reasons:
            reporter.line(f"skipped in CI, where every test has to run: {reason}", red=True)


def _skips_not_allowed(config: pytest.Config) -> list[str]:
    """The place and reason of each skip that `SKIPS_ALLOWED_IN_CI` does not name."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker of xdist: its reports reach the main process
        return []
    places = [report.longrepr for report in reporter.stats.get("skipped", [])]
    return [
        f"{path}:{line}: {reason}"
        for path, line, reason in places
        if reason.removeprefix("Skipped: ") not in SKIPS_ALLOWED_IN_CI
    ]
