"""The available memory: the least of the system's, the limits of the cgroups around the process, and ulimit's."""

import resource
from pathlib import Path

import pytest

from utils.training.forecast.limits import available_memory, free_disk, resident_memory

MIB = 2**20


@pytest.fixture
def proc(tmp_path) -> Path:
    """A /proc that has 8 GiB available and 1 GiB of swap space, without a cgroup."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    lines = "MemTotal: 16777216 kB\nMemAvailable:    8388608 kB\nSwapFree: 1048576 kB\nHugePages_Total: 0\n"
    (tmp_path / "proc" / "meminfo").write_text(lines)
    return tmp_path / "proc"


def write(folder: Path, **files: str | int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_swap_space_counts(proc, tmp_path):
    assert available_memory(proc, tmp_path) == 9 * 1024 * MIB


def test_a_container_limits_it_and_its_file_cache_does_not_count(proc, tmp_path):
    write(proc / "self", cgroup="0::/batch/job")
    files = {"memory__max": 2000 * MIB, "memory__current": 1500 * MIB}
    write(
        tmp_path / "batch" / "job", **files, memory__stat=f"active_file {100 * MIB}\ninactive_file {200 * MIB}\nanon 5"
    )
    assert available_memory(proc, tmp_path) == 800 * MIB
    write(tmp_path / "batch" / "job", memory__swap__max=300 * MIB, memory__swap__current=100 * MIB)
    assert available_memory(proc, tmp_path) == 1000 * MIB
    write(tmp_path / "batch", memory__max=1000 * MIB, memory__current=600 * MIB)  # that of all jobs
    assert available_memory(proc, tmp_path) == 400 * MIB
    write(tmp_path / "batch", memory__max="max")
    write(tmp_path / "batch" / "job", memory__max="max")
    assert available_memory(proc, tmp_path) == 9 * 1024 * MIB


def test_version_1_of_cgroups(proc, tmp_path):
    write(proc / "self", cgroup="9:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/")
    files = {"memory__limit_in_bytes": 1000 * MIB, "memory__usage_in_bytes": 400 * MIB}
    write(tmp_path / "memory" / "docker" / "abc", **files, memory__stat=f"total_inactive_file {50 * MIB}")
    write(tmp_path / "memory", memory__limit_in_bytes=2**63 - 4096, memory__usage_in_bytes=1)
    assert available_memory(proc, tmp_path) == 650 * MIB


def test_ulimit_counts(proc, tmp_path, monkeypatch):
    write(proc / "self", status=f"Name: python\nVmSize: {300 * 1024} kB")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (700 * MIB, -1))
    assert available_memory(proc, tmp_path) == 400 * MIB


def test_other_systems_do_not_tell(tmp_path):
    assert available_memory(tmp_path, tmp_path) is None


def test_this_process_is_in_memory():
    now, peak = resident_memory()
    assert 10 * MIB < now <= peak


def test_a_disk_is_that_of_the_nearest_folder(tmp_path):
    assert free_disk(tmp_path / "a" / "b")[0] == tmp_path.stat().st_dev
    assert not (tmp_path / "a").exists()
