"""What status.json says is so: each of its keys, and that counts return to zero. Also the numbers of files, which all calls
give alike."""

import ctypes
import errno
import os
import signal
import time

from support import servers
from support.case import EndToEnd
from support.processes import eventually
from support.repositories import executable, symlink

KEYS = {
    "version", "pid", "supervisor_pid", "uptime_seconds", "held_by", "takeovers", "restarts", "last_restart_cause",
    "reloads", "reloads_refused", "reload_refusal", "offline", "cache", "cache_bytes", "cache_max",
    "cache_freed_bytes", "cache_removed_versions", "nodes", "max_nodes", "requests", "waiting", "listings", "fetches",
    "fetches_failed", "bytes_fetched", "transfers", "sets", "list_folders", "fetch_seconds", "repositories"}


class Meaning(EndToEnd):
    with_sanitizers = False  # what it counts is the same with them

    def test_what_it_counts(self):
        repository = self.make_start_point(tags=["1", "2", "3"])
        server = self.serve(servers.Nginx, self.repositories)
        begun = time.time()
        mount = self.mount(server.url("python-unittest") + "?tag=1", options="cache_max=50M,max_nodes=100000,refs_ttl=0")
        before = mount.status()
        self.assertEqual(KEYS, set(before))
        self.assertEqual((0, 0, 0, 0, 0), tuple(before[key] for key in (
            "listings", "fetches", "fetches_failed", "bytes_fetched", "waiting")))
        self.assertEqual((50 << 20, 100000, False, str(mount.cache)), tuple(before[key] for key in (
            "cache_max", "max_nodes", "offline", "cache")))
        self.assertEqual((None, None, [], []), tuple(before[key] for key in (
            "held_by", "last_restart_cause", "transfers", "sets")))
        for tag in ("1", "2"):
            (mount / f"python-unittest/{tag}/manifest.json").read_text()
        self.assert_errno(errno.ENOENT, os.stat, mount / "python-unittest/4")
        os.listdir(mount / "python-unittest")
        asked = sum("command=ls-refs" in one["body"] for one in server.requests())
        self.assertGreaterEqual(asked, 2)
        # The first was part of a fetch.
        after = eventually(lambda: (status := mount.status())["listings"] == asked - 1 and status, 20, "all listings")
        sent = [one["bytes"] for one in server.requests() if "command=fetch" in one["body"]]
        self.assertEqual(len(sent), after["fetches"])
        self.assertEqual(2, after["fetches"])
        # Less what git's protocol adds.
        self.assertTrue(sum(sent) - 1000 < after["bytes_fetched"] < sum(sent), (sent, after["bytes_fetched"]))
        self.assertTrue(before["nodes"] < after["nodes"] < before["nodes"] + 200)
        self.assertAlmostEqual(time.time() - begun, after["uptime_seconds"], delta=1.6)
        self.assertGreater(after["uptime_seconds"], 0)
        told = mount.repository("python-unittest")
        self.assertAlmostEqual(time.time(), told["listed_at"], delta=5)
        listed = repository.git("for-each-ref").strip().splitlines()
        self.assertEqual(len(listed) + 1, told["refs"])  # and HEAD
        self.assertEqual({"1": "ready", "2": "ready", "3": "listed"}, {
            one["name"]: one["state"] for one in told["versions"]})
        # Whoever only looks around lists and fetches nothing.
        browsed = self.mount(server.url("python-unittest"), cache=self.folder / "another-cache")
        os.listdir(browsed / "python-unittest")
        browsed = browsed.status()
        self.assertEqual((1, 0), (browsed["listings"], browsed["fetches"]))
        offline = self.mount(server.url("python-unittest"), options="offline")
        self.assertTrue(offline.status()["offline"])
        self.assertIsNone(offline.status()["cache_max"])

    def test_requests_are_counted_by_their_kind(self):
        repository = self.make_repository()
        repository.commit({"file": "x" * 100_000, "link": symlink(b"file"), "folder/other": "y"}, tag="1")
        mount = self.mount(repository.path)
        tree = mount / "python-unittest/1"
        os.stat(tree / "folder")

        def during(action):
            return {name: number for name, number in mount.requests_during(action).items() if name != "total"}

        # A slow machine asks again for what is good for a second.
        for kind, action in {"lookup": lambda: os.stat(tree / "link", follow_symlinks=False),
                             "readlink": lambda: os.readlink(tree / "link"), "statfs": lambda: os.statvfs(tree),
                             "read": (tree / "file").read_bytes}.items():
            made = during(action)
            self.assertLessEqual({kind}, set(made), kind)
            self.assertLessEqual(set(made), {kind, "lookup", "getattr", "forget"}, kind)

    def test_who_waits_and_no_longer(self):
        silent = self.serve(servers.SilentServer)
        mount = self.mount(silent.url("dead") + "?tag=1", options="timeout=50")
        readers = [self.start("cat", mount / f"dead/1/{number}", stderr=-3) for number in range(3)]
        eventually(lambda: mount.status()["waiting"] == 3, 20, "three that wait")
        transfer, = mount.status()["transfers"]
        self.assertEqual(("dead", 0, 3), tuple(transfer[key] for key in ("repository", "bytes", "waiting")))
        self.assertGreater(transfer["seconds"], 0)
        for reader in readers:
            reader.send_signal(signal.SIGINT)
            self.assertEqual(-signal.SIGINT, reader.wait(10))
        status = mount.status()
        self.assertEqual((0, [0]), (status["waiting"], [one["waiting"] for one in status["transfers"]]))

    def test_workers(self):
        mount = self.mount(self.make_start_point(tags=["1"]).path)
        first = mount.status()["pid"]
        self.program("reload", mount)
        second = mount.status()
        self.assertNotEqual(first, second["pid"])
        self.assertEqual((1, 0, None), tuple(second[key] for key in ("reloads", "restarts", "last_restart_cause")))
        os.kill(second["pid"], signal.SIGKILL)
        third = mount.status()
        self.assertEqual((1, 1, "killed by signal 9 (KILL)"), tuple(
            third[key] for key in ("reloads", "restarts", "last_restart_cause")))
        self.assertEqual(second["supervisor_pid"], third["supervisor_pid"])

    def test_it_is_made_at_most_once_a_second_and_never_older(self):
        mount = self.mount(self.make_start_point(tags=["1"]).path)
        path = mount / ".startpointfs/status.json"

        def read():
            file = os.open(path, os.O_RDONLY | os.O_DIRECT)
            try:
                return os.read(file, 1 << 20)
            finally:
                os.close(file)

        first, begun = read(), time.monotonic()
        texts = {first} | {read() for _ in range(20)}
        if time.monotonic() - begun < 0.9:
            self.assertEqual(1, len(texts))
        time.sleep(1.1)
        self.assertNotIn(read(), texts)


