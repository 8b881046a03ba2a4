"""The tests' own tools: a server or a comparison that does not work would make every test that
uses it worthless."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

from support import servers, trees
from support.case import EndToEnd
from support.processes import PROJECT, eventually, mounts_below, processes_of
from support.repositories import executable, start_point, submodule, symlink


class Servers(EndToEnd):
    with_sanitizers = False

    def check(self, url, **environment):
        env = {**self.env, **environment}
        listed = self.call("git", "ls-remote", "--tags", url, env=env).stdout
        self.assertIn("refs/tags/3.7.4-19", listed)
        destination = self.folder / "clone"
        self.call("git", "clone", "-q", "--depth", "1", "--branch", "3.7.4-19", url, destination,
                  env=env)
        self.assertIn("3.7.4-19", (destination / "manifest.json").read_text())

    def test_git_daemon(self):
        self.make_start_point()
        self.check(self.serve(servers.GitDaemon, self.repositories).url("python-unittest"))

    def test_http(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        self.check(server.url("python-unittest"))
        bodies = [one["body"] for one in server.requests()]
        self.assertTrue(any("command=fetch" in body for body in bodies), bodies)

    def test_https_needs_the_authority(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories, tls=True)
        refused = self.call("git", "ls-remote", server.url("python-unittest"), check=False)
        self.assertNotEqual(0, refused.returncode)
        self.git_configure("http.sslCAInfo", server.certificate.authority)
        self.check(server.url("python-unittest"))

    def test_private_needs_the_password(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        url = server.url("python-unittest", "private")
        refused = self.call("git", "ls-remote", url, check=False)
        self.assertNotEqual(0, refused.returncode)
        self.check(url.replace("//", f"//{server.USER}:{server.PASSWORD}@"))

    def test_redirect(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        self.check(server.url("python-unittest", "moved/301"))

    def test_proxy(self):
        self.make_start_point()
        for tls in (False, True):
            server = self.serve(servers.Nginx, self.repositories, tls=tls)
            proxy = self.serve(servers.ForwardProxy)
            self.git_configure("http.proxy", proxy.address)
            if tls:
                self.git_configure("http.sslCAInfo", server.certificate.authority)
            self.call("git", "ls-remote", server.url("python-unittest"))
            self.assertIn("CONNECT" if tls else "GET", [method for method, _ in proxy.targets])

    def test_sshd(self):
        self.make_start_point()
        server = self.serve(servers.Sshd, self.repositories)
        self.check(server.url("python-unittest"), GIT_SSH_COMMAND=server.command)
        self.assertLess(0, server.connections())

    def test_delaying_proxy(self):
        self.make_start_point()
        near = self.serve(servers.GitDaemon, self.repositories)
        far = self.serve(servers.DelayProxy, near, 300)
        begun = time.monotonic()
        self.call("git", "ls-remote", far.url("python-unittest"))
        # Handshake, capabilities, ls-refs: at least three round trips.
        self.assertGreater(time.monotonic() - begun, 0.85)
        eventually(far.bytes_received, 5, "the connection's bytes")
        self.assertLess(far.bytes_received(), 2000)

    def test_silent_server(self):
        server = self.serve(servers.SilentServer)
        done = self.call("timeout", "0.5", "git", "ls-remote", server.url("x"), check=False)
        self.assertEqual(124, done.returncode)
        self.assertEqual(1, server.accepted)


class Signals(unittest.TestCase):
    def test_what_is_ignored_is_not_inherited(self):
        """`nohup make test`, and a script's `make test &`."""
        ignored = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)

        def ignore():
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        def ignored_by_child(first):
            shown = subprocess.run([sys.executable, "-c", f"import subprocess{first}\n"
                                    "subprocess.run(['grep', 'SigIgn', '/proc/self/status'])"],
                                   preexec_fn=ignore, stdout=subprocess.PIPE, text=True, check=True,
                                   cwd=PROJECT / "tests" / "e2e").stdout
            mask = int(shown.split()[1], 16)
            return [number for number in ignored if mask & 1 << (number - 1)]

        self.assertEqual(list(ignored), ignored_by_child(""))
        self.assertEqual([], ignored_by_child("; import support.case"))


class Trees(unittest.TestCase):
    """compare() must see every kind of difference."""

    def setUp(self):
        import tempfile
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.left, self.right = pathlib.Path(place.name, "l"), pathlib.Path(place.name, "r")
        for root in (self.left, self.right):
            (root / "folder").mkdir(parents=True)
            (root / "folder" / "file").write_bytes(b"abc")
            (root / "big").write_bytes(bytes(100_000))
            os.symlink("file", root / "link")

    def test_equal_trees_are_equal(self):
        trees.compare(self, self.left, self.right)

    def assert_different(self):
        with self.assertRaises(AssertionError):
            trees.compare(self, self.left, self.right)

    def test_content(self):
        (self.left / "folder" / "file").write_bytes(b"abd")
        self.assert_different()

    def test_big_content(self):
        (self.left / "big").write_bytes(bytes(99_999) + b"x")
        self.assert_different()

    def test_executable_bit(self):
        (self.left / "folder" / "file").chmod(0o755)
        self.assert_different()

    def test_link_target(self):
        (self.left / "link").unlink()
        os.symlink("elif", self.left / "link")
        self.assert_different()

    def test_kind(self):
        (self.left / "link").unlink()
        (self.left / "link").write_bytes(b"file")
        self.assert_different()

    def test_missing_and_additional(self):
        (self.left / "empty").mkdir()
        self.assert_different()
        (self.left / "empty").rmdir()
        (self.right / b"\xff".decode(errors="surrogateescape")).touch()
        self.assert_different()


