"""Let every call that writes fail, one after the other, in every script; check the remaining files each time.

python tests/reliability/faults.py                      # every call: once, and from then on for good
python tests/reliability/faults.py --cases generate --all_errnos
python tests/reliability/faults.py --brief              # of calls that write on into the same file, the first and last

The n-th call to write, fsync, rename, mkdir, unlink, chmod or open for writing fails, n = 1, 2, … until none is left;
one that writes may write half of what it was asked to, instead.
After it: the old outputs are whole or the new ones are, nothing temporary is left, the exit code is 1 with two lines
(or 0, where everything is there), and the same command succeeds without faults.
"""

import argparse
import errno
import hashlib
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads are not there after a fork
ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

from fault_cases import CASES, Case  # noqa: E402
from fault_place import Place, require_success  # noqa: E402
from fault_verdicts import LIBRARYS_TRIAL, OUTCOMES, Tree, Verdict, is_state, judge, tree_of, without_times  # noqa: E402
from syscall_faults import SHORT, Call, Ended, unavailable  # noqa: E402

# The errors that a system returns, by call. EINTR is none that stays: the caller tries again,
# and whoever is told that half is written writes the rest.
ERRNOS = {
    errno.ENOSPC: {"write", "fsync", "rename", "mkdir", "open"},
    errno.EIO: {"write", "fsync", "rename", "mkdir", "open", "unlink", "chmod"},
    errno.EROFS: {"write", "rename", "mkdir", "open", "unlink", "chmod"},
    errno.EINTR: {"write", "fsync", "rename", "mkdir", "open", "unlink", "chmod"},
    SHORT: {"write"},
}
CANNOT = 77  # the exit code where calls cannot be intercepted
NEVER_STAYS = {errno.EINTR, SHORT}
CONTINUES = "to continue from the last saved state"  # what the log says where a run does


@dataclass(frozen=True)
class Fault:
    """The `number`-th call, and with `stays` those after it, fail with `error`."""

    number: int
    error: int
    stays: bool

    def __str__(self) -> str:
        name = "half" if self.error == SHORT else errno.errorcode[self.error]
        return f"{name} {'for good from' if self.stays else 'once at'} call {self.number}"


def faults_of(calls: list[Call], *, all_errnos: bool, brief: bool) -> Iterator[Fault]:
    """Yield the faults of a command that makes these calls: each errno in turn, or all of them at each call.

    Where it is `brief`, of the calls that write on into the same file only the first and the last fail.
    """
    turn = 0
    for number, call in enumerate(calls, 1):
        if brief and calls[number - 2 : number + 1] == [call] * 3:
            continue
        for stays in (False, True):
            possible = [error for error, kinds in ERRNOS.items() if call.kind in kinds]
            possible = [error for error in possible if not (stays and error in NEVER_STAYS)]
            turn += 1
            for error in possible if all_errnos else [possible[turn // 2 % len(possible)]]:
                yield Fault(number, error, stays)


def try_fault(place: Place, case: Case, old: Tree, new: Tree, fault: Fault) -> tuple[Verdict, Ended, Call | None]:
    """Run the case's command with the fault, and then, unless it succeeded, without."""
    count, failed = 0, []

    def answer(call: Call) -> int:
        nonlocal count
        count += 1
        now = count == fault.number or (fault.stays and count > fault.number and call.kind in ERRNOS[fault.error])
        if now:
            failed.append(call)
        return fault.error if now else 0

    place.prepare(case)
    ended = place.run(case.command, case, answer)
    after = tree_of(place.root)
    cannot_remove = fault.stays and any(call.kind == "unlink" for call in failed)
    verdict = judge(case, old, new, after, ended, cannot_remove=cannot_remove)
    if verdict.outcome in OUTCOMES[:2] and ended.code:
        command = f"{case.command} {case.again}" if CONTINUES in ended.err else case.command
        same = {name: content for name, content in after.items() if not is_state(case, name)} | {"states": [*after]}
        key = command, hashlib.sha256(repr(sorted(same.items())).encode()).digest()
        if key not in place.succeeded:
            again = place.run(command, case, lambda call: 0)
            left = {name for name, content in tree_of(place.root).items() if content != LIBRARYS_TRIAL}
            left -= new.keys() | old.keys()
            good = again.code == 0 and (not left or cannot_remove)
            place.succeeded[key] = "" if good else f"then the same command fails: {again.err[-400:]} {sorted(left)[:3]}"
        if place.succeeded[key]:
            verdict = Verdict("other", place.succeeded[key])
    return verdict, ended, failed[0] if failed else None


def try_case(
    place: Place, case: Case, *, all_errnos: bool = False, brief: bool = False, every: int = 1
) -> Iterator[tuple[Fault, Verdict, Ended, Call | None]]:
    """Yield what each fault does to the case's command."""
    place.prepare(case)
    old = tree_of(place.root)
    undisturbed = require_success(place.run(case.command, case, lambda call: 0))
    new = {name: without_times(name, content) for name, content in tree_of(place.root).items()}
    faults = [*faults_of(undisturbed.calls, all_errnos=all_errnos, brief=brief)]
    for fault in faults[len(faults) % every // 2 :: every]:  # as far from the first as from the last
        verdict, ended, call = try_fault(place, case, old, new, fault)
        yield fault, verdict, ended, call


def main(argv: Iterable[str] | None = None) -> int:
    """Print a row for each command, and each fault that did harm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", default="", help="only those whose name matches this (a regular expression)")
    parser.add_argument("--all_errnos", action="store_true", help="each call fails with each error, not one of them")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th fault")
    parser.add_argument("--brief", action="store_true", help="leave out calls that write on into the same file")
    parser.add_argument("--verbose", action="store_true", help="print what the command said, too")
    flags = parser.parse_args(argv)
    if reason := unavailable():
        print(reason, file=sys.stderr)
        return CANNOT
    options = {"all_errnos": flags.all_errnos, "brief": flags.brief, "every": flags.every}
    bad = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        place = Place.create(Path(scratch), [case for case in CASES if re.search(flags.cases, case.name)])
        print(f"{'command':34} {'faults':>6} " + " ".join(f"{name:>14}" for name in OUTCOMES) + "  seconds")
        for case in CASES:
            if not re.search(flags.cases, case.name):
                continue
            counts, started = Counter(), time.monotonic()
            for fault, verdict, ended, call in try_case(place, case, **options):
                counts[verdict.outcome] += 1
                if verdict.outcome not in OUTCOMES[:2]:
                    path = (
                        re.sub(r"[a-z0-9_]{8}(?=$|/|\.part)", "…", call.path.removeprefix(str(place.root)))
                        if call
                        else ""
                    )
                    print(f"    {fault}, {call and call.kind} {path}: {verdict.outcome}: {verdict.why}", flush=True)
                    if flags.verbose:
                        print("        " + ended.err.replace("\n", "\n        "), flush=True)
            bad += sum(counts[name] for name in OUTCOMES[2:])
            numbers = " ".join(f"{counts[name]:14}" for name in OUTCOMES)
            print(f"{case.name:34} {counts.total():6} {numbers} {time.monotonic() - started:8.0f}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
