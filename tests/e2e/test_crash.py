"""The mount goes on while its worker dies, is replaced, or is upgraded."""

import collections
import concurrent.futures
import ctypes
import errno
import fcntl
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

from support import readers, servers
from support.case import EndToEnd
from support.processes import PROGRAM, children_of, eventually, open_shared, parent_of, preloadable, state
from support.repositories import _data, start_point, symlink

MS_RDONLY, MS_REMOUNT = 1, 32
SLOWNESS = int(os.environ.get("E2E_SLOWNESS", "1"))
KILLS = int(os.environ.get("E2E_KILLS", "12" if SLOWNESS == 1 else "6"))
SOAK = KILLS >= 200
# Seconds for which a reader rests between its readings, of which each takes about as long: some are always at one.
REST = 0 if SOAK else 0.15
SANITIZED = os.environ.get("E2E_BUILD", "").endswith(("asan", "tsan"))


def begun_anew(nginx):
    """How often a commit was asked for that had been asked for already: the fetches that were cut off."""
    wants = collections.Counter()
    for request in nginx.requests():
        wants.update(re.findall(r"want ([0-9a-f]{40})", request["body"]))
    return sum(wants.values()) - len(wants)


class Crash(EndToEnd):
    """What the tests below share: who is who, and who is killed."""

    def supervisor(self, mount):
        return mount.status()["supervisor_pid"]

    def worker(self, supervisor, not_this=None):
        """The id of the worker that is there, or will be."""
        def find():
            found = [pid for pid in children_of(supervisor) if pid != not_this]
            return found[0] if found else None
        return eventually(find, 20 * SLOWNESS, "a worker")

    def open_files(self, pid):
        return len(os.listdir(f"/proc/{pid}/fd"))

    def processor_seconds(self, pid):
        ticks = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def kill_worker(self, supervisor, number=signal.SIGKILL):
        pid = self.worker(supervisor)
        os.kill(pid, number)
        eventually(lambda: state(pid) in (None, "Z"), 10, "the worker's death")
        return pid

    def drop(self, mount):
        """Makes the kernel forget what it knows of this mount and nobody holds: a remount does."""
        ctypes.CDLL(None).mount(None, os.fsencode(mount.path), None, MS_REMOUNT | MS_RDONLY, None)

    def rich_files(self, version):
        """A tree with something for each kind of reader."""
        return start_point(version, **{
            **{f"many/entry-{number:03}": f"{version} {number} answer\n" for number in range(60)},
            "deep/a/b/one.txt": f"above {version}\n", "deep/a/b/c/two.txt": f"answer {version}\n",
            "link": symlink("manifest.json"), "empty": "",
            "large": random.Random(version).randbytes(300_000),
        })

    def many_versions(self, name, count):
        """A repository with one small file and many tags, each with another content."""
        repository = self.make_repository(name)
        stream = []
        names = [f"v{number}" for number in range(count)]
        for number, tag in enumerate(names):
            stream.append(b"commit refs/heads/master\ncommitter A <a@b> %d +0000\n" % (1_700_000_000 + number)
                          + _data(b"one") + b"M 644 inline name.txt\n"
                          + _data(b"the answer is %s\n" % tag.encode())
                          + b"reset refs/tags/%s\nfrom refs/heads/master\n\n" % tag.encode())
        repository._import(b"".join(stream))
        return repository, names

    def poison(self, words):
        self.poison_file.write_text(words)

    def mount_with_poison(self, *sources, poison="", **options):
        """`poison` says what kills this mount's workers, now or later."""
        library = preloadable("poison", self.folder, self.env)
        self.poison_file = self.folder / "poison"
        self.poison(poison)
        return self.mount(*sources, env={"LD_PRELOAD": str(library),
                                         "POISON": str(self.poison_file)}, **options)


