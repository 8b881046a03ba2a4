"""Whatever ends a run of tests, nothing of it stays: each piece of work has a folder, every process of it has the folder in
its environment (as E2E_FOLDER), and a guard beside the runner ends what is left when the runner is gone."""

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile
import time
import traceback

from . import processes


class Guard:
    """A process of its own, which learns through a pipe which folders are in use, and from the pipe's end that the
    runner has ended: also by SIGKILL. Made before the runner has threads."""

    def __init__(self):
        told, self.pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            try:
                self._guard(told)
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        os.close(told)

    @staticmethod
    def _guard(told):
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        used = set()
        with open(told, encoding="utf-8") as lines:
            for line in lines:
                (used.add if line[0] == "+" else used.discard)(line[1:-1])
        for folder in used:
            clear_away(folder)

    @contextlib.contextmanager
    def folder(self, kind):
        """A new folder; what belongs to it ends with the block."""
        made = pathlib.Path(tempfile.mkdtemp(prefix=f"startpointfs-{kind}-"))
        os.write(self.pipe, f"+{made}\n".encode())
        try:
            yield made
        finally:
            clear_away(made)
            with contextlib.suppress(OSError):  # ended already
                os.write(self.pipe, f"-{made}\n".encode())

    def end(self):
        """Ends whatever still runs in a folder."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
            os.waitpid(self.pid, 0)


def clear_away(folder):
    """What is being started while others end comes after them; what the kernel does not end is left to it."""
    for _ in range(100):
        if not processes.processes_of(folder) and not processes.mounts_below(folder):
            break
        processes.clear(folder)
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)
