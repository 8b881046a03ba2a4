"""Servers that speak git's protocol as a test wants it: true answers, made by git itself, that are
then cut off, changed, delayed, or replaced."""

import contextlib
import dataclasses
import os
import socket
import subprocess
import threading
import time

from .servers import ThreadedServer

RESULT = "application/x-git-upload-pack-result"
ADVERTISEMENT = "application/x-git-upload-pack-advertisement"


def packet(data):
    data = data if isinstance(data, bytes) else data.encode()
    return b"%04x" % (len(data) + 4) + data


def packets(stream):
    """Cuts a whole answer into packets, each with its length; "0000" and the like stay as they
    are."""
    found = []
    while stream:
        length = max(int(stream[:4], 16), 4)
        found.append(stream[:length])
        stream = stream[length:]
    return found


@dataclasses.dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes
    connection: int  # the number of the connection that it came on

    @property
    def command(self):
        """ls-refs or fetch; None for a GET."""
        if self.method != "POST":
            return None
        return packets(self.body)[0][4:].strip().decode().removeprefix("command=")


@dataclasses.dataclass
class Answer:
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    body: object = b""  # bytes, or something that yields bytes
    length: int | None = None  # what Content-Length says; None: the truth, -1: not said
    hang: bool = False  # keep the connection open after the body
    close: bool = False  # close it, though nothing was said of that


class HttpServer(ThreadedServer):
    """http:// for one repository, at any path. `respond(server, request)` makes each answer; all
    requests are kept in `requests`. With `remembers`, git is asked the same only once while the tags are the same files."""

    remembers = False

    def __init__(self, repository, respond=None):
        self.repository = repository
        self.respond = respond or (lambda server, request: server.true_answer(request))
        self.requests = []
        self.stopped = threading.Event()
        self.said = {}
        super().__init__()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def url(self, name="repository"):
        return f"{self.address}/{name}"

    def stop(self):
        self.stopped.set()
        super().stop()

    def upload_pack(self, *options, body=b"", version=2):
        if not self.remembers:
            return self._upload_pack(options, body, version)
        asked = (options, body, version, frozenset(os.listdir(self.repository.path / "refs/tags")))
        if asked not in self.said:
            self.said[asked] = self._upload_pack(options, body, version)
        return self.said[asked]

    def _upload_pack(self, options, body, version):
        env = {**self.repository.env, "GIT_PROTOCOL": f"version={version}"}
        done = subprocess.run(["git", "upload-pack", "--stateless-rpc", *options,
                               os.fspath(self.repository.path)], env=env, input=body,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.stdout

    def true_answer(self, request, version=2):
        """What git-http-backend would say."""
        if request.method == "POST" and request.path.endswith("/git-upload-pack"):
            return Answer(headers={"Content-Type": RESULT},
                          body=self.upload_pack(body=request.body, version=version))
        if request.path.endswith("/info/refs?service=git-upload-pack"):
            prelude = b"" if version == 2 else packet("# service=git-upload-pack\n") + b"0000"
            return Answer(headers={"Content-Type": ADVERTISEMENT}, body=prelude + self.upload_pack(
                "--http-backend-info-refs", version=version))
        return Answer(404, {"Content-Type": "text/html"}, b"<h1>Not found</h1>")

    def serve(self, connection):
        number = self.accepted
        stream = connection.makefile("rb")
        while request := self._read(stream, number):
            self.requests.append(request)
            if not self._send(connection, self.respond(self, request)):
                return

    @staticmethod
    def _read(stream, number):
        line = stream.readline().split()
        if len(line) != 3:
            return None
        headers = {}
        while (header := stream.readline().strip()):
            name, _, value = header.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        return Request(line[0].decode(), line[1].decode(), headers, body, number)

    def _send(self, connection, answer):
        """True if the connection can go on."""
        headers = dict(answer.headers)
        whole = isinstance(answer.body, bytes)
        length = answer.length
        if length is None and whole:
            length = len(answer.body)
        stays = whole and length == len(answer.body)
        if length is not None and length >= 0:
            headers["Content-Length"] = str(length)
        headers.setdefault("Connection", "keep-alive" if stays else "close")
        head = "".join([f"HTTP/1.1 {answer.status} Because\r\n",
                        *(f"{name}: {value}\r\n" for name, value in headers.items()), "\r\n"])
        connection.sendall(head.encode("latin-1"))
        for piece in [answer.body] if whole else answer.body:
            connection.sendall(piece)
        if answer.hang:
            self.stopped.wait()
        return stays and not answer.close


class GitServer(ThreadedServer):
    """git:// for one repository. `cut` bytes at most are sent on a connection, in pieces of `piece`
    bytes; `commands` is the number of commands after which the server hangs up; with `late`, only when the next one
    has come."""

    def __init__(self, repository, *, cut=None, piece=None, commands=None, late=False, version=2):
        self.repository = repository
        self.cut = cut
        self.piece = piece
        self.commands = commands
        self.late = late
        self.version = version
        self.greetings = []
        self.sent = 0
        super().__init__()

    def url(self, name="repository"):
        return f"git://127.0.0.1:{self.port}/{name}"

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        self.greetings.append(stream.read(int(stream.read(4), 16) - 4))
        env = {**self.repository.env, "GIT_PROTOCOL": f"version={self.version}"}
        with subprocess.Popen(["git", "upload-pack", os.fspath(self.repository.path)], env=env,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as git:
            back = threading.Thread(target=self._send, args=[git, connection], daemon=True)
            back.start()
            with contextlib.suppress(OSError, ValueError):
                self._receive(stream, git)
            back.join()
            git.kill()

    def _receive(self, stream, git):
        flushes = 0
        while self.commands is None or flushes < self.commands:
            head = stream.read(4)
            if len(head) < 4:
                break
            git.stdin.write(head + stream.read(max(int(head, 16) - 4, 0)))
            if head == b"0000":
                flushes += 1
            git.stdin.flush()  # version 0 says "done" last, without a flush packet
        if self.late:
            stream.read(4)
        git.stdin.close()

    def _send(self, git, connection):
        left = self.cut
        with contextlib.suppress(OSError):
            while received := git.stdout.read1(65536):
                if left is not None:
                    received = received[:left]
                    left -= len(received)
                self.sent += len(received)
                size = self.piece or len(received) or 1
                for start in range(0, len(received), size):
                    connection.sendall(received[start:start + size])
                if left == 0:
                    break
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def in_pieces(body, size, pause=0.0):
    """Yields body in pieces, with a pause after each."""
    for start in range(0, len(body), size):
        yield body[start:start + size]
        if pause:
            time.sleep(pause)
