"""`fishplate crashtest`: how often a run was killed, and what came of it."""

from tests.cli.conftest import SAMPLES, Program

BANK = SAMPLES / "bank.py"
ORDER = '{"order_id": "#W1"}'


def test_crash_points_are_counted(cli: Program) -> None:
    """A run that survives ends with 0, and leaves nothing in the folder of the caller."""
    ended = cli("crashtest", f"{BANK}:refund", "-i", ORDER, "--ignore", "lookups")

    words = ended.out.split()
    assert (ended.code, ended.err) == (0, "")
    assert words[1:3] == ["crash", "points:"]
    assert "with the same outcome" in ended.out
    assert "where nobody can know and a person decides" in ended.out
    assert list(cli.folder.iterdir()) == []


def test_the_first_difference_is_told(cli: Program) -> None:
    """An agent that changes something without saying so ends with 1, and its file is named."""
    ended = cli("crashtest", f"{BANK}:refund", "-i", ORDER)

    assert ended.code == 1
    assert "with another outcome" in ended.out
    assert "the file 'lookups' differs" in ended.err
    assert "  +#W1" in ended.err.splitlines()


def test_stand_ins_keep_the_real_ones_from_being_called(cli: Program) -> None:
    """With `--mock` neither the tool nor the agent that it stands in for runs."""
    mocks = ("--mock", 'lookup={"order_id": "#W1", "total": 5}', "--mock", 'pay="paid"', "--json")
    found = cli("crashtest", f"{BANK}:refund", "-i", ORDER, *mocks).json

    assert found["state"] == "succeeded"
    assert found["same"] == found["crash_points"] == len(found["trials"]) >= 4
    assert {trial["verdict"] for trial in found["trials"]} == {"same"}


def test_what_a_run_needs_is_copied(cli: Program) -> None:
    """A file named by `--with` is there in every trial: here it lets every payment get lost."""
    cli.write("lost", "")
    words = ("--with", "lost", "--ignore", "lookups", "--json")
    found = cli("crashtest", f"{BANK}:refund", "-i", ORDER, *words)

    assert (found.code, found.json["state"]) == (0, "needs_attention")


def test_wrong_arguments_are_refused(cli: Program) -> None:
    """A missing file, two of one name, and no time at all are told before anything runs."""
    cli.write("a/lost", "")
    cli.write("b/lost", "")
    command = ("crashtest", f"{BANK}:refund", "-i", ORDER)

    missing = cli(*command, "--with", "nowhere")
    twice = cli(*command, "--with", "a/lost", "--with", "b/lost")
    hasty = cli(*command, "--seconds", "0")

    assert [missing.code, twice.code, hasty.code] == [2, 2, 2]
    assert "'nowhere'" in missing.err
    assert "two files that are called 'lost'" in twice.err
    assert "--seconds 0" in hasty.err
