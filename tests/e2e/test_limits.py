"""What a mount takes and what it leaves: descriptors, processes, memory, and what others can read of it."""

import concurrent.futures
import contextlib
import errno
import hashlib
import os
import pathlib
import random
import re
import resource
import stat
import unittest

from support import servers
from support.case import EndToEnd, allow_seconds
from support.processes import PROGRAM, eventually

PIDS = [pathlib.Path("/sys/fs/cgroup/pids"), pathlib.Path("/sys/fs/cgroup")]


def limit_of(pid, name):
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return re.search(rf"^{name} +(\S+) +(\S+)", text, re.MULTILINE).groups()


def anonymous_memory(pid):
    """Kilobytes that are the process's own."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+)", text, re.MULTILINE)[1])


def peak_memory(pid):
    """The most kilobytes that have been in memory."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+)", text, re.MULTILINE)[1])


class Limits(EndToEnd):
    def test_the_limit_of_descriptors_is_raised(self):
        repository = self.make_start_point()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        mount = self.mount(repository.path)
        for pid in (mount.status()["pid"], mount.status()["supervisor_pid"]):
            now, most = limit_of(pid, "Max open files")
            self.assertEqual(most, now)

    def few_processes(self, most):
        """The environment's shell line that runs what follows with at most so many processes."""
        group = next((top for top in PIDS if os.access(top / "cgroup.procs", os.W_OK)
                      and (top.name == "pids" or "pids" in (top / "cgroup.subtree_control").read_text())), None)
        if not group:
            self.skipTest("no pids controller that may be written")
        folder = group / f"startpointfs-{os.getpid()}-{most}"
        try:
            folder.mkdir()
        except OSError as failure:
            self.skipTest(f"no group of processes can be made: {failure}")
        self.addCleanup(eventually, lambda: self._remove(folder), 20, "an empty group")
        (folder / "pids.max").write_text(str(most))
        return ["sh", "-c", f'echo $$ >{folder}/cgroup.procs; exec "$@"', "sh"]

    @staticmethod
    def _remove(folder):
        with contextlib.suppress(OSError):
            folder.rmdir()
            return True
        return False

    @unittest.skipUnless(os.geteuid() == 0, "only root makes groups of processes")
    def test_too_few_processes_are_a_sentence(self):
        repository = self.make_start_point()
        point = self.folder / "point"
        point.mkdir()
        for most in (2, 3, 4):
            with self.subTest(most):
                done = self.call(*self.few_processes(most), PROGRAM, "mount", "--cache", self.folder / "cache",
                                 repository.path, point, check=False)
                self.assertEqual(1, done.returncode)
                self.assertRegex(done.stderr, r"startpointfs: .*(process|thread)")
                self.assertFalse(os.path.ismount(point))

    test_too_few_processes_are_a_sentence.with_sanitizers = False  # LeakSanitizer needs a process of its own

    @allow_seconds(120)
    def test_many_listings_take_the_memory_of_one(self):
        repository = self.make_start_point(tags=["1"])
        commit = repository.id_of("1")
        lines = "".join(f"{commit} refs/tags/v{number:06}\n" for number in range(30_000))
        git = pathlib.Path(repository.path)
        git = git / ".git" if (git / ".git").exists() else git
        (git / "packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + lines)
        nginx = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(nginx.url("python-unittest"), options="refs_ttl=1")
        worker, figures = mount.status()["pid"], []

        def asked():
            return sum("command=ls-refs" in request["body"] for request in nginx.requests())

        for _ in range(12):
            before = asked()

            def again():
                os.listdir(mount / "python-unittest")
                return asked() > before
            eventually(again, 20, "another listing")
            # The answer is read before the next look.
            eventually(lambda: len(os.listdir(mount / "python-unittest")) > 30_000, 20, "the tags")
            figures.append(anonymous_memory(worker))
        print(f"figures: memory after each of 12 listings of 30,000 tags, kB: {figures}")
        self.assertLess(max(figures[3:]), max(figures[:3]) + 16_384, figures)

    test_many_listings_take_the_memory_of_one.with_sanitizers = False  # AddressSanitizer keeps what is freed

    @allow_seconds(180)
    def test_a_large_file_takes_no_memory(self):
        block = random.Random(1).randbytes(1 << 20)
        content = block * 20 + b"text that deflates well\n" * (3 << 20)  # 92 MiB
        repository = self.make_repository()
        repository.commit({"large": content, "converted": content[20 << 20:],
                           ".gitattributes": "converted text eol=crlf\n"}, tag="1")
        first = self.mount(repository.path)  # fetches it, which may take more
        os.listdir(first / repository.path.name / "1")
        first.unmount()
        mount = self.mount(repository.path)
        tree = mount / repository.path.name / "1"
        worker, idle = mount.status()["pid"], peak_memory(mount.status()["pid"])
        os.listdir(tree)

        def read(name):
            digest = hashlib.sha256()
            with open(tree / name, "rb") as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
            return digest.hexdigest()

        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            found = list(pool.map(read, ["large"] * 4 + ["converted"]))
        self.assertEqual([hashlib.sha256(content).hexdigest()] * 4, found[:4])
        self.assertEqual(hashlib.sha256(content[20 << 20:].replace(b"\n", b"\r\n")).hexdigest(), found[4])
        print(f"figures: memory idle {idle} kB, while 92 MiB are read by four at once {peak_memory(worker)} kB")
        self.assertLess(peak_memory(worker), idle + 64 * 1024)

    test_a_large_file_takes_no_memory.with_sanitizers = False  # what they keep of freed memory is not the program's

    def test_a_larger_pack_than_max_pack(self):
        """Over the network and from a path; what fits comes all the same."""
        repository = self.make_start_point(tags=["small"])
        repository.commit({"noise": random.Random(1).randbytes(100_000)}, tag="big")
        nginx = self.serve(servers.Nginx, self.repositories)
        for number, source in enumerate((nginx.url("python-unittest"), repository.path)):
            with self.subTest(source):
                mount = self.mount(source, options="max_pack=20K", cache=self.folder / f"cache{number}")
                self.assertIn(":small", (mount / "python-unittest/small/manifest.json").read_text())
                self.assert_errno(errno.EIO, os.listdir, mount / "python-unittest/big")
                self.assertIn("the pack has more than 20480 bytes, which is refused",
                              mount.version("python-unittest", "big")["error"])
                self.assertIn(":small", (mount / "python-unittest/small/manifest.json").read_text())

    test_a_larger_pack_than_max_pack.with_sanitizers = False  # test_fetch refuses one with them

    def test_commits_that_are_not_there_leave_no_trail(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path)
        for number in range(60):
            self.assert_errno(errno.ENOENT, os.stat, mount / f"python-unittest/{number:040x}")
        versions = mount.status()["repositories"][0]["versions"]
        shown = [one for one in versions if re.fullmatch("[0-9a-f]{40}", one["name"])]
        self.assertLessEqual(len(shown), 20)


class Secrets(EndToEnd):
    """What everybody else on the machine can see."""

    def test_no_password_in_any_command_line(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        url = server.url("python-unittest", "private").replace("//", f"//{server.USER}:hush-{server.PASSWORD}@")
        mount = self.mount(url)
        pids = [mount.status()["pid"], mount.status()["supervisor_pid"]]
        for pid in pids:
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            self.assertNotIn(b"hush", line)
            self.assertIn(b"startpointfs", line)
        self.assertIn(b"python-unittest", pathlib.Path(f"/proc/{pids[1]}/cmdline").read_bytes())

    def test_the_password_still_works(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        url = server.url("python-unittest", "private").replace("//", f"//{server.USER}:{server.PASSWORD}@")
        mount = self.mount(url)
        self.assertIn("3.7.4-19", os.listdir(mount / "python-unittest"))

    def test_logs_and_sets_are_their_owners(self):
        repository = self.make_start_point()
        mask = os.umask(0)
        self.addCleanup(os.umask, mask)
        mount = self.mount(repository.path)
        self.assertEqual(0o600, stat.S_IMODE(mount.log_file.stat().st_mode))
        sets = self.folder / "sets"
        self.program("create", "pp", "--languages", "--quiet", "--cache", self.folder / "cache", "--sets", sets,
                     f"{repository.path}?tag=3.7.4-19")
        self.assertEqual([0o600], [stat.S_IMODE(file.stat().st_mode) for file in sets.iterdir() if file.is_file()])

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a folder read-only")
    @allow_seconds(120)
    def test_a_cache_that_was_read_only_at_the_mount_is_tried_again(self):
        repository = self.make_start_point(tags=["1", "2"])
        cache = self.folder / "cache"
        self.program("fetch", "--cache", cache, f"{repository.path}?tag=1")
        self.call("mount", "--bind", cache, cache)
        self.addCleanup(self.call, "umount", cache)
        self.call("mount", "-o", "remount,bind,ro", cache)
        mount = self.mount(repository.path, options="refs_ttl=1")
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))
        self.assert_errno(errno.EROFS, os.listdir, mount / "python-unittest/2")
        self.assertIn("read-only", mount.version("python-unittest", "2")["error"])
        self.call("mount", "-o", "remount,bind,rw", cache)

        def there():
            with contextlib.suppress(OSError):
                return "manifest.json" in os.listdir(mount / "python-unittest/2")
        eventually(there, 70, "the version, once the cache can be written")
        mount.unmount()

    @allow_seconds(120)
    def test_made_up_commit_ids_leave_nothing_behind(self):
        repository = self.make_start_point(tags=["1"])
        nginx = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(nginx.url("python-unittest"), options="search=cheap")
        os.listdir(mount / "python-unittest/1")
        most = 0
        for round_ in range(3):
            for number in range(60):
                with contextlib.suppress(OSError):
                    os.stat(mount / "python-unittest" / f"{round_:02x}{number:02x}{'0' * 35}1")
            most = max(most, len(mount.repository("python-unittest")["versions"]))
        print(f"figures: 180 made-up commit ids: {most} versions in status.json at most")
        self.assertLess(most, 100)
        self.assertEqual(["1", "master"], sorted(os.listdir(mount / "python-unittest")))

    test_made_up_commit_ids_leave_nothing_behind.with_sanitizers = False  # what it counts is the same with them
