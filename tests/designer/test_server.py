"""The designer's page over HTTP: what it answers, and all that it refuses."""

import base64
import http.client
import json
import threading
import urllib.error
import urllib.request

import pytest

import lamina as lm
from lamina import cli
from lamina.applications import dcgan_generator
from lamina.designer.designs import Designs
from lamina.designer.server import LARGEST, Server

pytest.importorskip("PIL")


@pytest.fixture
def server(tmp_path):
    lm.set_seed(1)
    with Server(Designs(dcgan_generator(6, (8, 8, 1), 4), tmp_path / "designs", low=-1.0, count=6)) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def post(server, path, asked, **headers):
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    request = urllib.request.Request(server.url + path, body, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def refused(server, status, path="", method="GET", body=None, headers=None):
    """The words of a refusal with this status; the path is sent as it is."""
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    connection.putrequest(method, "/" + path, skip_host="Host" in (headers or {}))
    for name, value in {**({"Content-Length": str(len(body))} if body is not None else {}), **(headers or {})}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    words = answer.read().decode()
    connection.close()
    assert answer.status == status, words
    return words


def test_page(server):
    with urllib.request.urlopen(server.url, timeout=10) as answer:
        page = answer.read().decode()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<title>Lamina designer</title>" in page
    assert "http://" not in page
    assert "https://" not in page  # nothing is loaded from elsewhere


def test_picks_are_refined_and_saved(server):
    with urllib.request.urlopen(server.url + "designs", timeout=10) as answer:
        first = json.load(answer)
    assert len(first["pictures"]) == 6
    assert base64.b64decode(first["pictures"][0].split(",")[1]).startswith(b"\x89PNG")
    refined = post(server, "refine", {"picks": [4], "variation": 0.5})
    assert refined["pictures"][0] == first["pictures"][4]
    assert refined["pictures"][1:] != first["pictures"][1:]
    saved = post(server, "save", {"picks": [0, 2]})
    assert saved["saved"] == ["design_0002.png", "design_0001.png"]
    assert saved["pictures"] == refined["pictures"]
    with urllib.request.urlopen(server.url + "saved/design_0001.png", timeout=10) as answer:
        assert answer.read() == (server.designs.folder / "design_0001.png").read_bytes()
    assert post(server, "renew", {})["pictures"] != refined["pictures"]


@pytest.mark.parametrize(
    "path",
    ["saved/../secret.txt", "saved/..%2fsecret.txt", "saved/%2e%2e/secret.txt", "../secret.txt", "saved//etc/passwd",
     "saved/design_0001.png/../../secret.txt", "saved/secret.txt", "saved/", "none", "/etc/passwd"],
)  # fmt: skip
def test_paths_that_leave_the_folder(server, path):
    server.designs.folder.mkdir()
    (server.designs.folder.parent / "secret.txt").write_text("secret")
    assert "there is no such page" in refused(server, 404, path)


def test_links_are_not_followed(server):
    server.designs.folder.mkdir()
    (server.designs.folder.parent / "secret.png").write_text("secret")
    (server.designs.folder / "design_0001.png").symlink_to(server.designs.folder.parent / "secret.png")
    refused(server, 404, "saved/design_0001.png")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example", ""])
def test_another_host_is_refused(server, host):
    assert "another Host" in refused(server, 403, headers={"Host": host})
    assert "another Host" in refused(server, 403, "designs", headers={"Host": host})


def test_localhost_is_this_machine(server):
    port = server.server_address[1]
    with urllib.request.urlopen(f"http://localhost:{port}/", timeout=10) as answer:
        assert answer.status == 200


def test_another_origin_is_refused(server):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        post(server, "renew", {}, Origin="http://evil.example")
    assert post(server, "renew", {}, Origin=server.url.rstrip("/"))["pictures"]


def test_bad_requests(server):
    json_type = {"Content-Type": "application/json"}
    assert "application/json" in refused(server, 415, "renew", "POST", b"{}")
    assert "application/json" in refused(server, 415, "renew", "POST", b"{}", {"Content-Type": "text/plain"})
    for body in (b"{", b"[]", b"1", b'{"picks": [0], "variation": "x"}', b"\xff",
                 b'{"variation": 1' + b"0" * 400 + b"}", b"[" * 60_000):  # fmt: skip
        assert "expected an object" in refused(server, 400, "refine", "POST", body, json_type)
    for picks in ("[]", "[6]", "[-1]", '["a"]', "[[]]", "5", "null", "[true]"):
        refused(server, 400, "refine", "POST", f'{{"picks": {picks}}}'.encode(), json_type)
    assert "variation" in refused(server, 400, "refine", "POST", b'{"picks": [0], "variation": NaN}', json_type)
    assert "at most" in refused(server, 413, "refine", "POST", None, {**json_type, "Content-Length": str(LARGEST + 1)})
    assert "at most" in refused(server, 413, "refine", "POST", None, {**json_type, "Content-Length": "-1"})
    refused(server, 404, "none", "POST", b"{}", json_type)
    refused(server, 501, "", "DELETE")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.org", "", "::", "8.8.8.8"])
def test_addresses_that_others_reach_are_refused(server, host, tmp_path, capsys):
    with pytest.raises(ValueError, match="must be a loopback address"):
        Server(server.designs, host)
    assert cli.main(["design", "--host", host, "--folder", str(tmp_path)]) == 1
    assert "must be a loopback address" in capsys.readouterr().err


def test_command(tmp_path, capsys, monkeypatch):
    dcgan_generator(6, (8, 8, 1), 4).save(tmp_path / "g.safetensors")

    def interrupted(self, poll_interval=0.5):
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupted)
    assert cli.main(["design", "--model", str(tmp_path / "g.safetensors"), "--port", "0"]) == 130
    assert "The designer is at http://127.0.0.1:" in capsys.readouterr().out
    assert cli.main(["design", "--model", str(tmp_path / "none.safetensors")]) == 1
