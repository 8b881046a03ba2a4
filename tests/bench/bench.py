#!/usr/bin/python3
"""Measures everything that the README says of speed, beside git, ext4 and squashfuse, on a machine that does nothing else.

    make bench                       every row; some twenty minutes
    BENCH_SHORT=1 make bench         three to five minutes, with less material
    BENCH_ROWS=walks,tags make bench only these (the functions of rows_*.py)

Each row alternates with its peer, so that what else the machine does hits both; medians are compared. Prints one table, and
writes it with bench.json and two pictures into B/bench. BENCH_KEEP=1 puts them where the README shows them.
BENCH_URGENT=1 lets what is measured go before all other programs, where the machine is not quiet. Needs root, to drop caches. Exits with 1 if a bound was missed.
"""

import os
import pathlib
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import rows_large  # noqa: E402
import rows_lists  # noqa: E402
import rows_network  # noqa: E402
import rows_read  # noqa: E402
from report import Report  # noqa: E402
from place import SHORT, URGENT, children_seconds  # noqa: E402

ROWS = [row for module in (rows_read, rows_large, rows_lists, rows_network) for row in module.ROWS]


def main():
    if os.geteuid() != 0:
        sys.exit("bench: needs root, to drop the kernel's caches: sudo make bench")
    wanted = os.environ.get("BENCH_ROWS", "").split(",")
    report = Report("".join(f"{name}=1 " for name, given in (("BENCH_SHORT", SHORT), ("BENCH_URGENT", URGENT)) if given) +
                    "make bench")
    begun = time.monotonic()
    report.head()
    for row in ROWS:
        if wanted == [""] or row.__name__ in wanted:
            row(report)
    folder = pathlib.Path(os.environ.get("B") or "build") / "bench"
    report.write(folder)
    if os.environ.get("BENCH_KEEP"):
        for name in ("RESULTS.md", "bench.json", "walks.svg", "manifest.svg"):
            if (folder / name).exists():
                shutil.copy(folder / name, HERE / name)
    missed = report.missed()
    print(f"{time.monotonic() - begun:.0f} s, {children_seconds():.0f} s of processors; {sum(row['kept'] is True for row in report.rows)} bounds kept, "
          f"{len(missed)} missed" + "".join(f"\n  missed: {row['row']}" for row in missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
