"""The bench's rows of walks on this kernel, beside ext4. What they took is printed; other things run meanwhile, so no bound is set."""

import os
import pathlib
import shutil
import statistics
import subprocess
import time

import material
from base import POINT, WithService

LIST = "find . -ls >/dev/null"
CAT = "find . -type f -exec cat {} + >/dev/null"
FILES, FOLDERS = 1000, 60
ROUNDS = 3


class Speed(WithService):
    deadline = 300

    def setUp(self):
        super().setUp()
        tree = self.make_repository("tree")
        tree.commit(material.tree(FILES, FOLDERS), tag="1")
        # Not in /tmp, which may be in memory.
        self.plain = pathlib.Path("/var/tmp/plain")
        self.addCleanup(shutil.rmtree, self.plain, True)
        tree.clone("1", self.plain)
        self.write_list("1")

    def source(self, tag="3.7.4-19", name="tree"):
        return super().source(tag, name)

    def seconds(self, command, where):
        begun = time.monotonic()
        subprocess.run(["sh", "-c", command], cwd=where, check=True)
        return time.monotonic() - begun

    def test_walks_beside_ext4(self):
        self.systemctl("start", "startpointfs")
        os.listdir(POINT / "tree/1")  # fetched
        names = ("first find -ls", "first cat", "second cat", "second find -ls")
        times = {name: ([], []) for name in names}
        for _ in range(ROUNDS):
            # Nothing of it is in the worker's memory, nor in the kernel's.
            self.systemctl("stop", "startpointfs")
            self.systemctl("start", "startpointfs")
            for side, where in enumerate((POINT / "tree/1", self.plain)):
                os.sync()
                pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
                for name, command in zip(names, (LIST, CAT, CAT, LIST)):
                    times[name][side].append(self.seconds(command, where))
        for name, sides in times.items():
            ours, ext4 = (statistics.median(side) for side in sides)
            self.figures.append(f"{name} of {FILES:,} files: {ours * 1000:,.0f} ms, ext4 {ext4 * 1000:,.0f} ms, ratio {ours / ext4:.2f}")

    def test_a_second_walk_of_many_files_asks_nobody(self):
        self.systemctl("start", "startpointfs")
        # By its descriptor: names above a version are asked for anew after a second.
        tree = f"/proc/{os.getpid()}/fd/{os.open(POINT / 'tree/1', os.O_RDONLY | os.O_DIRECTORY)}"
        self.seconds(f"{LIST} && {CAT}", tree)
        made = self.least_requests_of(lambda: self.seconds(f"{LIST} && {CAT}", tree))
        self.figures.append(f"requests of a second walk of {FILES:,} files: {sum(made.values())}")
        self.assertEqual({}, made)