class Kills(Crash):
    """Eight readers at once, and two that make it fetch, while the worker is killed."""

    deadline = 120 + 10 * KILLS
    kills = KILLS

    def start_reader(self, kind, mounted, clones, seed):
        output = open(self.folder / f"{kind}-{seed}.log", "w+", encoding="utf-8")
        self.addCleanup(output.close)
        reader = self.start(sys.executable, readers.__file__, kind, mounted, clones,
                            self.folder / "stop", str(seed), str(REST), stdout=output, stderr=output)
        return f"{kind}-{seed}", reader, output

    def start_readers(self, mount, seed):
        clones = self.folder / "clones"
        local = mount / "local"
        kinds = [kind for kind in readers.KINDS if kind != "cold"]
        started = [self.start_reader(kind, local, clones, seed + number)
                   for number, kind in enumerate(kinds)]
        return started + [self.start_reader("cold", mount / "far", self.folder / "names", number)
                          for number in range(2)]

    def make_world(self, mount_options="", cold=None):
        repository = self.make_repository("local")
        for number in range(5):
            repository.commit(self.rich_files(f"1.{number}"), tag=f"1.{number}")
            repository.clone(f"1.{number}", self.folder / f"clones/1.{number}")
        _, names = self.many_versions("far", cold or 40 * self.kills)
        (self.folder / "names").write_text("\n".join(names))
        self.nginx = self.serve(servers.Nginx, self.repositories)
        proxy = self.serve(servers.DelayProxy, self.nginx, 120)
        mount = self.mount(f"{repository.path}?tag=1.0", proxy.url("far") + "?tag=v0",
                           options=mount_options, foreground=True)
        # A version's time is known once it is fetched; a tar that begins before that complains.
        for number in range(5):
            os.listdir(mount / f"local/1.{number}")
        self.drop(mount)
        return mount

    def forget_again_and_again(self, mount, over):
        """Else the kernel would soon answer everything itself, and nothing would need a worker."""
        while not over.wait(0.05):
            self.drop(mount)

    def check_readers(self, started):
        for name, reader, output in started:
            if reader.poll() is not None:
                output.seek(0)
                self.fail(f"{name} has ended: {output.read()}")

    def finish(self, started):
        (self.folder / "stop").touch()
        calls, failures = 0, []
        for name, reader, output in started:
            code = reader.wait(60)
            output.seek(0)
            text = output.read()
            if code != 0:
                failures.append(f"{name}: exit status {code}\n{text}")
            else:
                calls += int(text.split()[1])
        return calls, failures

    def disturb(self, mount, action, seed):
        """action(moments) again and again under readers. Returns calls and failures."""
        over = threading.Event()
        forgetting = threading.Thread(target=self.forget_again_and_again, args=(mount, over))
        started = self.start_readers(mount, seed)
        moments = random.Random(seed)
        eventually(lambda: self.check_readers(started) or "fetched far/v3" in mount.log(), 60,
                   "the readers' begin")
        if os.geteuid() == 0:
            forgetting.start()
        try:
            for number in range(self.kills):
                self.check_readers(started)
                action(number, moments, over)
        finally:
            over.set()
            if forgetting.ident:
                forgetting.join()
            calls, failures = self.finish(started)
        return calls, failures

    def kill_at_some_moment(self, mount, supervisor, moments, over, number):
        """Half of them early: also while the worker starts, or is at what the last one left. Half
        of them late, so that the pauses before the next worker don't grow."""
        worker = self.worker(supervisor)
        if moments.random() < 0.5:
            over.wait(moments.uniform(0, 0.3))
        else:
            eventually(lambda: f"serving, worker {worker}" in mount.log(), 20, "a worker that serves")
            over.wait(moments.uniform(0.6, 1.5))
        self.kill_worker(supervisor, number)

    def kill_again_and_again(self, numbers, options=""):
        seed = int(os.environ.get("E2E_SEED") or random.randrange(1 << 30))
        print(f"seed {seed} (E2E_SEED)", file=sys.stderr)
        mount = self.make_world(options)
        supervisor = self.supervisor(mount)
        begun = time.monotonic()
        calls, failures = self.disturb(mount, lambda n, moments, over: self.kill_at_some_moment(
            mount, supervisor, moments, over, numbers[n % len(numbers)]), seed)
        seconds = time.monotonic() - begun
        figures = (f"{self.kills} kills in {seconds:.0f} s, {calls} calls, {len(failures)} failures, "
                   f"{begun_anew(self.nginx)} fetches begun anew")
        print(f"figures: {figures}", file=sys.stderr)
        self.assertEqual([], failures, figures)
        self.assertTrue(begun_anew(self.nginx), "no kill met a fetch")
        return mount

    def check_restarts(self, mount, causes):
        status = mount.status()
        self.assertEqual(self.kills, status["restarts"])
        self.assertIn(status["last_restart_cause"], causes)
        self.assertEqual(self.kills, len(re.findall(r"the worker was killed by signal", mount.log())))

    def test_sigkill(self):
        mount = self.kill_again_and_again([signal.SIGKILL])
        self.check_restarts(mount, ["killed by signal 9 (KILL)"])

    @unittest.skipIf(SANITIZED, "the sanitizer takes these signals for its own findings")
    def test_sigsegv_and_sigabrt(self):
        mount = self.kill_again_and_again([signal.SIGSEGV, signal.SIGABRT])
        self.check_restarts(mount, ["killed by signal 11 (SEGV)", "killed by signal 6 (ABRT)"])


