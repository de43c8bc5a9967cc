"""A local server for sites that are scripted, for real, unpatched libraries to run against.

    with Loopback(mastodon_site([status(when, "Bonjour #chat")])) as server:
        Mastodon(api_base_url=server.url)  # plain http, straight to the first site

    with Loopback(x_site([tweet(when, "Bonjour")]), telegram_site(posts)) as server:  # a proxy for twitter.com, t.me
        subprocess.run(command, env={**os.environ, **server.environment()})  # or monkeypatch.setenv, one by one

What a site answers can be scripted, see `Site.script`. An error in a site or a script is raised where the `with` ends.
"""

import http.server
import json
import re
import socket
import ssl
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import trustme


@dataclass(frozen=True)
class Request:
    """A client's request: `path` is decoded, header names are lower-case."""

    method: str
    origin: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """A site's response; `cut` sends half of the body that Content-Length promises, then closes the connection."""

    status: int = 200
    body: str | bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


def json_answer(value, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """`value` as JSON, with the content type that snscrape insists on."""
    return Answer(status, json.dumps(value), {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


Step = Answer | Callable[[Request], Answer | None]


@dataclass
class _Script:
    on: str
    at: int
    steps: tuple[Step, ...]
    forever: bool
    seen: int = 0

    def next_step(self) -> Step | None:
        """Count a request and give the step that it meets."""
        self.seen += 1
        index = self.seen - self.at
        if self.forever:
            index = min(index, len(self.steps) - 1)
        return self.steps[index] if 0 <= index < len(self.steps) else None


class Site:
    """One site: its hosts ("*": any), the answers it gives, and the `requests` it got.

    `pages` is a pattern found in `host + path` of a request for a page of posts: scripts hold for those requests alone
    unless told otherwise, since Mastodon.py also asks for the instance and snscrape for a guest token.
    """

    def __init__(self, hosts: tuple[str, ...], answer: Callable[[Request], Answer], pages: str = ""):
        self.hosts, self.answer, self.pages = hosts, answer, pages
        self.requests: list[Request] = []
        self._scripts: list[_Script] = []
        self._lock = threading.Lock()

    def script(self, *steps: Step, at: int = 1, on: str | None = None, forever: bool = False) -> None:
        """Give `steps`, one a request, from the `at`-th request counted from now, and then the normal answers again.

        A step is an Answer, or a function of the Request that may do anything (signal, stop the server) and returns an
        Answer or None, which gives the normal one; `site.cut` is such a function. `forever` repeats the last step.
        `on` is a pattern to find in `host + path` ("" is every request), by default the site's pages of posts.
        """
        with self._lock:
            self._scripts.append(_Script(self.pages if on is None else on, at, steps, forever))

    def cut(self, request: Request) -> Answer:
        """The normal answer, cut in the middle of its body."""
        return replace(self.answer(request), cut=True)

    def asked(self, on: str | None = None) -> list[Request]:
        """The requests for pages of posts so far, or those whose `host + path` has `on` in it."""
        on = self.pages if on is None else on
        return [request for request in self.requests if re.search(on, request.host + request.path)]

    def respond(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            scripts = [script for script in self._scripts if re.search(script.on, request.host + request.path)]
            steps = [step for step in [script.next_step() for script in scripts] if step is not None]
        for step in steps:
            answer = step(request) if callable(step) else step
            if answer is not None:
                return answer
        return self.answer(request)


def refusing(status: int, body: str = "", hosts: tuple[str, ...] = ("*",)) -> Site:
    """A site for any host that answers `status` to everything."""
    return Site(hosts, lambda request: Answer(status, body))


class Loopback(http.server.ThreadingHTTPServer):
    """Serves sites on 127.0.0.1 while its `with` lasts: the first one at `url`, all of them as an intercepting proxy.

    The proxy answers CONNECT itself, with a certificate of its own authority for that host; a host that no site stands
    for gets 502, as from a proxy that cannot reach it.
    """

    daemon_threads = False  # so that closing joins them

    def __init__(self, *sites: Site):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sites = sites
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.errors: list[BaseException] = []
        self._open_sockets: set[socket.socket] = set()
        self._authority = trustme.CA()
        self._folder = tempfile.TemporaryDirectory(prefix="loopback-")
        self._bundle = Path(self._folder.name) / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self._bundle))
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def environment(self) -> dict[str, str]:
        """The environment variables that send `requests` through this proxy and make it trust the certificates."""
        through = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), self.url)
        around = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"), "")
        return {**through, **around, "REQUESTS_CA_BUNDLE": str(self._bundle)}

    def lose_network(self) -> None:
        """Stop listening and cut every open connection; may be called inside a script's step."""
        self.shutdown()
        self.socket.close()
        for connection in tuple(self._open_sockets):
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # beneath TLS, whose own thread may be reading
            except OSError:
                continue  # it was gone already

    def __enter__(self) -> "Loopback":
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self.lose_network()
        self.server_close()
        self._thread.join()
        self._folder.cleanup()
        if self.errors:
            raise self.errors[0]

    def site_for(self, host: str) -> Site | None:
        by_host = {host: site for site in self.sites for host in site.hosts}
        return by_host.get(host, by_host.get("*"))

    def encrypted(self, connection: socket.socket, host: str) -> ssl.SSLSocket:
        """`connection` with TLS around it, whose handshake is still to do, as the server of `host`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(host).configure_cert(context)
        wrapped = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open_sockets.add(wrapped)
        return wrapped

    def process_request(self, request, client_address):
        self._open_sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self._open_sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        _, error, _ = sys.exc_info()
        if not isinstance(error, (ConnectionError, ssl.SSLError)):  # the client went away, as clients do
            self.errors.append(error)


@contextmanager
def proxied(monkeypatch, *sites: Site) -> Iterator[Loopback]:
    """The sites at their real https addresses, for this process while the `with` lasts."""
    with Loopback(*sites) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, and the second would wait for the client
    tunnel = None  # the host that the client believes to talk to, after CONNECT

    def do_CONNECT(self):
        host = self.path.rpartition(":")[0]
        if self.server.site_for(host) is None:
            return self._send(Answer(502))
        self.send_response_only(200)
        self.end_headers()
        self.rfile.close()
        self.request = self.server.encrypted(self.request, host)
        self.setup()
        self.request.do_handshake()
        self.tunnel, self.close_connection = host, False

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        host = self.tunnel or self.headers["Host"]
        request = Request(
            method=self.command,
            origin=f"{'https' if self.tunnel else 'http'}://{host}",
            host=host,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        site = self.server.site_for(self.tunnel) if self.tunnel else self.server.sites[0]
        self._send(site.respond(request))

    do_POST = do_GET  # noqa: N815

    def _send(self, answer: Answer):
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        headers = {"Content-Type": "text/html; charset=utf-8", **answer.headers, "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if answer.cut else body)
        self.close_connection |= answer.cut

    def finish(self):
        super().finish()
        if self.tunnel:
            self.server.shutdown_request(self.request)

    def log_message(self, *arguments):
        pass


def page(ids: Iterable[int], limit: int, below: float = float("inf")) -> list[int]:
    """The `limit` highest of the ids below `below`, highest first."""
    return sorted((number for number in ids if number < below), reverse=True)[:limit]


def number_of(name: str) -> str:
    """An account's id, the same in every run."""
    return str(zlib.crc32(name.lower().encode()))
