"""umount says who is inside; a mount point is never looked through before the mount is there."""

import os
import re
import signal
import subprocess

from support.case import EndToEnd, allow_seconds
from support.container import Container, shared
from support.host import Host
from support.processes import PROGRAM, eventually, processes_of

VERSION = "python-unittest/3.7.4-19"


class InUse(EndToEnd):
    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point()
        self.mounted = self.mount(f"{self.repository.path}?tag=3.7.4-19")

    def test_it_says_who_and_how(self):
        (self.mounted / VERSION / "hiker.py").read_bytes()
        os.chdir(self.mounted / VERSION)
        user = self.start("sleep", "100")
        os.chdir("/")
        said = self.refused("umount", self.mounted, status=1)
        point = self.mounted.path
        self.assertTrue(said.startswith(f"startpointfs: {point} is in use ('startpointfs umount --lazy {point}' detaches it anyway) "
                                        "by:\n  process "), said)
        self.assertIn(f"\n  process {user.pid} (sleep, user {os.geteuid()}): its working folder\n", said)
        user.kill()
        user.wait()
        with open(self.mounted / VERSION / "hiker.py", "rb") as opened:
            user = self.start("sleep", "100", stdout=opened)
        said = self.refused("umount", self.mounted, status=1)
        self.assertIn(f"process {user.pid} (sleep, user {os.geteuid()}): open files", said)
        self.assertTrue(self.mounted.is_mounted())
        user.kill()
        user.wait()
        self.program("umount", self.mounted)
        self.mounted.expect_end()

    def test_through_a_link_and_from_within(self):
        """As umount(8) takes a path."""
        link = self.folder / "link"
        link.symlink_to(self.mounted.path)
        self.program("umount", link)
        self.mounted.expect_end()
        self.assertTrue(link.is_symlink())
        again = self.mount(f"{self.repository.path}?tag=3.7.4-19")
        self.program("umount", f"{again.path}//", cwd=self.folder)
        again.expect_end()
        relative = self.mount(f"{self.repository.path}?tag=3.7.4-19")
        self.program("umount", f"../{self.folder.name}/./{relative.path.name}", cwd=self.folder)
        relative.expect_end()
        unused = self.mount(f"{self.repository.path}?tag=3.7.4-19")
        self.assertEqual("", self.program("umount", "--lazy", unused).stdout)
        unused.expect_end()
        self.assertIn("nothing is mounted on", self.refused("umount", link, status=1))
        self.assertIn("there is no folder", self.refused("umount", self.folder / "no", status=1))

    def test_it_waits_until_the_daemon_has_ended(self):
        supervisor = self.mounted.status()["supervisor_pid"]
        os.kill(supervisor, signal.SIGSTOP)
        umount = self.start(PROGRAM, "umount", self.mounted)
        eventually(lambda: not self.mounted.is_mounted(), 10, "the unmount")
        with self.assertRaises(subprocess.TimeoutExpired):
            umount.wait(1)
        os.kill(supervisor, signal.SIGCONT)
        self.assertEqual(0, umount.wait(10))
        self.mounted.expect_end()

    def test_lazy_detaches_and_says_what_that_means(self):
        manifest = self.mounted / VERSION / "manifest.json"
        with open(manifest, "rb") as opened:
            user = self.start("sleep", "100", stdout=opened)
            said = self.program("umount", "--lazy", self.mounted).stdout
            self.assertIn(f"{self.mounted.path} is detached: nobody can enter it any more. Those inside can go on reading; its daemon "
                          "ends with the last of them:\n", said)
            self.assertIn(f"  process {user.pid} (sleep, user {os.geteuid()}): open files\n", said)
            self.assertFalse(self.mounted.is_mounted())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            self.assertIn(b"display_name", os.pread(opened.fileno(), 100_000, 0))
        self.assertTrue(self.mounted.processes())
        user.kill()
        user.wait()
        self.mounted.expect_end()

    @allow_seconds(90)
    def test_a_container_that_has_the_mount_for_itself(self):
        self.mounted.unmount()
        host = shared(self, "host")
        point = host / "start-points"
        point.mkdir()
        self.program("mount", "--cache", self.folder / "cache", "-o", f"allow_other,log_file={self.folder}/mnt.log",
                     self.repository.path, point)
        # Not told of what is unmounted outside.
        container = Container(self, "private", "sleep", "1000",
                              binds=[(point, "/start-points", "rbind", "ro", "rprivate")]).start()
        said = self.refused("umount", point, status=1)
        self.assertIn(f"{point} is unmounted here, but its daemon goes on", said)
        self.assertRegex(said, r"process \d+ \((sleep|busybox), user 0\): the mount is in this process's namespace")
        self.assertTrue(processes_of(self.folder, PROGRAM))
        self.assertIn("3.7.4-19", container.call("ls", "/start-points/python-unittest").stdout)
        container.kill("KILL")
        container.wait()
        eventually(lambda: not processes_of(self.folder, PROGRAM), 20, "the daemon's end")


