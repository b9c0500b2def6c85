"""The designer's web page: served to this machine alone, by the standard library."""

from __future__ import annotations

import base64
import http.server
import ipaddress
import json
import threading
from http import HTTPStatus
from importlib import resources
from typing import Any

from lamina.designer.designs import NAME, Designs

LARGEST = 65_536  # bytes of a request's body
POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Refused(Exception):
    """A request that is not answered: the status, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Server(http.server.ThreadingHTTPServer):
    """Serves the page for some designs on a loopback address.

    What comes from elsewhere is refused: another address, another Host than this one (a name that an attacker has
    pointed here), another Origin, and paths that lead out of the folder.

    Args:
        designs: what is shown.
        host: a loopback address.
        port: 0 for any that is free.

    Raises:
        ValueError: if the host is no loopback address.
    """

    daemon_threads = True

    def __init__(self, designs: Designs, host: str = "127.0.0.1", port: int = 0) -> None:
        refuse_host(host)
        self.designs = designs
        self.lock = threading.Lock()  # one request at a time changes what is on show
        super().__init__(("127.0.0.1" if host == "localhost" else host, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request."""

    server: Any
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, answer: Any) -> None:
        try:
            self._check_sender()
            kind, body = answer()
            status = HTTPStatus.OK
        except Refused as refusal:
            status, kind, body = refusal.status, "text/plain; charset=utf-8", f"{refusal}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        if status != HTTPStatus.OK:  # a body may be left unread
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _check_sender(self) -> None:
        if not _loopback(self.client_address[0]):
            raise Refused(HTTPStatus.FORBIDDEN, "only this machine is answered")
        port = self.server.server_address[1]
        hosts = {f"{name}:{port}" for name in (self.server.server_address[0], "localhost")}
        if self.headers.get("Host") not in hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "another Host than this page's")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            raise Refused(HTTPStatus.FORBIDDEN, "another Origin than this page's")

    def _get(self) -> tuple[str, bytes]:
        if self.path == "/":
            page = resources.files("lamina.designer").joinpath("page.html").read_bytes()
            return "text/html; charset=utf-8", page
        if self.path == "/designs":
            with self.server.lock:
                return self._shown()
        folder, _, name = self.path.rpartition("/")
        if folder == "/saved" and NAME.fullmatch(name):  # so it cannot lead anywhere else
            path = self.server.designs.folder / name
            if path.is_file() and not path.is_symlink():
                return "image/png", path.read_bytes()
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _post(self) -> tuple[str, bytes]:
        if self.headers.get("Content-Type") != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected application/json")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {LARGEST} bytes")
        try:
            asked = json.loads(self.rfile.read(int(length)))
            picks = asked.get("picks", [])
            variation = float(asked.get("variation", 0.5))
        except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "expected an object in JSON") from None
        designs = self.server.designs
        with self.server.lock:
            try:
                if self.path == "/renew":
                    designs.renew()
                elif self.path == "/refine":
                    designs.refine(picks, variation)
                elif self.path == "/save":
                    designs.save(picks)
                else:
                    raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")
            except (ValueError, TypeError) as error:
                raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
            except OSError as error:
                raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"the pictures cannot be saved: {error}") from None
            return self._shown()

    def _shown(self) -> tuple[str, bytes]:
        designs = self.server.designs
        urls = ["data:image/png;base64," + base64.b64encode(picture).decode() for picture in designs.pictures()]
        told = {"pictures": urls, "saved": designs.saved(), "folder": str(designs.folder)}
        return "application/json", json.dumps(told).encode()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the command's own lines stay readable."""


def refuse_host(host: str) -> None:
    """Raises ValueError for an address that other machines can reach."""
    if not _loopback(host):
        raise ValueError(f"designer: host must be a loopback address, as 127.0.0.1, got {host!r}")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False
