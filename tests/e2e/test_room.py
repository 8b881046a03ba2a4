"""The cache never fills the disk: what nobody needs goes, what was read longest ago first; and a disk that
is full all the same costs one answer, never what was there before."""

import errno
import hashlib
import os
import random
import re
import signal
import subprocess
import unittest

from support import servers
from support.case import EndToEnd, allow_seconds
from support.processes import eventually

MIB = 1 << 20


def big(number, size=MIB):
    """Bytes that no packing makes fewer, the same in each call."""
    return random.Random(number).randbytes(size)


class Room(EndToEnd):
    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"
        self.cache.mkdir()
        self.env |= {"STARTPOINTFS_SETS": str(self.folder / "sets"), "STARTPOINTFS_CACHE": str(self.cache)}
        self.daemon = self.serve(servers.GitDaemon, self.repositories)

    def make_disk(self, mib, place=None):
        """A disk of that size, which is the cache's unless it is said whose."""
        place = place or self.cache
        place.mkdir(exist_ok=True)
        self.call("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", place)
        self.addCleanup(self.call, "umount", "-l", place)

    def fill(self, place=None):
        """Somebody else fills the disk to its last byte."""
        with open((place or self.cache) / "somebody's", "ab", buffering=0) as file:
            with self.assertRaises(OSError) as failure:
                while True:
                    file.write(b"x" * 4096)
        self.assertEqual(errno.ENOSPC, failure.exception.errno)

    def make_versions(self, count, name="one"):
        """Tags 1, 2, ... of a mebibyte each."""
        repository = self.make_repository(name)
        repository.commit_many({str(number): {"big": big(number), "small": str(number)} for number in range(1, count + 1)})
        return repository

    def source(self, name="one", tag=None):
        return self.daemon.url(name) + (f"?tag={tag}" if tag else "")

    def cached(self, name="one"):
        return self.cache / "git" / f"127.0.0.1:{self.daemon.port}" / f"{name}.git"

    def refs(self, name="one"):
        names = self.call("git", "--git-dir", self.cached(name), "for-each-ref", "--format=%(refname)").stdout
        return {name.removeprefix("refs/tags/") for name in names.split()}

    def expect_sound(self):
        for head in self.cache.rglob("HEAD"):
            if (head.parent / "objects").is_dir():
                checked = self.call("git", "--git-dir", head.parent, "fsck", "--strict", "--full")
                self.assertNotRegex(checked.stdout + checked.stderr, "(?i)broken|missing|error")

    def expect_version(self, mount, number, name="one"):
        self.assertEqual(big(number), (mount / name / str(number) / "big").read_bytes())
        self.assertEqual(str(number), (mount / name / str(number) / "small").read_text())


