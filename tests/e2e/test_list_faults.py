"""Lists that are broken, removed or out of reach: what was read last goes on, also in the next worker."""

import concurrent.futures
import errno
import os
import pathlib
import random
import re
import shutil
import signal
import threading
import time

from support.case import EndToEnd
from support.processes import eventually, open_shared, slowness, state
from support.wire import HttpServer

# 1,000 in `make soak`
CHANGES = int(os.environ.get("E2E_LIST_CHANGES", "25"))


class Lists(EndToEnd):
    """What the tests below share."""

    def setUp(self):
        super().setUp()
        self.env |= {"STARTPOINTFS_SETS": str(self.folder / "sets")}
        self.one = self.make_start_point("one", tags=["1", "2"])
        self.two = self.make_start_point("two", tags=["1", "2"])
        self.lists = self.folder / "lists"
        self.lists.mkdir()

    def write_list(self, text, path=None):
        path = path or self.lists / "pp.list"
        fresh = self.folder / "fresh"
        fresh.write_text(text)
        fresh.rename(path)
        return path

    def set_of(self, mount, name):
        """What status.json says of a list."""
        return next(one for one in mount.status()["sets"] if one["name"] == name)

    def fault(self, mount, name="pp"):
        return self.set_of(mount, name)["error"] or ""

    def replace_worker(self, mount, how="kill"):
        """The next worker serves, or the test fails."""
        before = mount.status()
        if how == "kill":
            os.kill(before["pid"], signal.SIGKILL)
        else:
            self.program("reload", mount.path)
        eventually(lambda: mount.status()["pid"] != before["pid"], 20 * slowness(), "another worker")


