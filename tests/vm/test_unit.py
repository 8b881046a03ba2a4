"""startpointfs.service under systemd as process 1."""

import errno
import os
import pathlib
import re

from base import POINT, VERSION, Readers, WithService, eventually, keeps_for_the_next_start, mounted, resends
from support.processes import PROJECT

DROP_IN = pathlib.Path("/run/systemd/system/startpointfs.service.d/test.conf")


class Unit(WithService):
    def test_it_is_ready_when_the_mount_answers(self):
        self.systemctl("start", "startpointfs")
        self.assertEqual(["python-unittest"], os.listdir(POINT))
        self.assertIn("manifest.json", os.listdir(POINT / VERSION))
        self.assertEqual(("active", "running"), (self.shown("ActiveState"), self.shown("SubState")))
        self.assertEqual("systemd", self.status()["held_by"])
        self.assertEqual([], self.journal())

    def test_reload_reads_the_lists(self):
        self.repository.git("clone", "-q", "--bare", self.repository.path, self.repositories / "another")
        self.systemctl("start", "startpointfs")
        with open("/etc/startpointfs/more.list", "w", encoding="utf-8") as file:
            file.write(self.source(name="another") + "\n")
        self.systemctl("reload", "startpointfs")
        eventually(lambda: sorted(os.listdir(POINT)) == ["another", "python-unittest"], 5, "the new list")
        self.assertEqual("active", self.shown("ActiveState"))
        self.assertEqual([], self.journal())

    def test_restart_is_not_noticed(self):
        self.systemctl("start", "startpointfs")
        readers = Readers(self, POINT / VERSION)
        for number in range(1, 4):
            before = self.shown("MainPID")
            self.systemctl("restart", "startpointfs")
            self.assertNotEqual(before, self.shown("MainPID"))
            eventually(lambda number=number: self.status()["takeovers"] == number, 10, "the takeover")
        calls, failed, wrong = readers.finish()
        self.figures.append(f"3 restarts under 4 readers: {calls} calls, {sum(failed.values())} failed, {wrong} wrong")
        self.assertEqual(({}, 0), (failed, wrong))
        self.assertEqual([], self.journal())

    def test_stop_unmounts(self):
        self.systemctl("start", "startpointfs")
        os.listdir(POINT / VERSION)
        self.systemctl("stop", "startpointfs")
        self.assertEqual([], mounted(POINT))
        self.assertEqual(("inactive", "0"), (self.shown("ActiveState"), self.shown("NFileDescriptorStore")))
        self.assertEqual([], self.journal())

    def test_stop_under_a_reader_says_who_it_is(self):
        self.systemctl("start", "startpointfs")
        inside = self.start("sleep", "100", cwd=POINT / VERSION)
        self.systemctl("stop", "startpointfs")
        self.assertEqual([], mounted(POINT))
        self.assertEqual(("inactive", "0"), (self.shown("ActiveState"), self.shown("NFileDescriptorStore")))
        said = self.journal(priority=7)
        self.assertTrue([line for line in said if str(inside.pid) in line and "sleep" in line], said)

    def test_systemd_accepts_it(self):
        done = self.call("systemd-analyze", "verify", "--man=no", "startpointfs.service", "startpointfs-serve@x.service")
        self.assertEqual("", "".join(line for line in done.stdout + done.stderr if "startpointfs" in line))

    def test_systemd_reads_it_without_a_warning(self):
        self.systemctl("daemon-reload")
        self.assertEqual("yes" if keeps_for_the_next_start() else "", self.shown("FileDescriptorStorePreserve"))
        self.systemctl("start", "startpointfs")
        self.assertEqual([], self.journal())

    def test_it_is_not_exposed(self):
        done = self.call("systemd-analyze", "security", "--no-pager", "startpointfs.service", check=False)
        exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        self.figures.append(f"systemd-analyze security: {exposure[1]}")
        self.assertLess(float(exposure[1]), 5.0)


class Failed(WithService):
    """Nobody starts the service again by itself. Since systemd 254 the mount waits for the next start; before, it ends."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.drop_in, "")
        # systemd forgets a unit that has ended well and that no other wants.
        self.systemctl("enable", "--quiet", "startpointfs")
        self.addCleanup(self.systemctl, "disable", "--quiet", "startpointfs")

    def drop_in(self, text):
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text(text)
        self.systemctl("daemon-reload")

    def kill(self, end=lambda: None):
        """The main process, and its worker with it; then `end` is done, and there is no further start."""
        self.systemctl("start", "startpointfs")
        self.readers = Readers(self, POINT / VERSION) if keeps_for_the_next_start() else None
        os.kill(int(self.shown("MainPID")), 9)
        end()
        eventually(lambda: self.shown("SubState") in ("failed", "dead", "dead-resources-pinned"), 30, "the end")
        self.assertEqual("4" if keeps_for_the_next_start() else "0", self.shown("NFileDescriptorStore"))

    def assert_the_next_start_goes_on(self):
        if not keeps_for_the_next_start():
            self.assert_it_is_dead()
        self.systemctl("reset-failed", "startpointfs", check=False)
        self.systemctl("start", "startpointfs")
        self.assertIn("manifest.json", os.listdir(POINT / "python-unittest/3.7.4-18"))
        self.assertEqual(1, len(mounted(POINT)))
        self.assertEqual(int(keeps_for_the_next_start()), self.status()["takeovers"])
        if self.readers:
            calls, failed, wrong = self.readers.finish()
            self.figures.append(f"the next start under 4 readers that had waited: {calls} calls, {sum(failed.values())} failed, "
                                f"{wrong} wrong")
            self.assertEqual(0, wrong)
            if resends():
                self.assertEqual({}, failed)

    def assert_it_is_dead(self):
        with self.assertRaises(OSError) as raised:
            os.listdir(POINT)
        self.assertEqual(errno.ENOTCONN, raised.exception.errno)

    def test_after_too_many_starts_the_next_one_goes_on(self):
        # A day: the readers may take their time.
        self.drop_in("[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1d\n")
        self.kill()
        self.assertEqual("failed", self.shown("ActiveState"))
        self.assert_the_next_start_goes_on()

    def test_after_a_stop_that_finds_nobody_to_unmount_the_next_start_goes_on(self):
        self.drop_in("[Service]\nRestartSec=1000\n")
        self.kill(lambda: (eventually(lambda: self.shown("SubState") == "auto-restart", 30, "the pause before the next start"),
                           self.systemctl("stop", "startpointfs")))
        self.assert_the_next_start_goes_on()

    def test_the_package_takes_what_waits_along(self):
        self.drop_in("[Service]\nRestart=no\n")
        self.kill()
        self.call("dpkg", "--remove", "startpointfs")
        self.addCleanup(self.call, "dpkg", "-i", "--force-confold", PROJECT / "startpointfs.deb")
        self.assert_it_is_dead()
        if self.readers:
            self.readers.finish()
        self.call("umount", POINT)

    def test_what_waits_can_be_ended(self):
        """As the documents say."""
        self.drop_in("[Service]\nRestart=no\n")
        self.kill()
        self.systemctl("reset-failed", "startpointfs")
        self.systemctl("clean", "--what=fdstore", "startpointfs", check=keeps_for_the_next_start())
        eventually(lambda: self.shown("NFileDescriptorStore") == "0", 30, "an empty store")
        self.assert_it_is_dead()
        self.call("startpointfs", "umount", POINT)
        self.assertEqual([], mounted(POINT))