class Dirent(ctypes.Structure):
    _fields_ = [("number", ctypes.c_uint64), ("offset", ctypes.c_int64), ("length", ctypes.c_uint16), ("kind", ctypes.c_uint8),
                ("name", ctypes.c_char * 256)]


def numbers_of(folder):
    """What readdir(3) says: {name: inode number}. Of `.` and `..`, no tool shows that: `ls -i` asks stat."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = ctypes.c_void_p
    libc.readdir64.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
    libc.readdir64.restype = ctypes.POINTER(Dirent)
    stream = libc.opendir(os.fsencode(folder))
    found = {}
    while entry := libc.readdir64(stream):
        found[os.fsdecode(entry.contents.name)] = entry.contents.number
    libc.closedir(stream)
    return found


class Inodes(EndToEnd):
    def test_each_call_gives_the_same(self):
        repository = self.make_repository()
        repository.commit({"file": "1", "run": executable("#!/bin/sh\n"), "link": symlink(b"file"),
                           "folder/deep/file": "2", "folder/other": "3"}, tag="1")
        repository.git("tag", "release/2", "1")
        mount = self.mount(f"{repository.path}?tag=1", f"{repository.path}")
        name = repository.path.name
        folders = ["", name, f"{name}/release", f"{name}/release/2", f"{name}/master", f"{name}/1", f"{name}/1/folder",
                   f"{name}/1/folder/deep"]
        for folder in folders:
            place = mount / folder
            listed = numbers_of(place)
            self.assertIn("..", listed)
            for entry in os.scandir(place):
                self.assertEqual(entry.inode(), os.stat(place / entry.name, follow_symlinks=False).st_ino, entry.path)
                self.assertEqual(entry.inode(), listed[entry.name], entry.path)
            self.assertEqual(os.stat(place).st_ino, listed["."], folder)
            if folder and f"{name}/master" != folder:
                self.assertEqual(os.stat(place.parent).st_ino, listed[".."], folder)
        numbers = [os.stat(mount / folder).st_ino for folder in folders]
        self.assertEqual(len(numbers), len(set(numbers)))
