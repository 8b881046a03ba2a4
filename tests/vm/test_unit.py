"""startpointfs.service under systemd as process 1."""

import os
import re

from base import POINT, VERSION, Readers, WithService, eventually, mounted


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
        said = self.journal(priority=7)
        self.assertTrue([line for line in said if str(inside.pid) in line and "sleep" in line], said)

    def test_systemd_accepts_it(self):
        done = self.call("systemd-analyze", "verify", "--man=no", "startpointfs.service", "startpointfs-serve@x.service")
        self.assertEqual("", "".join(line for line in done.stdout + done.stderr if "startpointfs" in line))

    def test_it_is_not_exposed(self):
        done = self.call("systemd-analyze", "security", "--no-pager", "startpointfs.service", check=False)
        exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        self.figures.append(f"systemd-analyze security: {exposure[1]}")
        self.assertLess(float(exposure[1]), 5.0)
