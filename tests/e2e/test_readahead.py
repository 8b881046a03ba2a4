"""Read-ahead over a list: readers ask for two of its versions, and the others come before anybody asks."""

import errno
import os
import signal

from support import servers
from support.case import EndToEnd
from support.processes import eventually
from support.repositories import start_point
from support.wire import Answer, HttpServer

COUNT = 12


class ReadAhead(EndToEnd):
    deadline = 100

    def setUp(self):
        super().setUp()
        first = self.make_start_point("r0", tags=["1"])
        for number in range(1, COUNT):
            self.call("cp", "-a", first.path, self.repositories / f"r{number}")
        self.server = self.serve(servers.Nginx, self.repositories)

    def write_list(self, *sources, name="pp.list"):
        path = self.folder / name
        fresh = self.folder / "fresh"
        fresh.write_text("".join(f"{source}\n" for source in sources))
        fresh.rename(path)
        return path

    def sources(self, numbers=range(COUNT), server=None):
        return [(server or self.server).url(f"r{number}") + "?tag=1" for number in numbers]

    def read(self, mount, number, tag="1"):
        return (mount / f"r{number}/{tag}/manifest.json").read_bytes()

    def requests(self, command, server=None):
        """The repositories that the server was asked for, in the order of its answers."""
        return [request["uri"].split("/")[2] for request in (server or self.server).requests()
                if f"command={command}" in request["body"]]

    def fetched(self):
        return sorted(self.requests("fetch"))

    def all_names(self, numbers=range(COUNT)):
        return sorted(f"r{number}" for number in numbers)

    def is_settled(self, mount):
        """A status that is a second younger shows that nothing is under way."""
        mount.status()
        before = len(self.server.requests())
        mount.status()
        return before == len(self.server.requests())

    def assert_nothing_more(self, mount):
        self.assertTrue(self.is_settled(mount))

    def test_two_reads_bring_the_rest(self):
        mount = self.mount(self.write_list(*self.sources()))
        self.read(mount, 3)
        self.assert_nothing_more(mount)
        self.assertEqual(["r3"], self.fetched())
        self.read(mount, 7)
        eventually(lambda: self.fetched() == self.all_names(), 20, "all that the list names")
        for number in range(COUNT):
            self.read(mount, number)
        self.assert_nothing_more(mount)
        # Each repository is listed once and each version is fetched once, whoever wanted it.
        self.assertEqual(self.all_names(), self.fetched())
        self.assertEqual(self.all_names(), sorted(self.requests("ls-refs")))

    def test_a_set_of_the_mount_counts_too(self):
        mount = self.mount(self.write_list(*self.sources()))
        for number in range(2):
            (mount / f".startpointfs/sets/pp/{number}/manifest.json").read_bytes()
        eventually(lambda: self.fetched() == self.all_names(), 20, "all that the list names")

    def test_sources_without_a_list_count_as_one(self):
        mount = self.mount(*self.sources())
        for number in range(2):
            self.read(mount, number)
        eventually(lambda: self.fetched() == self.all_names(), 20, "all sources")

    def test_it_can_be_turned_off(self):
        mount = self.mount(self.write_list(*self.sources()), options="readahead=no")
        for number in range(4):
            self.read(mount, number)
        self.assert_nothing_more(mount)
        self.assertEqual(self.all_names(range(4)), self.fetched())

    def test_each_list_counts_for_itself(self):
        mount = self.mount(self.write_list(*self.sources(range(6))),
                           self.write_list(*self.sources(range(6, COUNT)), name="second.list"))
        self.read(mount, 0)
        self.read(mount, 6)
        self.assert_nothing_more(mount)
        self.assertEqual(["r0", "r6"], self.fetched())
        self.read(mount, 7)
        eventually(lambda: self.fetched() == self.all_names([0, *range(6, COUNT)]), 20, "the second list")
        self.assert_nothing_more(mount)
        self.assertEqual(self.all_names([0, *range(6, COUNT)]), self.fetched())

    def test_a_walk_through_all_tags_is_no_reader_of_the_list(self):
        repository = self.make_start_point("tags", tags=["1", "2", "3", "4"])
        mount = self.mount(self.write_list(self.server.url("tags") + "?tag=2", *self.sources()))
        self.call("find", mount / "tags", "-name", "manifest.json")
        self.assert_nothing_more(mount)
        self.assertEqual({"tags"}, set(self.fetched()))
        # Nor are tags that no source names fetched ahead.
        self.read(mount, 0)
        eventually(lambda: set(self.fetched()) == {"tags", *self.all_names()}, 20, "the list")
        repository.commit(start_point("5"), tag="5")
        self.assert_nothing_more(mount)

    def test_readers_come_first(self):
        far = self.serve(servers.DelayProxy, self.server, 300)
        mount = self.mount(self.write_list(*self.sources(server=far)), options="jobs=2")
        for number in (0, 1, COUNT - 1):
            self.read(mount, number)
        before = self.requests("fetch")
        # Two jobs at once, of which readers always have one: at most one or two others came before the third reader's.
        self.assertLessEqual(before.index(f"r{COUNT - 1}"), 6, before)
        eventually(lambda: self.fetched() == self.all_names(), 40, "all that the list names")

    def test_a_host_that_fails_is_left_alone(self):
        # Not one that drops connections: those are tried again, beside fewer (test_other_servers).
        dead = self.serve(HttpServer, self.make_repository("dead"), lambda server, request: Answer(500))
        mount = self.mount(self.write_list(
            *self.sources(range(2)), *(f"http://localhost:{dead.port}/git/d{number}?tag=1" for number in range(60)),
            *self.sources(range(2, COUNT))), options="jobs=4")
        for number in range(2):
            self.read(mount, number)
        # The other host's versions come all the same.
        eventually(lambda: self.fetched() == self.all_names(), 20, "all that can be had")
        eventually(lambda: dead.requests, 20, "a first try")
        mount.status()
        tried = len(dead.requests)
        self.assert_nothing_more(mount)
        # Three in a row, and two that had begun beside the third: each is one version, that is tried as a reader's is.
        self.assertLessEqual(tried, 5 * 4)
        self.assertEqual(tried, len(dead.requests))

    def test_a_killed_worker_does_not_begin_it_again(self):
        mount = self.mount(self.write_list(*self.sources(), *(self.server.url(f"missing{n}") + "?tag=1" for n in range(9))))
        for number in range(2):
            self.read(mount, number)
        eventually(lambda: self.fetched() == self.all_names(), 20, "all that the list names")
        # Those that are missing are asked for beside them: some answers may come later.
        eventually(lambda: self.is_settled(mount), 20, "the end of it")
        before = len(self.server.requests())
        os.kill(mount.status()["pid"], signal.SIGKILL)
        for number in range(COUNT):
            self.read(mount, number)
        self.program("reload", mount.path)
        self.assert_nothing_more(mount)
        self.assertEqual(before, len(self.server.requests()))

    def test_a_list_that_changes_is_new(self):
        path = self.write_list(*self.sources(range(4)))
        mount = self.mount(path)
        for number in range(2):
            self.read(mount, number)
        eventually(lambda: self.fetched() == self.all_names(range(4)), 20, "the list")
        self.write_list(*self.sources())
        eventually((mount / "r11").exists, 10, "the changed list")
        self.assert_nothing_more(mount)
        self.assertEqual(self.all_names(range(4)), self.fetched())
        for number in range(4, 6):
            self.read(mount, number)
        eventually(lambda: self.fetched() == self.all_names(), 20, "what is new in the list")

    def test_offline_asks_nobody(self):
        mount = self.mount(self.write_list(*self.sources()), options="offline")
        for number in range(3):
            self.assert_errno(errno.EHOSTUNREACH, self.read, mount, number)
        self.assertEqual([], self.server.requests())