class Dying(Crash):
    """Workers that die again and again, and what kills them."""

    deadline = 120

    def test_a_worker_waits_for_the_end_of_the_one_before(self):
        """Here the test is the one before: it holds what a worker holds until its last thread has ended."""
        mount = self.mount(self.make_start_point().path)
        mount.status()
        with open_shared(self.supervisor(mount), "state") as held, concurrent.futures.ThreadPoolExecutor(2) as pool:
            wanted = pool.submit(fcntl.lockf, held, fcntl.LOCK_EX)
            while not wanted.done():
                before = mount.log().count("serving")
                os.kill(mount.status()["pid"], signal.SIGKILL)
                # The next worker has it, and the test waits on; or the other way round.
                eventually(lambda: wanted.done() or mount.log().count("serving") > before, 20, "another")  # noqa: B023
            status = pool.submit(mount.status)
            with self.assertRaises(concurrent.futures.TimeoutError):
                status.result(2)
            fcntl.lockf(held, fcntl.LOCK_UN)
            self.assertGreater(status.result(40)["restarts"], 0)

    def test_pauses_grow_and_the_mount_recovers(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path)
        supervisor = self.supervisor(mount)
        last = 0
        while not (found := re.findall(r"the next starts in 1600 ms", mount.log())):
            last = self.worker(supervisor, not_this=last)
            os.kill(last, signal.SIGKILL)
        self.assertTrue(found)
        pauses = [int(pause) for pause in re.findall(r"the next starts in (\d+) ms", mount.log())]
        # The first pause is left out for a worker that was ready before it was killed.
        self.assertIn(pauses, ([100, 200, 400, 800, 1600], [200, 400, 800, 1600]))
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/3.7.4-19"))
        worker = self.worker(supervisor)
        # It has lived for a while: the next death is an accident again.
        eventually(lambda: "serving, worker " + str(worker) in mount.log(), 20, "the worker")
        before = self.processor_seconds(supervisor)
        time.sleep(0.6)
        self.assertLess(self.processor_seconds(supervisor) - before, 0.1)  # it waits
        self.kill_worker(supervisor)
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest"  / "3.7.4-19"))
        self.assertIn("the next starts at once",
                      [line for line in mount.log().splitlines() if "was killed" in line][-1])

    @unittest.skipUnless(SOAK, "takes a minute; make soak")
    def test_pauses_end_at_ten_seconds(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path)
        supervisor, last = self.supervisor(mount), 0
        while mount.log().count("the next starts in 10000 ms") < 2:
            last = self.worker(supervisor, not_this=last)
            os.kill(last, signal.SIGKILL)
        self.assertIn("the next starts in 6400 ms", mount.log())
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/3.7.4-19"))

    @unittest.skipIf(SANITIZED, "a preloaded library comes before the sanitizer's")
    def test_a_poisoned_file_is_given_up_and_takes_nobody_down(self):
        repository = self.make_start_point(tags=["1"])
        blob = repository.id_of("1:hiker.py")
        mount = self.mount_with_poison(f"{repository.path}?tag=1")
        tree = mount / "python-unittest/1"
        manifest = (tree / "manifest.json").read_bytes()
        self.poison(f"blob:{blob}")
        over = threading.Event()
        failures = collections.Counter()

        def read_others():
            while not over.is_set():
                self.drop(mount)
                try:
                    if (tree / "manifest.json").read_bytes() != manifest:
                        failures["another content"] += 1
                except OSError as failure:
                    failures[failure] += 1

        others = [threading.Thread(target=read_others) for _ in range(4)]
        for other in others:
            other.start()
        try:
            begun = time.monotonic()
            for _ in range(5):
                self.assert_errno(errno.EIO, (tree / "hiker.py").read_bytes)
            self.assertLess(time.monotonic() - begun, 10 * SLOWNESS)
        finally:
            over.set()
            for other in others:
                other.join()
        self.assertEqual({}, dict(failures))
        self.drop(mount)
        for path in tree.iterdir():
            if path.is_file() and path.name != "hiker.py":
                path.read_bytes()
        self.assertEqual(1, mount.log().count("is given up"))
        self.assertEqual(3, mount.status()["restarts"])

    @unittest.skipIf(SANITIZED, "a preloaded library comes before the sanitizer's")
    def test_who_is_killed_by_others_is_not_given_up(self):
        repository = self.make_start_point(tags=["1"])
        mount = self.mount_with_poison(f"{repository.path}?tag=1")
        file = mount / "python-unittest/1/hiker.py"
        self.assertTrue(os.path.isfile(file))
        self.poison(f"outside:{repository.id_of('1:hiker.py')}")
        reading = self.start("cat", file, stdout=subprocess.PIPE)
        eventually(lambda: mount.log().count("killed by signal 9") >= 5, 30, "five kills")
        self.poison("")
        content = reading.communicate(timeout=30)[0]
        self.assertEqual(0, reading.returncode, mount.log())
        self.assertEqual(repository.git("show", "1:hiker.py"), content.decode())

    @unittest.skipIf(SANITIZED, "a preloaded library comes before the sanitizer's")
    def test_a_poisoned_fetch_is_given_up_and_takes_nobody_down(self):
        self.make_start_point("poisoned", tags=["1"])
        self.make_start_point("other", tags=["1", "2"])
        nginx = self.serve(servers.Nginx, self.repositories)
        mount = self.mount_with_poison(nginx.url("poisoned") + "?tag=1", nginx.url("other") + "?tag=1")
        os.listdir(mount / "poisoned")
        self.poison("pack:poisoned")
        begun = time.monotonic()
        self.assert_errno(errno.EIO, os.listdir, mount / "poisoned/1")
        self.assertLess(time.monotonic() - begun, 10 * SLOWNESS)
        restarts = mount.status()["restarts"]
        self.assertEqual(3, restarts)
        self.assertIn("workers died", mount.version("poisoned", "1")["error"])
        for tag in ("1", "2"):
            self.assertIn("manifest.json", os.listdir(mount / "other" / tag))
        self.assertIn("1", os.listdir(mount / "poisoned"))
        # It is not tried again, though somebody asks.
        time.sleep(1.1)
        self.assert_errno(errno.EIO, os.listdir, mount / "poisoned/1")
        self.assertEqual(restarts, mount.status()["restarts"])

    def check_no_children(self, program, **options):
        """ssh, or what a user has put in its place, ends with the worker that has started it."""
        ssh, pid_file = self.folder / "ssh", self.folder / "ssh.pid"
        ssh.write_text(f"#!/bin/sh\necho $$ > {pid_file}\nexec {program}\n")
        ssh.chmod(0o755)
        mount = self.mount("ssh://127.0.0.1/nowhere?tag=1", options="timeout=50", **options)
        supervisor = self.supervisor(mount)
        reader = self.start("ls", mount / "nowhere/1", stderr=-3)
        pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text().strip(), 10, "ssh"))
        self.assertIn(state(pid), ("R", "S", "D"))
        self.kill_worker(supervisor)
        eventually(lambda: state(pid) in (None, "Z"), 10, "the end of the ssh that it had started")
        eventually(lambda: pid_file.read_text().strip() not in ("", str(pid)), 10,
                   "another ssh, by the next worker")
        self.assertIsNone(reader.poll())

    def test_a_worker_leaves_no_children(self):
        self.check_no_children("sleep 1000", env={"GIT_SSH": str(self.folder / "ssh")})

    def test_a_worker_leaves_no_children_of_a_shell(self):
        # A shell stands between; ssh sees the end of its input.
        self.git_configure("core.sshCommand", str(self.folder / "ssh"))
        self.check_no_children("cat >/dev/null")


