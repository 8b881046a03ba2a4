"""`startpointfs serve` beside nginx with the same text in a file: requests a second by wrk, and how long `ready` takes.

82 start-points are served, half a megabyte. Rounds alternate; medians are printed, with the bounds that they should keep.
BENCH_ROUNDS (5) says how many rounds, BENCH_SECONDS (3) how long each is.
"""

import os
import pathlib
import re
import statistics
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from support.case import EndToEnd  # noqa: E402
from support.service import Service  # noqa: E402
from support.static import StaticNginx, requests_a_second  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))


class Serving(EndToEnd):
    deadline = 900

    def test_throughput_and_latency(self):
        for index in range(82):
            folder = self.folder / "repos" / str(index)
            folder.mkdir(parents=True)
            for number in range(5):
                (folder / f"f{number}.txt").write_text(f"{index} {number} some text\n" * 80)
            (folder / "manifest.json").write_text(
                f'{{"display_name":"Language {index} 1.2.3, framework","image_name":"cyberdojofoundation/i{index}:1",'
                '"filename_extension":".txt","visible_filenames":["f0.txt","f1.txt","f2.txt","f3.txt","f4.txt"]}')
        service = Service(self, self.folder / "repos")
        files = {path: service.text(path) for path in ("names", "manifests", "ready")}
        nginx = self.serve(StaticNginx, files)
        for path, text in files.items():
            rates = {"startpointfs": [], "nginx": []}
            for _ in range(ROUNDS):
                rates["startpointfs"].append(requests_a_second(self, service.port, path, SECONDS))
                rates["nginx"].append(requests_a_second(self, nginx.port, path, SECONDS))
            ours, theirs = (statistics.median(rates[name]) for name in ("startpointfs", "nginx"))
            print(f"{path:10} {len(text.encode()):8} bytes  startpointfs {ours:9.0f}/s  nginx {theirs:9.0f}/s  "
                  f"ratio {ours / theirs:.2f}" + ("  (at least 0.3)" if path == "names" else ""), flush=True)
            if path == "names":
                self.assertGreater(ours / theirs, 0.3)
        shown = self.call("wrk", "-t1", "-c1", f"-d{SECONDS}", "--latency", f"http://127.0.0.1:{service.port}/ready").stdout
        half, late = (re.search(rf"{part}%\s+(\S+)", shown)[1] for part in (50, 99))
        print(f"ready, one connection: half within {half}, 99 of 100 within {late}  (below 1 ms)", flush=True)
        self.assertRegex(half, r"^[0-9.]+us$")
        print(f"resident: {service.resident() >> 10} KiB  (below 32768)", flush=True)
        self.assertLess(service.resident(), 32 << 20)


if __name__ == "__main__":
    unittest.main(verbosity=0)
