"""Rows about fetching: over http and ssh, at a round trip of 50 ms, many at once, and what it costs."""

import os
import shutil
import subprocess

import material
from place import Place, children_seconds, median, process_seconds, rounds, short_or
from support import servers
from support.processes import eventually

START_POINTS = 90


def served(place):
    """90 start-points in a list, behind nginx that is 50 ms away."""
    material.start_points(place, START_POINTS)
    nginx = place.serve(servers.Nginx, place.repositories)
    far = place.serve(servers.DelayProxy, nginx, 50)
    lines = [far.url(f"r{number}") + "?tag=1" for number in range(START_POINTS)]
    return nginx, far, material.write_list(place, lines)


def read_all(mount):
    for number in range(START_POINTS):
        (mount / f".startpointfs/sets/pp/{number}/manifest.json").read_bytes()


def one_after_the_other(report):
    with Place() as place:
        _, far, lst = served(place)
        times = {"yes": [], "no": []}
        for _ in range(short_or(1, 3)):
            for readahead, found in times.items():
                mount = place.mounted(lst, cache=place.new("cache"), options=f"readahead={readahead}")
                found.append(place.timed(read_all, mount))
                mount.close()
        fetch, clones = [], []
        for _ in range(short_or(1, 3)):
            fetch.append(place.timed(place.fetch, place.new("cache"), lst))
            clones.append(place.timed(clone_all, place, far))
        report.add(f"50 ms: {START_POINTS} manifests one after the other, from nothing", median(times["yes"]),
                   median(times["no"]), 0.15, beside="readahead=no")
        report.add(f"50 ms: fetch of these {START_POINTS}", median(fetch), median(clones), 0.7,
                   beside="xargs -P16 git clone")


def clone_all(place, far):
    folder = place.new("clones")
    subprocess.run(["xargs", "-P16", "-I{}", "git", "clone", "-q", "--depth", "1", "--branch", "1", far.url("{}"),
                    folder / "{}"], input="\n".join(f"r{n}" for n in range(START_POINTS)), text=True, env=place.env,
                   check=True, stderr=-3)
    shutil.rmtree(folder)


def cold_readers(report):
    """64 readers of all files of 8 versions that no memory holds, on one processor and on all."""
    with Place() as place:
        lines = []
        for number in range(8):
            repository = place.make_repository(f"t{number}")
            repository.commit(material.tree(files=600, folders=40), tag="1")
            repository.git("repack", "-adfq")
            lines.append(f"{repository.path}?tag=1")
        cache = place.new("cache")
        place.fetch(cache, *lines)
        times = {True: [], False: []}
        for _ in range(rounds(3)):
            for pinned, found in times.items():
                prefix = ["taskset", "-c", "0"] if pinned else []
                mount = place.mounted(*lines, cache=cache, options="offline", prefix=prefix)
                found.append(place.timed(read_by_many, mount, prefix))
                mount.close()
        cores = os.cpu_count()
        report.add(f"64 readers on 8 cold versions: {cores} processors", median(times[False]), median(times[True]),
                   1.3 / cores, beside="one processor")


def read_by_many(mount, prefix):
    readers = [subprocess.Popen([*prefix, "sh", "-c", "find . -type f -exec cat {} + >/dev/null"],
                                cwd=mount / f"t{number % 8}/1") for number in range(64)]
    assert not any(reader.wait() for reader in readers)


def cost(report):
    count = 20
    with Place() as place:
        material.start_points(place, count)
        nginx = place.serve(servers.Nginx, place.repositories)
        lst = material.write_list(place, [nginx.url(f"r{number}") + "?tag=1" for number in range(count)])
        ours, git = [], []
        for _ in range(rounds(5)):
            mount = place.mounted(lst, cache=place.new("cache"), options="readahead=no")
            worker = mount.worker
            before = process_seconds(worker)
            for number in range(count):
                (mount / f"r{number}/1/manifest.json").read_bytes()
            ours.append((process_seconds(worker) - before) / count)
            mount.close()
            before = children_seconds()
            for number in range(count):
                clone(place, nginx, f"r{number}", "1")
            git.append((children_seconds() - before) / count)
        report.add("processor time a fetched version, all processes of ours", median(ours), median(git), 0.5,
                   beside="git clone --depth 1")


def clone(place, server, name, version):
    folder = place.new("clone")
    place.call("git", "clone", "-q", "--depth", "1", "--branch", version, server.url(name), folder)
    shutil.rmtree(folder)


def first_manifests(report):
    """One manifest: with nothing known (cold), and of the next version, with the listing and a connection (warm)."""
    with Place() as place:
        history(place)
        plain = place.serve(servers.Nginx, place.repositories)
        old = place.serve(servers.Nginx, place.repositories, git_protocol=False)
        sshd = place.serve(servers.Sshd, place.repositories, git_protocol=False)
        place.git_configure("core.sshCommand", sshd.command +
                            " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR")
        for name, server, cold, warm in (("http", plain, 0.8, 0.4), ("http, version 0", old, 0.9, 0.6),
                                         ("ssh, version 0", sshd, 0.9, 0.6)):
            beside(report, place, f"50 ms, {name}", place.serve(servers.DelayProxy, server, 50), cold, warm, True)
        near = place.serve(servers.DelayProxy, plain, 0)
        beside(report, place, "0 ms, http", near, 0.6, 1.0, False)
        bytes_of_a_version(report, place, near)


def history(place):
    """Several commits of a start-point with tags 0, 1, 2 ..."""
    repository = place.make_repository("point")
    files = material.start_point(0)
    for number in range(12):
        repository.commit({**files, "version": f"{number}\n"}, tag=str(number))


def beside(report, place, name, server, cold_bound, warm_bound, drawn):
    cold, warm, git = [], [], []
    for number in range(rounds(7)):
        git.append(place.timed(clone, place, server, "point", str(number)))
        mount = place.mounted(f"{server.url('point')}?tag={number}", cache=place.new("cache"))
        cold.append(place.timed((mount / f"point/{number}/manifest.json").read_bytes))
        os.listdir(mount / "point")
        warm.append(place.timed((mount / "point/11/manifest.json").read_bytes))
        mount.close()
    report.add(f"{name}: first manifest, cold", median(cold), median(git), cold_bound, beside="git clone --depth 1")
    report.add(f"{name}: the next version's, warm", median(warm), median(git), warm_bound, beside="git clone --depth 1")
    if drawn:
        report.draw("manifest", name.removeprefix("50 ms, "), **{"git clone --depth 1": median(git),
                    "startpointfs, cold": median(cold), "startpointfs, warm": median(warm)})


def bytes_of_a_version(report, place, near):
    counts = []
    for action in (lambda: clone(place, near, "point", "1"),
                   lambda: place.fetch(place.new("cache"), near.url("point") + "?tag=1")):
        before = near.bytes_received()
        action()
        eventually(lambda: near.bytes_received() > before, 10, "the end of the connections")  # noqa: B023
        counts.append(near.bytes_received() - before)
    report.add("bytes received for a version", counts[1], counts[0], 1.05, beside="git clone --depth 1", unit="B")


ROWS = [one_after_the_other, cold_readers, cost, first_manifests]