class Start(Crash):
    """What a mount dies of as soon as it looks."""

    def mount_of_two(self, poison):
        """Both repositories are cached; with them, what one holds kills whoever reads it."""
        sick, sound = self.make_start_point("sick", tags=["1"]), self.make_start_point("sound", tags=["1"])
        sources = [f"{repository.path}?tag=1" for repository in (sick, sound)]
        self.program("fetch", "--quiet", "--cache", self.folder / "cache", *sources)
        return self.mount_with_poison(*sources, poison=poison(sick))

    def test_a_repository_that_kills_the_worker_is_left_out_alone(self):
        mount = self.mount_of_two(lambda sick: "blob:" + sick.git("rev-parse", "1^{commit}").strip())
        self.assertEqual(["sick", "sound"], sorted(os.listdir(mount.path)))
        self.assertIn("manifest.json", os.listdir(mount / "sound/1"))
        self.assert_errno(errno.EIO, os.listdir, mount / "sick")
        self.assert_errno(errno.EIO, os.listdir, mount / "sick/1")
        self.assertIn("was killed by signal 11", mount.log())
        said = [repo["error"] for repo in mount.status()["repositories"] if repo["name"] == "sick"]
        self.assertIn("workers died", said[0])
        # That was all: nobody dies of it again, and nobody else notices.
        restarts = mount.status()["restarts"]
        self.assertLessEqual(restarts, 3)
        self.assert_errno(errno.EIO, os.stat, mount / "sick/2")
        self.assertIn("manifest.json", os.listdir(mount / "sound/1"))
        self.assertEqual(restarts, mount.status()["restarts"])

    test_a_repository_that_kills_the_worker_is_left_out_alone.with_sanitizers = False  # its SIGSEGV would be their report

    def test_status_does_not_die_of_it(self):
        mount = self.mount_of_two(lambda sick: "blob:" + sick.git("rev-parse", "1^{commit}").strip())
        said = [repo["error"] for repo in mount.status()["repositories"] if repo["name"] == "sick"]
        self.assertIn("workers died", said[0])

    test_status_does_not_die_of_it.with_sanitizers = False  # its SIGSEGV would be their report

    def test_what_kills_every_worker_is_a_sentence(self):
        repository = self.make_start_point()
        with self.assertRaises(AssertionError) as failure:
            self.mount_with_poison(repository.path, poison="start:worker")
        self.assertIn("the mount does not start: 100 workers have died of it", str(failure.exception))
        self.assertIn("killed by signal 11", str(failure.exception))

    test_what_kills_every_worker_is_a_sentence.with_sanitizers = False  # its SIGSEGV would be their report


