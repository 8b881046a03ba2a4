"""Rows about many repositories and many tags."""

import os
import shutil
import time

import material
from place import Place, median, rounds, short_or, urgent


def mount_times(place, lst, cache, options=""):
    """Seconds until the mount's first answer, and for the first `ls` after that."""
    with urgent():
        begun = time.monotonic()
        mount = place.mounted(lst, cache=cache, options=options)
        os.stat(mount.path)
        answered = time.monotonic()
        os.listdir(mount.path)
        listed = time.monotonic()
    mount.close()
    return answered - begun, listed - answered


def many_cached(place, count):
    """A cache with so many repositories: copies of one (its files are linked), each under its own address."""
    repository = place.make_start_point("r0", tags=["1"])
    cache = place.new("cache")
    links = place.folder / "links"
    links.mkdir()
    for number in range(count):
        (links / f"r{number}").symlink_to(repository.path)
    place.fetch(cache, f"{links}/r0?tag=1")
    first = next(cache.rglob("objects")).parent
    for number in range(1, count):
        other = first.parent / first.name.replace("r0", f"r{number}", 1)
        shutil.copytree(first, other, symlinks=True, copy_function=os.link)
        config = other / "config"
        text = config.read_text().replace("links/r0", f"links/r{number}")
        config.unlink()
        config.write_text(text)
    return cache, [f"{links}/r{number}?tag=1" for number in range(count)]


def lists(report):
    counts = [10, 1000, 10_000] + short_or([], [100_000])
    with Place() as place:
        for count in counts:
            lst = material.write_list(place, [f"https://git.example.org/r{n}?tag=1" for n in range(count)],
                                      name=f"l{count}.list")
            found = [mount_times(place, lst, place.new("cache"), "offline") for _ in range(rounds(3))]
            add_mount(report, f"mount of {count:,} repositories, none cached", found, count)
    cached = short_or(1000, 10_000)
    with Place() as place:
        cache, sources = many_cached(place, cached)
        lst = material.write_list(place, sources)
        found = [mount_times(place, lst, cache) for _ in range(rounds(3))]
        add_mount(report, f"mount of {cached:,} repositories, all cached", found, cached)


def add_mount(report, row, found, count):
    # What is promised for 10,000 grows linearly from there.
    times = max(1, count / 10_000)
    report.add(f"{row}: first answer", median([answer for answer, _ in found]), None, 0.3 * times)
    report.add(f"{row}: then ls", median([listing for _, listing in found]), None, 0.06 * times)


def tags(report):
    with Place() as place:
        repository = material.tags(place, 9_999)
        plain = place.new("plain")
        for number in range(10_000):
            os.makedirs(plain / f"v{number}")
        mount = place.mounted(repository.path, cache=place.new("cache"), options="refs_ttl=3600")
        ours, ext4 = [], []
        for round_ in range(rounds(9) + 1):
            times = place.shell("ls -l >/dev/null", mount / "tags"), place.shell("ls -l >/dev/null", plain)
            if round_:
                ours.append(times[0])
                ext4.append(times[1])
        report.add("ls -l of 10,000 tags, second time", median(ours), median(ext4), 1.2, beside="10,000 folders, ext4")


ROWS = [lists, tags]
