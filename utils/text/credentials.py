"""Tokens and passwords in addresses and in the environment: kept out of output and of worker processes."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

MASK = "***"
IN_ADDRESS = re.compile(r"(\w:/{1,2})[^\s/?#]*@")  # https://user:token@host, and what a path makes of it
HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")
NAMES = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|ACCESS_?KEY|COOKIE|CREDENTIAL", re.IGNORECASE)
PASSWORD_IN_ADDRESS = re.compile(r"^\w+://[^\s/:@]*:(.*)@", re.DOTALL)
SHORTEST = 8  # of a token: "true" and "1" stand in variables with such names, too

# Prefixes of the variables that a worker process of Python needs: the system, the linker, locales, threads.
FOR_WORKERS = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LC_", "TMP", "TEMP", "XDG_", "SYSTEM", "WIN"),
    *("PYTHON", "__PYVENV", "VIRTUAL_ENV", "CONDA_", "NIX_", "COVERAGE", "LD_", "DYLD_", "MALLOC_", "GLIBC_"),
    *("OMP_", "KMP_", "MKL_", "OPENBLAS_", "VECLIB_", "NUMEXPR_", "RAYON_"),
)


def without_credentials(text: str) -> str:
    """Return the text with *** for user and password in an address, for tokens of the Hub, and for the values
    of environment variables that hold credentials.
    """
    text = HUB_TOKEN.sub(MASK, IN_ADDRESS.sub(rf"\1{MASK}@", text))
    for secret in _secrets():
        text = text.replace(secret, MASK)
    return text


@contextmanager
def environment_of_workers() -> Iterator[None]:
    """Within the context, processes that are started get no variable of the environment but those they need."""
    kept = {name: os.environ[name] for name in os.environ if not name.startswith(FOR_WORKERS) or _is_secret(name)}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if match := PASSWORD_IN_ADDRESS.match(value):
            value = match[1]
        elif not _is_secret(name):
            continue
        if len(value) >= SHORTEST:
            yield value


def _is_secret(name: str) -> bool:
    """Return whether the environment variable holds a token itself, not a file's path or a setting about tokens."""
    value = os.environ[name]
    return bool(NAMES.search(name)) and not value.startswith(("/", "~", ".")) and len(value) >= SHORTEST