class FullDisk(Room):
    def test_more_versions_than_the_disk_holds(self):
        self.make_disk(10)
        self.make_versions(24)
        mount = self.mount(self.source(tag=3), self.source("one", "5") + "&name=again")
        self.expect_version(mount, 3)
        for number in range(1, 25):
            self.expect_version(mount, number)
        status = mount.status()
        self.assertGreater(status["cache_removed_versions"], 10)
        self.assertGreater(status["cache_freed_bytes"], 10 * MIB)
        self.assertEqual(0, status["fetches_failed"])
        kept = self.refs()
        self.assertIn("3", kept)
        self.assertIn("5", kept)
        self.assertIn("24", kept)
        self.assertNotIn("1", kept)
        metrics = self.program("status", "--prometheus", mount.path).stdout
        self.assertRegex(metrics, r"startpointfs_cache_removed_versions_total{[^}]*} [1-9]")
        self.assertRegex(self.program("status", mount.path).stdout, r"\d+ versions \([^)]*\) were\s+removed to make room")
        mount.unmount()
        self.expect_sound()

    def test_a_disk_that_others_have_filled(self):
        self.make_disk(10)
        self.make_versions(6)
        mount = self.mount(self.source(tag=1))
        for number in range(1, 6):
            self.expect_version(mount, number)
        self.fill()
        self.expect_version(mount, 6)
        self.assertIn("1", self.refs())
        mount.unmount()
        self.expect_sound()

    def test_who_has_a_file_open_reads_on(self):
        self.make_disk(10)
        self.make_versions(16)
        mount = self.mount(self.source())
        with open(mount / "one" / "1" / "big", "rb", buffering=0) as file:
            folder = os.open(mount / "one" / "2", os.O_RDONLY)
            self.addCleanup(os.close, folder)
            for number in range(3, 17):
                self.expect_version(mount, number)
            self.assertNotIn("1", self.refs())
            self.assertEqual(big(1), file.read())
        with open(os.open("big", os.O_RDONLY, dir_fd=folder), "rb") as file:
            self.assertEqual(big(2), file.read())

    def test_nothing_goes_that_cannot_come_back(self):
        self.make_disk(7)
        repository = self.make_versions(8)
        other = self.make_repository("other")
        mount = self.mount(self.source(), self.source("other"))
        for number in range(1, 5):
            self.expect_version(mount, number)
        repository.git("tag", "--delete", "1")
        repository.git("tag", "--force", "2", "3")
        other.commit({"big": big(100, 3 * MIB), "small": "100"}, tag="100")
        self.assertEqual("100", (mount / "other" / "100" / "small").read_text())
        self.assertLessEqual({"1", "2"}, self.refs())
        self.assertNotIn("3", self.refs())
        repository.path.rename(repository.path.with_name("gone"))
        before = self.refs()
        other.commit({"big": big(101, 5 * MIB)}, tag="101")
        self.assert_errno(errno.ENOSPC, os.listdir, mount / "other" / "101")
        self.assertEqual(before, self.refs())
        self.assertIn("No space left on device", mount.repository("other")["error"])
        self.expect_version(mount, 1)
        mount.unmount()
        self.expect_sound()

    def test_several_at_once(self):
        self.make_disk(12)
        self.make_versions(16)
        mount = self.mount(self.source())
        readers = [self.start("sh", "-c", f"for n in {' '.join(map(str, numbers))}; do "
                              f"sha256sum <{mount.path}/one/$n/big || exit 1; done", stdout=subprocess.PIPE)
                   for numbers in (range(1, 17), range(16, 0, -1))]
        expected = [hashlib.sha256(big(number)).hexdigest() + "  -" for number in range(1, 17)]
        for reader, lines in zip(readers, (expected, expected[::-1])):
            self.assertEqual(lines, reader.communicate()[0].decode().splitlines())
            self.assertEqual(0, reader.returncode)

    @allow_seconds(120)
    def test_killed_in_the_middle(self):
        self.make_disk(10)
        self.make_versions(20)
        mount = self.mount(self.source(tag=4))
        for number in range(1, 21):
            if number % 4 == 0:
                worker = mount.status()["pid"]
                before = self.refs()
                reader = self.start("cat", mount / "one" / str(number) / "big", stdout=subprocess.PIPE)
                if number > 8:  # by now each fetch makes room first
                    eventually(lambda seen=before: self.refs() != seen or reader.poll() is not None, 30, "a removal")
                os.kill(worker, signal.SIGKILL)
                self.assertEqual(big(number), reader.communicate()[0])
            self.expect_version(mount, number)
        self.assertIn("4", self.refs())
        mount.unmount()
        self.expect_sound()

    def test_a_large_file_on_a_full_disk(self):
        self.make_disk(44)
        repository = self.make_repository("large")
        repository.commit({"big": big(1, 30 * MIB), "small": "1"}, tag="1")
        mount = self.mount(self.source("large"))
        self.assertEqual("1", (mount / "large" / "1" / "small").read_text())
        with open(mount / "large" / "1" / "big", "rb") as file:
            self.assert_errno(errno.ENOSPC, file.read, 1)
        self.assertRegex(mount.log(), "no room in .*cache for a file of|No space left on device")
        self.assertEqual("1", (mount / "large" / "1" / "small").read_text())

    def test_room_for_a_large_file(self):
        self.make_disk(54)
        repository = self.make_versions(20)
        repository.commit({"big": big(100, 17 * MIB)}, tag="100")
        mount = self.mount(self.source(tag=100))
        self.assertEqual(["big"], os.listdir(mount / "one" / "100"))
        for number in range(1, 21):
            self.expect_version(mount, number)
        self.assertEqual(big(100, 17 * MIB), (mount / "one" / "100" / "big").read_bytes())
        self.assertIn("100", self.refs())