class Ending(Crash):
    """How the two processes end, and that nothing is left."""

    def test_a_killed_supervisor_leaves_no_worker(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path, name="again")
        supervisor = self.supervisor(mount)
        worker = self.worker(supervisor)
        os.kill(supervisor, signal.SIGKILL)
        eventually(lambda: state(worker) in (None, "Z"), 10, "the worker's end")
        # The first that comes may still be told that its request was aborted.
        with self.assertRaises(OSError) as failure:
            os.listdir(mount)
        self.assertIn(failure.exception.errno, (errno.ENOTCONN, errno.ECONNABORTED))
        self.assert_errno(errno.ENOTCONN, os.listdir, mount)
        again = self.mount(repository.path, name="again")
        self.assertIn("manifest.json", os.listdir(again / "python-unittest/3.7.4-19"))
        again.unmount()
        self.assertFalse(again.is_mounted())

    def test_signals_and_unmounts_end_both_while_readers_wait(self):
        silent = self.serve(servers.SilentServer)
        for how in (signal.SIGTERM, signal.SIGINT, "umount -l", "fusermount3 -uz"):
            with self.subTest(how):
                mount = self.mount(silent.url("dead") + "?tag=1", foreground=True,
                                   options="timeout=100", name=f"mount-{str(how).replace(' ', '')}")
                worker = self.worker(mount.foreground.pid)
                seen = silent.accepted
                reader = self.start("ls", mount / "dead/1", stderr=-3)
                eventually(lambda: silent.accepted > seen, 10, "a fetch")
                if isinstance(how, str):
                    # Lazily: the reader is inside, and the mount's last end comes with its.
                    self.call(*how.split(), mount)
                    reader.kill()
                else:
                    mount.foreground.send_signal(how)
                self.assertEqual(0, mount.expect_end())
                self.assertIn(state(worker), (None, "Z"))
                self.assertNotEqual(0, reader.wait(10))

    def test_an_unmount_in_a_pause_ends_the_supervisor(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path, foreground=True)
        os.listdir(mount)
        eventually(lambda: "serving, worker" in mount.log(), 20, "a worker that serves")
        supervisor, last = mount.foreground.pid, 0
        while "the next starts in 3200 ms" not in mount.log():
            last = self.worker(supervisor, not_this=last)
            os.kill(last, signal.SIGKILL)
        begun = time.monotonic()
        # umount(8) would ask the mount first, and wait.
        self.assertEqual(0, ctypes.CDLL(None).umount2(os.fsencode(mount.path), 0))
        self.assertEqual(0, mount.expect_end())
        self.assertLess(time.monotonic() - begun, 2 * SLOWNESS)

    def test_a_stopped_worker_does_not_keep_the_supervisor(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path, foreground=True)
        os.kill(self.worker(mount.foreground.pid), signal.SIGSTOP)
        mount.foreground.terminate()
        self.assertEqual(0, mount.expect_end())


