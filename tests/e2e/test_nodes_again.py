"""Inode numbers: places in the node table that nobody can reach any more are used again, and nobody is
shown another's file for it."""

import os
import signal

from support.case import EndToEnd
from support.processes import eventually
from support.repositories import start_point


class NodesAgain(EndToEnd):
    deadline = 240

    def make_moving(self):
        repository = self.make_repository("moving")
        repository.commit(start_point("0"))
        return repository

    def move(self, repository, number):
        many = {f"file{i}": "" for i in range(30)}
        repository.commit({**start_point(str(number)), **many, "number": f"{number}\n"})

    def shows(self, mount, number):
        try:
            return (mount / "moving/master/number").read_text() == f"{number}\n"
        except FileNotFoundError:
            return False

    def test_a_branch_that_moves_does_not_fill_the_table(self):
        moving, other = self.make_moving(), self.make_start_point("other", ["1"])
        mount = self.mount(moving.file_url, other.path, options="max_nodes=1024,refs_ttl=0")
        seen = {}
        # Until it is fetched, the folder has the number of the branch; then that of a commit's tree.
        before = os.stat(mount / "moving/master").st_ino
        os.listdir(mount / "moving/master")
        eventually(lambda: os.stat(mount / "moving/master").st_ino != before, 30, "the tree")
        with open(mount / "moving/master/manifest.json", encoding="utf-8") as first:
            inside = os.open(mount / "moving/master", os.O_RDONLY)
            self.addCleanup(os.close, inside)
            beginning = os.fstat(inside).st_ino
            # Each time takes a node for the commit and one for each file: 128 are full after three times.
            for number in range(1, 15):
                self.move(moving, number)
                eventually(lambda number=number: self.shows(mount, number), 30, "the move")
                inode = os.stat(mount / "moving/master").st_ino
                self.assertNotIn(inode, seen)
                seen[inode] = number
                if number == 5:
                    os.kill(mount.status()["pid"], signal.SIGKILL)
                if number == 9:
                    self.program("reload", mount.path)
            # Who is in the first tree is there still.
            self.assertEqual(beginning, os.fstat(inside).st_ino)
            self.assertNotIn("number", os.listdir(inside))
            self.assertEqual(moving.git("show", "HEAD~14:manifest.json"), first.read())
        self.assertIn("manifest.json", os.listdir(mount / "other/1"))
        self.assertNotIn("its share of the node table", mount.log())
        self.assertLess(mount.status()["nodes"], 200)

    def list_only(self, repository, names):
        commit = repository.id_of("HEAD")
        with open(repository.path / "packed-refs", "w", encoding="ascii") as packed:
            packed.write("# pack-refs with: peeled fully-peeled sorted \n")
            packed.writelines(f"{commit} refs/tags/{name}\n" for name in sorted(names))

    def test_tags_that_come_and_go_do_not_fill_the_table(self):
        moving, other = self.make_moving(), self.make_start_point("other", ["1"])
        mount = self.mount(moving.path, other.path, options="max_nodes=2048,refs_ttl=0")
        stays = None
        for round_ in range(8):
            names = [f"v{round_}-{number:03}" for number in range(180)]
            self.list_only(moving, [*names, "stays"])
            eventually(lambda names=names: set(names) <= set(os.listdir(mount / "moving")), 30, "tags")
            try:
                inodes = {os.stat(mount / "moving" / name).st_ino for name in names}
            except OSError:
                if "does not forget nodes" in mount.log():
                    self.skipTest("a kernel that cannot be told to forget (before Linux 6.18)")
                raise
            self.assertEqual(len(names), len(inodes))
            stays = stays or os.stat(mount / "moving/stays").st_ino
            self.assertEqual(stays, os.stat(mount / "moving/stays").st_ino)
            if round_ == 4:
                os.kill(mount.status()["pid"], signal.SIGKILL)
        self.assertIn("manifest.json", os.listdir(mount / "other/1"))
        self.assertNotIn("its share of the node table", mount.log())
