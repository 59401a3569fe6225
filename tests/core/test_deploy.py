"""What deploy/ and the Containerfile hold is valid, and what they promise: no root, nothing writable."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from hookline import conf
from hookline.server import environment

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
KUBERNETES = "1.34"


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes/hookline.yaml").read_text()))


@pytest.mark.parametrize(
    "manifest", manifests(), ids=lambda manifest: f"{manifest['kind']} {manifest['metadata']['name']}"
)
def test_a_manifest_fits_the_schema_of_kubernetes(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_a_manifest_that_does_not_fit_would_be_found() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**manifests()[0], "datas": {}}, KUBERNETES, strict=True)


def test_pods_are_not_root_and_write_nothing() -> None:
    pods = [manifest["spec"]["template"]["spec"] for manifest in manifests() if "template" in manifest.get("spec", {})]
    assert len(pods) == 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_the_containerfile_passes_hadolint_and_is_not_root() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    ended = subprocess.run([hadolint, ROOT / "Containerfile"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")
    text = (ROOT / "Containerfile").read_text()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    assert "\nHEALTHCHECK " in text


def test_an_image_is_built_from_what_is_let_in_and_no_more() -> None:
    ignored = (ROOT / ".dockerignore").read_text()
    assert ignored == (ROOT / ".containerignore").read_text()
    copied = {
        part.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
        for part in line.split()
    }
    assert copied == {line.removeprefix("!") for line in ignored.splitlines() if line.startswith("!")}
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_compose_reads_only_what_its_example_has_and_writes_nothing() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert services["hookline"]["read_only"] is True
    assert services["hookline"]["cap_drop"] == ["ALL"]
    example = set(re.findall(r"^(\w+)=", (DEPLOY / "compose.env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", text)) == example


def test_the_variables_are_those_of_the_standalone_server() -> None:
    text = "".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    named = set(re.findall(r"HOOKLINE_[A-Z_]+", text)) - {"HOOKLINE_"}
    assert named
    assert environment.misspelt(dict.fromkeys(named, "")) == []
    assert named <= {f"HOOKLINE_{name}" for name in environment.OWN.keys() | conf.NAMES}


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it is, but for the path of the program, which is not installed there on this machine."""
    text = (DEPLOY / "systemd/hookline.service").read_text()
    path = tmp_path / "hookline.service"
    path.write_text(text.replace("/opt/hookline/bin/hookline", str(Path(sys.executable).with_name("hookline"))))
    return path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize(
    "command", [["verify"], ["security", "--offline=true", "--threshold=20"]], ids=["valid", "hard"]
)
def test_the_unit_is_valid_and_hardened(unit: Path, command: list[str]) -> None:
    ended = subprocess.run(["systemd-analyze", *command, unit], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "hookline" not in ended.stderr
