"""How fast a version comes over the network, beside git, at 0 and 50 ms round trip.

Each round runs all rivals once, in turn, so that what else the machine does hits all of them. Medians are printed, and
their ratio to git's with the bound that it should keep; BENCH_ROUNDS (7) says how many rounds.
"""

import concurrent.futures
import http.client
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from support import servers  # noqa: E402
from support.case import EndToEnd  # noqa: E402
from support.processes import PROGRAM  # noqa: E402
from support.wire import packet  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
COMMITS = 5000
START_POINTS = 25


def history(repository, commits, name):
    """Many commits of some ten files, from one stream; tags v0, v1, ... on the last ones."""
    lines = []
    for number in range(commits):
        message = f"Commit {number}"
        lines += [f"commit refs/heads/master\ncommitter A <a@example.org> {1600000000 + number * 60} +0000\n"
                  f"data {len(message)}\n{message}\n"]
        for file in range(10):
            if number == 0 or number % 10 == file:
                text = f"{name} file {file} of commit {number}\n" * (20 + file * 10)
                lines += [f"M 100644 inline start_point/file{file}.txt\ndata {len(text)}\n{text}\n"]
        if number == 0:
            text = '{ "display_name": "A" }\n'
            lines += [f"M 100644 inline start_point/manifest.json\ndata {len(text)}\n{text}\n"]
    repository.git("fast-import", "--quiet", input="".join(lines))
    for number in range(min(ROUNDS + 1, commits - 1)):
        repository.tag(f"v{number}", f"master~{number}")
    repository.git("repack", "-adq")


