"""Many readers on many versions for long: nothing fails, and memory and descriptors do not grow.

E2E_LOAD_SECONDS (3) is how long; `make soak` takes five minutes. With sanitizers (tests/run asan test_load, tests/run
tsan test_load) their reports fail it."""

import os
import re
import subprocess
import sys
import textwrap
import time

from support.case import EndToEnd
from support.processes import slowness
from support.repositories import start_point

SECONDS = int(os.environ.get("E2E_LOAD_SECONDS", "3"))
READERS, VERSIONS = 64, 80

# A process with a thread a reader would share one lock of Python's; these are eight with eight each.
READER = textwrap.dedent("""
    import os, pathlib, random, sys, threading, time
    root, until, seed, versions = pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    calls = [0] * 8
    def read(number):
        chance = random.Random(seed * 8 + number)
        while time.monotonic() < until:
            version = chance.randrange(versions)
            folder = root / str(version)
            what = chance.randrange(4)
            if what == 0:
                assert "manifest.json" in os.listdir(folder)
            elif what == 1:
                assert f":{version}" in (folder / "manifest.json").read_text()
            elif what == 2:
                file = os.open(folder / "large", os.O_RDONLY)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                assert os.read(file, 8192).split(None, 1)[0] == str(version).encode()  # some end lines with CR
                os.close(file)
            else:
                assert not os.path.exists(folder / "missing")
                assert os.stat(folder / "deep/folder/file").st_size == 5
            calls[number] += 1
    threads = [threading.Thread(target=read, args=[number]) for number in range(8)]
    failed = []
    threading.excepthook = lambda args: failed.append(args.exc_value) or sys.__excepthook__(*args[:3])
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(sum(calls))
    sys.exit(bool(failed))
""")


class Load(EndToEnd):
    deadline = 120 + 3 * SECONDS

    def resident(self, pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) << 10

    def descriptors(self, pid):
        return len(os.listdir(f"/proc/{pid}/fd"))

    def make_versions(self):
        repository = self.make_repository("many")
        repository.commit_many({str(number): {
            **start_point(str(number)), "large": f"{number}\n" + "line\n" * 40_000, "deep/folder/file": "deep\n",
            ".gitattributes": "large text eol=crlf\n" if number % 10 == 0 else "# none\n"} for number in range(VERSIONS)})
        return repository

    def read_for(self, mount, seconds):
        until = time.monotonic() + seconds + 1  # they take their time to start
        readers = [self.start(sys.executable, "-c", READER, mount / "many", str(until), str(seed), str(VERSIONS),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) for seed in range(READERS // 8)]
        calls = 0
        for reader in readers:
            out, complaint = reader.communicate(timeout=seconds + 60 * slowness())
            self.assertEqual(0, reader.returncode, complaint.decode(errors="replace"))
            calls += int(out)
        return calls

    def test_many_readers_on_many_versions(self):
        repository = self.make_versions()
        self.program("fetch", *(f"{repository.path}?tag={number}" for number in range(VERSIONS)))
        mount = self.mount(repository.path)
        worker = mount.status()["pid"]
        for number in range(VERSIONS):  # the first pass
            self.assertEqual("deep\n", (mount / f"many/{number}/deep/folder/file").read_text())
            os.listdir(mount / f"many/{number}")
        self.read_for(mount, 1)
        memory, descriptors = self.resident(worker), self.descriptors(worker)
        calls = self.read_for(mount, SECONDS)
        after = self.resident(worker)
        print(f"figures: {calls} calls in {SECONDS} s; {memory >> 20} MiB after the first pass, {after >> 20} MiB at the end; "
              f"{descriptors} and {self.descriptors(worker)} descriptors")
        status = mount.status()
        self.assertEqual((worker, 0), (status["pid"], status["restarts"]))
        # Files' bytes may be kept (all of these are 16 MiB); what a sanitizer keeps of freed memory is its own.
        allowance = (64 if slowness() == 1 else 512) << 20
        self.assertLess(after, memory + allowance)
        self.assertLess(self.descriptors(worker), descriptors + 64)
