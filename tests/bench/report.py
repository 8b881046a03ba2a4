"""The table of a run, its JSON, and its two pictures."""

import json
import os
import pathlib
import platform
import re
import subprocess
import time

UNITS = {"ms": (1000, "ms"), "s": (1, "s"), "MiB": (1 / (1 << 20), "MiB"), "B": (1, "B"), "": (1, "")}


class Report:
    def __init__(self, command):
        self.command, self.rows, self.pictures = command, [], {}

    def add(self, row, ours, peer=None, bound=None, *, beside="", unit="ms", note=""):
        """A row: medians in seconds or bytes. With a peer the bound is one of their ratio, else of ours."""
        ratio = ours / peer if peer else None
        kept = None if bound is None else (ratio if peer else ours) <= bound
        self.rows.append({"row": row, "ours": ours, "peer": peer, "beside": beside, "ratio": ratio, "bound": bound,
                          "kept": kept, "unit": unit, "note": note})
        print(self.line(self.rows[-1]), flush=True)

    def draw(self, picture, name, **bars):
        self.pictures.setdefault(picture, []).append((name, bars))

    def line(self, row):
        row_, ours, peer, beside, ratio, bound, kept = self.cells(row)
        return f"{row_[:66]:66} {ours:>11} {peer:>11} {beside[:24]:24} {ratio:>6} {bound:>9} {kept.replace('**missed**', 'MISSED')}"

    def page(self):
        missed = self.missed()
        return (f"# What `make bench` measured\n\n{machine()}; {time.strftime('%Y-%m-%d')}; `{self.command}`. "
                f"Medians; the bound is one of the ratio, or of ours where there is no peer. {len(missed)} bounds were "
                "missed.\n\n| row | ours | peer | | ratio | bound | |\n|---|---|---|---|---|---|---|\n"
                + "".join(f"| {' | '.join(self.cells(row))} |\n" for row in self.rows))

    def cells(self, row):
        factor, unit = UNITS[row["unit"]]

        def shown(value):
            return "" if value is None else f"{value * factor:,.{1 if value * factor < 100 else 0}f} {unit}".strip()

        bound = row["bound"]
        bound = "" if bound is None else f"{bound:.2f}" if row["peer"] else shown(bound)
        kept = {True: "kept", False: "**missed**", None: ""}[row["kept"]]
        return (row["row"], shown(row["ours"]), shown(row["peer"]), row["beside"],
                f"{row['ratio']:.2f}" if row["ratio"] else "", bound, kept)

    def head(self):
        print(machine() + "; " + self.command)
        print(f"{'row':66} {'ours':>11} {'peer':>11} {'':24} {'ratio':>6} {'bound':>9}", flush=True)

    def missed(self):
        return [row for row in self.rows if row["kept"] is False]

    def write(self, folder):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bench.json").write_text(json.dumps(
            {"machine": machine(), "command": self.command, "date": time.strftime("%Y-%m-%d"), "rows": self.rows,
             "pictures": self.pictures}, indent=1) + "\n")
        (folder / "RESULTS.md").write_text(self.page())
        for name, title in (("walks", "5,000 files, 50 MB: cat of all of them"),
                            ("manifest", "From nothing to a manifest, 50 ms away")):
            if name in self.pictures:
                self.picture(folder, name, title)

    def picture(self, folder, name, title):
        groups = self.pictures[name]
        bars = list(groups[0][1])
        data = "".join(f'"{group}" ' + " ".join(f"{values[bar] * 1000:.0f}" for bar in bars) + "\n"
                       for group, values in groups)
        plots = ", ".join((f"$data using {n + 2}:xtic(1) title '{bar}', $data using ($0+{(n - (len(bars) - 1) / 2) * 0.8 / len(bars)}):"
                           f"{n + 2}:{n + 2} with labels font ',9' offset 0,0.5 notitle") for n, bar in enumerate(bars))
        subprocess.run(["gnuplot"], text=True, check=True, input=f"""
set terminal svg size 760,360 font 'sans-serif,12' background '#ffffff'
set output '{folder}/{name}.svg'
set title "{title}"
set xlabel "{machine()}; {self.command}" font ',9' noenhanced
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set ylabel 'milliseconds'
set yrange [0:*]
set offsets 0,0,graph 0.1,0
set key outside right top noenhanced
set grid ytics lc rgb '#dddddd'
$data << EOD
{data}EOD
plot {plots}
""")


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    name = re.sub(r"\((R|TM)\)|CPU|Processor|@.*", "", model[1] if model else platform.machine())
    return f"{os.cpu_count()} x {' '.join(name.split())}, {memory + 1} GiB, Linux {platform.release().split('-')[0]}"
