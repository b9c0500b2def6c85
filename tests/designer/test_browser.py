"""The designer's page in a real browser, headless Chromium, by mouse and by keyboard alone."""

import json
import os
import shutil
import subprocess
import threading
import time

import pytest

import lamina as lm
from lamina.applications import dcgan_generator
from lamina.designer.designs import Designs
from lamina.designer.server import Server

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt install chromium)"),
]
KEYS = {"ArrowRight": 39, "ArrowDown": 40, "Tab": 9, " ": 32, "r": 82, "s": 83, "n": 78}


class Browser:
    """Chromium, told what to do over its debugging pipe: messages of JSON that end with a zero byte."""

    def __init__(self, folder):
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"]  # fmt: skip
        # Chromium reads from descriptor 3 and writes to 4.
        script = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"'
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", script, "chromium", *command],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.rest, self.session = 0, b"", None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Emulation.setDeviceMetricsOverride", width=1100, height=900, deviceScaleFactor=1, mobile=False)

    def send(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                found = os.read(self.into, 1 << 20)
                assert found, "Chromium has ended"
                self.rest += found
            line, _, self.rest = self.rest.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, script):
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script, seconds=20):
        """Until the expression is true; its value."""
        until = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < until, f"{script} never came true"
            time.sleep(0.05)
        return value

    def press(self, key):
        text = {"text": key} if len(key) == 1 else {}
        place = {"key": key, "windowsVirtualKeyCode": KEYS[key], "code": "Space" if key == " " else key}
        self.send("Input.dispatchKeyEvent", type="keyDown", **place, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **place)

    def click(self, selector):
        x, y = self.run(f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
                        f"(document.querySelector({selector!r}).getBoundingClientRect())")  # fmt: skip
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.into)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("designer")
    lm.set_seed(1)
    designs = Designs(dcgan_generator(6, (16, 16, 1), 8), folder / "designs", low=-1.0, count=12)
    with Server(designs) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        browser = Browser(folder / "profile")
        browser.server = server
        yield browser
        browser.close()
        server.shutdown()
        thread.join()


@pytest.fixture
def opened(page):
    for path in page.server.designs.folder.glob("*"):
        path.unlink()
    page.send("Page.navigate", url=page.server.url)
    page.wait("document.querySelectorAll('#designs img').length === 12 && status.textContent === 'Nothing picked yet'")
    return page


PICTURES = "JSON.stringify([...document.querySelectorAll('#designs img')].map(i => i.src))"


def pictures(page):
    return json.loads(page.run(PICTURES))


def test_by_mouse(opened):
    first = pictures(opened)
    assert opened.run("buttons.refine.disabled")
    opened.click("#designs button:nth-child(3)")
    opened.click("#designs button:nth-child(5)")
    assert opened.run("status.textContent") == "2 of 12 picked"
    opened.click("#designs button:nth-child(5)")  # and not
    assert opened.run("status.textContent") == "1 of 12 picked"
    opened.click("#refine")
    opened.wait("status.textContent.startsWith('Drawn around 1')")
    second = pictures(opened)
    assert second[0] == first[2]
    assert second[1:] != first[1:]
    opened.click("#save")
    opened.wait("status.textContent === '1 picture saved'")
    assert opened.wait("document.querySelector('#saved img')?.naturalWidth") == 64
    assert opened.server.designs.saved() == ["design_0001.png"]
    opened.click("#renew")
    opened.wait("status.textContent === 'Nothing picked yet'")
    assert set(pictures(opened)).isdisjoint(second)


def test_by_keyboard_alone(opened):
    first = pictures(opened)
    opened.press("ArrowRight")  # to the first picture
    opened.press("ArrowRight")
    opened.press("ArrowDown")
    columns = opened.run("getComputedStyle(grid).gridTemplateColumns.split(' ').length")
    place = opened.run("[...grid.children].indexOf(document.activeElement)")
    assert place == 1 + columns
    opened.press(" ")
    assert opened.run("status.textContent") == "1 of 12 picked"
    opened.press("r")
    opened.wait("status.textContent.startsWith('Drawn around 1')")
    assert pictures(opened)[0] == first[place]
    assert opened.run("[...grid.children].indexOf(document.activeElement)") == place  # the place is kept
    opened.press("s")
    opened.wait("status.textContent === '1 picture saved'")
    opened.press("n")
    opened.wait("status.textContent === 'Nothing picked yet'")
    assert opened.server.designs.saved() == ["design_0001.png"]


def test_nothing_happens_without_picks(opened):
    first = pictures(opened)
    opened.press("r")
    opened.press("s")
    assert pictures(opened) == first
    assert opened.server.designs.saved() == []


def test_server_errors_are_told(opened, monkeypatch):
    def full(picks):
        raise OSError("no space is left")

    monkeypatch.setattr(opened.server.designs, "save", full)
    opened.click("#designs button:nth-child(1)")
    opened.press("s")
    assert "no space is left" in opened.wait("status.textContent.startsWith('That did not work') && status.textContent")
