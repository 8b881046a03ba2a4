"""A mount that somebody else makes, whose descriptor is inherited; and one whose owners are mapped for a container."""

import ctypes
import os
import pathlib
import platform
import subprocess
import unittest

from support.case import EndToEnd
from support.host import NOBODY
from support.processes import PROGRAM, compiled, eventually, processes_of

MS_RDONLY, MS_NOSUID, MS_NODEV, MNT_DETACH = 1, 2, 4, 2
VERSION = "python-unittest/3.7.4-19"


@unittest.skipUnless(os.geteuid() == 0, "the part of who mounts is root's")
class Inherited(EndToEnd):
    """What a CSI driver does: it mounts with its own rights, and hands the descriptor to a pod that has none."""

    with_sanitizers = False

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point()
        self.point = self.folder / "mnt"
        self.point.mkdir()
        self.home = self.folder / "nobody"
        self.home.mkdir()
        os.chown(self.home, NOBODY, NOBODY)
        os.chmod(self.folder, 0o755)
        self.call("chmod", "-R", "a+rX", self.repositories)
        self.log = self.home / "log"

    def mount_for_others(self, rights=",default_permissions"):
        descriptor = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={descriptor},rootmode=40000,user_id=0,group_id=0,allow_other{rights}"
        result = ctypes.CDLL(None, use_errno=True).mount(
            b"startpointfs", os.fsencode(self.point), b"fuse.startpointfs", MS_RDONLY | MS_NOSUID | MS_NODEV,
            options.encode())
        self.assertEqual(0, result, os.strerror(ctypes.get_errno()))
        self.addCleanup(lambda: ctypes.CDLL(None).umount2(os.fsencode(self.point), MNT_DETACH))
        return descriptor

    def serve(self, descriptor, *options):
        """Nobody's, without any capability or privilege to gain."""
        with open(self.folder / "served.log", "ab") as log:
            return subprocess.Popen(
                ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
                 "--bounding-set=-all", "--inh-caps=-all", os.fspath(PROGRAM), "mount", "-f", "-o",
                 ",".join([f"cache={self.home}/cache,log_file={self.log}", *options]),
                 f"{self.repository.path}?tag=3.7.4-19", f"/dev/fd/{descriptor}"],
                env={**self.env, "HOME": str(self.home), "TMPDIR": str(self.home)}, pass_fds=[descriptor],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def mount_and_serve(self, **options):
        descriptor = self.mount_for_others(**options)
        served = self.serve(descriptor)
        os.close(descriptor)
        self.addCleanup(lambda: served.poll() is None and (served.kill(), served.wait()))
        eventually(lambda: "serving" in self.log.read_text() if self.log.exists() else False, 20, "it serves")
        return served

    def status_of(self, pid):
        return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                    if ":\t" in line)

    def test_without_a_mount_of_its_own_nor_a_capability(self):
        served = self.mount_and_serve()
        self.assertIn("manifest.json", os.listdir(self.point / VERSION))
        shown = self.status_of(served.pid)
        self.assertEqual((str(NOBODY), 0, 0), (shown["Uid"].split()[1], int(shown["CapPrm"], 16),
                                               int(shown["CapBnd"], 16)))
        # The worker may die as any other's.
        worker = int(self.log.read_text().rpartition("worker ")[2].split()[0])
        os.kill(worker, 9)
        self.assertIn("3.7.4-19", (self.point / VERSION / "manifest.json").read_text())
        # It does not unmount what is not its own: who has mounted does.
        self.assertTrue(os.path.ismount(self.point))
        self.call("umount", self.point)
        self.expect_end(served)

    def expect_end(self, served):
        """What it had started goes with it, though not in the same moment."""
        self.assertEqual(0, served.wait(20))
        eventually(lambda: not processes_of(self.folder, PROGRAM), 20, "the end of all its processes")

    def test_sigterm_ends_it_and_leaves_the_unmount_to_others(self):
        served = self.mount_and_serve()
        served.terminate()
        self.expect_end(served)
        with open("/proc/self/mounts", encoding="utf-8") as table:
            self.assertIn(f" {self.point} ", table.read())

    def test_one_whose_rights_the_kernel_does_not_check(self):
        """Such a mount cannot be idmapped, and to say that it can would end it."""
        served = self.mount_and_serve(rights="")
        self.assertIn("3.7.4-19", (self.point / VERSION / "manifest.json").read_text())
        self.call("umount", self.point)
        self.expect_end(served)

    def test_what_is_no_such_descriptor_is_said(self):
        self.assertIn("/dev/fd/77", self.refused("mount", "-f", self.repository.path, "/dev/fd/77", status=1))
        with open("/dev/null", "rb") as nothing:
            done = subprocess.run([PROGRAM, "mount", "-f", self.repository.path, f"/dev/fd/{nothing.fileno()}"],
                                  env=self.env, pass_fds=[nothing.fileno()], check=False, stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, timeout=20)
        self.assertEqual(1, done.returncode)
        self.assertIn(b"does not start the session", done.stderr)


@unittest.skipUnless(os.geteuid() == 0, "root maps")
class Idmapped(EndToEnd):
    """Pods with `hostUsers: false` see a volume through such a mount."""

    def test_owners_are_mapped(self):
        if tuple(map(int, platform.release().split(".")[:2])) < (6, 12):
            self.skipTest("FUSE has them since Linux 6.12")
        program = compiled("idmap", self.folder, self.env)
        repository = self.make_start_point()
        mount = self.mount(f"{repository.path}?tag=3.7.4-19", options="allow_other,uid=0,gid=0")
        target = self.folder / "target"
        target.mkdir()
        self.call(program, mount, target, "0", "100000")
        self.addCleanup(self.call, "umount", "-l", target, check=False)
        for path in (target, target / VERSION, target / VERSION / "manifest.json"):
            self.assertEqual((100000, 100000), (os.stat(path).st_uid, os.stat(path).st_gid), path)
            self.assertEqual(0, os.stat(mount.path / path.relative_to(target)).st_uid)
        self.assertIn("3.7.4-19", (target / VERSION / "manifest.json").read_text())
        # Also after the worker was replaced, which says the same to the kernel's first request.
        os.kill(mount.status()["pid"], 9)
        self.assertEqual(100000, os.stat(target / VERSION / "hiker.py").st_uid)
        self.assertEqual(os.listdir(mount / VERSION), os.listdir(target / VERSION))
        self.call("umount", target)