class Repositories(EndToEnd):
    with_sanitizers = False

    def test_anything_that_git_allows(self):
        repository = self.make_repository()
        names = [b"quote\"back\\slash", b"new\nline", b"\xff\xfe", "ünï".encode(), b" lead", b"-dash"]
        repository.commit({**{name: name for name in names}, "a/b/run": executable("#!/bin/sh\n"),
                           "link": symlink(b"\xff"), "modules/one": submodule(), "empty": ""},
                          tag="slash/tag")
        repository.annotate("annotated")
        repository.annotate("tag-of-tag", "annotated")
        repository.commit(start_point())
        tree = repository.clone("tag-of-tag", self.folder / "clone")
        found = {path for path, _ in trees.walk(tree)}
        self.assertEqual(set(names) | {b"a", b"a/b", b"a/b/run", b"link", b"modules",
                                       b"modules/one", b"empty"}, found)
        self.assertEqual("2", repository.git("rev-list", "--count", "master").strip())
        self.assertEqual("tag", repository.git("cat-file", "-t", "tag-of-tag").strip())
        repository.git("fsck", "--strict")


class Runs(EndToEnd):
    """Of a run that is interrupted or killed nothing stays: no process, no mount, no file."""

    with_sanitizers = False

    def check(self, number):
        place = self.folder / "temporary"
        place.mkdir()
        run = self.start(PROJECT / "tests/run", "e2e", "test_transports.Transports.test_http", stdout=subprocess.DEVNULL,
                         env={**self.env, "PATH": os.environ["PATH"], "TMPDIR": str(place),
                              "B": os.environ.get("E2E_BUILD", "build")})

        def belonging():
            return [pid for folder in place.iterdir() for pid in processes_of(folder)]

        eventually(lambda: mounts_below(place) or run.poll() is not None, 40, "a mount", longest_pause=0.01)
        self.assertIsNone(run.poll())
        self.assertGreater(len(belonging()), 3)
        run.send_signal(number)
        self.assertEqual(-number if number == signal.SIGKILL else 130, run.wait(20))
        eventually(lambda: not list(place.iterdir()), 10, "an empty folder")
        self.assertEqual(([], []), (mounts_below(place), processes_below(place)))

    def test_killed(self):
        self.check(signal.SIGKILL)

    def test_interrupted(self):
        self.check(signal.SIGINT)

    def test_terminated(self):
        self.check(signal.SIGTERM)

    def test_servers_end_with_their_test(self):
        program = ("import os, signal, sys; from pathlib import Path; from support.servers import Nginx; "
                   "Nginx(Path(sys.argv[1]), dict(os.environ), '/'); os.kill(os.getpid(), signal.SIGKILL)")
        self.call(sys.executable, "-c", program, self.folder / "nginx", check=False, cwd=PROJECT / "tests/e2e")
        eventually(lambda: not processes_below(self.folder / "nginx"), 10, "nginx's end")


def processes_below(folder):
    """Those that work there or were called with a file of it; a program's name or environment may be gone."""
    found = []
    for command in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said, works = command.read_bytes(), os.readlink(command.parent / "cwd")
        except OSError:
            continue
        if os.fsencode(folder) in said or works.startswith(os.fspath(folder)):
            found.append(said)
    return found


class Documents(unittest.TestCase):
    """What the documents say is shown by a test is: each test that they name exists."""

    NAMED = re.compile(r"\b(test_[a-z0-9_]+(?:\.(?!py\b|c\b)[A-Za-z0-9_]+)*)(\.\.\.)?")

    @staticmethod
    def known():
        """The names of all tests, each with those that lead to it: test_x, test_x.Class.test_y, test_x.test_y, test_y."""
        names = set()
        for path in [*(PROJECT / "tests").glob("e2e/test_*.py"), *(PROJECT / "tests").glob("vm/test_*.py")]:
            names.add(path.stem)
            of = ""
            for line in path.read_text().splitlines():
                if found := re.match(r"class (\w+)", line):
                    of = found[1]
                    names.add(f"{path.stem}.{of}")
                elif found := re.match(r"    def (test_\w+)", line):
                    names |= {found[1], f"{path.stem}.{found[1]}", f"{path.stem}.{of}.{found[1]}"}
        for path in (PROJECT / "tests").glob("unit/test_*.c"):
            functions = re.findall(r"(?m)^static void (test_\w+)\(", path.read_text())
            names |= {path.stem, *functions, *[f"{path.stem}.{name}" for name in functions]}
        return names

    def test_each_test_that_is_named_exists(self):
        known = self.known()
        documents = [*PROJECT.glob("*.md"), *PROJECT.glob(".github/*.md"), *PROJECT.glob("*/README.md"),
                     *PROJECT.glob("*/*/README.md")]
        named = 0
        for document in documents:
            for number, line in enumerate(document.read_text().splitlines(), 1):
                for name, cut in self.NAMED.findall(line):
                    named += 1
                    there = name in known or cut and any(one.startswith(name) for one in known)
                    self.assertTrue(there or name == "test_NAME",
                                    f"{document.relative_to(PROJECT)}:{number}: there is no {name}")
        self.assertGreater(named, 40)
