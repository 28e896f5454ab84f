"""A page in a headless Chromium, driven over the DevTools pipe with nothing but the standard library.

Chromium reads commands from file descriptor 3 and writes answers and events to 4, each one JSON ended by a
zero byte (``--remote-debugging-pipe``).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 30.0
_KEYS = {"Enter": "\r", " ": " "}


def executable() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Browser:
    """One tab. `problems` collects errors of the console, of scripts and of what did not load."""

    write: int
    read: int
    session: str | None = None
    problems: list[str] = field(default_factory=list)
    loaded: bool = False
    _rest: bytes = b""
    _last: int = 0

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Send a DevTools command and return its result."""
        self._last += 1
        message: dict[str, object] = {"id": self._last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def open(self, page: Path, width: int = 1280, height: int = 900) -> None:
        """Load a page from disk and wait until all of it is there."""
        self.problems.clear()
        self.size(width, height)
        self.loaded = False
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not self.loaded:
            self._note(self._message())
        self.run("Promise.all([...document.images].map((image) => image.decode().catch(() => 0)))")

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, name: str) -> None:
        """Let the system be ``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def run(self, script: str) -> Any:
        """Return the value of an expression of JavaScript, awaited where it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, as a person does."""
        text = _KEYS.get(key, key if len(key) == 1 else "")
        named = {"key": key, "code": {" ": "Space"}.get(key, key)}
        code = {"Enter": 13, " ": 32, "Escape": 27, "ArrowRight": 39, "ArrowLeft": 37}.get(key, 0)
        pressed: dict[str, object] = {**named, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **pressed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def click(self, selector: str, scroll: bool = True) -> None:
        """Click the middle of the first element of a selector, by default after bringing it into view."""
        bring = "e.scrollIntoView({block: 'center', behavior: 'instant'});" if scroll else ""
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); {bring}"
            "const b = e.getBoundingClientRect();"
            "return {x: b.x + b.width / 2, y: b.y + b.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _message(self) -> dict[str, Any]:
        until = time.monotonic() + _PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.read], [], [], max(0.0, until - time.monotonic()))
            body = os.read(self.read, 1 << 20) if ready else b""
            assert body, "Chromium does not answer"
            self._rest += body
        body, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(body)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(str(params["entry"]))


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Start a Chromium with a profile of its own and nothing from the network; close it in the end."""
    to_browser, from_browser = os.pipe(), os.pipe()
    flags = [
        "--headless=new",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-first-run",
        "--remote-debugging-pipe",
    ]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium refuses to start its sandbox as root
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = _start(
            [path, *flags, "--disable-dev-shm-usage", f"--user-data-dir={profile}"],
            to_browser[0],
            from_browser[1],
        )
        browser = Browser(to_browser[1], from_browser[0])
        try:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
            browser.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(f"{domain}.enable")
            yield browser
        finally:
            process.kill()
            process.wait()
            for end in (to_browser[1], from_browser[0]):
                os.close(end)


def _start(command: list[str], commands: int, answers: int) -> subprocess.Popen[bytes]:
    """Start Chromium with the two ends of the pipes as its descriptors 3 and 4."""
    shell = f'exec 3<&{commands} 4>&{answers}; exec "$0" "$@"'
    process = subprocess.Popen(
        ["/bin/bash", "-c", shell, *command],
        pass_fds=(commands, answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands)
    os.close(answers)
    return process