class Faults(Lists):
    # A worker that refused a faulty list left everybody hanging until the list was mended.

    def test_a_faulty_list_and_another_worker(self):
        for how in ("kill", "reload"):
            with self.subTest(how):
                source = self.write_list(f"{self.one.path}?tag=1\n")
                mount = self.mount(source)
                self.assertIn("manifest.json", os.listdir(mount / "one/1"))
                self.write_list("ftp://example.org/x?tag=1\n")
                eventually(lambda: self.fault(mount), 10, "the fault")  # noqa: B023
                self.replace_worker(mount, how)
                self.assertEqual(["one"], os.listdir(mount))
                self.assertIn(":1", (mount / "one/1/manifest.json").read_text())
                self.assertIn(":2", (mount / "one/2/manifest.json").read_text())  # not fetched before
                self.assertIn(":1", (mount / ".startpointfs/sets/pp/0/manifest.json").read_text())
                self.assertIn(self.one.id_of("1"), (mount / ".startpointfs/sets/pp/shas.txt").read_text())
                eventually(lambda: "pp.list:1" in self.fault(mount), 10, "the fault in status.json")  # noqa: B023
                eventually(lambda: mount.log().count("pp.list:1") == 2, 10, "one line a worker")  # noqa: B023
                self.write_list(f"{self.one.path}?tag=2\n{self.two.path}?tag=1\n")
                eventually(lambda: sorted(os.listdir(mount)) == ["one", "two"], 10, "the mended list")  # noqa: B023
                self.assertEqual("", self.fault(mount))
                mount.unmount()

    def test_a_set_that_became_faulty_and_another_worker(self):
        self.program("create", "pp", "--custom", f"{self.one.path}?tag=1", check=False)
        sets = self.folder / "sets"
        sets.mkdir(exist_ok=True)
        (sets / "pp").write_text(f"# startpointfs set\n# type: custom\n{self.one.path}?tag=1\n")
        mount = self.mount()
        self.assertEqual(["one"], os.listdir(mount))
        (sets / "pp").write_text("nonsense://\n")
        eventually(lambda: self.fault(mount), 10, "the fault")
        self.replace_worker(mount)
        self.assertEqual(["one"], os.listdir(mount))
        self.assertEqual("custom", (mount / ".startpointfs/sets/pp/image.type").read_text())
        # The folder of all sets is gone: a fault. One set is removed: meant.
        shutil.move(sets, self.folder / "elsewhere")
        eventually(lambda: "sets folder" in self.fault(mount), 10, "the folder's fault")
        self.assertEqual(["one"], os.listdir(mount))
        shutil.move(self.folder / "elsewhere", sets)
        (sets / "pp").unlink()
        eventually(lambda: os.listdir(mount) == [], 10, "the set's end")

    def test_single_sources_and_the_folder_of_the_mount_command(self):
        place = self.folder / "place"
        place.mkdir()
        self.call("git", "clone", "-q", "--bare", self.one.path, place / "here")
        mount = self.folder / "mount0"
        mount.mkdir()
        made = self.mount_in(place, mount, "./here?tag=1", f"{self.two.path}?tag=1")
        self.assertEqual(["here", "two"], sorted(os.listdir(mount)))
        self.assertIn(":1", (mount / "here/1/manifest.json").read_text())
        shutil.rmtree(place)
        self.replace_worker(made)
        self.assertEqual(["here", "two"], sorted(os.listdir(mount)))
        self.assertIn(":1", (mount / "here/1/manifest.json").read_text())
        self.assertIn(":2", (mount / "two/2/manifest.json").read_text())

    def mount_in(self, folder, point, *sources):
        """A mount that is made in that folder."""
        before = os.getcwd()
        os.chdir(folder)
        try:
            return self.mount(*sources, name=point.name)
        finally:
            os.chdir(before)

    # A list that was removed made its repositories vanish, and the root showed a repository of its name.

    def test_a_list_given_by_its_path_is_gone(self):
        source = self.write_list(f"{self.one.path}?tag=1\n")
        mount = self.mount(source, foreground=True)
        self.assertIn("manifest.json", os.listdir(mount / "one/1"))
        source.unlink()
        eventually(lambda: "cannot read the list" in self.fault(mount), 10, "the fault")
        for how in ("kill", "reload"):
            self.replace_worker(mount, how)
            self.assertEqual(["one"], os.listdir(mount))
            self.assertIn("No such file", eventually(lambda: self.fault(mount), 10, "the fault"))
        for _ in range(3):
            mount.foreground.send_signal(signal.SIGHUP)
            time.sleep(0.2)
        self.assertEqual(3, mount.log().count("cannot read the list"))  # once a worker
        source.mkdir()  # nor is a folder of that name a source
        eventually(lambda: "directory" in self.fault(mount), 10, "another fault")
        self.assertEqual(["one"], os.listdir(mount))
        source.rmdir()
        self.write_list(f"{self.two.path}?tag=1\n")
        eventually(lambda: os.listdir(mount) == ["two"], 10, "the list that is back")
        self.assertEqual("", self.fault(mount))
        # The folder that it lies in goes, and comes back.
        self.lists.rename(self.folder / "elsewhere")
        eventually(lambda: self.fault(mount), 10, "the folder's end")
        self.assertEqual(["two"], os.listdir(mount))
        (self.folder / "elsewhere").rename(self.lists)
        self.write_list(f"{self.one.path}?tag=1\n")
        eventually(lambda: os.listdir(mount) == ["one"], 15, "the folder that is back")

    def test_a_folder_of_lists(self):
        self.write_list(f"{self.one.path}?tag=1\n", self.lists / "a.list")
        self.write_list(f"{self.two.path}?tag=1\n", self.lists / "b.list")
        mount = self.mount(self.lists)
        self.assertEqual(["one", "two"], sorted(os.listdir(mount)))
        # A list that is taken out is meant to go.
        (self.lists / "b.list").unlink()
        eventually(lambda: os.listdir(mount) == ["one"], 10, "the list's end")
        self.assertIn("b: the list was removed", mount.log())
        # A folder that is gone is not.
        self.lists.rename(self.folder / "elsewhere")
        eventually(lambda: "folder of lists" in self.fault(mount, "a"), 10, "the folder's fault")
        self.assertIn("No such file", mount.status()["list_folders"][0]["error"])
        self.assertEqual(["one"], os.listdir(mount))
        self.replace_worker(mount)
        self.assertEqual(["one"], os.listdir(mount))
        eventually(lambda: "folder of lists" in self.fault(mount, "a"), 10, "the folder's fault")
        self.assertIn(":1", (mount / "one/1/manifest.json").read_text())
        time.sleep(1)
        self.assertEqual(2, mount.log().count("cannot read the folder of lists"))  # once a worker
        (self.folder / "elsewhere").rename(self.lists)
        eventually(lambda: not self.fault(mount, "a"), 15, "the folder that is back")
        self.write_list(f"{self.two.path}?tag=1\n", self.lists / "c.list")
        eventually(lambda: sorted(os.listdir(mount)) == ["one", "two"], 10, "another list")
        # The last one is taken out: an empty mount, and the log says so.
        for path in self.lists.iterdir():
            path.unlink()
        eventually(lambda: os.listdir(mount) == [], 10, "the empty mount")
        self.assertIn("holds no list any more", mount.log())
        self.replace_worker(mount)
        self.assertEqual([], os.listdir(mount))
        self.write_list(f"{self.one.path}?tag=1\n", self.lists / "a.list")
        eventually(lambda: os.listdir(mount) == ["one"], 10, "a list again")

    def test_an_empty_folder_of_lists_is_an_empty_mount(self):
        mount = self.mount(self.lists)
        self.assertEqual([], os.listdir(mount))
        self.assertIn(f"{self.lists} is empty", mount.log())

    def test_the_disk_with_the_lists_is_not_mounted(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        self.call("mount", "-t", "tmpfs", "tmpfs", self.lists)
        self.addCleanup(self.call, "umount", "-l", self.lists, check=False)
        self.write_disk_list()
        mount = self.mount(self.lists)
        self.assertEqual(["one"], os.listdir(mount))
        self.call("umount", "-l", self.lists)
        mount_pid = mount.status()["supervisor_pid"]
        os.kill(mount_pid, signal.SIGHUP)
        eventually(lambda: "not mounted" in self.fault(mount, "disk"), 10, "the fault")
        self.assertEqual(["one"], os.listdir(mount))
        self.replace_worker(mount)
        eventually(lambda: "not mounted" in self.fault(mount, "disk"), 10, "the fault")
        self.assertEqual(["one"], os.listdir(mount))
        self.call("mount", "-t", "tmpfs", "tmpfs", self.lists)
        self.write_disk_list()
        eventually(lambda: not self.fault(mount, "disk"), 15, "the disk that is back")

    def write_disk_list(self):
        """Not by renaming: the list is on another file system."""
        (self.lists / "disk.list").write_text(f"{self.one.path}?tag=1\n")

    # What is kept for the next worker is checked, not trusted.

    def test_damaged_memory(self):
        self.write_list(f"{self.one.path}?tag=1\n", self.lists / "a.list")
        self.write_list(f"{self.two.path}?tag=1\n", self.lists / "b.list")
        for name, damage in (("one byte", lambda file, size: self.flip(file, size // 2)),
                             ("noise", lambda file, size: file.write(random.Random(1).randbytes(size)))):
            with self.subTest(name):
                self.write_list(f"{self.two.path}?tag=1\n", self.lists / "b.list")
                mount = self.mount(self.lists / "a.list", self.lists / "b.list", f"{self.two.path}?tag=2")
                self.write_list("ftp://nonsense\n", self.lists / "b.list")
                eventually(lambda: self.fault(mount, "b"), 10, "the fault")  # noqa: B023
                with open_shared(mount.status()["supervisor_pid"], "lists") as file:
                    damage(file, os.fstat(file.fileno()).st_size)
                self.replace_worker(mount)
                # What can be read is served; what cannot is said.
                self.assertEqual(["one", "two"], sorted(os.listdir(mount)))
                self.assertIn(":1", (mount / "one/1/manifest.json").read_text())
                self.assertIn("reading the lists again", mount.log())
                self.assertIn("b.list:1", self.fault(mount, "b"))
                self.write_list(f"{self.two.path}?tag=1\n", self.lists / "b.list")
                eventually(lambda: not self.fault(mount, "b"), 10, "the mended list")  # noqa: B023
                self.replace_worker(mount)  # what the second one kept is sound
                self.assertEqual(1, mount.log().count("reading the lists again"))
                mount.unmount()

    def flip(self, file, offset):
        byte = os.pread(file.fileno(), 1, offset)[0]
        os.pwrite(file.fileno(), bytes([byte ^ 0x10]), offset)


class Waiting(Lists):
    def test_a_list_changes_and_its_worker_dies_while_a_reader_waits(self):
        """What the reader waits for, no worker knows any more: he gets what is there now."""
        may_answer = threading.Event()

        def respond(server, request):
            may_answer.wait(60)
            return server.true_answer(request)

        server = self.serve(HttpServer, self.one, respond)
        self.addCleanup(may_answer.set)
        mount = self.mount(self.write_list(f"{server.url('one')}?tag=1\n"))
        folder = mount / ".startpointfs/sets/pp/0"
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            text = pool.submit((folder / "manifest.json").read_text)
            names = pool.submit(os.listdir, folder)
            eventually(lambda: mount.status()["waiting"] == 2, 20, "two readers who wait")
            self.write_list(f"{server.url('one')}?tag=2\n")
            eventually(lambda: "pp: changed" in mount.log(), 20, "the changed list")
            self.replace_worker(mount)
            may_answer.set()
            self.assertIn(":2", text.result(60))
            # He has the old folder open.
            self.assertEqual(errno.ESTALE, names.exception(60).errno)
        self.assertIn("manifest.json", os.listdir(folder))


class Many(EndToEnd):
    def mount_many(self, count):
        """The mount, and what the worker uses of the processors until it has answered the first `ls`."""
        source = self.folder / "many.list"
        source.write_text("".join(f"https://example.invalid/points/repository-{number}?tag=1.{number}\n"
                                  for number in range(count)))
        mount = self.mount(source)
        self.assertEqual(count, len(os.listdir(mount)))
        # A clock of Linux: that process's processor time.
        return mount, time.clock_gettime((~mount.status()["pid"] << 3) | 2)

    def test_a_mount_of_many_repositories_costs_little(self):
        """What each repository costs does not grow with their number: comparing each name with each took four times as long
        for each of four times as many. Seconds alone would measure the machine."""
        mount, few = self.mount_many(2_500)
        mount.unmount()
        mount, many = self.mount_many(10_000)
        print(f"figures: a mount of 2,500 and of 10,000 repositories and its first ls: {few:.2f} and {many:.2f} s of processor time")
        self.assertLess(many, 8 * few)
        self.assertEqual(10_001, len(os.listdir(mount / ".startpointfs/sets/many")))
        if os.geteuid() == 0:
            with open(f"/proc/{mount.status()['pid']}/io", encoding="ascii") as file:
                calls = int(re.search(r"syscr: (\d+)", file.read()).group(1))
            self.assertLess(calls, 10_000)  # no repository's folder was read

    test_a_mount_of_many_repositories_costs_little.with_sanitizers = False  # they cost more for each repository


class Campaign(Lists):
    deadline = 60 + 4 * CHANGES

    def test_lists_change_and_workers_die_under_readers(self):
        """Lists are edited, broken and removed at random while the worker is killed beside it. No
        reader may fail, hang or see anything but one of the two versions."""
        dice = random.Random(CHANGES)
        by_path = self.write_list(f"{self.one.path}?tag=1\n", self.folder / "path.list")
        in_folder = self.write_list(f"{self.two.path}?tag=1\n", self.lists / "folder.list")
        mount = self.mount(by_path, self.lists)
        sets = mount / ".startpointfs/sets"
        counts = {"read": 0, "killed": 0, "failed": 0, "wrong": 0}
        failures, stop = [], threading.Event()

        def read(path):
            while not stop.is_set():
                try:
                    text = path.read_text()
                    counts["read"] += 1
                    if ":1" not in text and ":2" not in text:
                        counts["wrong"] += 1
                except OSError as error:
                    counts["failed"] += 1
                    failures.append(error)

        def good(path):
            repository = self.one if path == by_path else self.two
            self.write_list(f"{repository.path}?tag={dice.choice('12')}\n", path)

        actions = [
            good, good,
            lambda path: self.write_list("ftp://nonsense\n", path),
            lambda path: self.write_list("", path),
            lambda path: self.write_list(f"{self.one.path}?tag=1\n{self.two.path}?tag=1&name=one\n", path),
            lambda path: by_path.unlink(missing_ok=True),
            lambda path: self.vanish_for_a_moment(dice),
            lambda path: counts.update(killed=counts["killed"] + self.kill(mount)),
        ]
        paths = [sets / "path/0/manifest.json", sets / "folder/0/manifest.json",
                 mount / "one/1/manifest.json", mount / "two/2/manifest.json"]
        readers = [threading.Thread(target=read, args=(path,), daemon=True) for path in paths]
        for reader in readers:
            reader.start()
        try:
            for _ in range(CHANGES):
                dice.choice(actions)(dice.choice((by_path, in_folder)))
                time.sleep(dice.choice((0, 0.02, 0.15, 0.3)))
        finally:
            stop.set()
            for reader in readers:
                reader.join(40 * slowness())
        hanging = sum(reader.is_alive() for reader in readers)
        print(f"figures: {CHANGES} changes of lists, {counts['killed']} workers killed, {counts['read']} reads, "
              f"{counts['failed']} failed, {counts['wrong']} wrong, {hanging} hang")
        self.assertEqual((0, 0, []), (counts["wrong"], hanging, failures[:3]))
        for path in (by_path, in_folder):
            good(path)
        eventually(lambda: not any(one["error"] for one in mount.status()["sets"]), 15, "all in order again")
        self.assertEqual(["one", "two"], sorted(os.listdir(mount)))

    def vanish_for_a_moment(self, dice):
        self.lists.rename(self.folder / "elsewhere")
        time.sleep(dice.choice((0, 0.05, 0.2)))
        (self.folder / "elsewhere").rename(self.lists)

    def kill(self, mount):
        """1 if there was a worker to kill."""
        supervisor = next(pid for pid in mount.processes() if pid not in self.workers(mount))
        killed = 0
        for pid in self.workers(mount):
            if pid != supervisor and state(pid) not in (None, "Z"):
                os.kill(pid, signal.SIGKILL)
                killed = 1
        return killed

    def workers(self, mount):
        parents = {}
        for pid in mount.processes():
            try:
                parents[pid] = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        return [pid for pid, parent in parents.items() if parent in parents]
