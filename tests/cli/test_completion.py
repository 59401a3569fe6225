"""What bash, zsh and fish complete, asked as the scripts of click ask."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from hookline.cli.root import root
from tests.cli.test_help import HOOKLINE
from tests.operations.cases import World

SHELLS: list[type[ShellComplete]] = [BashComplete, ZshComplete, FishComplete]


def completed(monkeypatch: pytest.MonkeyPatch, words: str, shell: type[ShellComplete] = BashComplete) -> list[str]:
    """The values that a shell is given for the last word."""
    monkeypatch.setenv("COMP_WORDS", f"hookline {words}")
    last = words.rsplit(" ", maxsplit=1)[-1]
    monkeypatch.setenv("COMP_CWORD", last if shell is FishComplete else str(words.count(" ") + 1))
    lines = shell(root, {}, "hookline", "_HOOKLINE_COMPLETE").complete().splitlines()
    if shell is ZshComplete:  # type, value and help are a line each
        return lines[1::3]
    return [line.split(",", 1)[1].split("\t")[0] for line in lines]


@pytest.mark.django_db
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell.name)
def test_each_shell_completes_providers_ids_and_types(
    monkeypatch: pytest.MonkeyPatch, shell: type[ShellComplete]
) -> None:
    world = World()
    assert "stripe" in completed(monkeypatch, "source create --provider str", shell)
    assert "invoice.paid" in completed(monkeypatch, "trigger stripe inv", shell)
    assert world.event.public_id in completed(monkeypatch, "events show evt_", shell)
    assert world.source.public_id in completed(monkeypatch, "events list --source src_", shell)


@pytest.mark.django_db
def test_every_noun_completes_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for words, value in {
        "tenant show ac": "acme",
        "source rotate src_": world.source.public_id,
        "endpoint test ep_": world.endpoint.public_id,
        "events retry evt_": world.event.public_id,
        "events list --type in": "invoice.paid",
        "rejections reverify rej_": world.rejection.public_id,
        "rejections list --reason sig": "signature_mismatch",
        "messages show msg_": world.delivery.message.public_id,
        "deliveries show dlv_": world.delivery.public_id,
        "deliveries list --endpoint ep_": world.endpoint.public_id,
        "events list --tenant ac": "acme",
        "providers show gith": "github",
        "even": "events",
    }.items():
        assert value in completed(monkeypatch, words), words
    assert completed(monkeypatch, "trigger nobody x") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_takes_the_script_and_completing_in_the_wrong_folder_makes_nothing(tmp_path: Path) -> None:
    asked = (
        'eval "$(_HOOKLINE_COMPLETE=bash_source hookline)"; COMP_WORDS=(hookline providers show gith); COMP_CWORD=3; '
        "_hookline_completion hookline; echo ${COMPREPLY[@]}; COMPREPLY=(); COMP_WORDS=(hookline events show evt_); "
        "_hookline_completion hookline; "
        "echo ${COMPREPLY[@]}"
    )
    path = f"{Path(HOOKLINE).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-c", asked], env={"PATH": path}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["github"]
    assert list(tmp_path.iterdir()) == []
