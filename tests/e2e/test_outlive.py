"""A mount outlives its supervisor: systemd's descriptor store, or a holder, has what the next one needs."""

import contextlib
import ctypes
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import time

import test_crash
from support import servers
from support.case import EndToEnd
from support.holding import NAMES, Holder, Manager
from support.processes import PROGRAM, eventually, slowness, state

VERSION = "python-unittest/3.7.4-19"
SLOWNESS = slowness()


class Outlive(EndToEnd):
    """What the tests below share."""

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["3.7.4-19", "3.7.4-18"])
        self.source = f"{self.repository.path}?tag=3.7.4-19"

    def kill(self, pid, number=signal.SIGKILL):
        os.kill(pid, number)
        eventually(lambda: state(pid) in (None, "Z"), 20 * SLOWNESS, f"the end of {pid}")

    def end(self, process, number):
        process.send_signal(number)
        return process.wait(20 * SLOWNESS)


class WithHolder(Outlive):
    def setUp(self):
        super().setUp()
        self.holder = Holder(self)

    def mount_held(self, options="", **further):
        mount = self.mount(self.source, options=f"holder={self.holder.path}" + (options and f",{options}"), **further)
        self.assertEqual(str(self.holder.path), mount.status()["held_by"])
        return mount

    def test_a_supervisor_is_killed_and_the_next_goes_on(self):
        mount = self.mount_held()
        manifest = mount / VERSION / "manifest.json"
        inode, device = manifest.stat().st_ino, manifest.stat().st_dev
        with open(manifest, encoding="utf-8") as opened:
            for number in range(1, 4):
                old = mount.status()["supervisor_pid"]
                self.kill(old)
                waiting = self.start("cat", mount / f"python-unittest/3.7.4-1{8 if number == 1 else 9}/hiker.py",
                                     stdout=-1)
                self.assertTrue(mount.is_mounted())
                mount.again()
                self.assertEqual(0, waiting.wait(20 * SLOWNESS))
                self.assertIn(b"answer", waiting.stdout.read())
                status = mount.status()
                self.assertEqual((str(self.holder.path), number, 0),
                                 (status["held_by"], status["takeovers"], status["restarts"]))
                self.assertNotEqual(old, status["supervisor_pid"])
                self.assertEqual((inode, device), (manifest.stat().st_ino, manifest.stat().st_dev))
                self.assertIn("3.7.4-19", os.pread(opened.fileno(), 100_000, 0).decode())
        self.assertIn(str(self.holder.path), self.program("status", mount).stdout)

    def test_a_second_mount_while_the_first_lives_is_refused(self):
        mount = self.mount_held()
        done = mount.again(check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("mounted on", done.stderr)
        self.assertEqual(0, mount.status()["takeovers"])

    def test_the_holder_dies_and_the_next_is_given_the_mount(self):
        mount = self.mount_held()
        supervisor = mount.status()["supervisor_pid"]
        open_files = len(os.listdir(f"/proc/{supervisor}/fd"))
        for number in range(1, 4):
            self.holder.kill()
            self.assertIn("manifest.json", os.listdir(mount / VERSION))
            eventually(lambda: mount.status()["held_by"] is None, 10 * SLOWNESS, "the loss")
            self.holder.start()
            eventually(lambda: mount.status()["held_by"], 10 * SLOWNESS, "the new holder")
            self.assertEqual(number, mount.log().count("nobody holds the mount now"))
        self.assertEqual(open_files, len(os.listdir(f"/proc/{supervisor}/fd")))
        self.kill(supervisor)
        mount.again()
        self.assertEqual(1, mount.status()["takeovers"])

    def test_a_mount_without_its_holder_waits_for_one(self):
        self.holder.end()
        mount = self.mount(self.source, options=f"holder={self.holder.path}")
        self.assertIsNone(mount.status()["held_by"])
        self.holder.start()
        eventually(lambda: mount.status()["held_by"], 10 * SLOWNESS, "the holder")

    def test_what_ends_a_mount_leaves_nothing_with_the_holder(self):
        for end in (lambda mount: self.program("umount", mount), lambda mount: self.call("umount", mount),
                    lambda mount: os.kill(mount.status()["supervisor_pid"], signal.SIGTERM)):
            mount = self.mount_held(name="mounted")
            end(mount)
            mount.expect_end()
            eventually(lambda: "startpointfs-nodes" not in self.held(), 10, "an empty holder")

    def held(self):
        return " ".join(os.readlink(path) for path in pathlib.Path(
            f"/proc/{self.holder.process.pid}/fd").iterdir() if path.is_symlink())

    def test_sigusr2_leaves_the_mount_to_the_holder(self):
        mount = self.mount_held(foreground=True)
        self.assertEqual(0, self.end(mount.foreground, signal.SIGUSR2))
        self.assertTrue(mount.is_mounted())
        mount.again()
        self.assertEqual((1, 0), (mount.status()["takeovers"], mount.status()["restarts"]))
        self.program("umount", mount)
        # Nobody can come to one that was taken away meanwhile.
        gone = self.mount_held(foreground=True, name="gone")
        with open(gone / VERSION / "manifest.json", "rb"):
            self.assertEqual(0, ctypes.CDLL(None).umount2(os.fsencode(gone.path), 2))
            self.assertEqual(0, self.end(gone.foreground, signal.SIGUSR2))
        eventually(lambda: "startpointfs-nodes" not in self.held(), 10, "an empty holder")
        # Where nobody holds it, nobody would answer.
        alone = self.mount(self.source, foreground=True, name="alone")
        self.assertEqual(0, self.end(alone.foreground, signal.SIGUSR2))
        self.assertFalse(alone.is_mounted())

    def test_what_lies_in_its_place_by_now_stays(self):
        """A supervisor that ends takes its own mount away, and none that somebody has made there since."""
        for takes_over in (False, True):
            mount = self.mount_held(name="mounted")
            if takes_over:
                self.kill(mount.status()["supervisor_pid"])
                mount.again()
            supervisor = mount.status()["supervisor_pid"]
            with open(mount / VERSION / "manifest.json", "rb"):
                self.assertEqual(0, ctypes.CDLL(None).umount2(os.fsencode(mount.path), 2))
                self.call("mount", "-t", "tmpfs", "other", mount)
                self.kill(supervisor, signal.SIGTERM)
                self.assertTrue(mount.is_mounted(), f"takes over: {takes_over}")
                self.call("umount", mount)

    def damaged(self, name, offset, value):
        """The next supervisor after that mount's memory was changed; what it says."""
        mount = self.mount_held(name="mounted")
        self.kill(mount.status()["supervisor_pid"])
        for path in pathlib.Path(f"/proc/{self.holder.process.pid}/fd").iterdir():
            if f"startpointfs-{name}" in os.readlink(path):
                with open(path, "r+b", buffering=0) as memory:
                    memory.seek(offset)
                    memory.write(value)
        mount.again()
        self.assertIn("manifest.json", os.listdir(mount / VERSION))
        self.assertEqual(0, mount.status()["takeovers"])
        with open("/proc/self/mounts", encoding="utf-8") as table:
            self.assertEqual(1, table.read().count(f" {mount.path} "))
        said = re.findall("cannot be taken over, so it is mounted afresh: (.*)", mount.log())[-1]
        self.program("umount", mount)
        return said

    def test_what_cannot_be_used_is_said_and_mounted_anew(self):
        self.assertIn("layout 99", self.damaged("state", 0, (99).to_bytes(4, sys.byteorder)))
        self.assertIn("layout 99", self.damaged("nodes", 8, (99).to_bytes(4, sys.byteorder)))
        self.assertIn("not one of startpointfs", self.damaged("nodes", 0, bytes(8)))
        self.assertIn("no root", self.damaged("nodes", 4096, bytes(1)))
        self.assertIn("damaged", self.damaged("state", 4, (1 << 30).to_bytes(4, sys.byteorder)))

    def test_other_options_of_the_mount_are_said_and_mounted_anew(self):
        mount = self.mount_held("noatime")
        self.kill(mount.status()["supervisor_pid"])
        mount.command[mount.command.index("-o") + 1] += ",noexec"
        mount.again()
        self.assertIn("mounted with other options (noatime)", mount.log())
        self.assertIn("manifest.json", os.listdir(mount / VERSION))

    def test_a_mount_that_was_taken_away_meanwhile_is_made_anew(self):
        mount = self.mount_held()
        self.kill(mount.status()["supervisor_pid"])
        self.assertEqual(0, ctypes.CDLL(None).umount2(os.fsencode(mount.path), 2))
        mount.again()
        self.assertIn("is no longer on", mount.log())
        self.assertIn("manifest.json", os.listdir(mount / VERSION))

    def test_other_sources_are_served_at_the_next_start(self):
        other = self.make_start_point("other", tags=["1"])
        mount = self.mount_held()
        self.kill(mount.status()["supervisor_pid"])
        mount.command[-2] = f"{other.path}?tag=1"
        mount.again()
        eventually(lambda: os.listdir(mount) == ["other"], 10 * SLOWNESS, "the other source")
        self.assertEqual(1, mount.status()["takeovers"])
        # The same word is another list elsewhere.
        mount.command[-2] = "pp.list"
        for name in ("here", "there"):
            (self.folder / name).mkdir()
            (self.folder / name / "pp.list").write_text(f"{other.path}?name={name}\n")
            self.kill(mount.status()["supervisor_pid"])
            mount.again(cwd=self.folder / name)
            eventually(lambda now=name: os.listdir(mount) == [now], 10 * SLOWNESS, "that list")

    def test_a_start_that_fails_leaves_the_mount_for_the_next(self):
        mount = self.mount_held()
        self.kill(mount.status()["supervisor_pid"])
        right = list(mount.command)
        # Its worker cannot open that cache, and says so.
        (self.folder / "file").write_text("")
        mount.command[mount.command.index("--cache") + 1] = self.folder / "file/cache"
        self.assertNotEqual(0, mount.again(check=False).returncode)
        self.assertTrue(mount.is_mounted())
        # Nor does one that knows of no holder take the place of what waits there.
        self.assertEqual(f"startpointfs: the startpointfs mounted on {mount.path} does not answer: mount with the holder= that has it, "
                         f"or run 'startpointfs umount --lazy {mount.path}' first\n",
                         self.refused("mount", "--cache", mount.cache, self.source, mount.path, status=1))
        mount.command = right
        mount.again()
        self.assertIn("manifest.json", os.listdir(mount / VERSION))

    test_a_start_that_fails_leaves_the_mount_for_the_next.with_sanitizers = False  # a worker that cannot start frees nothing

    def test_ctrl_c_while_nobody_answers(self):
        """Who asks meanwhile can go. What the dead worker had read already is the kernel's until somebody answers."""
        silent = self.serve(servers.SilentServer)
        mount = self.mount(self.source, silent.url("dead") + "?tag=1", options=f"holder={self.holder.path}")
        read = self.start("cat", mount / "dead/1/hiker.py", stderr=-3)
        eventually(lambda: mount.status()["waiting"] == 1, 20, "a reader that waits")
        self.kill(mount.status()["supervisor_pid"])
        unread = self.start("cat", mount / "dead/1/manifest.json", stderr=-3)
        time.sleep(0.5)  # it asks, and nothing shows that it has
        unread.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, unread.wait(10 * SLOWNESS))
        read.send_signal(signal.SIGINT)
        time.sleep(0.5)
        self.assertIsNone(read.poll())
        mount.again()
        self.assertEqual(-signal.SIGINT, read.wait(20 * SLOWNESS))

    def test_holder_and_auto_unmount_exclude_each_other(self):
        point = self.folder / "mnt"
        point.mkdir()
        said = self.refused("mount", "-o", f"auto_unmount,holder={self.holder.path}", self.source, point)
        self.assertIn("exclude each other", said)
        self.assertIn("at most 107 bytes", self.refused("mount", "-o", f"holder=/{'x' * 107}", self.source, point))


