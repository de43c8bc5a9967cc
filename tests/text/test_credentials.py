"""Credentials in output, and in the environment of worker processes."""

import os
import subprocess
import sys

import pytest

from utils.text.credentials import environment_of_workers, without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://ana:t0ken@host/x?y=1", "at https://***@host/x?y=1"),
        ("no file https:/ana:t0ken@host/x", "no file https:/***@host/x"),
        ("git+ssh://t0ken@host, http://a:b@c@d/", "git+ssh://***@host, http://***@d/"),
        ("('hf_abcdefghijklmnopqrstuvwx')", "('***')"),
        ("proxy http://ana:p%40ss@10.0.0.1:3128", "proxy http://***@10.0.0.1:3128"),
        ("Invalid port: 'pass/word'", "Invalid port: '***'"),
        ("401: abcd1234efgh is no token", "401: *** is no token"),
        ("https://mastodon.example/@ana and ana@mail.example", "https://mastodon.example/@ana and ana@mail.example"),
        ("https://host:8080/@ana?x=a@b", "https://host:8080/@ana?x=a@b"),
        ("hf_hub_download(hf_token), true, 4096", "hf_hub_download(hf_token), true, 4096"),
        ("/home/ana/.token and Ana Lovelace", "/home/ana/.token and Ana Lovelace"),
    ],
)
def test_credentials_are_hidden(text, shown, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://ana:pass/word@host:1")
    monkeypatch.setenv("SOME_API_KEY", "abcd1234efgh")
    monkeypatch.setenv("HF_TOKEN_PATH", "/home/ana/.token")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    monkeypatch.setenv("MAX_TOKENS", "4096")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ana Lovelace")
    assert without_credentials(text) == shown


def test_the_environment_of_workers(monkeypatch):
    for name in ("HF_TOKEN", "WHATEVER", "PYTHON_PASSWORD", "https_proxy"):
        monkeypatch.setenv(name, "http://ana:pass/word@host:1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = dict(os.environ)
    with environment_of_workers():
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pass/word" not in seen
    assert all(f'"{name}"' in seen for name in ("PATH", "OMP_NUM_THREADS"))
    assert dict(os.environ) == before