def processor_seconds():
    """Of the whole machine since it started; and of the programs that ended here."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq = map(int, file.readline().split()[1:8])
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ((user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK"), ended.ru_utime + ended.ru_stime)


class Fetching(EndToEnd):
    deadline = 1200

    def setUp(self):
        super().setUp()
        self.number = 0
        self.big = self.make_repository("big")
        history(self.big, COMMITS, "big")
        self.small = [self.make_repository(f"start-point-{n}") for n in range(START_POINTS)]
        for n, repository in enumerate(self.small):
            history(repository, 20 + n * 40 // START_POINTS, f"small {n}")
        self.nginx = self.serve(servers.Nginx, self.repositories)
        self.near = self.serve(servers.DelayProxy, self.nginx, 0)
        self.far = self.serve(servers.DelayProxy, self.nginx, 50)

    def scratch(self):
        self.number += 1
        folder = self.folder / f"scratch{self.number}"
        folder.mkdir()
        return folder

    def timed(self, action):
        start = time.monotonic()
        action()
        return time.monotonic() - start

    def clone(self, server, name, version, folder):
        subprocess.run(["git", "clone", "-q", "--depth", "1", "--branch", version, server.url(name), folder / name],
                       env=self.env, check=True, stdout=-3, stderr=-3)

    def first_reads(self, server, version):
        """Seconds for: the first read with nothing known; the next version with the listing known and a connection."""
        cache = self.scratch()
        mount = self.mount(f"{server.url('big')}?tag={version}", cache=cache, options="timeout=60")
        cold = self.timed(lambda: (mount / f"big/{version}/start_point/manifest.json").read_bytes())
        os.listdir(mount / "big")
        warm = self.timed(lambda: (mount / f"big/v{ROUNDS}/start_point/manifest.json").read_bytes())
        mount.unmount()
        shutil.rmtree(cache)
        return cold, warm

    def report(self, what, ours, theirs, bound):
        mine, other = statistics.median(ours), statistics.median(theirs)
        ratio = mine / other
        print(f"{what:58} {mine * 1000:9.1f} ms {other * 1000:9.1f} ms  ratio {ratio:.2f}  "
              f"bound {bound:.2f}  {'kept' if ratio <= bound else 'MISSED'}", flush=True)

    def test_first_read(self):
        for rtt, server, cold_bound, warm_bound in ((0, self.near, 0.60, 1), (50, self.far, 0.80, 0.40)):
            cold, warm, git = [], [], []
            for number in range(ROUNDS):
                folder = self.scratch()
                git.append(self.timed(lambda: self.clone(server, "big", f"v{number}", folder)))  # noqa: B023
                shutil.rmtree(folder)
                one, two = self.first_reads(server, f"v{number}")
                cold.append(one)
                warm.append(two)
            self.report(f"{rtt:2} ms: first read, nothing known : git clone --depth 1", cold, git, cold_bound)
            self.report(f"{rtt:2} ms: first read, listing and connection : same", warm, git, warm_bound)

    def test_bytes(self):
        folder = self.scratch()
        counts = []
        for action in (lambda: self.clone(self.near, "big", "v0", folder),
                       lambda: self.program("fetch", "--quiet", "--cache", folder / "cache",
                                            self.near.url("big") + "?tag=v0")):
            before = self.near.bytes_received()
            action()
            self.until_quiet(before)
            counts.append(self.near.bytes_received() - before)
        print(f"{'bytes received for a version : git clone --depth 1':58} {counts[1]:9} B  {counts[0]:9} B   ratio "
              f"{counts[1] / counts[0]:.2f}  bound 1.05  {'kept' if counts[1] <= 1.05 * counts[0] else 'MISSED'}")

    def until_quiet(self, before):
        from support.processes import eventually
        eventually(lambda: self.near.bytes_received() > before, 10, "the end of the connections")

    def ask(self, repositories):
        """What `fetch` asks of the server, on one connection, by somebody who does nothing with the answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.far.port)
        for name, want in repositories:
            for arguments in (["command=ls-refs", None, "peel", "symrefs", "ref-prefix refs/tags/"],
                              ["command=fetch", None, f"want {want}", "deepen 1", "no-progress", "ofs-delta", "done"]):
                body = b"".join(b"0001" if text is None else packet(text + "\n") for text in arguments) + b"0000"
                connection.request("POST", f"/git/{name}/git-upload-pack", body, {
                    "Content-Type": "application/x-git-upload-pack-request", "Git-Protocol": "version=2"})
                answer = connection.getresponse()
                self.assertEqual((200, True), (answer.status, b"0000" in answer.read()))
        connection.close()

    def ask_all(self, wanted):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(self.ask, [wanted[n::16] for n in range(16)]))

    def test_many(self):
        names = [repository.path.name for repository in self.small]
        wanted = [(repository.path.name, repository.id_of("v0")) for repository in self.small]
        ours, one_by_one, at_once, asking, machine, program = [], [], [], [], [], []
        lst = self.folder / "many.list"
        lst.write_text("".join(f"{self.far.url(name)}?tag=v0\n" for name in names))
        for _ in range(max(3, ROUNDS // 2)):
            folder = self.scratch()
            before = processor_seconds()
            ours.append(self.timed(lambda: self.program("fetch", "--quiet", "--cache", folder / "cache", lst)))  # noqa: B023
            after = processor_seconds()
            machine.append(after[0] - before[0])
            program.append(after[1] - before[1])
            at_once.append(self.timed(lambda: subprocess.run(
                ["xargs", "-P16", "-I{}", "git", "clone", "-q", self.far.url("{}"), folder / "x" / "{}"],  # noqa: B023
                input="\n".join(names), text=True, env=self.env, check=True, stderr=-3)))
            one_by_one.append(self.timed(lambda: [subprocess.run(
                ["git", "clone", "-q", self.far.url(name), folder / "s" / name], env=self.env, check=True,  # noqa: B023
                stderr=-3) for name in names]))
            asking.append(self.timed(lambda: self.ask_all(wanted)))
            shutil.rmtree(folder)
        self.report(f"50 ms: fetch of {START_POINTS} start-points : git clone, one by one", ours, one_by_one, 0.12)
        self.report(f"50 ms: fetch of {START_POINTS} start-points : xargs -P16 git clone", ours, at_once, 0.70)
        print(f"  processor time of that fetch: {statistics.median(machine):.2f} s of {os.cpu_count()} processors, "
              f"{statistics.median(program):.2f} s of it startpointfs, the rest the server and the proxy")
        least = statistics.median(asking)
        print(f"  the same requests by 16 connections that do nothing with the answers: {least * 1000:.1f} ms, "
              f"ratio {least / statistics.median(one_by_one):.2f}: this machine's server is no faster")


if __name__ == "__main__":
    print(f"program {PROGRAM}, {ROUNDS} rounds; ours : theirs")
    unittest.main(verbosity=0)
