"""How fast a version is read, beside the same files in a plain folder: the second walk, and `grep -r`.

The tree is that of a made repository with BENCH_FILES (5000) files. Rounds alternate; medians and ratios are printed.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from support.case import EndToEnd  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
FILES = int(os.environ.get("BENCH_FILES", "5000"))


class Reading(EndToEnd):
    deadline = 600

    def test_second_walk(self):
        repository = self.make_repository("tree")
        repository.commit({f"d{n % 40}/e{n % 7}/file{n}": f"line of {n}\n" * (n % 500) for n in range(FILES)}, tag="1")
        plain = repository.clone("1", self.folder / "plain")
        mount = self.mount(repository.path)
        places = {"plain folder": plain, "startpointfs": mount / "tree/1"}
        first = time.monotonic()
        subprocess.run("find . -type f -exec cat {} + >/dev/null", shell=True, cwd=places["startpointfs"], check=True)
        print(f"first walk, fetch included: {time.monotonic() - first:.2f} s for {FILES} files")
        for command in ("find . -type f -exec cat {} + >/dev/null", "find . -ls >/dev/null", "ls -lR >/dev/null",
                        "grep -r nothing-like-it . || true"):
            times = {name: [] for name in places}
            for round_ in range(ROUNDS + 1):
                for name, place in places.items():
                    start = time.monotonic()
                    subprocess.run(command, shell=True, cwd=place, check=True)
                    if round_:  # the first warms both
                        times[name].append(time.monotonic() - start)
            plain_ms, ours_ms = (statistics.median(times[name]) * 1000 for name in places)
            print(f"{command:45} plain {plain_ms:7.1f} ms  startpointfs {ours_ms:7.1f} ms  ratio {ours_ms / plain_ms:.2f}",
                  flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=0)
