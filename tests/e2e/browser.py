# SPDX-License-Identifier: BSD-3-Clause
"""A browser without a window, spoken to over its debugging port: a page as its reader has it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60.0  # seconds until a browser that does not answer is given up


def browser_path() -> str | None:
    """Return the path of a browser of this machine, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page, and what it told the console."""

    def __init__(self, address: str) -> None:
        host, _, rest = address.removeprefix("ws://").partition("/")
        name, _, port = host.partition(":")
        self._socket = socket.create_connection((name, int(port)), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /{rest} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        while self._file.readline().strip():
            pass
        self._number = 0
        self.faults: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        """Let go of the page."""
        self._file.close()
        self._socket.close()

    def ask(self, method: str, **params: Any) -> Any:
        """Send a command of the protocol and return its result."""
        self._number += 1
        self._send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = self._receive()
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message)

    def open(self, path: Path, *, width: int = 1400, dark: bool = False) -> None:
        """Open a file and wait until it is loaded."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = "dark" if dark else "light"
        self.ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.ask("Page.navigate", url=path.resolve().as_uri())
        end = time.monotonic() + PATIENCE
        while self.run("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < end, "the page was not loaded"

    def run(self, script: str) -> Any:
        """Return the value of an expression on the page."""
        found = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def picture(self, top: float = 0, height: float = 0) -> bytes:
        """Return what is seen as PNG, the whole page unless a height is given."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": top, "width": size["width"], "height": height or size["height"]}
        shot = self.ask(
            "Page.captureScreenshot", clip={**clip, "scale": 1}, captureBeyondViewport=True
        )
        return base64.b64decode(shot["data"])

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.faults.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
            self.faults.append(json.dumps(params["args"]))
        elif method == "Network.requestWillBeSent":
            address = params["request"]["url"]
            if not address.startswith(("file:", "data:", "blob:")):
                self.faults.append(f"asked for {address}")

    def _send(self, text: str) -> None:
        body, mask = text.encode(), os.urandom(4)
        if len(body) < 126:
            head = struct.pack("!BB", 0x81, 0x80 | len(body))
        elif len(body) < 1 << 16:
            head = struct.pack("!BBH", 0x81, 0xFE, len(body))
        else:
            head = struct.pack("!BBQ", 0x81, 0xFF, len(body))
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
        self._socket.sendall(head + mask + masked)

    def _receive(self) -> dict[str, Any]:
        text, is_last = b"", False
        while not is_last:
            first, second = self._file.read(2)
            is_last, size = bool(first & 0x80), second & 0x7F
            if size >= 126:
                size = int.from_bytes(self._file.read(2 if size == 126 else 8), "big")
            text += self._file.read(size)
        message: dict[str, Any] = json.loads(text)
        return message


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start a browser whose files are in `folder`, and yield its page."""
    path = browser_path()
    assert path is not None
    process = subprocess.Popen(
        [
            path,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port_file, end = folder / "DevToolsActivePort", time.monotonic() + PATIENCE
        while not (port_file.exists() and "\n" in port_file.read_text()):
            assert time.monotonic() < end, "the browser does not answer"
            assert process.poll() is None, "the browser ended"
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=PATIENCE) as answer:
            targets = json.loads(answer.read())
        address = next(one["webSocketDebuggerUrl"] for one in targets if one["type"] == "page")
        page = Page(address)
        try:
            yield page
        finally:
            page.close()
    finally:
        process.kill()
        process.wait()
