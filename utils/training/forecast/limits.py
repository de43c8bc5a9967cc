"""The available memory and disk space, within the limits of the system, container, resource limits and file system.

Quotas of a file system are not known before it refuses to write.
"""

import resource
import shutil
from pathlib import Path

UNLIMITED = 2**62  # version 1 of cgroups writes a number near 2**63 where there is no limit
KIB = 1024


def available_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the bytes that this process may still take, swap space included; None where the system does not tell.

    The least of the memory that Linux calls available, the rest of the limit of each cgroup around the process
    (versions 1 and 2), and the rest of its resource limit (ulimit -v).
    """
    limits = [limit for limit in (_of_system(proc), _of_address_space(proc)) if limit is not None]
    for folder in _cgroups(proc, cgroups):
        if (left := _of_cgroup(folder)) is not None:
            limits.append(left)
    return max(0, min(limits)) if limits else None


def resident_memory(proc: Path = Path("/proc")) -> tuple[int, int]:
    """Return the bytes that this process has in memory (now, at its peak); zeros where the system does not tell."""
    fields = _fields(proc / "self" / "status")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    return fields.get("VmRSS", 0), max(fields.get("VmHWM", 0), peak)


def free_disk(path: Path) -> tuple[int, int]:
    """Return (the number of the file system that `path` is or will be on, its bytes that are free for this user)."""
    path = path.absolute()
    folder = next(each for each in (path, *path.parents) if each.exists())
    return folder.stat().st_dev, shutil.disk_usage(folder).free


def _fields(file: Path) -> dict[str, int]:
    """Return the lines `Name:  123 kB` of a file in bytes; nothing where it cannot be read."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0].rstrip(":"): int(pair[1]) * KIB for pair in pairs if len(pair) == 3 and pair[2] == "kB"}


def _of_system(proc: Path) -> int | None:
    fields = _fields(proc / "meminfo")
    return fields["MemAvailable"] + fields.get("SwapFree", 0) if "MemAvailable" in fields else None


def _of_address_space(proc: Path) -> int | None:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    size = _fields(proc / "self" / "status").get("VmSize")
    return None if limit == resource.RLIM_INFINITY or size is None else limit - size


def _cgroups(proc: Path, root: Path) -> list[Path]:
    """Return the folders of the cgroups around this process that may limit its memory."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top = root
        elif "memory" in controllers.split(","):
            top = root / "memory"
        else:
            continue
        own = top / path.lstrip("/")
        folders += [each for each in (own, *own.parents) if each == top or top in each.parents]
    return folders


def _of_cgroup(folder: Path) -> int | None:
    """Return the bytes that are left of a cgroup's limit, if it has one; files in its cache can go."""
    limit = _number(folder / "memory.max")
    if limit is not None:
        used, cached = _number(folder / "memory.current"), ("active_file", "inactive_file")
        swap, swapped = _number(folder / "memory.swap.max"), _number(folder / "memory.swap.current")
        spare = max(0, swap - (swapped or 0)) if swap is not None else 0
    else:
        limit, used = _number(folder / "memory.limit_in_bytes"), _number(folder / "memory.usage_in_bytes")
        cached, spare = ("total_active_file", "total_inactive_file"), 0
    if limit is None or used is None or limit >= UNLIMITED:
        return None
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        stat = dict(line.split() for line in lines)
    except (OSError, ValueError):
        stat = {}
    return limit - used + sum(int(stat.get(name, 0)) for name in cached) + spare


def _number(file: Path) -> int | None:
    """Return the number in a file; None where there is none, or "max"."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
