"""A remote that fails in each way that we know of, and comes back. Each time the reader gets the errno of README's
table, a sentence stands in the log and in status.json, and soon after the remote is sound again the same read works,
through the kernel as well; what is cached, and other repositories, notice nothing."""

import contextlib
import errno
import os
import pathlib
import random
import re
import socket
import ssl
import struct
import threading
import time

from support import certificates, servers, trees
from support.case import EndToEnd
from support.processes import WHEN_BUSY, eventually, is_busy, slowness
from support.repositories import start_point
from support.wire import RESULT, Answer, HttpServer, in_pieces, packet, packets

SLOW = slowness() * (WHEN_BUSY if is_busy() else 1)
TIMEOUT = 3 if SLOW == 1 else 8 if SLOW <= 5 else 20
SOON = 20 * SLOW  # seconds after which a remote that is sound again must be believed
PAGE = {"Content-Type": "text/html"}
GIT = {"Content-Type": RESULT}


class Reset(OSError):
    """Ends a connection with RST, in the middle of an answer."""


class Failing(HttpServer):
    """True answers, unless `way` says otherwise: a function (server, request, true answer) -> Answer, for the command
    that `command` names, or for all if that is None."""

    remembers = True

    def __init__(self, repository, host, way, command, tls=None):
        self.host, self.way, self.command, self.tls = host, way, command, tls
        self.bad = False
        self.met = 0  # how often the failure was met
        super().__init__(repository, Failing.answer)

    def answer(self, request):
        if not self.bad or self.command not in (None, request.command):
            return self.true_answer(request)
        self.met += 1
        true = None if self.command is None else self.true_answer(request)
        return self.way(self, request, true)

    def serve(self, connection):
        if self.tls and not self.bad:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls.chain, self.tls.key)
            with contextlib.suppress(ssl.SSLError):
                connection = context.wrap_socket(connection, server_side=True)
        elif self.tls:
            self.met += 1
            connection.sendall(b"HTTP/1.1 400 speak plainly\r\n\r\n" * 20)
            return
        with connection:
            try:
                super().serve(connection)
            except Reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @property
    def address(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def close_port(self):
        """Connections are refused from now on."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.met += 1

    def open_port(self):
        self.listener = eventually(self._listen, 20, "the port")
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _listen(self):
        with contextlib.suppress(OSError):
            return socket.create_server((self.host, self.port), backlog=256)


# ---- the ways ----

def status(number, headers=None, body=b"<h1>no</h1>"):
    return lambda *_: Answer(number, headers or PAGE, body)


def reset_after(part):
    def pieces(body):
        yield body[:int(len(body) * part)]
        raise Reset
    return lambda server, request, true: Answer(headers=GIT, body=pieces(true.body), length=len(true.body))


def silence_after(part):
    """After so much of the answer."""
    return lambda server, request, true: Answer(
        headers=GIT, body=true.body[:int(len(true.body) * part)], length=len(true.body), hang=True)


def silence(server, *_):
    """Not even a status line."""
    server.stopped.wait()
    raise Reset


def trickle(server, request, true):
    return Answer(headers=GIT, body=until_stopped(server, in_pieces(true.body[:200], 1, 0.5)), length=len(true.body))


def until_stopped(server, pieces):
    for piece in pieces:
        if server.stopped.is_set() or not server.bad:
            raise Reset
        yield piece


def progress_for_ever(server, *_):
    def lines():
        yield packet("packfile\n")
        while True:
            yield packet(b"\2Counting objects\n")
            time.sleep(0.1)
    return Answer(headers=GIT, body=until_stopped(server, lines()))


def keepalive_for_ever(server, *_):
    def lines():
        yield packet("packfile\n")
        while True:
            yield packet(b"\1")
            time.sleep(0.1)
    return Answer(headers=GIT, body=until_stopped(server, lines()))


def truncated(_, __, true):
    return Answer(headers=GIT, body=true.body[:-60], length=-1)


def flipped(_, __, true):
    at = true.body.index(b"PACK") + 60
    return Answer(headers=GIT, body=true.body[:at] + bytes([true.body[at] ^ 4]) + true.body[at + 1:])


def wrong_packets(_, __, true):
    parts = packets(true.body)
    return Answer(headers=GIT, body=parts[0] + b"00zz" + b"".join(parts[1:]))


def nonsense(_, __, true):
    return Answer(headers=GIT, body=random.Random(7).randbytes(len(true.body)))


def another_commit(server, request, _):
    one, two = ((server.repository.path / "refs/tags" / tag).read_bytes().strip() for tag in "12")
    swapped = request.body.replace(two, one)
    return Answer(headers=GIT, body=server.upload_pack(body=swapped))


def bad_gzip(_, __, true):
    return Answer(headers={**GIT, "Content-Encoding": "gzip"}, body=b"\x1f\x8b\x08\x00" + true.body)


def loop(server, request, _):
    return Answer(302, {"Location": server.address + request.path})


def said(text):
    return lambda *_: Answer(headers=GIT, body=packet(f"ERR {text}"))


# name: (way, which command fails, errno)
WAYS = {
    "refused": (None, None, errno.EHOSTUNREACH),
    "tls": (None, None, errno.EIO),
    "reset-at-once": (reset_after(0), "ls-refs", errno.EIO),
    "reset-listing": (reset_after(0.5), "ls-refs", errno.EIO),
    "reset-pack": (reset_after(0.7), "fetch", errno.EIO),
    "silence": (silence, None, errno.ETIMEDOUT),
    "silence-listing": (silence_after(0.5), "ls-refs", errno.ETIMEDOUT),
    "silence-fetch": (silence_after(0), "fetch", errno.ETIMEDOUT),
    "silence-pack": (silence_after(0.7), "fetch", errno.ETIMEDOUT),
    "trickle-listing": (trickle, "ls-refs", errno.ETIMEDOUT),
    "progress": (progress_for_ever, "fetch", errno.ETIMEDOUT),
    "keepalive": (keepalive_for_ever, "fetch", errno.ETIMEDOUT),
    "401": (status(401, {"WWW-Authenticate": 'Basic realm="x"'}), None, errno.EACCES),
    "403": (status(403), None, errno.EACCES),
    "404": (status(404), None, errno.EHOSTUNREACH),
    "404-pack": (status(404), "fetch", errno.EHOSTUNREACH),
    "410": (status(410), None, errno.EHOSTUNREACH),
    "429": (status(429, {"Retry-After": "1"}), None, errno.EBUSY),
    "500": (status(500), None, errno.EIO),
    "503": (status(503), "fetch", errno.EIO),
    "login-page": (status(200, PAGE, b"<html><form>Who are you?</form></html>"), None, errno.EIO),
    "truncated-listing": (lambda s, r, true: Answer(headers=GIT, body=true.body[:-9], length=-1), "ls-refs", errno.EIO),
    "truncated-pack": (truncated, "fetch", errno.EIO),
    "flipped-pack": (flipped, "fetch", errno.EIO),
    "wrong-packets": (wrong_packets, "ls-refs", errno.EIO),
    "wrong-packets-pack": (wrong_packets, "fetch", errno.EIO),
    "nonsense": (nonsense, "fetch", errno.EIO),
    "another-commit": (another_commit, "fetch", errno.EIO),
    "gzip": (bad_gzip, "ls-refs", errno.EIO),
    "gzip-pack": (bad_gzip, "fetch", errno.EIO),
    "redirects": (loop, None, errno.EIO),
    "gone-in-words": (said("repository not found"), "ls-refs", errno.EHOSTUNREACH),
    "denied-in-words": (said("access denied"), "fetch", errno.EACCES),
    "full-in-words": (said("out of memory"), "fetch", errno.EIO),
}


class Remote:
    """One way: a repository, its server, and what was seen of it."""

    soon, timeout = SOON, TIMEOUT  # seconds

    def __init__(self, test, name):
        self.test, self.name = test, name
        self.way, self.command, self.errno = WAYS[name]
        self.repository = test.made[name]
        # A host each: one that hangs may keep others of the same host waiting.
        host = "127.0.0.1" if name == "tls" else f"127.0.1.{1 + list(WAYS).index(name)}"
        self.server = test.serve(Failing, self.repository, host, self.way, self.command,
                                 test.certificate if name == "tls" else None)
        self.source = f"{self.server.url(name)}?tag=1"
        self.problems, self.back_after = [], 0.0

    def __call__(self, mount):
        try:
            self.check(mount)
        except Exception as failure:  # told by the test's own thread
            self.problems.append(f"{type(failure).__name__}: {failure}")

    def wrong(self, text):
        self.problems.append(text)

    def ask(self, action, *arguments):
        begun = time.monotonic()
        try:
            action(*arguments)
            self.wrong(f"{action.__name__}{arguments} succeeds though the remote fails")
        except OSError as failure:
            if failure.errno != self.errno:
                self.wrong(f"{failure} instead of {errno.errorcode[self.errno]}")
        if time.monotonic() - begun > 4 * self.timeout + 10 * SLOW:
            self.wrong(f"{action.__name__}{arguments}: an answer only after {time.monotonic() - begun:.1f} s")

    def fail(self):
        self.repository.show("2")
        self.server.bad = True
        if self.name == "refused":
            self.server.close_port()

    def come_back(self):
        self.server.bad = False
        if self.name == "refused":
            self.server.open_port()

    def check(self, mount):
        tree = mount / self.name / "2"
        names = [tree / "manifest.json", tree / "further", tree]
        for name in names:
            self.ask(os.stat if name != tree else os.listdir, name)
        if not self.server.met:
            self.wrong("the failure was not met")
        if ":1" not in (mount / self.name / "1/manifest.json").read_text():
            self.wrong("another content of what is cached")

    def check_return(self, mount):
        """All names of before, so that whatever the kernel has kept of them is seen."""
        begun = time.monotonic()
        tree = mount / self.name / "2"

        def is_back():
            with contextlib.suppress(OSError):
                return (tree / "manifest.json").read_text()

        try:
            eventually(is_back, self.soon, "the version")
            self.back_after = time.monotonic() - begun
            if (tree / "further").read_text() != self.name:
                self.wrong("another content")
            trees.compare(self.test, tree, self.repository.check_out("2", self.test.folder / f"clone-{self.name}"))
        except (AssertionError, OSError) as failure:
            self.wrong(f"back again: {failure}")


def make_two_versions(test, name):
    """The second is there when the remote fails."""
    repository = test.make_repository(name)
    repository.commit_many({"1": start_point("1"), "2": start_point("2", further=name)})
    repository.hide("2")
    return repository


class FailingRemote(EndToEnd):
    deadline = 240

    def setUp(self):
        super().setUp()
        (self.folder / "tls").mkdir()
        self.certificate = certificates.make(self.folder / "tls", self.env)
        self.git_configure("http.sslCAInfo", self.certificate.authority)

    def in_parallel(self, actions):
        threads = [threading.Thread(target=action, args=arguments, daemon=True) for action, *arguments in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(SOON, 60 * SLOW))
        return sum(thread.is_alive() for thread in threads)

    def make_steady(self):
        """A repository of another host, of which a version is read all the time, and new ones now and then."""
        tags = [str(number) for number in range(40)]
        self.make_start_point("steady", tags=tags)
        nginx = self.serve(servers.Nginx, self.repositories)
        return nginx.url("steady"), tags

    def is_read(self, path):
        """So short a timeout is for what fails: where all processors are busy, what works may need another try."""
        try:
            self.assertIn(":1", path.read_text())
        except OSError as failure:
            self.assertIn(failure.errno, (errno.ETIMEDOUT, errno.EHOSTUNREACH))
            return False
        return True

    def read_steady(self, mount, tags, over, seen):
        for tag in tags:
            begun = time.monotonic()
            try:
                if f":{tag}" not in (mount / "steady" / tag / "manifest.json").read_text():
                    seen.append(f"{tag}: another content")
                if ":0" not in (mount / "steady/0/manifest.json").read_text():
                    seen.append("0: another content")
            except OSError as failure:
                seen.append(str(failure))
            if time.monotonic() - begun > 2 * SLOW + 3:
                seen.append(f"steady/{tag} took {time.monotonic() - begun:.1f} s")
            if over.wait(0.2):
                return

    def test_each_way_and_back(self):
        only = os.environ.get("E2E_WAYS")
        ways = [name for name in WAYS if not only or re.search(only, name)]
        # All of them before the first server: where there are threads, it takes longer to start a program.
        self.made = {name: make_two_versions(self, name) for name in ways}
        steady, tags = self.make_steady()
        remotes = [Remote(self, name) for name in ways]
        mount = self.mount(*[remote.source for remote in remotes], f"{steady}?tag=0",
                           options=f"timeout={TIMEOUT},jobs=64,refs_ttl=1")
        for remote in remotes:
            eventually(lambda: self.is_read(mount / remote.name / "1/manifest.json"), 60, remote.name)  # noqa: B023
        for remote in remotes:
            remote.fail()
        over, seen = threading.Event(), []
        watcher = threading.Thread(target=self.read_steady, args=(mount, tags, over, seen), daemon=True)
        watcher.start()
        hang = self.in_parallel([(remote, mount) for remote in remotes])
        self.check_told(mount, remotes)
        for remote in remotes:
            remote.come_back()
        hang += self.in_parallel([(remote.check_return, mount) for remote in remotes])
        over.set()
        watcher.join(20 * SLOW)
        wrong = [f"{remote.name}: {text}" for remote in remotes for text in remote.problems] + seen
        print(f"figures: a remote fails in {len(remotes)} ways and comes back: {len(wrong)} wrong, {hang} hang, "
              f"{mount.status()['restarts']} crash; the slowest was believed again after "
              f"{max(remote.back_after for remote in remotes):.1f} s")
        self.assertEqual([], wrong)
        self.assertEqual((0, 0, False), (hang, mount.status()["restarts"], watcher.is_alive()))

    def check_told(self, mount, remotes):
        """Each has a sentence in status.json, and the same in the log; a reader may have its answer a moment before
        what it waited for has ended."""
        def missing():
            self.untold = list(self.find_untold(mount, remotes))
            return not self.untold

        with contextlib.suppress(AssertionError):
            eventually(missing, 5 * SLOW)
        for remote, text in self.untold:
            remote.wrong(text)

    @staticmethod
    def find_untold(mount, remotes):
        told = {one["name"]: one for one in mount.status()["repositories"]}
        log = re.sub("[^a-z]", "", mount.log())  # the log writes what is no letter in its own way
        for remote in remotes:
            errors = [told[remote.name].get("error")] + [one.get("error") for one in told[remote.name]["versions"]]
            errors = [text for text in errors if text]
            if not errors:
                yield remote, "status.json has no sentence about it"
            elif not any(re.sub("[^a-z]", "", text) in log for text in errors):
                yield remote, f"the log has no word of: {errors}"
