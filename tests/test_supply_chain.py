"""Installed packages have known hashes and no known holes, and the source never runs data that it reads."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [*ROOT.glob("*.py"), *(ROOT / "utils").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
SOURCES += [
    *(ROOT / "small_text_fine_tuning").glob("*.py"),
    ROOT / "data" / "fetch_tweets.py",
    ROOT / "locks" / "lock.py",
]
PIN = re.compile(r"(?m)^([\w.-]+)==([^\s;]+)")
OLDEST_SAFE = {  # the first versions without the holes that are known
    "torch": (2, 10),  # CVE-2025-32434 and CVE-2026-24747: torch.load ran code in spite of weights_only
    "transformers": (5, 10),  # CVE-2026-1839 and CVE-2026-4372: checkpoints and configurations ran code
}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp", "marshal.loads"}
CALLS |= {"pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "shelve.open", "joblib.load"}
CALLS |= {"pandas.read_pickle", "pd.read_pickle", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
KEYWORDS = {("shell", True), ("trust_remote_code", True), ("weights_only", False), ("allow_pickle", True)}
KEYWORDS |= {("verify", False)}  # of certificates
AUTO_CLASS = re.compile(r"(transformers\.)?(Auto\w+|loader|Loader)\.from_(pretrained|config)")


def pins(*paths: Path) -> dict[str, set[str]]:
    """Return the versions of each package, by its name as pip compares names."""
    found = {}
    for path in paths:
        for name, version in PIN.findall(path.read_text(encoding="utf-8")):
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version.removesuffix("+cpu"))
    return found


def dangers(source: str) -> list[str]:
    """Return the calls in a source that run what they read, or may."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and {f"{node.module}.{alias.name}" for alias in node.names} & CALLS:
            found.append(ast.unparse(node))
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {word.arg: word.value for word in node.keywords}
        constants = {(word, value.value) for word, value in given.items() if isinstance(value, ast.Constant)}
        loads = "torch.load" in (name, *map(ast.unparse, node.args))  # also where a function is given it
        if (
            name in CALLS
            or constants & KEYWORDS
            or (loads and "weights_only" not in given)
            or (AUTO_CLASS.fullmatch(name) and not {"trust_remote_code", None} & given.keys())
        ):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "exec(open(path).read())",
        "pickle.load(file)",
        "from pickle import loads",
        "subprocess.run(command, shell=True)",
        "AutoModel.from_pretrained(folder, trust_remote_code=True)",
        "transformers.AutoTokenizer.from_pretrained(folder)",
        "torch.load(path)",
        "opened(torch.load, path)",
        "torch.load(path, weights_only=False)",
        "numpy.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "requests.get(address, verify=False)",
    ],
)
def test_a_call_that_may_run_its_input_is_found(line):
    assert dangers(line)


@pytest.mark.parametrize(
    "line",
    [
        "model.eval()",
        "pickle.dumps(payload)",
        "re.compile(pattern)",
        "torch.load(path, weights_only=True)",
        "AutoModel.from_pretrained(folder, trust_remote_code=False)",
        "yaml.safe_load(text)",
    ],
)
def test_a_safe_call_is_none(line):
    assert dangers(line) == []


def test_no_source_runs_its_input():
    found = {path.name: dangers(path.read_text(encoding="utf-8")) for path in SOURCES}
    # Worker processes get a function in a file of their parent's, in a folder that only this user can write to.
    assert found.pop("workers.py") == ["pickle.loads(path.read_bytes())"]
    assert not any(found.values()), found


def test_the_locks_have_the_versions_of_the_requirements():
    asked = pins(*ROOT.glob("requirements*.txt"))
    locked = pins(*(ROOT / "locks").glob("*.txt"))
    assert {name: versions for name, versions in asked.items() if locked.get(name) != versions} == {}


def test_every_locked_package_has_an_exact_version_and_hashes():
    for path in (ROOT / "locks").glob("*.txt"):
        lines = path.read_text(encoding="utf-8").replace("\\\n", "").splitlines()
        packages = [line for line in lines if not line.startswith("#")]
        assert packages
        assert [line for line in packages if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


def test_no_requirement_has_a_version_with_a_known_hole():
    found = pins(*ROOT.glob("requirements*.txt"), *(ROOT / "locks").glob("*.txt"))
    for name, oldest in OLDEST_SAFE.items():
        assert all(tuple(map(int, version.split(".")[:2])) >= oldest for version in found[name])
