"""Processes of the service are killed under readers: on kernels that send requests again (6.9) nobody notices; on others
those calls may fail with EIO that the killed worker had read and not answered."""

import os
import random
import signal
import time

from base import POINT, VERSION, Readers, WithService, eventually, resends

KILLS = int(os.environ.get("VM_KILLS", "5"))  # of each kind


class Kills(WithService):
    deadline = 120

    def setUp(self):
        super().setUp()
        self.systemctl("start", "startpointfs")
        self.readers = Readers(self, POINT / VERSION)
        self.random = random.Random(1)

    def worker(self):
        """None if what this test itself asked went with a killed worker."""
        try:
            return self.status()["pid"]
        except OSError:
            if resends():
                raise
            return None

    def kill(self, *pids):
        time.sleep(self.random.random())
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)

    def kill_many(self, what, kill):
        for number in range(KILLS):
            kill()
        self.assertIn("manifest.json", os.listdir(POINT / VERSION))
        calls, failed, wrong = self.readers.finish()
        self.figures.append(f"{KILLS} kills of {what} under 4 readers: {calls} calls, "
                            f"{sum(failed.values())} failed{f' {failed}' if failed else ''}, {wrong} wrong")
        self.assertEqual(0, wrong)
        return failed

    def kill_worker(self):
        worker = eventually(self.worker, 30, "the worker")
        self.kill(worker)
        eventually(lambda: self.worker() not in (None, worker), 30, "the next worker")

    def kill_supervisor(self):
        supervisor = self.shown("MainPID")
        self.kill(supervisor)
        self.wait_for_active(supervisor)

    def kill_both(self):
        supervisor = self.shown("MainPID")
        self.kill(supervisor, eventually(self.worker, 30, "the worker"))
        self.wait_for_active(supervisor)

    def assert_as_the_kernel_can(self, failed):
        """Without RESEND: a killed worker takes along what it had read; never anything but EIO, and never more than each reader's
        one call a kill."""
        if resends():
            self.assertEqual({}, failed)
        else:
            self.assertEqual([], [what for what in failed if not what.endswith(" EIO")])
            self.assertLessEqual(sum(failed.values()), KILLS * len(self.readers.processes))

    def test_the_worker(self):
        self.assert_as_the_kernel_can(self.kill_many("the worker", self.kill_worker))
        for line in self.journal(priority=3):
            self.assertIn("the next starts at once", line)

    def test_the_supervisor(self):
        self.assert_as_the_kernel_can(self.kill_many("the supervisor", self.kill_supervisor))
        self.assertEqual([], self.journal(priority=3))

    def test_both(self):
        self.assert_as_the_kernel_can(self.kill_many("both at once", self.kill_both))