class Upgrade(Kills):
    """`reload` puts another program in the worker's place."""

    deadline = 200
    test_sigkill = test_sigsegv_and_sigabrt = None

    def program_of_its_own(self):
        """A copy of the program that can be changed."""
        copy = self.folder / "startpointfs"
        shutil.copy(PROGRAM, copy)
        return copy

    def mount_by_its_own_program(self, repository):
        """Returns the program, the version's folder and the log."""
        program, log = self.program_of_its_own(), self.folder / "mnt.log"
        (self.folder / "mnt").mkdir()
        self.start(program, "mount", "-f", "-o", f"log_file={log}", "--cache",
                   self.folder / "cache", repository.path, self.folder / "mnt")
        tree = self.folder / "mnt/python-unittest/1"
        eventually(lambda: tree.exists(), 20, "the mount")
        return program, tree, log

    def test_under_readers_no_call_fails(self):
        mount = self.make_world(cold=200)
        workers = set()

        def reload(number, moments, over):
            over.wait(moments.uniform(0, 0.5))
            workers.add(self.worker(mount.foreground.pid))
            self.program("reload", mount)

        self.kills = 20 if SOAK else 5
        calls, failures = self.disturb(mount, reload, random.randrange(1 << 30))
        print(f"figures: {self.kills} reloads, {calls} calls, {len(failures)} failures", file=sys.stderr)
        self.assertEqual([], failures)
        self.assertEqual(self.kills, len(workers))
        status = mount.status()
        self.assertEqual((self.kills, 0), (status["reloads"], status["restarts"]))

    def test_the_program_on_disk_is_what_goes_on(self):
        repository = self.make_start_point(tags=["1"])
        program, tree, _ = self.mount_by_its_own_program(repository)
        manifest = open(tree / "manifest.json", "rb")
        self.addCleanup(manifest.close)
        status = self.folder / "mnt/.startpointfs/status.json"
        supervisor = parent_of(int(re.search(r'"pid": (\d+)', status.read_text())[1]))
        # Replaced as package managers do: by rename.
        newer = self.folder / "newer"
        shutil.copy(PROGRAM, newer)
        newer.rename(program)
        inode, open_files = program.stat().st_ino, self.open_files(supervisor)
        self.program("reload", self.folder / "mnt")
        worker = self.worker(supervisor)
        self.assertEqual(open_files, self.open_files(supervisor))
        self.assertEqual(inode, os.stat(f"/proc/{worker}/exe").st_ino)
        self.assertIn(b"display_name", manifest.read())
        self.call("umount", "-l", self.folder / "mnt")
        manifest.close()

    def refused_reload(self, program_text=None, damage=None):
        repository = self.make_start_point(tags=["1"])
        program, tree, log = self.mount_by_its_own_program(repository)
        status = self.folder / "mnt/.startpointfs/status.json"
        worker = int(re.search(r'"pid": (\d+)', status.read_text())[1])
        supervisor = parent_of(worker)
        open_files = self.open_files(supervisor)
        if program_text is not None:
            newer = self.folder / "newer"
            newer.write_bytes(program_text)
            newer.chmod(0o755)
            newer.rename(program)
        if damage:
            damage(supervisor)
        complaint = self.refused("reload", self.folder / "mnt", status=1)
        self.assertTrue(complaint.startswith("startpointfs: not reloaded; the old worker carries on: "), complaint)
        self.assertNotIn("carries on: ?", complaint)
        self.assertEqual(worker, self.worker(supervisor))
        self.assertEqual(open_files, self.open_files(supervisor))
        self.assertIn("manifest.json", os.listdir(tree))
        self.assertIn("not reloaded", log.read_text())
        self.call("umount", self.folder / "mnt")
        return complaint

    def test_another_layout_refuses_and_the_old_worker_goes_on(self):
        def another_layout(supervisor):
            with open_shared(supervisor, "nodes") as table:
                table.seek(8)
                table.write((99).to_bytes(4, sys.byteorder))
        self.assertIn("layout 99", self.refused_reload(damage=another_layout))

    def test_what_is_no_startpointfs_is_refused(self):
        self.assertIn("it is not a startpointfs that can take over", self.refused_reload(b"#!/bin/sh\nexit 1\n"))

    def test_what_cannot_be_run_is_refused(self):
        self.assertIn("it is not a startpointfs that can take over", self.refused_reload(b"not a program"))

    def test_what_is_gone_is_refused(self):
        self.assertIn("startpointfs: cannot be opened", self.refused_reload(damage=lambda _: (self.folder / "startpointfs").unlink()))

    def test_a_worker_that_does_not_end_gives_way_to_the_new_one(self):
        mount = self.mount(self.make_start_point().path, options="timeout=1", foreground=True)
        mount.status()
        worker = self.worker(mount.foreground.pid)
        os.kill(worker, signal.SIGSTOP)
        mount.foreground.send_signal(signal.SIGUSR1)
        eventually(lambda: state(worker) in (None, "Z"), 20 * SLOWNESS, "its end")
        eventually(lambda: mount.status()["reloads"] == 1, 20 * SLOWNESS, "the reload")

    def test_a_worker_of_the_old_program_that_was_not_ready_says_nothing_of_the_new_one(self):
        mount = self.mount(self.make_start_point().path, options="timeout=1", foreground=True)
        first = self.worker(mount.foreground.pid)
        os.kill(first, signal.SIGKILL)
        os.kill(self.worker(mount.foreground.pid, not_this=first), signal.SIGSTOP)
        mount.foreground.send_signal(signal.SIGUSR1)
        eventually(lambda: mount.status()["reloads"] == 1, 20 * SLOWNESS, "the reload")
        self.assertNotIn("its worker does not start", mount.log())

    def test_what_does_not_say_whether_it_can_is_refused(self):
        source, mute = self.folder / "mute.c", self.folder / "mute"
        source.write_text("#include <unistd.h>\nint main(void) { return pause(); }\n")
        self.call("cc", "-o", mute, source)
        begun = time.monotonic()
        self.assertIn("it is not a startpointfs that can take over", self.refused_reload(mute.read_bytes()))
        self.assertGreater(time.monotonic() - begun, 10)

    def test_a_program_whose_worker_does_not_start_gives_way_to_the_old_one(self):
        repository = self.make_start_point(tags=["1"])
        program, tree, _ = self.mount_by_its_own_program(repository)
        newer, source = self.folder / "newer", self.folder / "newer.c"
        source.write_text("#include <string.h>\n"
                          "int main(int c, char **v) { return c < 2 || strcmp(v[1], \"probe\"); }\n")
        self.call("cc", "-o", newer, source)
        newer.rename(program)
        complaint = self.refused("reload", self.folder / "mnt", status=1)
        self.assertIn("does not start", complaint)
        self.assertIn("manifest.json", os.listdir(tree))
        self.call("umount", self.folder / "mnt")

    def test_sighup_rereads_the_lists(self):
        repository = self.make_start_point(tags=["1"])
        other = self.make_start_point("other", tags=["2"])
        third = self.make_start_point("third", tags=["3"])
        # In a folder of its own, where no other file's end is news; and not closed: inotify says nothing yet.
        names = self.folder / "lists" / "list"
        names.parent.mkdir()
        names.write_text(f"{repository.path}?tag=1\n")
        mount = self.mount(names, foreground=True)
        self.assertEqual(["python-unittest"], os.listdir(mount))
        worker = mount.status()["pid"]
        file = os.open(names, os.O_WRONLY | os.O_APPEND)
        # Twice, as the first reading of a worker that has just begun may be late.
        for source, shown in ((f"{third.path}?tag=3\n", ["python-unittest", "third"]),
                              (f"{other.path}?tag=2\n", ["other", "python-unittest", "third"])):
            os.write(file, source.encode())
            mount.foreground.send_signal(signal.SIGHUP)
            eventually(lambda shown=shown: sorted(os.listdir(mount)) == shown, 10, "the new list")
        os.close(file)
        self.assertEqual(worker, mount.status()["pid"])
        # One that comes while the worker starts must not kill it.
        worker = self.kill_worker(mount.foreground.pid)
        self.worker(mount.foreground.pid, not_this=worker)
        mount.foreground.send_signal(signal.SIGHUP)
        self.assertIn("manifest.json", os.listdir(mount / "other/2"))
        self.assertEqual(1, mount.status()["restarts"])


