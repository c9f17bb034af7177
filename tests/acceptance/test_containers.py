"""The container files are hardened key by key, and their commands work with their environment."""

from __future__ import annotations

import configparser
import copy
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PostgreSQL

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("lapsewatch")
DEADLINE = 60.0
SERVICES = ("lapsewatch", "lapsewatch-postgres")
SECRET_WORD = re.compile(r"(?i)(secret|password|passwd|token|api_?key)")

Compose = dict[str, Any]
Dockerfile = list[tuple[str, str]]


def compose_file() -> Compose:
    """docker-compose.yml with its anchors resolved."""
    found: Compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


def dockerfile() -> Dockerfile:
    """The instructions of the Dockerfile, in order."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.split(None, 1)[1]) for line in joined.splitlines() if line]


# --- docker-compose.yml --------------------------------------------------------------------------


def service_faults(name: str, service: dict[str, Any]) -> Iterator[str]:
    """What is missing in one service, whatever it runs."""
    wanted = {
        "read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped", "stop_grace_period": "30s",
    }  # fmt: skip
    for key, value in wanted.items():
        if service.get(key) != value:
            yield f"{name}: {key} is {service.get(key)!r}"
    if not any(mount.startswith("/tmp:") for mount in service.get("tmpfs", [])):
        yield f"{name}: no tmpfs on /tmp"
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(service.get("user", ""))):
        yield f"{name}: user is not a number, or is root"
    if not isinstance(service.get("pids_limit"), int) or not service.get("mem_limit"):
        yield f"{name}: no pids_limit or mem_limit"
    if not isinstance(service.get("command"), list) or not service["command"]:
        yield f"{name}: no named command"
    for forbidden in ("privileged", "cap_add", "network_mode", "pid", "ipc", "devices"):
        if forbidden in service:
            yield f"{name}: {forbidden}"
    for port in service.get("ports", []):
        if not str(port).startswith("127.0.0.1:"):
            yield f"{name}: {port} is published beyond loopback"
    for key, value in service.get("environment", {}).items():
        if SECRET_WORD.search(key) and not key.endswith("_FILE"):
            yield f"{name}: a secret in {key}"
        if re.search(r"://[^/@]*:[^/@]*@", str(value)):
            yield f"{name}: a password in {key}"
    for mount in service.get("volumes", []):
        if "docker.sock" in mount or (mount.startswith("./") and not mount.endswith(":ro")):
            yield f"{name}: {mount}"


def compose_faults(compose: Compose) -> list[str]:
    """Everything about the file that is not as SECURITY.md says."""
    services = compose["services"]
    faults = [fault for name in services for fault in service_faults(name, services[name])]
    for name in SERVICES:
        if services[name].get("command") != ["serve"]:
            faults.append(f"{name}: does not start with serve")
    if "profiles" in services["lapsewatch"]:
        faults.append("lapsewatch: is not there by default")
    for name in ("lapsewatch-postgres", "db"):
        if services[name].get("profiles") != ["postgres"]:
            faults.append(f"{name}: is not in the profile postgres")
    if not any(mount.startswith("data:") for mount in services["lapsewatch"]["volumes"]):
        faults.append("lapsewatch: its database is not in a volume")
    if "ports" in services["db"] or services["db"].get("networks") != ["database"]:
        faults.append("db: reachable from elsewhere")
    if not compose["networks"]["database"].get("internal"):
        faults.append("network database: not internal")
    for name, service in services.items():
        for secret in service.get("secrets", []):
            if "file" not in compose["secrets"].get(secret, {}):
                faults.append(f"{name}: secret {secret} is not a file")
    return faults


def test_the_compose_file_is_hardened() -> None:
    """Every service, key by key."""
    assert compose_faults(compose_file()) == []


BAD_COMPOSE: dict[str, Callable[[Compose], object]] = {
    "writable root": lambda c: c["services"]["lapsewatch"].update(read_only=False),
    "no tmpfs": lambda c: c["services"]["lapsewatch"].pop("tmpfs"),
    "capabilities": lambda c: c["services"]["db"].update(cap_drop=["NET_RAW"]),
    "a capability added": lambda c: c["services"]["db"].update(cap_add=["CHOWN"]),
    "new privileges": lambda c: c["services"]["lapsewatch"].pop("security_opt"),
    "no process limit": lambda c: c["services"]["lapsewatch"].pop("pids_limit"),
    "no memory limit": lambda c: c["services"]["db"].pop("mem_limit"),
    "killed at once": lambda c: c["services"]["lapsewatch"].pop("stop_grace_period"),
    "not restarted": lambda c: c["services"]["lapsewatch"].update(restart="no"),
    "root": lambda c: c["services"]["lapsewatch"].update(user="0:0"),
    "a named user": lambda c: c["services"]["lapsewatch"].update(user="lapsewatch"),
    "page for all": lambda c: c["services"]["lapsewatch"].update(ports=["8080:8080"]),
    "database port": lambda c: c["services"]["db"].update(ports=["127.0.0.1:5432:5432"]),
    "open network": lambda c: c["networks"]["database"].update(internal=False),
    "database elsewhere": lambda c: c["services"]["db"].update(networks=["default", "database"]),
    "secret in variable": lambda c: c["services"]["db"]["environment"].update(
        POSTGRES_PASSWORD="x"
    ),
    "password in URL": lambda c: c["services"]["lapsewatch"]["environment"].update(
        LAPSEWATCH_DATABASE__URL="postgresql+psycopg://lapsewatch:x@db/lapsewatch"
    ),
    "writable config": lambda c: c["services"]["lapsewatch"].update(
        volumes=["data:/var/lib/lapsewatch", "./deploy/config:/etc/lapsewatch"]
    ),
    "no volume": lambda c: c["services"]["lapsewatch"].update(volumes=[]),
    "no command": lambda c: c["services"]["lapsewatch"].pop("command"),
    "always PostgreSQL": lambda c: c["services"]["db"].pop("profiles"),
    "secret not a file": lambda c: c["secrets"].update(pgpass={"environment": "PGPASS"}),
}


@pytest.mark.parametrize("change", BAD_COMPOSE.values(), ids=BAD_COMPOSE.keys())
def test_a_weaker_compose_file_is_noticed(change: Callable[[Compose], object]) -> None:
    """Each known-bad variant fails the check above."""
    compose = copy.deepcopy(compose_file())
    change(compose)
    assert compose_faults(compose)


# --- Dockerfile ----------------------------------------------------------------------------------


def dockerfile_faults(steps: Dockerfile) -> list[str]:
    """Everything about the Dockerfile that is not as SECURITY.md says."""
    starts = [index for index, (word, _) in enumerate(steps) if word == "FROM"]
    last = steps[starts[-1] :]
    said = {word: rest for word, rest in last if word not in ("RUN", "COPY", "LABEL")}
    environment = dict(re.findall(r"(\w+)=(\S+)", said.get("ENV", "")))
    runs = " ; ".join(rest for word, rest in steps if word == "RUN")
    base = dict(steps).get("ARG", "")
    checks = {
        "the base is not pinned": re.fullmatch(r"PYTHON=python:3\.11\.\d+-slim-\w+", base),
        "a stage has another base": all(steps[i][1].split()[0] == "${PYTHON}" for i in starts),
        "one stage only": len(starts) == 2,
        "packages without hashes": re.search(
            r"pip install --require-hashes --no-compile -r requirements\.lock", runs
        ),
        "more is installed": len(re.findall(r"pip install", runs)) == 2,
        "Lapsewatch brings packages": "pip install --no-deps --no-build-isolation" in runs,
        "downloads by hand": not re.search(r"\b(curl|wget|apt-get|git)\b", runs),
        "root": re.fullmatch(r"10001:10001", said.get("USER", "")),
        "home": environment.get("HOME") == "/tmp",
        "bytecode": environment.get("PYTHONDONTWRITEBYTECODE") == "1",
        "volume": said.get("VOLUME") == said.get("WORKDIR") == "/var/lib/lapsewatch",
        "database": "/var/lib/lapsewatch/" in environment.get("LAPSEWATCH_DATABASE__URL", ""),
        "entrypoint": said.get("ENTRYPOINT") == '["lapsewatch"]',
        "command": said.get("CMD") == '["serve"]',
        "health": said.get("HEALTHCHECK", "").endswith('CMD ["lapsewatch", "health"]'),
        "everything is copied": not any(
            word == "COPY" and "." in rest.split()[:-1] for word, rest in steps
        ),
        "a download": not any(word == "ADD" for word, _ in steps),
        "a secret": not any(word in ("ENV", "ARG") and SECRET_WORD.search(r) for word, r in steps),
        "open to all": "ALLOW_WITHOUT_SIGN_IN" not in said.get("ENV", ""),
    }  # fmt: skip
    return [fault for fault, fine in checks.items() if not fine]


def test_the_dockerfile_is_hardened() -> None:
    """Instruction by instruction."""
    assert dockerfile_faults(dockerfile()) == []


BAD_DOCKERFILE = {
    "floating base": ("python:3.11.14-slim-bookworm", "python:3-slim"),
    "no hashes": ("--require-hashes ", ""),
    "compiled": ("--require-hashes --no-compile", "--require-hashes"),
    "root": ("10001:10001", "0:0"),
    "named user": ("10001:10001", "lapsewatch"),
    "home": ("HOME=/tmp", "HOME=/root"),
    "bytecode": ("PYTHONDONTWRITEBYTECODE=1", ""),
    "volume elsewhere": ("/var/lib/lapsewatch", "/data"),
    "shell": ('["lapsewatch"]', "lapsewatch"),
    "curl": ('["lapsewatch", "health"]', "curl -f http://localhost:8080/livez"),
    "context": ("monitor ./monitor", ". ."),
    "secret": ("PYTHONUNBUFFERED=1", "CONTOSO_SECRET=x"),
    "open": ("PYTHONUNBUFFERED=1", "LAPSEWATCH_WEB__ALLOW_WITHOUT_SIGN_IN=true"),
}


@pytest.mark.parametrize("change", BAD_DOCKERFILE.values(), ids=BAD_DOCKERFILE.keys())
def test_a_weaker_dockerfile_is_noticed(change: tuple[str, str]) -> None:
    """Each known-bad variant fails the check above."""
    steps = [(word, rest.replace(*change)) for word, rest in dockerfile()]
    assert steps != dockerfile()
    assert dockerfile_faults(steps)


def test_the_build_gets_what_it_copies_and_nothing_else() -> None:
    """.dockerignore refuses everything, then lets in exactly the sources of COPY."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source
        for word, rest in dockerfile()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_lock_has_hashes_and_no_addresses() -> None:
    """What the image installs is what was tested, from whatever index one uses."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert len(re.findall(r"^\S+==", lock, re.MULTILINE)) > 50
    assert "://" not in lock
    for entry in re.split(r"\n(?=\S+==)", lock):
        if "==" in entry.split("\n")[0]:
            assert "--hash=sha256:" in entry, entry.split("\n")[0]


# --- systemd -------------------------------------------------------------------------------------


def test_the_unit_is_hardened() -> None:
    """The service writes to its state folder only, as a user of its own."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(ROOT / "deploy" / "systemd" / "lapsewatch.service")
    service = dict(unit["Service"])
    wanted = {
        "User": "lapsewatch", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
        "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
        "CapabilityBoundingSet": "", "RestrictNamespaces": "yes", "Restart": "always",
        "TimeoutStopSec": "30", "UMask": "0077", "StateDirectory": "lapsewatch",
    }  # fmt: skip
    assert {key: service.get(key) for key in wanted} == wanted
    assert service["ExecStart"].split()[1:] == ["serve"]


