"""One slow remote hurts nobody."""

import contextlib
import errno
import os
import signal
import statistics
import threading
import time

from support import servers, wire
from support.case import EndToEnd
from support.processes import eventually, slowness, state


class SlowRemote(EndToEnd):
    def test_reads_end_with_etimedout(self):
        silent = self.serve(servers.SilentServer)
        for scheme in ("http", "git"):
            with self.subTest(scheme):
                mount = self.mount(silent.url("dead", scheme) + "?tag=1", options="timeout=2")
                begun = time.monotonic()
                self.assert_errno(errno.ETIMEDOUT, os.listdir, mount / "dead/1")
                seconds = time.monotonic() - begun
                self.assertGreater(seconds, 1.5)
                self.assertLess(seconds, 2 + 4 * slowness())
                # It backs off: at once, and with the same errno.
                begun = time.monotonic()
                self.assert_errno(errno.ETIMEDOUT, os.listdir, mount / "dead/1")
                self.assertLess(time.monotonic() - begun, 0.5 * slowness())
                eventually(lambda: mount.version("dead", "1")["state"] == "failed", 5,  # noqa: B023
                           "the failure in status.json")
                self.assertIn("dead", mount.version("dead", "1")["error"])

    def test_ls_of_the_repository_ends_with_etimedout(self):
        silent = self.serve(servers.SilentServer)
        mount = self.mount(silent.url("dead") + "?tag=1", options="timeout=2")
        try:
            # What the sources name may be shown; but it may not take longer.
            self.assertEqual(["1"], os.listdir(mount / "dead"))
        except OSError as failure:
            self.assertEqual(errno.ETIMEDOUT, failure.errno)

    def test_ls_shows_what_is_known_of_a_remote_that_has_become_silent(self):
        silent = threading.Event()

        def respond(server, request):
            if silent.is_set():
                server.stopped.wait()
            return server.true_answer(request)

        server = self.serve(wire.HttpServer, self.make_start_point(tags=["1", "2"]), respond)
        mount = self.mount(server.url("slow") + "?tag=1", options="timeout=50,refs_ttl=0")
        self.assertEqual(["1", "2"], sorted(os.listdir(mount / "slow")))
        silent.set()
        asked = len(server.requests)
        # The kernel may have the folder for a moment; then each ls asks.
        reader = None

        def asks():
            nonlocal reader
            reader = self.start("ls", mount / "slow", stdout=-1)
            eventually(lambda: reader.poll() is not None or len(server.requests) > asked, 10, "an end")
            return len(server.requests) > asked

        eventually(asks, 20, "an ls that asks the remote")
        self.assertEqual("1\n2\n", reader.communicate(timeout=25)[0].decode())
        self.assertEqual(0, reader.returncode)

    def test_ctrl_c_ends_a_reader_at_once(self):
        silent = self.serve(servers.SilentServer)
        mount = self.mount(silent.url("dead") + "?tag=1", options="timeout=50")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                reader = self.start("cat", mount / "dead/1/manifest.json", stderr=-3)
                eventually(lambda: silent.accepted, 10, "a connection to the silent server")
                eventually(lambda: self.waits_in_the_mount(reader), 10, "the reader's wait")
                begun = time.monotonic()
                reader.send_signal(number)
                self.assertEqual(-number, reader.wait(5 * slowness()))
                self.assertLess(time.monotonic() - begun, slowness())

    @staticmethod
    def waits_in_the_mount(cat):
        """A cat that sleeps, and is cat by now, waits for a request: there is nothing else that it
        could wait for."""
        with open(f"/proc/{cat.pid}/comm", encoding="utf-8") as name:
            return name.read() == "cat\n" and state(cat.pid) in ("S", "D")

    def test_100_readers_of_a_dead_remote_slow_nobody_down(self):
        silent = self.serve(servers.SilentServer)
        tags = [str(number) for number in range(14)]
        repository = self.make_start_point(tags=tags)
        mount = self.mount(silent.url("dead") + "?tag=1", f"{repository.path}?tag=1",
                           options="timeout=15")

        def read_cold(tag):
            begun = time.monotonic()
            self.assertIn(f":{tag}", (mount / f"python-unittest/{tag}/manifest.json").read_text())
            return time.monotonic() - begun

        def read_warm(tag):
            begun = time.monotonic()
            self.call("find", mount / "python-unittest" / tag, "-ls")
            os.listdir(mount)
            return time.monotonic() - begun

        os.listdir(mount / "python-unittest")
        cold = statistics.median(read_cold(tag) for tag in tags[:7])
        warm = statistics.median(read_warm(tag) for tag in tags[:7])
        readers = [self.start("cat", mount / f"dead/{number % 3}/manifest.json", stderr=-1)
                   for number in range(100)]
        eventually(lambda: all(self.waits_in_the_mount(reader) for reader in readers), 12,
                   "100 readers that wait")
        cold_beside = statistics.median(read_cold(tag) for tag in tags[7:])
        warm_beside = statistics.median(read_warm(tag) for tag in tags[7:])
        self.assertTrue(all(reader.poll() is None for reader in readers), "they wait no longer")
        self.assertLess(cold_beside, 3 * cold + 0.1)
        self.assertLess(warm_beside, 3 * warm + 0.05)
        for reader in readers:
            self.assertEqual(1, reader.wait(30))
            self.assertIn("timed out", reader.stderr.read().decode())

    def test_many_dead_repositories_of_one_host(self):
        silent = self.serve(servers.SilentServer)
        repository = self.make_start_point()
        self.make_start_point("other")
        alive = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(*[silent.url(f"dead{number}") + "?tag=1" for number in range(40)],
                           repository.path, alive.url("other"), options="timeout=20,jobs=4")
        for number in range(40):
            self.start("cat", mount / f"dead{number}/1/manifest.json", stderr=-3)
        eventually(lambda: silent.accepted >= 4, 10, "connections to the silent server")
        begun = time.monotonic()
        os.listdir(mount / "python-unittest/3.7.4-19")
        os.listdir(mount / "other/3.7.4-19")
        self.assertLess(time.monotonic() - begun, 2 * slowness())
        self.assertLessEqual(silent.accepted, 4)

    def test_a_refused_connection_is_ehostunreach_and_heals(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(server.url("python-unittest") + "?tag=3.7.4-19")
        server.stop()
        tree = mount / "python-unittest/3.7.4-19"
        self.assert_errno(errno.EHOSTUNREACH, os.listdir, tree)
        self.assert_errno(errno.EHOSTUNREACH, os.listdir, tree)
        self.assertIn("127.0.0.1", mount.version("python-unittest", "3.7.4-19")["error"])
        server.start_again()

        def is_back():
            with contextlib.suppress(OSError):
                return os.listdir(tree)

        eventually(is_back, 20, "the repository after its server came back")

    def test_a_host_without_a_name_is_ehostunreach(self):
        mount = self.mount("http://no-such-host.invalid/x?tag=1", options="timeout=20")
        self.assert_errno(errno.EHOSTUNREACH, os.listdir, mount / "x/1")
