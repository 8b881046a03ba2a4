"""gc: what no set names and nobody has read for long leaves the cache, and nothing else does."""

import fcntl
import hashlib
import os
import pathlib
import re
import signal
import time
import unittest

from support import servers, trees
from support.case import EndToEnd
from support.processes import PROGRAM, eventually
from support.repositories import start_point

DAY = 24 * 3600


class Gc(EndToEnd):
    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"
        self.env |= {"STARTPOINTFS_SETS": str(self.folder / "sets"), "STARTPOINTFS_CACHE": str(self.cache)}

    def start_points(self, name="one", count=4):
        """Commits one after the other, with a big file that is another in each, and the tags 1, 2, ..."""
        repository = self.make_repository(name)
        for number in range(1, count + 1):
            repository.commit(start_point(str(number), big=os.urandom(20_000).hex(), same="x" * 1000),
                              tag=str(number))
        return repository

    def cached(self, repository):
        return self.cache / "file" / f"{str(repository.path).lstrip('/')}.git"

    def refs(self, repository):
        names = self.call("git", "--git-dir", self.cached(repository), "for-each-ref", "--format=%(refname)").stdout
        return {name.removeprefix("refs/tags/") for name in names.split()}

    def fetch(self, repository, *tags, together=False):
        sources = [f"{repository.path}?tag={tag}" for tag in tags]
        for batch in [sources] if together else [[source] for source in sources]:
            self.program("fetch", *batch)

    def age(self, repository, days, *refs):
        for ref in refs:
            past = time.time() - days * DAY
            os.utime(self.cached(repository) / "refs" / "tags" / ref, (past, past))

    def gc(self, *arguments):
        done = self.program("gc", *arguments)
        self.assertEqual("", done.stderr)
        for head in self.cache.rglob("HEAD"):
            if (head.parent / "objects").is_dir():
                checked = self.call("git", "--git-dir", head.parent, "fsck", "--strict", "--full")
                self.assertNotRegex(checked.stdout + checked.stderr, "(?i)broken|missing|error")
        return done.stdout

    def removed(self, output):
        return {line.split("\t")[1] for line in output.splitlines()[:-1]}

    def bytes_used(self):
        return sum(path.stat().st_size for path in self.cache.rglob("objects/pack/*"))

    def content(self):
        return {path: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.cache.rglob("*") if path.is_file()}

    def expect_served(self, repository, *tags):
        """Exactly these, and right, from the cache alone."""
        mount = self.mount(repository.path, options="offline")
        name = repository.path.name
        for number, tag in enumerate(tags):
            expected = repository.clone(tag, self.folder / f"clone-{mount.name}-{number}")
            trees.compare(self, mount / name / tag, expected)
        self.assertEqual(set(tags), set(os.listdir(mount / name)) & self.refs(repository))
        mount.unmount()


