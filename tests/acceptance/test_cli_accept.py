"""`tenant accept`, as people call it: who said that it was meant, when and why."""

from __future__ import annotations

from pathlib import Path

from monitor.store import Store
from tests.acceptance.command_line import APP, GUID, Command, command, folder, own_log, ready

__all__ = ["command", "folder", "own_log", "ready"]  # fixtures


def test_the_word_is_kept_and_the_next_step_is_said(folder: Path, ready: Command) -> None:
    """With the name and the reason that were given; an unknown tenant is told as such."""
    row = f'[[tenant]]\nname = "contoso"\ndirectory_id = "{GUID}1"\nclient_id = "{APP}"\n'
    (folder / "t.toml").write_text(row + 'credential = { secret = "env:X" }\n', "utf-8")
    assert ready("tenant", "import", "t.toml").code == 0
    said = ready("tenant", "accept", "contoso", "--by", "kim", "--reason", "old apps deleted")
    assert (said.code, said.err) == (0, "")
    assert "lapsewatch run scan --tenant contoso" in said.out
    with Store.open(f"sqlite:///{folder / 'lapsewatch.db'}") as store:
        (kept,) = store.acceptances("contoso")
    assert (kept.author, kept.reason, kept.used_at) == ("kim", "old apps deleted", None)
    as_json = ready("tenant", "accept", "contoso", "--by", "kim", "--json").json
    assert as_json == {"name": "contoso", "by": "kim", "reason": "no reason given"}
    missing = ready("tenant", "accept", "contos")
    assert missing.code != 0
    assert 'Did you mean "contoso"?' in missing.err