class Memory(Crash):
    """Shared memory is checked, not trusted."""

    NODE, CHILDREN = 48, 16  # sizes and offsets in nodes.h

    def damage(self, supervisor, inode, word, offset=CHILDREN):
        with open_shared(supervisor, "nodes") as table:
            table.seek(4096 + (inode - 1) * self.NODE + offset)
            table.write(word.to_bytes(8, sys.byteorder))

    def test_a_damaged_node_is_eio_and_one_line(self):
        files = {f"{name}/inner/file": "content" for name in "abcdef"}
        repository = self.make_repository("tree")
        repository.commit({**files, "ok": "fine\n"}, tag="1")
        mount = self.mount(f"{repository.path}?tag=1")
        tree = mount / "tree/1"
        supervisor, worker = self.supervisor(mount), mount.status()["pid"]
        known = 1 << 63
        words = {"a": known | 1 << 32 | 0x7fffffff,        # far more than there are
                 "b": known | 0x7ffffff0 << 32 | 5,        # far outside
                 "c": known | 0 << 32 | 3,                 # other folders' nodes
                 "d": (1 << 64) - 1}
        inodes = {name: os.stat(tree / name).st_ino for name in words}
        for name, word in words.items():
            self.damage(supervisor, inodes[name], word)
        self.drop(mount)
        for name in words:
            with self.subTest(name):
                self.assert_errno(errno.EIO, os.listdir, tree / name)
                self.assert_errno(errno.EIO, os.stat, tree / name / "inner")
                self.assertEqual(1, mount.log().count(f"damaged at inode {inodes[name]}:"))
        self.assertEqual("fine\n", (tree / "ok").read_text())
        self.assertEqual(["file"], os.listdir(tree / "e/inner"))
        self.assertEqual(worker, mount.status()["pid"])

    def test_random_damage_kills_no_worker(self):
        repository = self.make_repository("tree")
        repository.commit({f"{a}/{b}/file{c}": f"{a}{b}{c}" for a in "abc" for b in "de"
                           for c in range(5)}, tag="1")
        mount = self.mount(f"{repository.path}?tag=1")
        tree = mount / "tree/1"
        supervisor = self.supervisor(mount)
        self.call("ls", "-lR", tree)
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", file=sys.stderr)
        chance = random.Random(seed)
        first = os.stat(tree / "a").st_ino
        for _ in range(60):
            with open_shared(supervisor, "nodes") as table:
                table.seek(4096 + (first - 1 + chance.randrange(30)) * self.NODE + chance.randrange(6) * 8)
                table.write(chance.choice([chance.randbytes(8), bytes(8), b"\xff" * 8,
                                           chance.randrange(40).to_bytes(8, "little")]))
            self.drop(mount)
            self.call("ls", "-lR", tree, check=False, timeout=20)
            self.call("sh", "-c", f"cat {tree}/*/*/*", check=False, timeout=20)
        self.assertEqual(0, mount.status()["restarts"], mount.log()[-3000:])

    def test_the_end_of_the_table(self):
        """Of a repository's share of it, an eighth: the table itself ends for nobody who keeps to that
        (test_nodes has its very end)."""
        repository = self.make_repository("tree")
        repository.commit({**{f"known/{number}": "k" for number in range(300)},
                           **{f"large/{number}": "l" for number in range(900)}, "small": "s\n"}, tag="1")
        mount = self.mount(f"{repository.path}?tag=1", options="max_nodes=4096")
        tree = mount / "tree/1"
        self.assertEqual(300, len(os.listdir(tree / "known")))
        for _ in range(3):
            self.drop(mount)
            self.assert_errno(errno.ENOSPC, os.listdir, tree / "large")
            self.assert_errno(errno.ENOSPC, os.stat, tree / "large/5")
            self.assertEqual(300, len(os.listdir(tree / "known")))
            self.assertEqual("k", (tree / "known/299").read_text())
            self.assertEqual("s\n", (tree / "small").read_text())
        self.assertIn("max_nodes=", mount.log())
        status = mount.status()
        self.assertLessEqual(status["nodes"], status["max_nodes"])
        self.kill_worker(status["supervisor_pid"])
        self.assertEqual(300, len(os.listdir(tree / "known")))
        self.assert_errno(errno.ENOSPC, os.listdir, tree / "large")

    def test_the_default_is_documented(self):
        self.assertIn("67108864", self.program("mount", "--help").stdout)