class Rules(Gc):
    def test_what_was_not_read_for_long_goes(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2", "3")
        self.assertEqual(set(), self.removed(self.gc()))
        self.age(repository, 31, "1", "3")
        self.age(repository, 29, "2")
        before = self.bytes_used()
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 31 * DAY))
        output = self.gc()
        name = self.cached(repository).relative_to(self.cache)
        self.assertEqual([f"{name}\t1\tlast read {day}", f"{name}\t3\tlast read {day}"], sorted(output.splitlines()[:2]))
        self.assertRegex(output, r"\n2 versions removed, (\d+\.\d) kB freed; 1 stay\.\n$")
        freed = float(re.search(r"([\d.]+) kB freed", output)[1]) * 1000
        self.assertAlmostEqual(before - self.bytes_used(), freed, delta=60)
        self.assertGreater(freed, 30_000)
        self.assertEqual({"2"}, self.removed(self.gc("--days", "28", "--dry-run")))
        self.expect_served(repository, "2")
        self.assertEqual(set(), self.removed(self.gc("--days", "28", "--dry-run")))

    def test_dry_run_does_nothing(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2", together=True)
        self.fetch(repository, "3")
        self.program("create", "pp", "--languages", f"{repository.path}?tag=2")
        before = self.content()
        output = self.gc("--days", "0", "--dry-run")
        self.assertEqual({"1", "3"}, self.removed(output))
        self.assertRegex(output, r"2 versions would be removed, about (\d+\.\d) kB freed; 1 stay. Nothing")
        self.assertEqual(before, self.content())
        estimated = float(re.search(r"([\d.]+) kB", output)[1])
        real = float(re.search(r"([\d.]+) kB", self.gc("--days", "0"))[1])
        self.assertAlmostEqual(real, estimated, delta=real / 4)

    def test_what_a_set_names_stays(self):
        repository = self.start_points()
        other = self.start_points("two", 2)
        commit = repository.id_of("3")
        self.program("create", "acme/pp", "--languages", "--quiet", f"{commit[:8]}@{repository.path}")
        self.fetch(repository, "1", "2", "4")
        self.fetch(other, "1")
        self.program("create", "branch", "--languages", "--quiet", other.path)
        self.assertEqual({"1", "2", "4"}, self.removed(self.gc("--days", "0")))
        self.assertIn(commit, self.program("inspect", "--offline", "acme/pp").stdout)
        self.assertIn(other.id_of("2"), self.program("inspect", "--offline", "branch").stdout)
        self.program("rm", "acme/pp")
        self.assertEqual({commit}, self.removed(self.gc("--days", "0")))

    def test_versions_that_share_a_pack(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2", "3", together=True)
        (pack,) = self.cached(repository).glob("objects/pack/*.pack")
        self.age(repository, 40, "1", "3")
        before = self.bytes_used()
        self.gc()
        self.assertLess(self.bytes_used(), before / 2)
        self.assertFalse(pack.exists())
        self.expect_served(repository, "2")

    def test_history_is_cut_where_a_parent_has_gone(self):
        repository = self.start_points()
        # Each parent is in the cache when its child comes, so that git sees no cut then.
        self.fetch(repository, "1", "2", "3", "4")
        self.age(repository, 40, "1", "3")
        self.gc()
        self.expect_served(repository, "2", "4")
        shallow = (self.cached(repository) / "shallow").read_text().split()
        self.assertEqual({repository.id_of("2"), repository.id_of("4")}, set(shallow))

    def test_annotated_tags(self):
        repository = self.start_points()
        repository.annotate("annotated", "1")
        repository.annotate("twice", "annotated")
        self.fetch(repository, "twice", "2", together=True)
        self.age(repository, 40, "2")
        output = self.gc()
        self.assertEqual({"2"}, self.removed(output))
        self.assertRegex(output, r"\n1 version removed, \d+\.\d kB freed; 1 stay\.\n$")
        self.expect_served(repository, "twice")

    def test_what_has_gone_can_be_fetched_again(self):
        repository = self.start_points()
        self.fetch(repository, "1")
        self.assertEqual("", self.gc("--days", "0", "--quiet"))
        self.assertEqual(set(), self.refs(repository))
        self.fetch(repository, "1")
        self.expect_served(repository, "1")

    def test_old_commits_of_a_branch(self):
        repository = self.start_points(count=1)
        self.program("fetch", repository.path)
        repository.commit(start_point("2"))
        self.program("fetch", repository.path)
        before = self.bytes_used()
        self.assertEqual(set(), self.removed(self.gc()))
        self.assertLess(self.bytes_used(), before / 2)
        self.assertEqual(1, len(list(self.cached(repository).glob("objects/pack/*.pack"))))

    def test_a_cache_that_git_has_repacked(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2", "3")
        self.program("create", "pp", "--languages", "--quiet", f"{repository.path}?tag=2")
        self.call("git", "--git-dir", self.cached(repository), "gc", "--quiet", "--prune=now")
        self.assertFalse((self.cached(repository) / "refs" / "tags" / "2").exists())
        self.assertEqual({"1", "3"}, self.removed(self.gc("--days", "0")))
        self.assertIn(repository.id_of("2"), self.program("inspect", "--offline", "pp").stdout)

    def test_many_hosts(self):
        for name in ("one", "two"):
            self.start_points(name, 2)
        daemon = self.serve(servers.GitDaemon, self.repositories)
        nginx = self.serve(servers.Nginx, self.repositories)
        for url in (daemon.url("one"), nginx.url("one"), nginx.url("two")):
            self.program("fetch", f"{url}?tag=1")
        output = self.gc("--days", "0")
        self.assertEqual(3, len(output.splitlines()) - 1)
        self.assertIn("git/127.0.0.1", output)


class Refusals(Gc):
    def test_no_cache(self):
        self.assertEqual(f"startpointfs: there is no cache {self.cache}: No such file or directory\n", self.refused("gc", status=1))
        self.assertFalse(self.cache.exists())

    def test_a_damaged_set(self):
        repository = self.start_points()
        self.fetch(repository, "1")
        sets = pathlib.Path(self.env["STARTPOINTFS_SETS"])
        sets.mkdir()
        (sets / "pp").write_text("rubbish?\n")
        self.assertIn("'pp'", self.refused("gc", "--days", "0", status=1))
        self.assertEqual({"1"}, self.refs(repository))

    def test_a_damaged_pack(self):
        one, two = self.start_points(), self.start_points("two")
        for repository in (one, two):
            self.fetch(repository, "1", "2")
            self.program("create", f"set/{repository.path.name}", "--languages", "--quiet", f"{repository.path}?tag=2")
        for pack in self.cached(one).glob("objects/pack/*.pack"):
            pack.chmod(0o644)
            pack.write_bytes(pack.read_bytes()[:100])
        packs = set(self.cached(one).glob("objects/pack/*"))
        done = self.program("gc", "--days", "0", check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("left as it is", done.stderr)
        self.assertEqual(packs, set(self.cached(one).glob("objects/pack/*")))
        self.assertEqual({"2"}, self.refs(two))

    def test_a_fetch_under_way(self):
        one, two = self.start_points(), self.start_points("two")
        for repository in (one, two):
            self.fetch(repository, "1")
        with open(self.cached(one) / "startpointfs-lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.program("gc", "--days", "0", check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("being fetched", done.stderr)
        self.assertEqual(({"1"}, set()), (self.refs(one), self.refs(two)))

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a folder read-only")
    def test_a_read_only_cache(self):
        repository = self.start_points()
        self.fetch(repository, "1")
        self.call("mount", "--bind", self.cache, self.cache)
        self.addCleanup(self.call, "umount", self.cache)
        self.call("mount", "-o", "remount,bind,ro", self.cache)
        self.assertIn("read-only", self.refused("gc", "--days", "0", status=1))
        self.expect_served(repository, "1")


class InUse(Gc):
    @staticmethod
    def replace_worker(mount):
        worker = mount.status()["pid"]
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: mount.status()["pid"] != worker, 20, "the next worker")

    def test_what_a_running_mount_has_open_stays(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2", "3", together=True)
        mount = self.mount(repository.path)
        os.listdir(mount / "one" / "1")
        folder = os.open(mount / "one" / "1", os.O_RDONLY)
        self.assertEqual({"2", "3"}, self.removed(self.gc("--days", "0")))
        # Read now for the first time.
        file = os.open("big", os.O_RDONLY, dir_fd=folder)
        with open(file) as stream:
            self.assertEqual(40_000, len(stream.read()))
        # What the mount had only seen in the cache comes again.
        self.assertIn("manifest.json", os.listdir(mount / "one" / "2"))
        self.assertEqual(1, mount.fetches())
        os.close(folder)
        mount.unmount()
        self.assertEqual({"1", "2"}, self.removed(self.gc("--days", "0")))

    def test_what_was_removed_under_a_mount_comes_again(self):
        """As by a gc that was told to, or by somebody's hand: at once, and each file."""
        repository = self.start_points()
        mount = self.mount(repository.path)
        for round in range(2):
            self.assertEqual("x" * 1000, (mount / "one" / "1" / "same").read_text())
            self.assertIn("big", os.listdir(mount / "one" / "1"))
            (self.cached(repository) / "refs" / "tags" / "1").unlink()
            for pack in self.cached(repository).glob("objects/pack/*"):
                pack.unlink()
            name = ("big", "manifest.json")[round]
            self.assertEqual(repository.git("show", f"1:{name}"), (mount / "one" / "1" / name).read_text())
            self.assertEqual(round + 2, mount.fetches())

    def test_an_old_read_before_the_mount_does_not_count_as_open(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2")
        self.age(repository, 40, "1", "2")
        mount = self.mount(repository.path)
        os.listdir(mount / "one" / "1")
        self.assertEqual({"2"}, self.removed(self.gc()))

    def test_reading_is_remembered(self):
        repository = self.start_points()
        self.fetch(repository, "1", "2")
        self.age(repository, 40, "1", "2")
        mount = self.mount(repository.path, options="offline")
        (mount / "one" / "2" / "manifest.json").read_text()
        mount.unmount()
        self.assertEqual({"1"}, self.removed(self.gc()))

    def test_it_is_remembered_once_in_ten_seconds(self):
        """What has just been opened is not said to be read again with its first file: that costs as much as the file."""
        repository = self.start_points()
        self.fetch(repository, "1", "2", "3")
        mount = self.mount(repository.path, options="offline")
        for tag in ("1", "2", "3"):
            os.listdir(mount / "one" / tag)
            self.age(repository, 40, tag)
            (mount / "one" / tag / "manifest.json").read_text()
        # Ten seconds may be over in between, once.
        self.assertGreaterEqual(len(self.removed(self.program("gc", "--dry-run", "--days", "30").stdout)), 2)

    def test_what_a_fetch_has_found_stays_until_it_is_over(self):
        repository = self.start_points()
        silent = self.serve(servers.SilentServer)
        begun, waiting = (f"{silent.url(name)}?tag=1" for name in "xy")
        fetch = self.start(PROGRAM, "fetch", "--jobs", "1", f"{repository.path}?tag=1", begun, waiting, stdout=-3, stderr=-1)
        self.assertEqual(b"[1/3] one/1: fetched\n", fetch.stderr.readline())
        self.assertEqual(set(), self.removed(self.gc("--days", "0")))
        fetch.send_signal(signal.SIGINT)
        self.assertTrue(fetch.stderr.read().decode().endswith(f"startpointfs: {begun}: cancelled\n"
                                                              f"startpointfs: {waiting}: y/1: interrupted\n"))
        self.assertEqual(3, fetch.wait(10))
        self.assertEqual({"1"}, self.removed(self.gc("--days", "0")))

    def test_what_is_fetched_again_counts_as_read(self):
        """Though it was there; online, and offline."""
        repository = self.start_points()
        self.fetch(repository, "1", "2", "3")
        self.age(repository, 40, "1", "2", "3")
        self.program("fetch", f"{repository.path}?tag=1")
        self.program("fetch", "--offline", f"{repository.path}?tag=2")
        self.assertEqual({"3"}, self.removed(self.gc()))

    def test_what_is_open_counts_as_read(self):
        repository = self.start_points()
        mount = self.mount(repository.path)
        os.listdir(mount / "one" / "1")
        os.listdir(mount / "one" / "2")
        # The mount began, and read, long ago.
        (user,) = (self.cache / "startpointfs-users").iterdir()
        os.utime(user, (time.time() - 41 * DAY,) * 2)
        self.age(repository, 40, "1")
        self.age(repository, 42, "2")
        self.assertEqual({"2"}, self.removed(self.gc()))
        mount.unmount()
        self.assertEqual(set(), self.removed(self.gc()))
        self.age(repository, 40, "1")
        self.assertEqual({"1"}, self.removed(self.gc()))

    def take_from_under(self, mount, repository, *tags):
        """gc removes versions, and their packs, that the mount has open: it, and its reads, count as long over."""
        (user,) = (self.cache / "startpointfs-users").iterdir()
        os.utime(user, (time.time() - 41 * DAY,) * 2)
        self.age(repository, 42, *tags)
        before = set(self.cached(repository).glob("objects/pack/*.pack"))
        self.assertEqual(set(tags), self.removed(self.gc()))
        gone = before - set(self.cached(repository).glob("objects/pack/*.pack"))
        self.assertEqual(len(tags), len(gone), "packs that are gone")

    def check_history(self, repository, *shallow):
        git = ["git", "--git-dir", self.cached(repository)]
        self.call(*git, "fsck", "--strict", "--full", "--connectivity-only")
        self.call(*git, "fsck", "--strict", "--full")
        self.call(*git, "log", "--all", "--stat", "--format=%H")
        self.assertEqual({repository.id_of(tag) for tag in shallow},
                         set((self.cached(repository) / "shallow").read_text().split()))

    def test_a_parent_goes_while_a_mount_has_it_open_and_then_fetches_the_child(self):
        repository = self.start_points()
        mount = self.mount(repository.path)
        # Read, and so the pack is open in this worker; its sibling stays all the time.
        self.assertEqual(40_000, len((mount / "one" / "1" / "big").read_text()))
        self.assertEqual(40_000, len((mount / "one" / "4" / "big").read_text()))
        worker = mount.status()["pid"]
        self.take_from_under(mount, repository, "1")
        self.check_history(repository, "4")
        self.assertEqual(40_000, len((mount / "one" / "2" / "big").read_text()))
        self.assertEqual(worker, mount.status()["pid"], "the worker that had it open")
        self.check_history(repository, "2", "4")
        # The other way: a child that was whole with its parent is cut once that goes.
        self.assertEqual(40_000, len((mount / "one" / "3" / "big").read_text()))
        self.check_history(repository, "2", "4")
        self.take_from_under(mount, repository, "2")
        self.check_history(repository, "3")

    def test_a_branch_that_moved_stays_for_who_has_it_open(self):
        repository = self.make_repository("one")
        repository.commit({"folder/big": os.urandom(20_000).hex()})
        mount = self.mount(repository.path, options="refs_ttl=1")
        folder = os.open(mount / "one" / "master" / "folder", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        repository.commit({"new": "x"})
        eventually(lambda: os.path.exists(mount / "one" / "master" / "new"), 20, "the new commit")
        self.gc("--days", "0")
        # A new worker opens the packs anew.
        self.replace_worker(mount)
        with open(os.open("big", os.O_RDONLY, dir_fd=folder)) as stream:
            self.assertEqual(40_000, len(stream.read()))

    def test_a_mount_that_was_killed_holds_nothing(self):
        repository = self.start_points()
        mount = self.mount(repository.path)
        os.listdir(mount / "one" / "1")
        for pid in sorted(mount.processes()):
            os.kill(pid, signal.SIGKILL)
        mount.close()
        self.assertEqual({"1"}, self.removed(self.gc("--days", "0")))
        self.assertEqual([], os.listdir(self.cache / "startpointfs-users"))

    def test_a_worker_that_was_killed_takes_nothing_along(self):
        repository = self.start_points()
        mount = self.mount(repository.path)
        os.listdir(mount / "one" / "1")
        self.replace_worker(mount)
        self.assertEqual(set(), self.removed(self.gc("--days", "0")))
        self.assertEqual(40_000, len((mount / "one" / "1" / "big").read_text()))

    def test_readers_notice_nothing(self):
        repository = self.start_points(count=6)
        collecting = self.start("sh", "-c", f"for i in $(seq 40); do '{PROGRAM}' gc --days 0 --quiet || :; done",
                                stderr=-1)
        rounds = 0
        while collecting.poll() is None:
            mount = self.mount(repository.path, name=f"round{rounds % 2}")
            for tag in range(1, 7):
                self.assertEqual(40_000, len((mount / "one" / str(tag) / "big").read_text()))
            mount.unmount()
            self.program("create", "--force", "--quiet", "pp", "--languages", f"{repository.path}?tag=3")
            self.assertIn("Python", self.program("inspect", "--offline", "pp").stdout)
            self.program("rm", "--quiet", "pp")
            rounds += 1
        # A fetch that is under way is a reason to skip, which is said and counts as a failure.
        complaint = collecting.stderr.read().decode()
        self.assertTrue(collecting.returncode == 0 or "being fetched" in complaint, complaint)
        self.assertGreater(rounds, 0)
        self.gc("--days", "0")


if __name__ == "__main__":
    unittest.main()
