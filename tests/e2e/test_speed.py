"""Speed by construction: the kernel answers, and we are not asked."""

import errno
import os

from support.case import EndToEnd
from support.processes import eventually
from support.repositories import executable, start_point, symlink


class SecondWalk(EndToEnd):
    deadline = 100

    def assert_no_requests(self, action):
        """None when it is done a second time right after the first: a kernel may drop cached pages as it likes,
        also every few seconds (kdamond). So in one of three tries."""
        for _ in range(3):
            made = self.mounted.requests_during(action, right_after=action)
            if not made:
                return
        self.fail(f"requests: {made}")

    def setUp(self):
        super().setUp()
        repository = self.make_repository()
        repository.commit({**start_point(), **{f"folder{number % 7}/sub/file{number}": str(number) * 999
                                               for number in range(150)},
                           "link": symlink("folder1"), "big": b"x" * 3_000_000,
                           "script": executable("#!/bin/sh\nexit 0\n"), "empty": ""}, tag="1")
        self.mounted = self.mount(repository.path)
        self.tree = self.mounted / "python-unittest/1"

    def walk(self):
        self.call("find", ".", "-ls", cwd=self.tree)
        self.call("sh", "-c", "find . -type f -exec cat {} + >/dev/null", cwd=self.tree)
        self.call("ls", "-lR", cwd=self.tree)

    def test_it_sends_no_request(self):
        self.walk()
        self.assert_no_requests(self.walk)

    def test_other_tools_send_none_either(self):
        self.walk()
        for command in (["grep", "-r", "needle", "."], ["tar", "-cf", "/dev/null", "."], ["du", "-s"],
                        ["cp", "-a", ".", self.folder / "copy"], ["rsync", "-a", ".", self.folder / "r"]):
            self.call(*command, cwd=self.tree, check=command[0] != "grep")
            with self.subTest(command[0]):
                self.assert_no_requests(
                    lambda: self.call(*command, cwd=self.tree, check=command[0] != "grep"))  # noqa: B023

    test_other_tools_send_none_either.with_sanitizers = False  # what it counts is the same with them

    def test_open_sends_none(self):
        self.walk()

        def open_all():
            for path in ("manifest.json", "hiker.py", "big", "folder1/sub/file1"):
                for _ in range(10):
                    os.close(os.open(self.tree / path, os.O_RDONLY))
                    os.close(os.open(self.tree / "folder1", os.O_RDONLY | os.O_DIRECTORY))

        self.assert_no_requests(open_all)

    def test_what_is_not_there_is_remembered(self):
        missing = [self.tree / folder / f"missing{number}" for number in range(5) for folder in ("", "folder1", "folder1/sub")]

        def probe():
            for path in missing:
                self.assert_errno(errno.ENOENT, os.stat, path)

        probe()
        self.assert_no_requests(probe)

    def test_no_xattr_operation(self):
        self.walk()

        def ask():
            for path in ("manifest.json", "folder1", "big"):
                with self.assertRaises(OSError):
                    os.getxattr(self.tree / path, "security.selinux")
                with self.assertRaises(OSError):
                    os.getxattr(self.tree / path, "user.anything")

        ask()
        self.assert_no_requests(ask)


class Listing(EndToEnd):
    def test_a_second_long_listing_asks_for_no_version(self):
        repository = self.make_start_point(tags=["3.7"])
        repository.tag_many([f"v{number}" for number in range(700)])
        mount = self.mount(repository.path, options="refs_ttl=3600")
        folder = mount / "python-unittest"
        self.call("ls", "-l", folder)
        asked = mount.requests_during(lambda: self.call("ls", "-l", folder))
        self.assertLess(asked.get("lookup", 0) + asked.get("getattr", 0), 20, asked)

    def test_a_version_that_was_listed_gets_its_commit_s_time(self):
        repository = self.make_start_point(tags=["1", "2"])
        mount = self.mount(repository.path)
        expected = int(repository.git("log", "-1", "--format=%ct", "1"))
        folder = mount / "python-unittest"
        for version in ("1", "2"):
            self.assertNotEqual(expected, int(os.stat(folder / version).st_mtime))
        (folder / "1/manifest.json").read_bytes()
        eventually(lambda: int(os.stat(folder / "1").st_mtime) == expected, 5, "the commit's time")
        self.assertNotEqual(expected, int(os.stat(folder / "2").st_mtime))


class FirstWalk(EndToEnd):
    def test_a_folder_costs_few_requests(self):
        repository = self.make_repository()
        repository.commit({f"file{number}": "x" for number in range(500)}, tag="1")
        mount = self.mount(repository.path)
        os.listdir(mount / "python-unittest/1")
        repository.annotate("2")
        cost = mount.requests_during(lambda: self.call("ls", "-l", mount / "python-unittest/2"))
        # Some dozen readdirplus; not a lookup, a getattr or two getxattr for each of 500 files.
        self.assertLess(sum(number for name, number in cost.items() if name != "total"), 100, cost)

    def test_a_file_costs_as_many_reads_as_it_must(self):
        repository = self.make_repository()
        repository.commit({"big": b"x" * (8 << 20)}, tag="1")
        mount = self.mount(repository.path)
        os.listdir(mount / "python-unittest/1")
        cost = mount.requests_during((mount / "python-unittest/1/big").read_bytes)
        # The kernel asks for 128 KiB or more at once.
        self.assertLessEqual(cost["read"], 66, cost)
        self.assertLessEqual(cost["total"], 70, cost)