# --- the same commands, without a container ------------------------------------------------------


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def container_environment(service: str, url: str, port: int) -> dict[str, str]:
    """What the service would see: the image's variables, then the file's; only places differ."""
    last = [rest for word, rest in dockerfile() if word == "ENV"][-1]
    image = dict(re.findall(r"(\w+)=(\S+)", last))
    given = compose_file()["services"][service]["environment"]
    found = {**image, **given, "PATH": os.defpath, "LAPSEWATCH_WEB__PORT": str(port)}
    return {**found, "LAPSEWATCH_DATABASE__URL": url}


def ask(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the image beside the service."""
    return subprocess.run(
        [str(COMMAND), *words], cwd=folder, env=environment, text=True, capture_output=True,
        timeout=DEADLINE, check=False,
    )  # fmt: skip


def until_alive(
    folder: Path, environment: dict[str, str], service: subprocess.Popen[bytes]
) -> None:
    """Ask as HEALTHCHECK does until it says alive."""
    deadline = time.monotonic() + DEADLINE
    answer = ""
    while time.monotonic() < deadline and service.poll() is None:
        done = ask(folder, environment, "health")
        answer = done.stdout + done.stderr
        assert "Traceback" not in answer
        if done.returncode == 0:
            assert done.stdout == "alive\n"
            return
    pytest.fail(f"never alive (exit {service.poll()}): {answer}")


@pytest.fixture(params=SERVICES)
def container(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, dict[str, str]]]:
    """A service of the compose file with an empty database: its name and its environment."""
    name = str(request.param)
    if name == "lapsewatch":
        yield name, container_environment(name, f"sqlite:///{tmp_path / 'lapsewatch.db'}", 0)
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    database = server.create()
    yield name, container_environment(name, server.url(database), 0)
    server.drop(database)


def test_serve_is_alive_and_ends_well(
    container: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    """`serve` with the container's environment: healthy, answers on loopback, SIGTERM ends it."""
    name, environment = container
    port = free_port()
    environment["LAPSEWATCH_WEB__PORT"] = str(port)
    words = compose_file()["services"][name]["command"]
    with (tmp_path / "log").open("wb") as log:
        service = subprocess.Popen(
            [str(COMMAND), *words], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    try:
        until_alive(tmp_path, environment, service)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=10) as answer:
            assert answer.read() == b"ok\n"
        report = json.loads(ask(tmp_path, environment, "status", "--json").stdout)
        assert report["exit_code"] == 0
        service.send_signal(signal.SIGTERM)
        assert service.wait(DEADLINE) == 0
    finally:
        service.kill()
        service.wait()
    logged = (tmp_path / "log").read_text("utf-8")
    assert "Traceback" not in logged
    assert all(json.loads(line) for line in logged.splitlines())
    assert "service_stopped" in logged


def test_init_makes_settings_and_database_once(tmp_path: Path) -> None:
    """A second call leaves the settings as they are."""
    url = f"sqlite:///{tmp_path / 'lapsewatch.db'}"
    environment = container_environment("lapsewatch", url, 8080)
    first = ask(tmp_path, environment, "init")
    assert first.returncode == 0, first.stderr
    before = (tmp_path / "lapsewatch.toml").read_bytes()
    again = ask(tmp_path, environment, "init")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "lapsewatch.toml").read_bytes() == before
    assert (tmp_path / "lapsewatch.db").exists()


def test_a_service_that_does_not_run_is_not_alive(tmp_path: Path) -> None:
    """The known-bad variant of the health check: a database that nobody serves."""
    url = f"sqlite:///{tmp_path / 'lapsewatch.db'}"
    environment = container_environment("lapsewatch", url, 8080)
    assert ask(tmp_path, environment, "health").returncode == 1
    assert ask(tmp_path, environment, "init").returncode == 0
    done = ask(tmp_path, environment, "health")
    assert (done.returncode, done.stdout) == (1, "the scheduler has not ticked yet\n")


def test_without_the_compose_file_s_consent_the_page_stays_on_loopback(tmp_path: Path) -> None:
    """Listening on every address is refused unless somebody says that it is meant."""
    url = f"sqlite:///{tmp_path / 'lapsewatch.db'}"
    environment = container_environment("lapsewatch", url, free_port())
    del environment["LAPSEWATCH_WEB__ALLOW_WITHOUT_SIGN_IN"]
    done = ask(tmp_path, environment, "serve")
    assert done.returncode not in (0, None)
    assert "allow_without_sign_in" in done.stderr
