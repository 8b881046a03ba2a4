"""Servers that list more tags than is good for anybody: what that costs, and whom."""

import errno
import os
import re

from support.case import EndToEnd
from support.processes import eventually
from support.repositories import start_point
from support.servers import GitDaemon


def resident(pid):
    """Bytes of a process in memory, what it shares with others among them."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) << 10


class ManyTags(EndToEnd):
    deadline = 240

    def make_many(self, name):
        repository = self.make_repository(name)
        repository.commit(start_point("1"))
        return repository

    def list_many(self, repository, count, word):
        """The repository has just these tags, all of its newest commit: written as git packs refs."""
        commit = repository.id_of("HEAD")
        with open(repository.path / "packed-refs", "w", encoding="ascii") as packed:
            packed.write("# pack-refs with: peeled fully-peeled sorted \n")
            packed.writelines(f"{commit} refs/tags/{word}{number:07}\n" for number in range(count))

    def tags(self, mount):
        return [name for name in os.listdir(mount / "many") if name != "master"]

    def test_ever_new_tags_take_nobody_elses_place(self):
        many, other = self.make_many("many"), self.make_start_point("other", ["1"])
        server = self.serve(GitDaemon, self.repositories)
        self.list_many(many, 50_000, "v0-")
        mount = self.mount(server.url("many"), server.url("other"),
                           options="max_nodes=25000,refs_ttl=0")
        for round_ in range(6):
            self.list_many(many, 50_000, f"v{round_}-")
            # A remote that is slow to answer is not waited for while an older listing is known.
            eventually(lambda word=f"v{round_}-": 50_000 == len(
                {name for name in self.tags(mount) if name.startswith(word)}), 60, "the new tags")
            name = f"v{round_}-0012345"
            self.assertIn("manifest.json", os.listdir(mount / "many" / name))
        self.assertIn("manifest.json", os.listdir(mount / "other/1"))
        self.assertLess(mount.status()["nodes"], 1000)

    test_ever_new_tags_take_nobody_elses_place.with_sanitizers = False  # what it counts is the same with them

    def test_a_repository_that_fills_its_share_stops_only_itself(self):
        many, other = self.make_many("many"), self.make_start_point("other", ["1"])
        self.list_many(many, 500, "v")
        mount = self.mount(many.path, other.path, options="max_nodes=2048")
        kept = os.stat(mount / "many/v0000000/hiker.py").st_ino
        # Each takes a node for its name, one for its commit, and one for each file.
        with self.assertRaises(OSError) as failure:
            for number in range(500):
                os.stat(mount / f"many/v{number:07}/hiker.py")
        self.assertEqual(errno.ENOSPC, failure.exception.errno)
        self.assertEqual(kept, os.stat(mount / "many/v0000000/hiker.py").st_ino)
        self.assertEqual(500, len(self.tags(mount)))
        self.assertIn("manifest.json", os.listdir(mount / "other/1"))
        sentence = "its share of the node table (256 nodes) is used up"
        self.assertIn(sentence, mount.log())
        self.assertIn(sentence, mount.repository("many")["error"])
        self.assertIsNone(mount.repository("other")["error"])

    def test_numbers_stay_when_the_listing_changes_and_the_worker(self):
        many = self.make_many("many")
        self.list_many(many, 100, "v")
        mount = self.mount(many.path, options="refs_ttl=0")
        path = mount / "many/v0000007"
        before = os.stat(path).st_ino
        self.list_many(many, 20, "v")
        self.assertEqual(20, len(self.tags(mount)))
        self.assertEqual(before, os.stat(path).st_ino)
        self.program("reload", mount.path)
        self.list_many(many, 30, "v")
        self.assertEqual(30, len(self.tags(mount)))
        self.assertEqual(before, os.stat(path).st_ino)
        self.assertEqual({entry.name: entry.inode() for entry in os.scandir(mount / "many")},
                         {name: os.stat(mount / "many" / name).st_ino
                          for name in os.listdir(mount / "many")})

    def test_six_hundred_thousand_tags_fit_into_100_mib(self):
        many = self.make_many("many")
        server = self.serve(GitDaemon, self.repositories)
        self.list_many(many, 600_000, "v")
        mount = self.mount(server.url("many"), options="refs_ttl=0")
        worker = mount.status()["pid"]
        for _ in range(3):
            self.assertEqual(600_000, len(self.tags(mount)))
            self.assertIn("manifest.json", os.listdir(mount / "many/v0123456"))
            mount.status()
            # While one listing takes the other's place, there are two.
            eventually(lambda: resident(worker) < 100 << 20, 60, "less than 100 MiB in use")

    test_six_hundred_thousand_tags_fit_into_100_mib.with_sanitizers = False  # they take memory of their own