class TheHolder(Outlive):
    def setUp(self):
        super().setUp()
        self.holder = Holder(self)

    def ask(self, uid, word=2, path=b"/mnt"):
        """What it answers to that user; b"": it hangs up."""
        script = ("import os, socket, struct, sys\nuid, word, path, asked = sys.argv[1:]\n"
                  "os.setgid(int(uid)); os.setuid(int(uid))\n"
                  "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(20); s.connect(path)\n"
                  "try: s.send(struct.pack('I4096s', int(word), asked.encode())); print(len(s.recv(5000)))\n"
                  "except (ConnectionError, BrokenPipeError): print(0)\n")
        return int(self.call(sys.executable, "-c", script, str(uid), str(word), self.holder.path,
                             os.fsdecode(path)).stdout)

    def test_only_root_and_its_own_user_are_heard(self):
        os.chmod(self.folder, 0o755)
        self.assertEqual(0o600, self.holder.path.stat().st_mode & 0o777)
        os.chmod(self.holder.path, 0o666)
        self.assertEqual(4100, self.ask(0))
        self.assertEqual(0, self.ask(65534))

    def test_what_is_no_message_is_hung_up_on(self):
        for text in (b"x", b"\xff" * 4100, b"\0" * 4100, b"\0" * 5000):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
                asker.settimeout(20)
                asker.connect(os.fspath(self.holder.path))
                asker.send(text)
                self.assertEqual(b"", asker.recv(5000))
        self.assertEqual(4100, self.ask(0))

    def test_many_that_hang_up_leave_room(self):
        for _ in range(300):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
                asker.connect(os.fspath(self.holder.path))
        self.assertEqual(4100, self.ask(0))

    def test_a_second_one_at_that_place_is_refused(self):
        self.assertIn("already listens", self.refused("hold", self.holder.path, status=1))
        self.assertEqual(0, self.holder.end())
        self.assertFalse(self.holder.path.exists())

    def test_it_takes_no_memory_after_its_start_and_no_lock(self):
        self.holder.end()
        trace = self.folder / "trace"
        tracer = self.start("strace", "-f", "-qq", "-o", trace, PROGRAM, "hold", self.holder.path)
        eventually(self.holder.path.exists, 20 * SLOWNESS, "the holder")
        eventually(lambda: "listen(" in trace.read_text(), 20, "it listens")
        mount = self.mount(self.source, options=f"holder={self.holder.path}")
        self.assertEqual(str(self.holder.path), mount.status()["held_by"])
        self.program("umount", mount)
        self.call("pkill", "-TERM", "-P", str(tracer.pid))
        tracer.wait(20)
        after = trace.read_text().partition("listen(")[2].partition("unlink(")[0]
        self.assertIn("SCM_RIGHTS", after)
        made = set(re.findall(r"(?m)^\d+ +([a-z_0-9]+)\(", after))
        self.assertLessEqual(made, {"poll", "accept4", "getsockopt", "recvmsg", "sendmsg", "recvfrom", "close",
                                    "geteuid", "rt_sigprocmask", "signalfd4"})

    test_it_takes_no_memory_after_its_start_and_no_lock.with_sanitizers = False  # they do


