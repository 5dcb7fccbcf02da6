"""`docker/with-secrets`, which runs the commands of a build."""

import os
import subprocess
from pathlib import Path

_SCRIPT = Path(__file__).parents[2] / "docker" / "with-secrets"


def run(secrets: Path, *command: str) -> subprocess.CompletedProcess:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [_SCRIPT, *command],
        env={**kept, "SECRETS": str(secrets)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_alone_gets_what_the_secrets_say(tmp_path):
    (tmp_path / "index").write_text(
        "UV_DEFAULT_INDEX='https://me:pass word@packages.example/simple'\nPIP_INDEX_URL=b\n"
    )
    (tmp_path / "certificates").write_text("PEM")
    result = run(tmp_path, "env")
    assert result.returncode == 0
    told = dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)
    assert told["UV_DEFAULT_INDEX"] == "https://me:pass word@packages.example/simple"
    assert told["PIP_INDEX_URL"] == "b"
    assert told["SSL_CERT_FILE"] == told["PIP_CERT"] == str(tmp_path / "certificates")
    assert "UV_DEFAULT_INDEX" not in os.environ


def test_without_secrets_the_command_runs_as_it_is(tmp_path):
    result = run(tmp_path, "sh", "-c", 'echo "${SSL_CERT_FILE-unset}"; exit 7')
    assert (result.returncode, result.stdout) == (7, "unset\n")


def test_it_prints_no_secret(tmp_path):
    (tmp_path / "index").write_text("UV_DEFAULT_INDEX=https://hidden.example\n")
    result = run(tmp_path, "false")
    assert result.returncode == 1
    assert "hidden" not in result.stdout + result.stderr