class BeforeTheMount(EndToEnd):
    """An automount, as systemd's: whatever walks through it waits for us, who are to mount."""

    with_sanitizers = False

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point()
        self.host = Host(self)
        self.point = self.folder / "start-points"
        self.point.mkdir()

    def test_nothing_goes_through_the_mount_point(self):
        source = f"{self.repository.path}?tag=3.7.4-19"
        for command in ([PROGRAM, "mount", "-o", f"cache={self.folder}/cache", source, self.point],
                        [PROGRAM, "mount", "-o", f"cache={self.folder}/cache", source, f"{self.point}/"],
                        ["/sbin/mount.startpointfs", source, self.point, "-o", f"rw,cache={self.folder}/cache"]):
            trace = self.folder / "trace"
            # It ends with the last of the mount's processes.
            tracer = self.start("nsenter", "--target", str(self.host.keeper.pid), "--mount", "strace", "-f", "-qq", "-e",
                                "trace=%file,chdir,getdents64,mount,setsid", "-o", trace, *command)
            eventually(lambda: "python-unittest" in self.host.call("ls", self.point, check=False).stdout, 40, "the mount")
            lines = trace.read_text(errors="replace").splitlines()
            mounting = next(number for number, line in enumerate(lines) if re.search(r"\bmount\(", line))
            through = [line for line in lines[:mounting] if f'"{self.point}' in line
                       and not re.search(r"\b(execve|readlink)\(", line)]
            for line in through:
                # Of a folder that is not mounted on: what it is, and what it hides.
                self.assertRegex(line, rf'(newfstatat|openat|stat)\(.*"{self.point}"', line)
            self.assertFalse([line for line in through if ".startpointfs" in line])
            # An automount lets only its own process group through.
            self.assertEqual([], [line for line in lines[:mounting] if "setsid(" in line])
            self.assertTrue([line for line in lines[mounting:] if "setsid(" in line])
            self.host.call("umount", self.point)
            self.assertEqual(0, tracer.wait(40))

    def test_an_automount_is_not_triggered(self):
        """A real one, whose daemon is this test: it would have to answer, and never does."""
        ends = os.pipe()
        self.addCleanup(lambda: [os.close(end) for end in ends if end >= 0])
        options = f"fd={ends[1]},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
        done = subprocess.run(["nsenter", "--target", str(self.host.keeper.pid), "--mount", "mount", "-t", "autofs", "-o",
                               options, "trap", str(self.point)], pass_fds=[ends[1]], env=self.env, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            self.skipTest(f"no autofs here: {done.stdout.decode(errors='replace').strip()}")
        os.set_blocking(ends[0], False)
        # In a session of its own: what belongs to the automount's group passes without triggering.
        mounting = self.start("nsenter", "--target", str(self.host.keeper.pid), "--mount", self.host.program, "mount", "-o",
                              f"cache={self.folder}/cache,log_file={self.folder}/mnt.log", self.repository.path, self.point,
                              stderr=-1)
        self.assertEqual(0, mounting.wait(30))
        with self.assertRaises(BlockingIOError):
            os.read(ends[0], 1)
        self.assertEqual("python-unittest", self.host.output("ls", self.point).strip())
        self.host.call("umount", self.point)
        eventually(lambda: not processes_of(self.folder, self.host.program), 10, "the end")