class WithSystemd(Outlive):
    def setUp(self):
        super().setUp()
        self.manager = Manager(self)
        self.point = self.folder / "mnt"
        self.point.mkdir()
        self.env["E2E_MOUNT"] = "mnt"

    def serve_unit(self, *, point=None, options="", **how):
        """Starts the main process, and waits until it is ready."""
        service = self.manager.start(
            PROGRAM, "mount", "-f", "--cache", self.folder / "cache", "-o",
            f"holder=systemd,log_file={self.folder}/mnt.log{options}", self.source, point or self.point, **how)
        self.addCleanup(lambda: service.poll() is None and (service.kill(), service.wait()))
        self.manager.expect("READY")
        return service

    def status(self, key):
        text = (self.point / ".startpointfs/status.json").read_text()
        found = re.search(rf'"{key}": "?([^",]*)', text)
        return found and found[1]

    def test_it_is_killed_and_goes_on_with_what_the_store_has(self):
        service = self.serve_unit()
        self.assertEqual(NAMES, set(self.manager.store))
        self.assertEqual("systemd", self.status("held_by"))
        manifest = self.point / VERSION / "manifest.json"
        inode, device = manifest.stat().st_ino, manifest.stat().st_dev
        for number in range(1, 4):
            self.end(service, signal.SIGKILL)
            waiting = self.start("ls", self.point / f"python-unittest/3.7.4-1{8 if number == 1 else 9}", stdout=-1)
            service = self.serve_unit()
            self.assertEqual(0, waiting.wait(20 * SLOWNESS))
            self.assertIn(b"manifest.json", waiting.stdout.read())
            self.assertEqual((inode, device), (manifest.stat().st_ino, manifest.stat().st_dev))
            eventually(lambda number=number: self.status("takeovers") == str(number), 10, "the takeover")
        # `systemctl stop`: what it leaves in the store would be of no use.
        self.program("umount", self.point)
        self.assertEqual(0, service.wait(20 * SLOWNESS))
        while self.manager.store:
            self.manager.expect("FDSTOREREMOVE")

    def test_a_restart_is_not_noticed(self):
        """The unit's KillSignal: no unmount, and nothing that fails."""
        service = self.serve_unit()
        # The kernel asks once whether closing a file is of interest, and waits for the answer: not in the child that
        # becomes the next supervisor.
        (self.point / VERSION / "manifest.json").read_bytes()
        with open(self.point / VERSION / "manifest.json", "rb") as opened:
            for _ in range(3):
                self.assertEqual(0, self.end(service, signal.SIGUSR2))
                service = self.serve_unit()
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                self.assertIn(b"display_name", os.pread(opened.fileno(), 100_000, 0))
        self.assertEqual(0, self.end(service, signal.SIGTERM))
        self.assertFalse(os.path.ismount(self.point))

    def test_without_the_store_it_is_mounted_anew(self):
        service = self.serve_unit()
        self.end(service, signal.SIGKILL)
        self.manager.forget(list(self.manager.store))
        service = self.serve_unit()
        self.assertEqual("0", self.status("takeovers"))
        self.assertIn("manifest.json", os.listdir(self.point / VERSION))
        self.assertEqual(0, self.end(service, signal.SIGTERM))

    def test_another_mount_point_takes_the_old_one_away(self):
        service = self.serve_unit()
        self.end(service, signal.SIGKILL)
        other = self.folder / "other"
        other.mkdir()
        service = self.serve_unit(point=other)
        self.assertFalse(os.path.ismount(self.point))
        self.assertIn("manifest.json", os.listdir(other / VERSION))
        self.assertIn(f"the held mount is on {self.point}", (self.folder / "mnt.log").read_text())
        self.assertEqual(0, self.end(service, signal.SIGTERM))

    def test_half_a_store_is_nothing(self):
        service = self.serve_unit()
        self.end(service, signal.SIGKILL)
        self.manager.forget(["startpointfs-lists", "startpointfs-fuse"])
        service = self.serve_unit()
        self.assertIn("manifest.json", os.listdir(self.point / VERSION))
        self.assertEqual(0, self.end(service, signal.SIGTERM))


