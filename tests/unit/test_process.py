"""A lease may be taken from a process only when that process is surely gone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from monitor.process import identity, is_dead


def test_this_process_is_alive_and_keeps_its_name() -> None:
    """The same name each time, so that its own leases stay its own."""
    assert identity() == identity(os.getpid())
    assert not is_dead(identity())


def test_an_ended_process_is_dead_and_a_running_one_is_not() -> None:
    """Its pid is gone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = identity(child.pid)
        assert not is_dead(name)
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
    assert is_dead(name)


def test_a_process_that_ended_unnoticed_is_dead() -> None:
    """Its parent has not asked for it yet, so the pid is still listed."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    name = identity(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(name)
    child.wait()


def test_a_pid_that_was_given_again_is_another_process() -> None:
    """In a container the service is always pid 1: only the start time tells two lives apart."""
    place, pid, _ = identity().split("/")
    assert is_dead(f"{place}/{pid}/1")


@pytest.mark.parametrize("part", ["host", "boot", "namespace"])
def test_nothing_is_said_about_processes_elsewhere(part: str) -> None:
    """Another host, another boot, another container: a pid there means nothing here."""
    place, _, _ = identity().split("/")
    host, boot, namespace = place.rsplit(":", 2)
    other = {
        "host": f"other-{host}:{boot}:{namespace}",
        "boot": f"{host}:00000000:{namespace}",
        "namespace": f"{host}:{boot}:1{namespace}",
    }[part]
    assert not is_dead(f"{other}/999999999/1")


@pytest.mark.parametrize(
    "owner", ["", "x", "a/b", "a/b/c", "{place}/1", "{place}/²/1", "{place}/-1/1", "{place}/1/?",
              "{place}//", "{place}/x/1"],
)  # fmt: skip
def test_a_name_that_cannot_be_read_is_not_dead(owner: str) -> None:
    """In doubt the lease decides: it ends by itself."""
    place, _, _ = identity().split("/")
    assert not is_dead(owner.replace("{place}", place))
