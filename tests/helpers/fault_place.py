"""The scratch folder in which faults.py runs commands, with their inputs, made once."""

import contextlib
import errno
import gc
import importlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fault_cases import INTERRUPTED, MADE, Case
from gguf_file import write_gguf
from huggingface_hub import constants
from syscall_faults import Call, Ended, run_with_faults
from transformers import conversion_mapping

from utils.collecting.posts import Post, Query
from utils.collecting.raw_file import RawFile
from utils.process import run

SAMPLES = Path(__file__).parent.parent.parent / "data" / "samples"


@dataclass
class Place:
    """A scratch folder: working folder, TMPDIR and home of one command, and what is made once for all of them."""

    root: Path
    made: Path
    succeeded: dict = field(default_factory=dict)  # tree and command → what is wrong with it from there, if anything

    @classmethod
    def create(cls, scratch: Path, cases: Sequence[Case]) -> "Place":
        """Make the pickles and models that the cases need, without faults."""
        place = cls(scratch / "root", scratch / "made")
        shutil.copytree(SAMPLES, place.made)
        (place.made / "chat.txt").write_text("hello\n/save chat.jsonl\n/quit\n", encoding="utf-8")
        modules = scratch / "modules.json"
        needed = {entry.partition(":")[0] for case in cases for entry in case.files.split()}
        if "out.training" in needed:
            needed.add("reviews.pkl")
        commands = []
        for command in reversed(MADE):
            *_, output = words = command.split()
            if output in needed:
                needed.update(words)
                commands.insert(0, command)

        def make() -> int:
            os.chdir(place.made)
            if "small.gguf" in needed:
                write_gguf(Path("small.gguf"))
            codes = [run_command(command) for command in commands]
            modules.write_text(json.dumps(sorted(sys.modules)))
            return max(codes, default=0)

        require_success(run_with_faults(make, Path("/nowhere"), lambda call: 0, seconds=600))
        for name in json.loads(modules.read_text()):  # so that no command has to import them again
            if name.partition(".")[0] not in ("__main__", "tests"):
                with contextlib.suppress(BaseException):
                    importlib.import_module(name)
        conversion_mapping.get_checkpoint_conversion_mapping("gpt2")  # its table takes a while, once
        gc.collect()
        gc.freeze()  # or every process would look through all of this again
        if "out.training" in needed:
            case = Case("interrupted", INTERRUPTED, "reviews.pkl")
            place.prepare(case)
            place.run(case.command, case, lambda call: errno.ENOSPC if "/checkpoint-2" in call.path else 0)
            shutil.copytree(place.root / "work" / "out.training", place.made / "out.training")
        return place

    def prepare(self, case: Case) -> None:
        """Give the command a new folder with the files that it needs."""
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("work", "tmp", "home"):
            (self.root / name).mkdir(parents=True)
        for entry in case.files.split():
            name, _, new_name = entry.partition(":")
            copy = shutil.copytree if (self.made / name).is_dir() else shutil.copy
            copy(self.made / name, self.root / "work" / (new_name or name))

    def run(self, command: str, case: Case, fault: Callable[[Call], int]) -> Ended:
        """Run the command in the prepared folder."""

        def function() -> int:
            home = self.root / "home"
            os.environ |= {"TMPDIR": str(self.root / "tmp"), "HOME": str(home)}
            constants.HF_HOME, constants.HF_HUB_CACHE = str(home), str(home / "hub")
            os.chdir(self.root / "work")
            return run_command(command)

        stdin = self.made / case.stdin if case.stdin else Path(os.devnull)
        return run_with_faults(function, self.root, fault, stdin=stdin)


def run_command(command: str) -> int:
    """Run a script's main, as the shell would, and return the exit code."""
    script, *words = command.split()
    if script == "scrape":
        return run(lambda: scrape(*words))
    return run(lambda: importlib.import_module(script).main(words))


def scrape(path: str) -> int:
    """Write what --scrape writes of three posts, without a site."""
    query = Query("mastodon-hashtag", "cats@example.org", None, None, None)
    with RawFile(Path(path), query, lambda row: row.get("id")) as file:
        for number in range(3):
            if str(number) not in file.ids:
                file.add(Post(str(number), None, None, json.dumps({"id": str(number), "content": "x" * 50})))
    return 0


def require_success(ended: Ended) -> Ended:
    """Return how a command ended; RuntimeError where it failed, though nothing disturbed it."""
    if ended.code != 0:
        raise RuntimeError(f"without any fault: exit code {ended.code}\n{ended.err}")
    return ended
