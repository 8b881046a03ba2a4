"""A repository that costs as much as it can hurts nobody but its own readers."""

import errno
import os
import signal
import statistics
import time

from support.case import EndToEnd
from support.processes import eventually, slowness

MIB = 1 << 20
ROUND = 15  # reads
OTHER_TAGS = [str(number) for number in range(60)]


class Hostile(EndToEnd):
    deadline = 180

    def setUp(self):
        super().setUp()
        self.other = self.make_start_point("other", tags=OTHER_TAGS)
        self.program("fetch", *(f"{self.other.path}?tag={tag}" for tag in OTHER_TAGS))
        self.tags = iter(OTHER_TAGS)

    def read_other(self, mount, tag=None):
        """The seconds that a cached version takes which nobody has looked into yet."""
        tag = tag or next(self.tags)
        begun = time.monotonic()
        self.assertIn(f":{tag}", (mount / f"other/{tag}/manifest.json").read_text())
        return time.monotonic() - begun

    def read_pairs(self, mount, beside, still_busy):
        """A round: the seconds of first reads in both, by turns."""
        disturbed, undisturbed = [], []
        while still_busy() and len(disturbed) < ROUND:
            tag = next(self.tags)
            pair = [(mount, disturbed), (beside, undisturbed)]
            for which, times in pair if len(disturbed) % 2 else reversed(pair):
                times.append(self.read_other(which, tag))
        return disturbed, undisturbed

    def check_others(self, mount, still_busy=lambda: True):
        """Versions of another repository answer while the hostile one is being read, and so does all else."""
        # The same versions in a mount beside it, which has the other repository alone: what else the machine does
        # disturbs both alike, and some reads more than others. What the repository did would be in all three rounds.
        beside = self.mount(self.other.path)
        self.read_other(beside, OTHER_TAGS[-1])
        seconds, ratios = [], []
        while still_busy() and len(ratios) < 3 and min(ratios, default=2) >= 1.5:
            disturbed, undisturbed = self.read_pairs(mount, beside, still_busy)
            seconds += disturbed
            if len(disturbed) == ROUND:
                ratios.append(statistics.median(disturbed) / statistics.median(undisturbed))
        if ratios:
            print(f"figures: {self.id().rpartition('.')[2]}: {min(ratios):.2f} x the time of a mount without it "
                  f"(rounds: {len(ratios)})")
            self.assertLess(min(ratios), 1.5)
        print(f"figures: {self.id().rpartition('.')[2]}: {len(seconds)} first reads of another repository, "
              f"median {statistics.median(seconds or [0]) * 1000:.1f} ms, most {max(seconds or [0]) * 1000:.1f} ms")
        self.assertLess(max(seconds, default=0), 2 * slowness())
        begun = time.monotonic()
        self.program("status", mount)
        self.assertLess(time.monotonic() - begun, 2 * slowness())

    def list_folders(self, mount, names):
        """One `ls -l` a folder, in the background, each busy with the hostile repository."""
        readers = [self.start("ls", "-l", mount / "hostile" / name, stdout=-3, stderr=-3) for name in names]
        eventually(lambda: mount.status()["waiting"] or all(reader.poll() is not None for reader in readers), 30,
                   "a reader that waits")
        return readers

    def end(self, mount, readers):
        """Ctrl-C ends who waits at once; the mount goes at once, too."""
        begun = time.monotonic()
        for reader in readers:
            if reader.poll() is None:
                reader.send_signal(signal.SIGINT)
        for reader in readers:
            reader.wait(5 * slowness())
        self.assertLess(time.monotonic() - begun, 2 * slowness())
        begun = time.monotonic()
        mount.unmount()
        self.assertLess(time.monotonic() - begun, 5 * slowness())

    def check_hostile(self, repository, names=("1",), options=""):
        mount = self.mount(f"{repository.path}?tag={names[0]}", self.other.path, options=options)
        alone = [self.read_other(mount) for _ in range(5)]
        print(f"figures: {self.id().rpartition('.')[2]}: undisturbed, median {statistics.median(alone) * 1000:.1f} ms")
        readers = self.list_folders(mount, names)
        self.check_processors(mount.status()["pid"])
        self.check_others(mount, lambda: any(reader.poll() is None for reader in readers))
        self.end(mount, readers)

    def test_patterns_that_could_match_in_many_ways(self):
        repository = self.make_repository("hostile")
        pattern = "**/" * 670
        files = {f"{'a/' * 20}{number}": "x" for number in range(500)}
        repository.commit({".gitattributes": f"{pattern}b text eol=crlf\n" * 500, **files}, tag="1")
        repository.commit({"a/.gitattributes": f"{pattern}b text eol=crlf\n" * 500, **files}, tag="2")
        self.check_hostile(repository, ["1", "1/a/a/a", "2/a", "2/a/a/a/a"])

    def test_a_large_file_with_many_names_and_another_line_end(self):
        repository = self.make_repository("hostile")
        large = repository.commit({"large": b"line\n" * (100 * MIB // 5)})
        blob = repository.id_of(f"{large}:large")
        tree = "".join(f"100644 blob {blob}\tlarge{number}\n" for number in range(200))
        attributes = repository.git("hash-object", "-w", "--stdin", input="* text eol=crlf\n").strip()
        tree = repository.git("mktree", input=f"100644 blob {attributes}\t.gitattributes\n{tree}").strip()
        commit = repository.git("commit-tree", "-m", "many names", tree).strip()
        repository.tag("1", commit)
        self.check_hostile(repository)

    def test_eight_interrupted_listings_leave_nothing_busy(self):
        repository = self.make_costly()
        mount = self.mount(f"{repository.path}?tag=1", self.other.path)
        for _ in range(8):
            (reader,) = self.list_folders(mount, ["1"])
            self.assertIsNone(reader.poll(), "it should have waited, without one of the mount's threads")
            reader.send_signal(signal.SIGINT)
            self.assertIn(reader.wait(5 * slowness()), (-signal.SIGINT, 0))
        self.check_others(mount)
        # Nobody waits for it: it ends long before its budget does.
        eventually(lambda: not mount.status()["waiting"], 10, "nobody that waits")
        worker = mount.status()["pid"]
        eventually(lambda: self.is_idle(worker), 20, "a worker that does nothing")
        self.end(mount, [])

    def test_what_takes_too_long_is_given_up_and_remembered(self):
        repository = self.make_costly()
        mount = self.mount(f"{repository.path}?tag=1", self.other.path, options="timeout=1")
        self.assert_errno(errno.EFBIG, os.listdir, mount / "hostile/1")
        self.assertIn("took more than timeout=1 s", mount.log())
        begun = time.monotonic()
        self.assert_errno(errno.EFBIG, os.listdir, mount / "hostile/1")
        self.assertLess(time.monotonic() - begun, 0.5 * slowness())
        self.assertEqual(1, mount.log().count("took more than"))
        self.check_others(mount)

    def make_costly(self):
        """65,000 patterns, each of which has to be tried with each of 2,000 names."""
        repository = self.make_repository("hostile")
        patterns = "".join(f"*a*b*c*d*{number}? text eol=crlf\n" for number in range(65_000))
        repository.commit({".gitattributes": patterns, **{f"{'abcd' * 20}{number:04}x": "" for number in range(2_000)}},
                          tag="1")
        return repository

    @staticmethod
    def spent(pid):
        """Seconds of processors' time, of all threads."""
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check_processors(self, pid):
        """Half of them are left, however many threads a repository keeps busy."""
        begun, before = time.monotonic(), self.spent(pid)
        time.sleep(1)
        share = (self.spent(pid) - before) / (time.monotonic() - begun)
        print(f"figures: {self.id().rpartition('.')[2]}: {share:.2f} processors are busy with it")
        # What is read for less than a moment takes no turns.
        self.assertLess(share, max(1, os.cpu_count() // 2) + 0.4)

    def is_idle(self, pid):
        before = self.spent(pid)
        time.sleep(0.5)
        return self.spent(pid) - before <= 0.05
