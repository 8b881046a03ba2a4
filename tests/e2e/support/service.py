"""`startpointfs serve` in a test: started on a free port, asked over HTTP, ended with the test."""

import dataclasses
import http.client
import os
import re
import signal
import socket

from .processes import PROGRAM, eventually


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: dict  # keys in lower case
    body: bytes

    @property
    def text(self):
        return self.body.decode()


class Service:
    def __init__(self, test, *arguments, name="serve", ready=True, env=None, program=(PROGRAM,)):
        self.test = test
        self.log_file = test.folder / f"{name}.log"
        test.env |= env or {}
        with open(self.log_file, "wb") as log:
            self.process = test.start(*program, "serve", "--port", "0", *arguments, stderr=log)
        found = eventually(lambda: re.search(r"listens on .*:(\d+)", self.log()) or self.process.poll() is not None,
                           30, "the service")
        test.assertIsNone(self.process.poll(), self.log())
        self.port = int(found[1])
        if ready:
            eventually(self.is_ready, 30, "start-points")

    def log(self):
        return self.log_file.read_text(errors="replace")

    def is_ready(self):
        return self.get("ready").status == 200

    def connect(self, timeout=20):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, path, body=None, method="GET", headers=None, connection=None):
        used = connection or self.connect()
        used.request(method, f"/{path}", body.encode() if isinstance(body, str) else body, headers or {})
        answer = used.getresponse()
        reply = Reply(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        if not connection:
            used.close()
        return reply

    def text(self, path, body=None):
        reply = self.get(path, body)
        self.test.assertEqual(200, reply.status, reply.body)
        return reply.text

    def raw(self, timeout=20):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def metrics(self):
        """The samples, by name and labels as they are written."""
        return {key: float(value) for key, value in
                re.findall(r"(?m)^([a-z_]+(?:\{.*\})?) (\S+)$", self.text("metrics"))}

    def resident(self):
        """Bytes of memory that it has now."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def signal(self, number):
        os.kill(self.process.pid, number)

    def end(self, timeout=20):
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout)
