"""The cache: what was read once stays, is plain git, and may be shared."""

import errno
import glob
import json
import os
import signal
import unittest

from support import servers, trees
from support.case import EndToEnd
from support.processes import eventually
from support.repositories import start_point


def cached_repositories(cache):
    """The bare repositories in a cache; not what somebody who was killed had begun to make of one."""
    return sorted(head.parent for head in cache.rglob("HEAD")
                  if (head.parent / "objects").is_dir() and not head.parent.name.startswith(".new-"))


class Cache(EndToEnd):
    def test_all_remotes_gone(self):
        repository = self.make_start_point(tags=["1", "2", "3"])
        repository.annotate("annotated", "2")
        self.make_start_point("other", tags=["9"])
        expected = repository.clone("2", self.folder / "clone")
        sources = [f"{repository.path}?tag=1", repository.path, f"{self.repositories}/other"]
        first = self.mount(*sources)
        listed = set(os.listdir(first / "python-unittest"))
        for path in ("python-unittest/1", "python-unittest/2", "python-unittest/annotated",
                     "python-unittest/master", "other/9"):
            self.call("ls", "-lR", first / path)
        commit = repository.id_of("1")
        self.call("ls", "-lR", first / "python-unittest" / commit)
        first.unmount()
        self.repositories.rename(self.folder / "gone")
        for options in ("", "offline", "refs_ttl=0"):
            with self.subTest(options):
                second = self.mount(*sources, options=options)
                self.assertLessEqual(listed, set(os.listdir(second / "python-unittest")))
                self.assertIn("9", os.listdir(second / "other"))
                trees.compare(self, second / "python-unittest/2", expected)
                trees.compare(self, second / "python-unittest/annotated", expected)
                self.assertIn(":1", (second / "python-unittest/1/manifest.json").read_text())
                self.assertIn(":3", (second / "python-unittest/master/manifest.json").read_text())
                self.assertIn(":1", (second / f"python-unittest/{commit[:9]}/manifest.json").read_text())
                self.assertIn(":9", (second / "other/9/manifest.json").read_text())
                with self.assertRaises(OSError):
                    os.listdir(second / "python-unittest/3")
                self.assertEqual(0, second.fetches())
                second.unmount()

    def test_offline_asks_nobody(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(server.url("python-unittest") + "?tag=3.7.4-19", options="offline")
        for path in ("python-unittest/3.7.4-19", "python-unittest/unknown"):
            with self.assertRaises(OSError):
                os.listdir(mount / path)
        self.assertEqual([], server.requests())

    def test_git_reads_the_cache(self):
        repository = self.make_start_point(tags=["1", "2"])
        repository.annotate("annotated")
        daemon = self.serve(servers.GitDaemon, self.repositories)
        for url in (str(repository.path), daemon.url("python-unittest")):
            with self.subTest(url):
                mount = self.mount(url, cache=self.folder / f"cache{len(self.mounts)}")
                for version in ("1", "annotated", "master", repository.id_of("1")):
                    os.listdir(mount / "python-unittest" / version)
                (folder,) = cached_repositories(mount.cache)
                git = ["git", "--git-dir", folder]
                refs = self.call(*git, "for-each-ref", "--format=%(refname)").stdout.split()
                self.assertLessEqual({"refs/tags/1", "refs/tags/annotated", "refs/heads/master"}, set(refs))
                self.call(*git, "fsck", "--strict")
                for ref in refs:
                    self.assertNotEqual("", self.call(*git, "log", "--format=%H", ref).stdout)
                    self.call(*git, "archive", "-o", "/dev/null", ref)
                self.assertEqual(repository.id_of("1"), self.call(*git, "rev-parse", "refs/tags/1^0").stdout.strip())
                mount.unmount()

    def test_two_mounts_share_a_cache(self):
        tags = [str(number) for number in range(12)]
        repository = self.make_start_point(tags=tags)
        mounts = [self.mount(repository.path) for _ in range(2)]
        readers = [self.start("cat", mount / f"python-unittest/{tag}/manifest.json", stdout=-3)
                   for tag in tags for mount in mounts]
        for reader in readers:
            self.assertEqual(0, reader.wait(40))
        self.call("git", "--git-dir", cached_repositories(mounts[0].cache)[0], "fsck", "--strict")
        for tag in tags:
            for mount in mounts:
                self.assertIn(f":{tag}\"", (mount / f"python-unittest/{tag}/manifest.json").read_text())
        mounts[0].unmount()
        self.assertIn("manifest.json", os.listdir(mounts[1] / "python-unittest/5"))

    def test_what_one_mount_fetched_the_other_has(self):
        self.make_start_point(tags=["1"])
        server = self.serve(servers.Nginx, self.repositories)
        one, two = (self.mount(server.url("python-unittest") + "?tag=1") for _ in range(2))
        os.listdir(one / "python-unittest/1")
        server.stop()
        self.assertIn("manifest.json", os.listdir(two / "python-unittest/1"))
        self.assertEqual(0, two.fetches())

    def test_a_moved_tag_keeps_its_first_commit_and_is_reported(self):
        repository = self.make_start_point(tags=["1"])
        mount = self.mount(f"{repository.path}?tag=1", options="refs_ttl=1")
        manifest = mount / "python-unittest/1/manifest.json"
        before, first = manifest.read_text(), repository.id_of("1")
        second = repository.commit(start_point("moved"))
        repository.tag("1")

        def reported():
            os.listdir(mount / "python-unittest")
            return second in json.dumps(mount.repository("python-unittest"))

        eventually(reported, 15, "the move in status.json")
        self.assertEqual(before, manifest.read_text())
        self.assertEqual(first, mount.version("python-unittest", "1")["commit"])
        self.assertIn("moved", mount.log())
        mount.unmount()
        again = self.mount(f"{repository.path}?tag=1")
        self.assertEqual(before, (again / "python-unittest/1/manifest.json").read_text())

    def test_a_tag_that_the_remote_deleted_stays(self):
        repository = self.make_start_point(tags=["1", "2"])
        mount = self.mount(repository.path, options="refs_ttl=1")
        os.listdir(mount / "python-unittest/1")
        repository.delete_tag("1")
        repository.delete_tag("2")
        eventually(lambda: "2" not in os.listdir(mount / "python-unittest"), 10, "the deletion")
        self.assertIn("1", os.listdir(mount / "python-unittest"))
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))

    def test_a_daemon_killed_while_it_fetches_leaves_a_usable_cache(self):
        repository = self.make_repository("big")
        repository.commit({f"file{number}": os.urandom(200_000) for number in range(30)}, tag="1")
        expected = repository.clone("1", self.folder / "clone")
        for attempt in range(4):
            mount = self.mount(repository.path, name=f"killed{attempt}")
            self.start("ls", mount / "big/1", stdout=-3, stderr=-3)
            if attempt:
                eventually(lambda: glob.glob(f"{mount.cache}/**/objects/*", recursive=True,  # noqa: B023
                                             include_hidden=True), 10, "the begin of the fetch")
            for pid in sorted(mount.processes()):
                os.kill(pid, signal.SIGKILL)
            mount.close()
        mount = self.mount(repository.path)
        trees.compare(self, mount / "big/1", expected)
        self.call("git", "--git-dir", cached_repositories(mount.cache)[0], "fsck", "--strict")

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a cache to somebody else")
    def test_a_cache_of_another_user(self):
        repository = self.make_start_point(tags=["1", "2"])
        first = self.mount(repository.path)
        os.listdir(first / "python-unittest/1")
        first.unmount()
        self.call("chown", "-R", "65534:65534", first.cache, repository.path)
        # What is in the cache was checked when it came; a *source* of another user is read only where git is told to.
        self.git_configure("safe.directory", "/nowhere")
        second = self.mount(repository.path)
        self.assertIn("manifest.json", os.listdir(second / "python-unittest/1"))
        self.assert_errno(errno.EACCES, os.listdir, second / "python-unittest/2")
        second.unmount()
        self.git_configure("safe.directory", repository.path)
        third = self.mount(repository.path, cache=second.cache)
        self.assertIn("manifest.json", os.listdir(third / "python-unittest/2"))

    def test_a_damaged_file_is_fetched_again(self):
        content = os.urandom(50_000)
        repository = self.make_repository()
        repository.commit({"file": content, "other": "x"}, tag="1")
        mount = self.mount(repository.path)
        self.assertEqual(len(content), os.stat(mount / "python-unittest/1/file").st_size)
        # After its folder was read, and before it is itself.
        for pack in mount.cache.rglob("*.pack"):
            os.chmod(pack, 0o644)
            with open(pack, "r+b") as file:
                file.seek(pack.stat().st_size // 2)
                file.write(bytes(64))
        before = mount.fetches()
        self.assertEqual(content, (mount / "python-unittest/1/file").read_bytes())
        self.assertEqual(before + 1, mount.fetches())

    def test_a_damaged_pack_is_eio_or_fetched_again_and_never_a_crash(self):
        repository = self.make_repository()
        repository.commit({"file": os.urandom(50_000), "other": "x"}, tag="1")
        first = self.mount(repository.path)
        os.listdir(first / "python-unittest/1")
        first.unmount()
        for pack in first.cache.rglob("*.pack"):
            os.chmod(pack, 0o644)
            content = bytearray(pack.read_bytes())
            middle = len(content) // 2
            content[middle:middle + 64] = bytes(64)
            pack.write_bytes(content)
        second = self.mount(repository.path)
        try:
            (second / "python-unittest/1/file").read_bytes()
        except OSError as failure:
            self.assertEqual(errno.EIO, failure.errno)
        self.assertTrue(second.processes())
        self.assertEqual(["python-unittest"], os.listdir(second))
