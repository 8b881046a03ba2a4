"""The unit under a real systemd: one for a user, in a mount namespace of its own, which needs no boot."""

import re

from support.case import EndToEnd
from support.host import LET_OTHERS_GO
from support.processes import PROGRAM, eventually

from test_deploy_service import UNIT

# What a user's manager does not have: capabilities to give up, folders of the system, another's order.
NOT_HERE = re.compile(r"^(Before|CapabilityBoundingSet|Device\w+|Restrict\w+|SystemCall\w+|Protect\w+|NoNewPrivileges|"
                      r"LockPersonality|MemoryDenyWriteExecute|KeyringMode|\w+Directory)=.*\n", re.MULTILINE)

START = f"""
{LET_OTHERS_GO}
mount -t cgroup2 none "$1/cgroup" && mount --bind "$1/cgroup" /sys/fs/cgroup || exit 77
mount -t tmpfs none /run && mkdir -p /run/systemd/system && mkdir -m 700 /run/user
exec /lib/systemd/systemd --user
"""


class Systemd(EndToEnd):
    with_sanitizers = False
    deadline = 120

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["3.7.4-18", "3.7.4-19"])
        for name in ("units", "cgroup", "mnt"):
            (self.folder / name).mkdir()
        self.point = self.folder / "mnt"
        (self.folder / "units/default.target").write_text("[Unit]\nDefaultDependencies=no\n")
        self.write_unit()
        self.env |= {"XDG_RUNTIME_DIR": "/run/user", "SYSTEMD_UNIT_PATH": str(self.folder / "units")}
        with open(self.folder / "systemd.log", "wb") as log:
            self.manager = self.start("unshare", "--mount", "--propagation", "private", "sh", "-c", START, "sh",
                                      self.folder, stdout=log, stderr=log)
        eventually(lambda: self.manager.poll() is not None or self.systemctl(
            "show", "-p", "Version", check=False).returncode == 0, 20, "systemd")
        if self.manager.poll() is not None:
            self.skipTest("no systemd can be started here")

    def write_unit(self):
        text = NOT_HERE.sub("", UNIT.read_text()).replace("@BINDIR@", str(PROGRAM.parent))
        text = text.replace("systemctl list-jobs", "systemctl --user list-jobs")
        text = text.replace("After=network.target", "DefaultDependencies=no")
        text = re.sub("(?m)^Environment=.*$", f"Environment=SOURCES={self.repository.path} MOUNTPOINT={self.point} "
                      f"OPTIONS= STARTPOINTFS_CACHE={self.folder}/cache", text)
        (self.folder / "units/startpointfs.service").write_text(text)

    def inside(self, *command, **options):
        return self.call("nsenter", "--target", str(self.manager.pid), "--mount", *command, **options)

    def systemctl(self, *arguments, **options):
        return self.inside("systemctl", "--user", *arguments, **options)

    def shown(self, name):
        return self.systemctl("show", "-p", name, "--value", "startpointfs").stdout.strip()

    def takeovers(self):
        text = self.inside("cat", self.point / ".startpointfs/status.json").stdout
        return int(re.search(r'"takeovers": (\d+)', text)[1])

    def test_restart_and_kill_keep_the_mount_and_stop_takes_it_away(self):
        self.systemctl("start", "startpointfs")
        self.assertEqual(("4", "active"), (self.shown("NFileDescriptorStore"), self.shown("ActiveState")))
        # As a container stands in it: with a folder of it as its own, and always reading.
        reader = self.start("nsenter", "--target", str(self.manager.pid), "--mount", "sh", "-c",
                            f"cd {self.point}/python-unittest/3.7.4-19 && while cat hiker.py ../../.startpointfs/status.json "
                            f">/dev/null; do echo -n .; done; echo failed", stdout=-1, stderr=-2)
        for number, how in enumerate(("restart", "kill", "restart", "kill"), 1):
            before = self.shown("MainPID")
            if how == "restart":
                self.systemctl("restart", "startpointfs")
            else:
                self.inside("kill", "-9", before)
            eventually(lambda before=before: self.shown("MainPID") not in ("0", before) and
                       self.shown("ActiveState") == "active", 30, "the next process")
            eventually(lambda number=number: self.takeovers() == number, 10, "the takeover")
            self.assertEqual("4", self.shown("NFileDescriptorStore"))
        self.assertIsNone(reader.poll())
        self.assertIn("manifest.json", self.inside("ls", self.point / "python-unittest/3.7.4-18").stdout)
        reader.kill()
        self.assertNotIn(b"failed", reader.communicate()[0])
        self.systemctl("stop", "startpointfs")
        self.assertEqual(("0", "inactive"), (self.shown("NFileDescriptorStore"), self.shown("ActiveState")))
        self.assertNotIn(f" {self.point} ", self.inside("cat", "/proc/self/mountinfo").stdout)
        self.assertEqual("", self.systemctl("--failed", "--plain", "--no-legend").stdout)