class NoResend(Crash):
    """What a kernel before 6.9 makes of it: -o no_resend."""

    def test_requests_in_flight_end_with_an_error_and_later_ones_work(self):
        self.make_start_point("far", tags=["1", "2"])
        silent = self.serve(servers.SilentServer)
        local = self.make_start_point("local", tags=["1"])
        mount = self.mount(silent.url("dead") + "?tag=1", f"{local.path}?tag=1",
                           options="no_resend,timeout=50")
        supervisor = self.supervisor(mount)
        for _ in range(3):
            waiting = [self.start("cat", mount / f"dead/1/{number}", stderr=-1) for number in range(4)]
            eventually(lambda: mount.status()["waiting"] == 4, 20, "readers that wait")
            self.kill_worker(supervisor)
            for reader in waiting:
                self.assertEqual(1, reader.wait(20 * SLOWNESS))
                self.assertIn("Input/output error", reader.stderr.read().decode())
            self.assertIn("manifest.json", os.listdir(mount / "local/1"))
        self.assertEqual(0, mount.status()["waiting"])

    def test_no_request_hangs_whenever_the_worker_dies(self):
        """Also those that were read, and of which the worker had made no note."""
        repository = self.make_repository("local")
        repository.commit(self.rich_files("1"), tag="1")
        mount = self.mount(f"{repository.path}?tag=1", options="no_resend")
        supervisor = self.supervisor(mount)
        tree = mount / "local/1"
        over = threading.Event()
        counts = collections.Counter()

        def read():
            while not over.is_set():
                self.drop(mount)
                for place in (tree, tree / "many", tree / "deep"):
                    try:
                        counts["good"] += len(os.listdir(place))
                    except OSError as failure:
                        counts[failure.errno] += 1

        threads = [threading.Thread(target=read, daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        worker = 0
        for _ in range(8):
            worker = self.worker(supervisor, not_this=worker)
            eventually(lambda: f"serving, worker {worker}" in mount.log(), 20, "it serves")  # noqa: B023
            over.wait(random.uniform(0.5, 0.8))
            os.kill(worker, signal.SIGKILL)
        over.set()
        for thread in threads:
            thread.join(20)
            self.assertFalse(thread.is_alive(), "a request hangs")
        self.assertLessEqual(set(counts), {"good", errno.EIO})
        self.assertGreater(counts["good"], 100)

    def test_reload_answers_all_before_the_worker_ends(self):
        self.make_start_point("far", tags=["1"])
        nginx = self.serve(servers.Nginx, self.repositories)
        proxy = self.serve(servers.DelayProxy, nginx, 3000)
        mount = self.mount(proxy.url("far") + "?tag=1", options="no_resend")
        reader = self.start("cat", mount / "far/1/manifest.json", stdout=-3, stderr=-1)
        eventually(lambda: mount.status()["waiting"] > 0, 10, "a reader that waits")
        self.program("reload", mount)
        self.assertEqual(0, reader.wait(20), reader.stderr.read())


class Privileges(Crash):
    def test_the_worker_has_none_that_it_does_not_need(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path)
        status = mount.status()
        shown = dict(line.split(":\t", 1) for line in pathlib.Path(
            f"/proc/{status['pid']}/status").read_text().splitlines() if ":\t" in line)
        self.assertEqual("1", shown["NoNewPrivs"])
        allowed = 1 << 2 if os.geteuid() == 0 else 0  # CAP_DAC_READ_SEARCH
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            self.assertEqual(0, int(shown[kind], 16) & ~allowed, kind)
        for task in os.listdir(f"/proc/{status['pid']}/task"):
            text = pathlib.Path(f"/proc/{status['pid']}/task/{task}/status").read_text()
            self.assertEqual(0, int(re.search(r"CapEff:\t(\w+)", text)[1], 16) & ~allowed)
        # Not dumpable: what /proc shows of it belongs to root.
        self.assertEqual(0, os.stat(f"/proc/{status['pid']}/mem").st_uid)
        self.assertIn("0", pathlib.Path("/proc/sys/fs/suid_dumpable").read_text())

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount for others")
    def test_not_dumpable_as_a_user_sees_it(self):
        script = ("import ctypes, os, sys; os.setgid(65534); os.setuid(65534)\n"
                  "try: open(f'/proc/{sys.argv[1]}/mem', 'rb')\n"
                  "except PermissionError: print('refused')")
        repository = self.make_start_point()
        mount = self.mount(repository.path)
        self.assertEqual("refused\n", self.call(sys.executable, "-c", script,
                                                str(mount.status()["pid"])).stdout)

    @unittest.skipUnless(os.geteuid() == 0, "about root")
    def test_root_reads_other_users_repositories_and_writes_their_caches(self):
        repository = self.make_start_point(tags=["1", "2"])
        os.chmod(repository.path, 0o700)
        self.call("chown", "-R", "65534:65534", repository.path)
        cache = self.folder / "their-cache"
        cache.mkdir(0o700)
        os.chown(cache, 65534, 65534)
        mount = self.mount(f"{repository.path}?tag=1", cache=cache)
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))
        self.kill_worker(self.supervisor(mount))
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/2"))

    def test_ssh_and_credential_helpers_still_work(self):
        self.make_start_point(tags=["1"])
        sshd = self.serve(servers.Sshd, self.repositories)
        self.git_configure("core.sshCommand", sshd.command)
        nginx = self.serve(servers.Nginx, self.repositories)
        helper = self.folder / "helper"
        helper.write_text(f"#!/bin/sh\n[ $1 = get ] && echo username={nginx.USER} && "
                          f"echo password={nginx.PASSWORD}\n")
        helper.chmod(0o755)
        self.git_configure("credential.helper", str(helper))
        mount = self.mount(sshd.url("python-unittest") + "?tag=1",
                           nginx.url("python-unittest", "private") + "?name=private&tag=1")
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))
        self.assertIn("manifest.json", os.listdir(mount / "private/1"))