class Kills(test_crash.Kills):
    """Under the eight readers of the crash tests and two that make it fetch, each of our processes is killed again and
    again; the next supervisor is started after it, as a service's manager does."""

    with_sanitizers = False  # the tests above go the same ways, and this is a minute
    kills = (4 if test_crash.SOAK else 2) * test_crash.KILLS
    deadline = 120 + 6 * kills
    test_sigkill = test_sigsegv_and_sigabrt = None
    pause = 0.3  # seconds, at most, before the next supervisor

    def kill_one(self, mount, who, moments, over):
        over.wait(moments.uniform(0, 0.4))
        if who == "holder":
            held = mount.log().count("sock holds the mount")
            self.holder.kill()
            self.holder.start()
            eventually(lambda: mount.log().count("sock holds the mount") > held, 20 * SLOWNESS, "the new holder")
            return
        worker = self.worker(self.supervisor_pid)
        if who in ("worker", "both"):
            with contextlib.suppress(ProcessLookupError):  # the last kill's, which is gone by now
                os.kill(worker, signal.SIGKILL)
        if who in ("supervisor", "both"):
            os.kill(self.supervisor_pid, signal.SIGKILL)
            eventually(lambda: state(self.supervisor_pid) in (None, "Z"), 20, "its death")
            over.wait(moments.uniform(0, self.pause) if moments.random() < 0.5 else 0)
            mount.again()
            self.supervisor_pid = int(re.findall(r"supervisor (\d+)", mount.log())[-1])

    def kill_all(self, options=""):
        seed = int(os.environ.get("E2E_SEED") or random.randrange(1 << 30))
        print(f"seed {seed} (E2E_SEED)", file=sys.stderr)
        self.holder = Holder(self)
        # As many as for the worker's kills alone: with 32,000, git's own server takes seconds for one of them.
        mount = self.make_world(f"holder={self.holder.path}{options}", cold=10 * self.kills)
        self.supervisor_pid = self.supervisor(mount)
        begun = time.monotonic()
        victims = ["supervisor", "worker", "both", "holder"]
        calls, failures = self.disturb(mount, lambda number, moments, over: self.kill_one(
            mount, victims[number % 4], moments, over), seed)
        figures = (f"{self.kills // 4} kills each of {', '.join(victims)} in {time.monotonic() - begun:.0f} s, "
                   f"{calls} calls, {len(failures)} failures, {test_crash.begun_anew(self.nginx)} fetches begun anew")
        print(f"figures: {figures}", file=sys.stderr)
        self.assertEqual([], failures, figures)
        return mount

    def test_each_process_is_killed(self):
        mount = self.kill_all(os.environ.get("E2E_BREAK", ""))
        self.assertEqual(self.kills // 2, mount.status()["takeovers"])
        self.assertTrue(test_crash.begun_anew(self.nginx), "no kill met a fetch")



