"""The programs that docs/verify.md gives to subscribers, each in its own language where that is installed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent.parent / "docs" / "samples"

# The example of the specification's own libraries:
# https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/python/tests/test_webhooks.py
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="


@dataclass(frozen=True)
class Sample:
    needs: str
    command: tuple[str, ...]
    build: tuple[str, ...] = ()


#: `{}` is the directory for what is built.
RUN = {
    "Python": Sample("python3", ("python3", "verify.py")),
    "JavaScript": Sample("node", ("node", "verify.mjs")),
    "Go": Sample("go", ("{}/verify",), ("go", "build", "-o", "{}/verify", "verify.go")),
    "Java": Sample("javac", ("java", "-cp", "{}", "Verify"), ("javac", "-d", "{}", "Verify.java")),
    "PHP": Sample("php", ("php", "verify.php")),
    "Ruby": Sample("ruby", ("ruby", "verify.rb")),
    "C#": Sample("mcs", ("mono", "{}/verify.exe"), ("mcs", "-out:{}/verify.exe", "Verify.cs")),
    "Rust": Sample(
        "cargo",
        ("{}/debug/verify",),
        ("cargo", "build", "--quiet", "--manifest-path", "rust/Cargo.toml", "--target-dir", "{}"),
    ),
}
CASES = {
    "genuine": (BODY, ID, SENT, SIGNATURE, SENT + 60, True),
    "one of several": (BODY, ID, SENT, f"v1a,x {OTHER} {SIGNATURE}", SENT, True),
    "none of several": (BODY, ID, SENT, f"{OTHER} {OTHER}", SENT, False),
    "another body": (BODY + b" ", ID, SENT, SIGNATURE, SENT, False),
    "another id": (BODY, ID + "x", SENT, SIGNATURE, SENT, False),
    "no version": (BODY, ID, SENT, SIGNATURE.removeprefix("v1,"), SENT, False),
    "an old one": (BODY, ID, SENT, SIGNATURE, SENT + 301, False),
    "from the future": (BODY, ID, SENT, SIGNATURE, SENT - 301, False),
}


def works(program: str) -> bool:
    """Whether it is there and runs: a launcher such as rustup's may have no toolchain to launch."""
    if shutil.which(program) is None:
        return False
    question = [program, "version" if program == "go" else "--version"]
    return subprocess.run(question, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.mark.timeout(400)  # Rust's crates are built
@pytest.mark.parametrize("language", RUN)
def test_a_sample_takes_what_is_genuine_and_refuses_the_rest(language: str, tmp_path: Path) -> None:
    sample = RUN[language]
    if not works(sample.needs):
        pytest.skip(f"{sample.needs} is not installed, or not set up")
    if sample.build:
        subprocess.run([part.format(tmp_path) for part in sample.build], cwd=SAMPLES, check=True, timeout=300)
    command = [part.format(tmp_path) for part in sample.command]
    said = {}
    for name, (body, message_id, sent, signatures, now, _) in CASES.items():
        arguments = [*command, message_id, str(sent), signatures, SECRET, str(now)]
        ended = subprocess.run(arguments, cwd=SAMPLES, input=body, capture_output=True, timeout=60, check=False)
        assert ended.returncode in (0, 1), ended.stderr.decode()
        said[name] = ended.returncode == 0
    assert said == {name: genuine for name, (*_, genuine) in CASES.items()}


def test_the_page_shows_each_sample() -> None:
    page = (SAMPLES.parent / "verify.md").read_text()
    assert [language for language in RUN if f"\n## {language}" not in page] == []
