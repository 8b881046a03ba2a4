"""Times that lie ahead, as a clock was wrong when they were kept: they count as old, wherever one is looked at."""

import os
import time
import unittest

from support import trees
from support.case import EndToEnd
from support.processes import eventually, preloadable
from test_gc import DAY, Gc

YEAR = 365 * DAY
SANITIZED = os.environ.get("E2E_BUILD", "").endswith(("asan", "tsan"))


@unittest.skipIf(SANITIZED, "a preloaded library comes before the sanitizer's")
class WrongClock(EndToEnd):
    """The clock was a year ahead, and then is set right."""

    def setUp(self):
        super().setUp()
        library = preloadable("clock", self.folder, self.env)
        self.clock = self.folder / "clock"
        self.wrong = {"LD_PRELOAD": str(library), "CLOCK": str(self.clock)}
        self.env |= {"STARTPOINTFS_CACHE": str(self.folder / "cache")}
        self.repository = self.make_start_point("one", tags=["1"])

    def set_clock(self, seconds):
        # In place, for who has it open, and in one write of always the same length.
        file = os.open(self.clock, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(file, f"{seconds:<24}".encode(), 0)
        os.close(file)

    def check_renewed(self, mount):
        """What is new at the remote is seen, though its listing is good for long."""
        self.repository.tag("2", "1")
        eventually(lambda: "2" in os.listdir(mount / "one"), 20, "the new listing")
        self.assertLess(abs(mount.repository("one")["listed_at"] - time.time()), 60)
        # And that is good then.
        self.repository.tag("3", "1")
        self.assertNotIn("3", os.listdir(mount / "one"))

    def test_a_clock_that_is_set_back_under_a_mount(self):
        self.set_clock(YEAR)
        mount = self.mount(self.repository.path, options="refs_ttl=1000", env=self.wrong)
        self.assertIn("1", os.listdir(mount / "one"))
        self.assertGreater(mount.repository("one")["listed_at"], time.time() + YEAR / 2)
        self.set_clock(0)
        status = mount.status()
        self.assertEqual(0, status["repositories"][0]["listed_at"], "long ago")
        self.assertGreaterEqual(status["uptime_seconds"], 0)
        self.assertIn("listed long ago", self.program("status", mount).stdout)
        prometheus = self.program("status", "--prometheus", mount).stdout
        self.assertRegex(prometheus, r'listed_timestamp_seconds\{[^}]*repository="one"\} 0\b')
        self.check_renewed(mount)

    def test_a_clock_that_is_set_forward_and_back_hides_no_branch(self):
        self.set_clock(0)
        mount = self.mount(self.repository.path, options="refs_ttl=1", env=self.wrong)
        os.listdir(mount / "one" / "master")
        for number, offset in enumerate((YEAR, -YEAR, 0)):
            self.set_clock(offset)
            self.repository.commit({f"file{number}": "x"})
            eventually(lambda name=f"file{number}": os.path.exists(mount / "one" / "master" / name), 20, "the commit")

    def test_a_listing_that_was_kept_then(self):
        self.set_clock(YEAR)
        self.program("fetch", f"{self.repository.path}?tag=1", env=self.env | self.wrong)
        self.check_renewed(self.mount(self.repository.path, options="refs_ttl=1000"))

    def test_a_set_that_was_made_then(self):
        env = self.env | {"STARTPOINTFS_SETS": str(self.folder / "sets")}
        self.set_clock(YEAR)
        self.program("create", "pp", "--languages", f"{self.repository.path}?tag=1", env=env | self.wrong)
        expected = self.repository.clone("1", self.folder / "clone")
        mount = self.mount(env=env)
        trees.compare(self, mount / "one" / "1", expected)
        self.assertIn("pp", self.program("ls", env=env).stdout)
        self.program("update", "pp", env=env)


class LastRead(Gc):
    """What was read "next year" is neither there for ever, nor gone at once: its days begin with this gc."""

    def test_a_ref(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2")
        self.age(repository, -365, "1")
        self.age(repository, 40, "2")
        self.assertEqual(set(), self.removed(self.gc("--days", "41", "--dry-run")))
        self.assertGreater((self.cached(repository) / "refs/tags/1").stat().st_mtime, time.time() + YEAR / 2)
        self.assertEqual({"2"}, self.removed(self.gc()))
        self.assertLess((self.cached(repository) / "refs/tags/1").stat().st_mtime, time.time() + 60)
        self.age(repository, 31, "1")
        self.assertEqual({"1"}, self.removed(self.gc()))

    def test_packed_refs(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2")
        self.call("git", "--git-dir", self.cached(repository), "pack-refs", "--all")
        packed = self.cached(repository) / "packed-refs"
        os.utime(packed, (time.time() + YEAR,) * 2)
        self.assertEqual(set(), self.removed(self.gc()))
        self.assertLess(packed.stat().st_mtime, time.time() + 60)
        os.utime(packed, (time.time() - 31 * DAY,) * 2)
        self.assertEqual({"1", "2"}, self.removed(self.gc()))

    def test_a_mount_that_began_then_keeps_what_it_may_have_open(self):
        repository = self.start_points()
        mount = self.mount(repository.path)
        os.listdir(mount / "one" / "1")
        (user,) = (self.cache / "startpointfs-users").iterdir()
        os.utime(user, (time.time() + YEAR,) * 2)
        self.age(repository, 40, "1")
        self.assertEqual(set(), self.removed(self.gc()))
        mount.unmount()
        self.age(repository, 40, "1")
        self.assertEqual({"1"}, self.removed(self.gc()))


if __name__ == "__main__":
    unittest.main()
