"""A disk that is full, other than under a mount's fetch (test_room.py): what was there before stays whole,
nothing half made is left, and one sentence names the file."""

import contextlib
import errno
import hashlib
import os
import re
import subprocess
import unittest

from support import servers
from support.case import EndToEnd
from support.processes import PROGRAM, eventually
from support.repositories import start_point

FULL = "No space left on device"
MIB = 1 << 20


def big(number, size=MIB):
    """Bytes that no packing makes fewer, the same in each call."""
    return b"".join(hashlib.sha512(b"%d %d" % (number, part)).digest() for part in range(size // 64))


class FullDisk(EndToEnd):
    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self.call("mount", "-t", "tmpfs", "-o", "size=3m,nr_inodes=400", "tmpfs", self.disk)
        self.addCleanup(self.call, "umount", "-l", self.disk)
        self.sets, self.cache = self.folder / "sets", self.folder / "cache"
        self.repository = self.make_repository("one")
        self.move("1", size=0)
        self.daemon = self.serve(servers.GitDaemon, self.repositories)
        self.put("sets", self.sets)
        self.put("cache", self.cache)

    def put(self, what, place):
        """Where the program has its sets, or its cache."""
        setattr(self, what, place)
        self.env[f"STARTPOINTFS_{what.upper()}"] = str(place)

    def move(self, tag, size=MIB):
        """The branch gets another commit, which is tagged too."""
        self.repository.commit({**start_point(tag), "big": big(int(tag), size)}, tag=tag)

    def source(self, version="master"):
        return self.daemon.url("one") + f"?tag={version}"

    def fill(self):
        """Somebody else fills the disk to its last byte."""
        with open(self.disk / "somebody's", "ab", buffering=0) as file:
            with self.assertRaises(OSError) as failure:
                while True:
                    file.write(b"x" * 4096)
        self.assertEqual(errno.ENOSPC, failure.exception.errno)

    def fill_names(self):
        """Somebody else makes so many files that not even an empty one has a place."""
        with self.assertRaises(OSError) as failure:
            for number in range(1000):
                (self.disk / f"somebody's {number}").touch()
        self.assertEqual(errno.ENOSPC, failure.exception.errno)

    @contextlib.contextmanager
    def filled(self, fill):
        fill()
        try:
            yield
        finally:
            for path in self.disk.glob("somebody's*"):
                path.unlink()

    def fills(self):
        """Each kind of a full disk, as a context."""
        for fill in (self.fill, self.fill_names):
            with self.filled(fill):
                yield

    def create(self, name="pp", *arguments, version="master", **options):
        return self.program("create", name, "--languages", "--quiet", *arguments, self.source(version), **options)

    def expect_sentence(self, complaint, *names):
        """One sentence, which says what does not fit where."""
        text = " ".join(complaint.split())
        self.assertEqual(1, text.count(FULL), complaint)
        for name in names:
            self.assertIn(str(name), text)
        self.assertNotRegex(text, "(?i)damaged|out of memory|corrupt|assert")

    def contents(self, folder):
        """All that is in a folder: {path: bytes}, without others' files and what is only a time or a lock."""
        return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
                for path in sorted(folder.rglob("*"))
                if not re.search(r"somebody's|\.lock$|startpointfs-(lock|reads|uses?|reserve)", str(path))}

    def cached(self):
        return self.cache / "git" / f"127.0.0.1:{self.daemon.port}" / "one.git"

    def expect_sound(self):
        checked = self.call("git", "--git-dir", self.cached(), "fsck", "--strict", "--full")
        self.assertNotRegex(checked.stdout + checked.stderr, "(?i)broken|missing|error")

    def expect_no_leftovers(self):
        names = [str(path) for path in self.disk.rglob("*")
                 if path.parent.name != "startpointfs-users"  # which says who uses the cache
                 and re.search(r"\.[A-Za-z0-9_]{6}$|-[A-Za-z0-9_]{6}$|incoming|tmp|temp", path.name)]
        self.assertEqual([], names)


class FullSets(FullDisk):
    def setUp(self):
        super().setUp()
        self.put("sets", self.disk / "sets")

    def test_create(self):
        self.create("old")
        before = self.contents(self.sets)
        for _ in self.fills():
            complaint = self.create("new", check=False)
            self.assertEqual(1, complaint.returncode)
            self.expect_sentence(complaint.stderr, self.sets / "new")
            self.assertEqual(before, self.contents(self.sets))
        self.create("new")
        self.assertEqual({"old", "new"}, set(self.contents(self.sets)))

    def test_create_again(self):
        self.create("pp")
        before = self.contents(self.sets)
        self.move("2", size=0)
        for _ in self.fills():
            complaint = self.create("pp", "--force", check=False)
            self.assertEqual(1, complaint.returncode)
            self.expect_sentence(complaint.stderr, self.sets / "pp")
            self.assertEqual(before, self.contents(self.sets))

    def test_no_folder_yet(self):
        with self.filled(self.fill_names):
            complaint = self.refused("create", "pp", "--languages", "--quiet", self.source(), status=1)
            self.expect_sentence(complaint, self.sets)
        self.assertFalse(self.sets.exists())

    def test_update(self):
        self.create("pp")
        before = self.contents(self.sets)
        self.move("2", size=0)
        for _ in self.fills():
            complaint = self.refused("update", "pp", "--quiet", status=1)
            self.expect_sentence(complaint, self.sets / "pp")
            self.assertEqual(before, self.contents(self.sets))
        self.program("update", "pp")
        self.assertNotEqual(before, self.contents(self.sets))

    def test_a_set_can_be_removed(self):
        self.create("pp")
        with self.filled(self.fill):
            self.program("rm", "pp")
        self.assertEqual({}, self.contents(self.sets))


class FullCache(FullDisk):
    """The verbs do not make room as a mount does: gc --max-size does it."""

    def setUp(self):
        super().setUp()
        self.put("cache", self.disk / "cache")

    def expect_as_before(self, before):
        after = self.contents(self.cache)
        for name in ("startpointfs-listing", "packed-refs"):  # a newer one is as good
            for contents in (before, after):
                for path in [path for path in contents if path.endswith(name)]:
                    contents[path] = None
        self.assertEqual(before, after)
        self.expect_no_leftovers()
        self.expect_sound()

    def test_fetch(self):
        self.program("fetch", self.source("1"))
        before = self.contents(self.cache)
        self.move("2")
        for _ in self.fills():
            self.expect_sentence(self.refused("fetch", "--quiet", self.source("2"), status=3), self.cache)
            self.program("fetch", "--offline", self.source("1"))
            self.expect_as_before(dict(before))
        self.program("fetch", self.source("2"))

    def test_fetch_more_than_fits(self):
        self.program("fetch", self.source("1"))
        before = self.contents(self.cache)
        self.move("2", size=5 * MIB)
        done = self.program("fetch", "--quiet", self.source("2"), check=False)
        self.assertEqual(3, done.returncode)
        self.expect_sentence(done.stderr, "one", self.cache)
        self.expect_as_before(before)

    def test_the_first_fetch(self):
        for _ in self.fills():
            done = self.program("fetch", "--quiet", self.source("1"), check=False)
            self.assertIn(done.returncode, (1, 3))
            self.expect_sentence(done.stderr, self.cache)
            self.expect_no_leftovers()
        self.program("fetch", self.source("1"))
        self.expect_sound()

    def test_create(self):
        self.program("fetch", self.source("1"))
        before = self.contents(self.cache)
        self.move("2", size=5 * MIB)
        done = self.create(check=False)
        self.assertNotEqual(0, done.returncode)
        self.expect_sentence(done.stderr, self.cache)
        self.assertFalse((self.sets / "pp").exists())
        self.expect_as_before(before)

    def test_update(self):
        self.create()
        sets, before = self.contents(self.sets), self.contents(self.cache)
        self.move("2", size=5 * MIB)
        done = self.program("update", "pp", "--quiet", check=False)
        self.assertNotEqual(0, done.returncode)
        self.expect_sentence(done.stderr, self.cache)
        self.assertEqual(sets, self.contents(self.sets))
        self.expect_as_before(before)

    def test_the_kept_listing(self):
        """It cannot be kept: the one before is, this process goes on with the new one, and that is said once."""
        self.program("fetch", self.source("1"))
        listing = self.cached() / "startpointfs-listing"
        before = listing.read_bytes()
        for number in range(2, 80):
            self.repository.tag(f"more-{number}")
        for _ in self.fills():
            done = self.program("versions", self.daemon.url("one"))
            self.assertIn("more-79", done.stdout)
            self.expect_sentence(done.stderr, listing)
            self.assertEqual(before, listing.read_bytes())
            self.expect_no_leftovers()

    def test_a_mount_on_a_full_cache(self):
        """With nothing in the cache: it mounts, says what is wrong, and serves once there is room."""
        sentence = "its listing cannot be saved, and is lost when this process ends"
        with self.filled(self.fill):
            mount = self.mount(self.source("1"), cache=self.cache)
            self.assert_errno(errno.ENOSPC, os.listdir, mount / "one" / "1")
            self.assertIn(FULL, mount.repository("one")["error"] or mount.version("one", "1")["error"])
            self.assertIn(FULL, mount.log())
            self.assertEqual(1, mount.log().count(sentence))
            self.expect_no_leftovers()

        def serves():
            with contextlib.suppress(OSError):
                return "manifest.json" in os.listdir(mount / "one" / "1")
            return False
        eventually(serves, 40, "the version, as there is room")


class FullLog(FullDisk):
    def test_status_of_a_mount_with_a_full_log(self):
        log = self.disk / "log"
        with self.filled(self.fill):
            mount = self.mount(self.source("1"), arguments=["-o", f"log_file={log}"])
            mount.log_file = log
            self.assertIn("manifest.json", os.listdir(mount / "one" / "1"))
            self.assertIn("one", self.program("status", mount.path).stdout)
            self.assertEqual("ready", mount.version("one", "1")["state"])
            self.assertEqual(0, mount.status()["restarts"])
        self.move("2", size=0)
        self.program("reload", mount.path)
        self.assertIn("manifest.json", os.listdir(mount / "one" / "2"))
        eventually(lambda: log.stat().st_size > 0, 20, "the log goes on")

    def test_a_log_that_cannot_be_made(self):
        (self.folder / "mountpoint").mkdir()
        log = self.disk / "log"
        with self.filled(self.fill_names):
            complaint = self.refused("mount", "-o", f"log_file={log}", self.source("1"), self.folder / "mountpoint",
                                     status=1)
        self.expect_sentence(complaint, log)


class FullOutput(FullDisk):
    def test_results_that_cannot_be_written(self):
        """Whoever keeps them in a file must not take half of them for all."""
        self.create()
        for verb in (["versions", self.daemon.url("one")], ["ls"], ["ls", "--json"], ["inspect", "pp"], ["--help"]):
            with self.subTest(verb):
                done = self.call("sh", "-c", 'exec "$@" >/dev/full', "sh", PROGRAM, *verb, check=False)
                self.assertEqual(1, done.returncode, verb)
                self.expect_sentence(done.stderr)

    def test_a_reader_who_has_seen_enough(self):
        """As `| head -n 1`, here one who is gone before anything is written."""
        for verb in (["versions", self.daemon.url("one")], ["--help"]):
            with self.subTest(verb):
                read_end, write_end = os.pipe()
                os.close(read_end)
                done = subprocess.run([PROGRAM, *verb], env=self.env, stdin=subprocess.DEVNULL, stdout=write_end,
                                      stderr=subprocess.PIPE, timeout=60, check=False)
                os.close(write_end)
                self.assertEqual((0, b""), (done.returncode, done.stderr))


if __name__ == "__main__":
    unittest.main()
