"""mount(8), fstab, x-systemd.automount, autofs."""

import os
import pathlib
import shutil

from base import VERSION, InMachine, eventually, mounted

POINT = pathlib.Path("/mounted")
FSTAB = pathlib.Path("/etc/fstab")
UNITS = ("mounted.automount", "mounted.mount")


class Mount(InMachine):
    def setUp(self):
        super().setUp()
        POINT.mkdir(exist_ok=True)
        fstab = FSTAB.read_text()
        self.addCleanup(lambda: (FSTAB.write_text(fstab), self.call("systemctl", "daemon-reload")))
        self.addCleanup(self.take_away)
        shutil.rmtree("/var/cache/startpointfs", ignore_errors=True)
        self.list = self.folder / "languages.list"
        self.list.write_text(self.source() + "\n")

    def take_away(self):
        self.systemctl("stop", *UNITS, check=False)
        self.call("umount", POINT, check=False)

    def write_fstab(self, options):
        with FSTAB.open("a") as file:
            file.write(f"{self.list} {POINT} startpointfs ro,allow_other,nofail{options} 0 0\n")
        self.systemctl("daemon-reload")

    def assert_shows(self):
        self.assertEqual(["python-unittest"], os.listdir(POINT))
        self.assertIn("manifest.json", os.listdir(POINT / VERSION))

    def assert_an_access_mounts(self):
        """While it is held it is not idle, however slow the machine is."""
        self.assert_shows()
        with open(POINT / VERSION / "manifest.json", "rb"):
            self.assertEqual(1, len(mounted(POINT)))

    def test_mount_t(self):
        self.call("mount", "-t", "startpointfs", "-o", "ro,allow_other", self.list, POINT)
        self.assert_shows()
        self.call("umount", POINT)
        self.assertEqual([], mounted(POINT))

    def test_a_line_of_fstab(self):
        self.write_fstab("")
        self.systemctl("start", "mounted.mount")
        self.assert_shows()
        self.assertEqual("active", self.shown("ActiveState", "mounted.mount"))
        self.systemctl("stop", "mounted.mount")
        self.assertEqual([], mounted(POINT))
        self.call("mount", POINT)
        self.assert_shows()

    def test_x_systemd_automount(self):
        self.write_fstab(",x-systemd.automount,x-systemd.idle-timeout=2s")
        self.systemctl("start", "mounted.automount")
        for _ in range(2):  # once more after it was unmounted for being idle
            self.assertEqual([], mounted(POINT))
            self.assert_an_access_mounts()
            eventually(lambda: not mounted(POINT), 60, "the end of the idle time")

    def test_autofs_with_a_direct_map(self):
        master, table = pathlib.Path("/etc/auto.master.d/startpointfs.autofs"), pathlib.Path("/etc/auto.startpointfs")
        master.parent.mkdir(exist_ok=True)
        self.addCleanup(lambda: (master.unlink(), table.unlink()))
        self.addCleanup(self.systemctl, "stop", "autofs")
        table.write_text(f"{POINT} -fstype=startpointfs,ro,allow_other :{self.list}\n")
        master.write_text(f"/- {table} --timeout=2\n")
        self.systemctl("start", "autofs")
        for _ in range(2):
            eventually(lambda: not mounted(POINT), 60, "the end of the idle time")
            self.assert_an_access_mounts()


class OrdinaryUser(InMachine):
    def as_user(self, *command, **options):
        """Whose home is their own, not the test's."""
        kept = [f"{name}={self.env[name]}" for name in ("PATH", "LANG", "E2E_FOLDER")]
        return self.call("runuser", "-u", "someone", "--", "env", "-i", "HOME=/home/someone", *kept, *command, **options)

    def test_mounts_reads_and_unmounts(self):
        point = pathlib.Path("/home/someone/mnt")
        self.as_user("mkdir", "-p", point)
        for unmount in (["startpointfs", "umount"], ["fusermount3", "-u"]):
            self.as_user("startpointfs", "mount", self.source(), point)
            self.assertIn("manifest.json", self.as_user("ls", point / VERSION).stdout)
            # Only they see it.
            self.assertEqual(1, len(mounted(point)))
            self.assertNotEqual(0, self.call("runuser", "-u", "nobody", "--", "ls", point / VERSION, check=False).returncode)
            self.as_user(*unmount, point)
            eventually(lambda: not mounted(point), 10, "the end of the mount")
