"""Rows about reading a cached version: the first walk with dropped caches, the second, converted files."""

import material
from place import Place, children_seconds, drop_caches, median, process_seconds, rounds

CAT = "find . -type f -exec cat {} + >/dev/null"
LIST = "find . -ls >/dev/null"


def cached(place, repository):
    """Cache with the tag 1 of it, plain folder of the same, squashfs image."""
    cache = place.new("cache")
    place.fetch(cache, f"{repository.path}?tag=1")
    plain = repository.clone("1", place.new("plain"))
    return cache, plain, place.squash(plain)


def ours(place, cache, repository):
    """The version in a fresh mount: nothing of it is in the worker's memory or the kernel's."""
    return place.mounted(repository.path, cache=cache, options="offline")


def cat_file_seconds(place, cache):
    """Processor time of git reading every file of the cached version."""
    pack = next(cache.rglob("objects/pack")).parent.parent
    names = place.call("git", "--git-dir", pack, "cat-file", "--batch-all-objects", "--batch-check").stdout
    blobs = "".join(line.split()[0] + "\n" for line in names.splitlines() if " blob " in line)
    before = children_seconds()
    wall = place.timed(lambda: place.call("sh", "-c", f"git --git-dir '{pack}' cat-file --batch >/dev/null", input=blobs))
    return children_seconds() - before, wall


def walks(report):
    with Place() as place:
        repository = place.make_repository("tree")
        repository.commit(material.tree(), tag="1")
        repository.git("repack", "-adfq", "--depth=50")
        cache, plain, image = cached(place, repository)
        times = {name: [] for name in ("cat", "cat squash", "cat plain", "find", "find squash", "find plain", "cpu", "git",
                                       "git wall", "git warm", "again", "again squash", "again plain",
                                       "find again", "find again plain")}
        for _ in range(rounds(5)):
            walk_once(place, repository, cache, plain, image, times)
        middle = {name: median(values) for name, values in times.items()}
    report.add("first find -ls: 5,000 files, dropped caches", middle["find"], middle["find squash"], 1.0,
               beside="squashfuse_ll, zstd")
    report.add("first cat of everything (after that find)", middle["cat"], middle["cat squash"], 0.8,
               beside="squashfuse_ll, zstd")
    report.add("the worker's processor time for it", middle["cpu"], middle["git"], 2.0, beside="git cat-file --batch")
    report.add("second cat of everything", middle["again"], middle["again plain"], beside="ext4")
    report.add("second find -ls", middle["find again"], middle["find again plain"], beside="ext4")
    report.draw("walks", "first walk", startpointfs=middle["cat"], ext4=middle["cat plain"],
                squashfuse_ll=middle["cat squash"], **{"git cat-file": middle["git wall"]})
    report.draw("walks", "second walk", startpointfs=middle["again"], ext4=middle["again plain"],
                squashfuse_ll=middle["again squash"], **{"git cat-file": middle["git warm"]})


def walk_once(place, repository, cache, plain, image, times):
    mount = ours(place, cache, repository)
    squash = place.squashed(image)
    for name, where in (("", mount / "tree/1"), (" squash", squash), (" plain", plain)):
        drop_caches()
        times["find" + name].append(place.shell(LIST, where))
        before = 0 if name else process_seconds(mount.worker)
        times["cat" + name].append(place.shell(CAT, where))
        if not name:
            times["cpu"].append(process_seconds(mount.worker) - before)
        times["again" + name].append(place.shell(CAT, where))
        if name != " squash":
            place.shell(LIST, where)
            times["find again" + name].append(place.shell(LIST, where))
    drop_caches()
    times["git wall"].append(cat_file_seconds(place, cache)[1])
    seconds, wall = cat_file_seconds(place, cache)
    times["git"].append(seconds)
    times["git warm"].append(wall)
    place.unsquash(squash)
    mount.close()


def conversion(report):
    files = material.converted()
    with Place() as place:
        repositories = []
        for name, content in (("converted", files), ("plain", {k: v for k, v in files.items() if "/" in k})):
            repository = place.make_repository(name)
            repository.commit(content, tag="1")
            repository.git("repack", "-adfq")
            cache = place.new("cache")
            place.fetch(cache, f"{repository.path}?tag=1")
            repositories.append((name, repository, cache, []))
        for _ in range(rounds(7)):
            for name, repository, cache, times in repositories:
                mount = ours(place, cache, repository)
                drop_caches()
                place.shell(LIST, mount / f"{name}/1")
                times.append(place.shell(CAT, mount / f"{name}/1"))
                mount.close()
        report.add("3,000 files that eol, ident, an encoding change", median(repositories[0][3]),
                   median(repositories[1][3]), 1.5, beside="the same unconverted")


def start_points(report):
    """A glob and a read of each manifest of a list, as a service begins."""
    with Place() as place:
        made = material.start_points(place, 90)
        lst = material.write_list(place, [f"{repository.path}?tag=1" for repository in made])
        cache, plain = place.new("cache"), place.new("plain")
        place.fetch(cache, lst)
        plain.mkdir()
        for number, repository in enumerate(made):
            repository.clone("1", plain / str(number))
        image = place.squash(plain)
        glob = "ls -d */* >/dev/null; cat */manifest.json >/dev/null"
        ours_, squash = [], []
        for _ in range(rounds(7)):
            mount = place.mounted(lst, cache=cache, options="offline")
            point = place.squashed(image)
            drop_caches()
            ours_.append(place.shell(glob, mount / ".startpointfs/sets/pp"))
            drop_caches()
            squash.append(place.shell(glob, point))
            mount.close()
            place.unsquash(point)
        report.add("90 start-points, cached, dropped caches: glob and manifests", median(ours_), median(squash), 1.0,
                   beside="squashfuse_ll, zstd")


ROWS = [walks, conversion, start_points]