class Limit(Room):
    def test_the_cache_stays_below_its_limit(self):
        self.make_versions(16)
        self.program("create", "pp", "--languages", "--quiet", self.source(tag=2), check=False)
        mount = self.mount(self.source(tag=1), options="cache_max=6M")
        for number in range(1, 17):
            self.expect_version(mount, number)
        eventually(lambda: 0 < mount.status()["cache_bytes"] <= 6 * MIB, 40, "a cache below its limit")
        self.assertEqual(6 * MIB, mount.status()["cache_max"])
        kept = self.refs()
        self.assertIn("1", kept)
        self.assertIn("16", kept)
        self.assertNotIn("3", kept)
        self.assertRegex(self.program("status", mount.path).stdout, r"cache .*: \d.\d+ \w+ of at most 6")
        self.expect_version(mount, 3)
        self.assertNotIn("is not watched", mount.log())
        mount.unmount()
        self.expect_sound()

    def test_offline_nothing_goes(self):
        self.make_versions(6)
        for number in range(1, 7):
            self.program("fetch", self.source(tag=number))
        mount = self.mount(self.source(), options="offline,cache_max=2M")
        eventually(lambda: mount.status()["cache_bytes"] > 6 * MIB, 20, "the cache's size")
        for number in range(1, 7):
            self.expect_version(mount, number)
        self.assertEqual({str(number) for number in range(1, 7)}, self.refs())

    def test_gc_with_a_size(self):
        self.make_versions(6)
        for number in (3, 1, 2, 4, 5, 6):
            self.program("fetch", self.source(tag=number))
        for place, number in enumerate((3, 1, 2, 4, 5, 6)):
            os.utime(self.cached() / "refs" / "tags" / str(number), (1_700_000_000 + place,) * 2)
        self.program("create", "pp", "--languages", "--force", "--quiet", self.source(tag=1), check=False)
        planned = self.program("gc", "--max-size", "4M", "--dry-run")
        self.assertRegex(planned.stdout, r"(?m)^3 versions would be removed, about 3.\d MB freed; the cache would take 3.")
        # Nothing is old enough to go unless somebody says what is old.
        self.assertRegex(self.program("gc", "--max-size", "900G").stdout, r"^0 versions removed, 0\.0 kB freed; the cache takes up ")
        self.assertRegex(self.program("gc", "--max-size", "900G", "--days", "30", "--dry-run").stdout,
                         r"(?m)^5 versions would be removed, .*; 1 stay\. Nothing was done\.\n0 versions would be removed, about 0\.0 kB")
        self.assertEqual(6, len(self.refs()))
        for server in ("gone", "offline"):
            if server == "gone":
                self.daemon.stop()
                done = self.program("gc", "--max-size", "1M")
            else:
                done = self.program("gc", "--max-size", "1M", "--offline")
            self.assertRegex(done.stdout, r"^0 versions removed, 0\.0 kB freed; the cache takes up \d\.\d MB\.\n$")
            self.assertEqual("startpointfs: the cache is still larger than --max-size: what is left is named by a set, is in use, or "
                             f"could not be fetched again{' (offline, nothing could)' if server == 'offline' else ''}\n", done.stderr)
            self.assertEqual(6, len(self.refs()))
        self.assertIn("give a number of bytes", self.refused("gc", "--max-size", "much"))

    def test_gc_goes_by_the_last_reading(self):
        self.make_versions(6)
        for number in range(1, 7):
            self.program("fetch", self.source(tag=number))
        for place, number in enumerate((3, 1, 2, 4, 5, 6)):
            os.utime(self.cached() / "refs" / "tags" / str(number), (1_700_000_000 + place,) * 2)
        done = self.program("gc", "--max-size", "4M")
        self.assertRegex(done.stdout, r"\n3 versions removed, 3.\d MB freed; the cache takes up 3.\d MB\.\n$")
        self.assertEqual("", done.stderr)
        self.assertEqual({"4", "5", "6"}, self.refs())
        mount = self.mount(self.source())
        self.expect_version(mount, 4)
        self.program("gc", "--max-size", "100K")
        self.assertEqual({"4"}, self.refs())
        mount.unmount()
        self.expect_sound()


class Private(Room):
    def test_a_cache_is_its_owners(self):
        self.make_versions(1)
        for name, make in (("fetched", lambda cache: self.program("fetch", "--cache", cache, self.source(tag=1))),
                           ("mounted", lambda cache: self.mount(self.source(tag=1), cache=cache).unmount())):
            cache = self.folder / "above" / f"the-{name}" / "cache"
            make(cache)
            self.assertEqual(0o700, cache.stat().st_mode & 0o7777)
            self.assertEqual(0o755, cache.parent.stat().st_mode & 0o7777)

    def test_a_folder_that_is_there_keeps_its_mode(self):
        self.make_versions(1)
        self.folder.chmod(0o755)
        self.cache.chmod(0o755)
        self.program("fetch", self.source(tag=1))
        self.assertEqual(0o755, self.cache.stat().st_mode & 0o7777)
        seen = self.call("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", self.cached(),
                         check=False)
        self.assertIn("HEAD", seen.stdout)


if __name__ == "__main__":
    unittest.main()
