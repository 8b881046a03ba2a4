"""Programs that walk the whole machine though nobody asked for it: nothing is fetched for them."""

import os
import subprocess
import sys

from support.case import EndToEnd
from support.processes import eventually

# Reads as a program of that name, in a thread of another one if there are two. Prints the errnos.
WALKER = """
import errno, os, sys, threading
def call(name):
    with open("/proc/thread-self/comm", "w") as file:
        file.write(name)
def walk():
    if len(names) > 1:
        call(names[1])
    for path in paths:
        try:
            os.listdir(path)
            print("0")
        except OSError as error:
            print(errno.errorcode[error.errno])
names, paths = sys.argv[1].split("/"), sys.argv[2:]
call(names[0])
thread = threading.Thread(target=walk)
if len(names) > 1:
    thread.start()
    thread.join()
else:
    walk()
"""


class Walkers(EndToEnd):
    def setUp(self):
        super().setUp()
        self.source = self.make_start_point(tags=["1", "2"]).path

    def walk(self, name, *paths):
        done = self.call(sys.executable, "-c", WALKER, name, *paths, timeout=30)
        return done.stdout.split()

    def test_nothing_is_fetched_for_them(self):
        mount = self.mount(f"{self.source}?tag=1")
        folder = mount / "python-unittest"
        for name in ("updatedb", "updatedb.plocat", "tracker-miner-f", "tracker-miner-f/pool-spawner", "python3/baloo_file"):
            self.assertEqual(["0", "0", "EACCES", "EACCES"],
                             self.walk(name, mount, folder, folder / "1", folder / "1/src"), name)
        status = mount.status()
        self.assertEqual((0, 0), (status["fetches"], status["listings"]))
        # Nobody else is refused anything, nor shown what a walker was (the kernel keeps a listing for a second).
        eventually(lambda: sorted(os.listdir(folder)) == ["1", "2"], 10, "the whole listing")
        self.call("find", mount.path)
        self.assertEqual(2, mount.fetches())
        self.assertIn("manifest.json", os.listdir(folder / "1"))
        # What is in the cache they may read.
        self.assertEqual(["0", "0"], self.walk("updatedb", folder, folder / "1"))
        self.assertEqual(1, mount.log().count("updatedb (process"))
        self.assertIn("nothing is fetched for it (no_fetch_for=)", mount.log())

    def test_who_they_are_can_be_said(self):
        mount = self.mount(f"{self.source}?tag=1", options="no_fetch_for=ls:a-name-that-is-too-long-for-the-kernel")
        folder = mount / "python-unittest/1"
        ls = self.call("ls", folder, check=False)
        self.assertIn("Permission denied", ls.stderr)
        self.assertEqual(["EACCES"], self.walk("a-name-that-is-too-long", folder))
        self.assertEqual(["0"], self.walk("updatedb", folder))
        none = self.mount(f"{self.source}?tag=1", options="no_fetch_for=", cache=self.folder / "other")
        self.assertEqual(["0"], self.walk("updatedb", none / "python-unittest/1"))
        self.assertIn("needs a value", self.refused("mount", "-o", "no_fetch_for", self.source, self.folder / "m"))

    def test_one_in_a_pid_namespace_of_its_own_is_known_by_its_name_out_here(self):
        mount = self.mount(f"{self.source}?tag=1")
        done = subprocess.run(["unshare", "--pid", "--fork", sys.executable, "-c", WALKER, "updatedb",
                               mount / "python-unittest/1"], env=self.env, stdout=subprocess.PIPE, text=True, check=False)
        # A child of ours is seen from here: its name counts.
        self.assertEqual("EACCES", done.stdout.strip())
        self.assertEqual(0, mount.fetches())
