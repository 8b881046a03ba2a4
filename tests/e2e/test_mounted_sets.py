"""Sets and lists in the mount: the layout that the services read, and what changes while they read."""

import json
import os
import shutil
import threading
import time

from support import servers, trees
from support.case import EndToEnd
from support.processes import eventually
from support.repositories import start_point

SECOND = 1.0  # within which a change is to show; the tests wait a little longer for slow machines


class MountedSets(EndToEnd):
    def setUp(self):
        super().setUp()
        self.env |= {"STARTPOINTFS_SETS": str(self.folder / "sets"), "STARTPOINTFS_CACHE": str(self.folder / "cache")}
        self.one = self.make_start_point("one", tags=["1", "2"])
        self.two = self.make_repository("two", branch="main")
        self.two.commit({"start_point/manifest.json": '{"display_name": "Two"}', "start_point/cyber-dojo.sh": ""})

    def write_list(self, *sources, name="pp.list"):
        path = self.folder / name
        fresh = self.folder / "fresh"
        fresh.write_text("".join(f"{source}\n" for source in sources))
        fresh.rename(path)
        return path

    def set_folder(self, mount, name="pp"):
        return mount / ".startpointfs/sets" / name

    def image(self, mount, name="pp", index=0):
        return (self.set_folder(mount, name) / str(index) / "manifest.json").read_text()

    def test_the_layout_is_that_of_cloned_repositories(self):
        sources = [f"{self.one.path}?tag=2", str(self.two.path), f"{self.one.id_of('1')[:7]}@{self.one.path}"]
        mount = self.mount("--languages", self.write_list(*sources))
        expected = self.folder / "repos"
        expected.mkdir()
        shas = [self.one.id_of("2"), self.two.id_of("main"), self.one.id_of("1")]
        for index, (repository, version) in enumerate(((self.one, "2"), (self.two, "main"), (self.one, shas[2]))):
            repository.clone(version, expected / str(index))
        (expected / "image.type").write_text("languages")
        (expected / "shas.txt").write_text(
            "".join(f"{n} \t {sha} \t {source}\n" for n, (sha, source) in enumerate(zip(shas, sources))))
        found = self.set_folder(mount)
        self.assertEqual(["0", "1", "2", "image.type", "shas.txt"], sorted(os.listdir(found)))
        for index in range(3):
            trees.compare(self, found / str(index), expected / str(index))
        for name in ("image.type", "shas.txt"):
            self.assertEqual((expected / name).read_text(), (found / name).read_text())
            self.assertEqual((expected / name).stat().st_size, (found / name).stat().st_size)
        trees.compare(self, mount / "one/2", expected / "0")

    def test_an_edited_list_shows_within_a_second(self):
        source = self.write_list(f"{self.one.path}?tag=1")
        mount = self.mount(source)
        self.assertIn(":1", self.image(mount))
        inside = os.open(self.set_folder(mount) / "0", os.O_RDONLY | os.O_DIRECTORY)
        kept = os.open("manifest.json", os.O_RDONLY, dir_fd=inside)
        self.write_list(f"{self.one.path}?tag=2", f"{self.two.path}")
        begun = time.monotonic()
        eventually(lambda: ":2" in self.image(mount), 5, "the new version in the set")
        self.assertLess(time.monotonic() - begun, 2 * SECOND)
        self.assertIn("1", os.listdir(self.set_folder(mount)))
        self.assertIn("two", os.listdir(mount))
        # What was open goes on; the version that the list has left is readable by its name.
        self.assertIn(b":1", os.read(kept, 1000))
        again = os.open("hiker.py", os.O_RDONLY, dir_fd=inside)
        for descriptor in (again, kept, inside):
            os.close(descriptor)
        self.assertIn(":1", (mount / "one/1/manifest.json").read_text())
        mount.unmount()
        second = self.mount(source, options="offline")
        self.assertIn(":1", (second / "one/1/manifest.json").read_text())

    def test_readers_notice_nothing_of_changes(self):
        source = self.write_list(f"{self.one.path}?tag=1")
        mount = self.mount(source)
        failures, stop = [], threading.Event()

        def read():
            while not stop.is_set():
                try:
                    text = self.image(mount)
                    if not (":1" in text or ":2" in text):
                        failures.append(text)
                except OSError as error:
                    failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            for tag in ("2", "1", "2", "1", "2"):
                self.write_list(f"{self.one.path}?tag={tag}")
                eventually(lambda: f":{tag}" in self.image(mount), 5, tag)  # noqa: B023
        finally:
            stop.set()
            for reader in readers:
                reader.join()
        self.assertEqual([], failures[:3])

    def test_a_faulty_list_is_reported_and_the_last_good_one_stays(self):
        source = self.write_list(f"{self.one.path}?tag=1")
        mount = self.mount(source)
        self.assertIn(":1", self.image(mount))
        self.write_list("ftp://example.org/x?tag=1")
        eventually(lambda: mount.status()["sets"][0]["error"], 5, "the list's fault")
        self.assertIn("pp.list:1", mount.status()["sets"][0]["error"])
        self.assertIn("pp.list:1", mount.log())
        self.assertIn(":1", self.image(mount))
        self.assertIn("one", os.listdir(mount))
        self.write_list(f"{self.one.path}?tag=2")
        eventually(lambda: ":2" in self.image(mount), 5, "the mended list")
        self.assertIsNone(mount.status()["sets"][0]["error"])

    def test_sets_come_and_go_in_a_running_mount(self):
        mount = self.mount()
        self.assertEqual([], os.listdir(mount))
        self.make_repository("good").commit({**start_point(), "cyber-dojo.sh": ""}, tag="3.7.4-19")
        good = f"{self.repositories}/good?tag=3.7.4-19"
        for name in ("pp", "acme/my-languages"):
            self.program("create", name, "--languages", good)
            eventually(lambda: self.set_folder(mount, name).exists(), 3, name)  # noqa: B023
            self.assertIn("python_unittest", self.image(mount, name))
            self.assertEqual("languages", (self.set_folder(mount, name) / "image.type").read_text())
        self.program("rm", "pp")
        eventually(lambda: not self.set_folder(mount, "pp").exists(), 3, "the set's end")
        self.assertIn("python_unittest", self.image(mount, "acme/my-languages"))
        self.assertEqual(["good"], os.listdir(mount))

    def test_a_branch_in_a_set_follows_and_shas_txt_with_it(self):
        mount = self.mount(self.write_list(f"{self.two.path}"), options="refs_ttl=0")
        shas = self.set_folder(mount) / "shas.txt"
        self.assertIn(self.two.id_of("main"), shas.read_text())
        self.two.commit({"new": "file"})
        eventually(lambda: os.listdir(self.set_folder(mount) / "0") == ["new"], 8, "the branch's new commit")
        eventually(lambda: self.two.id_of("main") in shas.read_text(), 5, "its id in shas.txt")

    def test_a_pinned_branch_stays(self):
        first = self.two.id_of("main")
        self.two.commit({"new": "file"})
        mount = self.mount(self.write_list(f"{self.two.path}?tag=main&commit={first}"), options="refs_ttl=0")
        self.assertEqual(["start_point"], os.listdir(self.set_folder(mount) / "0"))
        self.assertIn(first, (self.set_folder(mount) / "shas.txt").read_text())

    def test_two_lists_that_contradict_each_other(self):
        other = self.make_start_point("elsewhere", tags=["1"])
        first = self.write_list(f"{self.one.path}?tag=1", name="a.list")
        second = self.write_list(f"{other.path}?tag=1", name="b.list")
        mount = self.mount(first, second)
        self.write_list(f"{other.path}?tag=1&name=one", name="b.list")
        status = eventually(lambda: [s for s in mount.status()["sets"] if s["error"]], 5, "the contradiction")
        self.assertEqual("b", status[0]["name"])
        self.assertIn("one", status[0]["error"])
        self.assertIn("elsewhere", os.listdir(mount))

    def test_a_cache_that_was_copied_needs_no_network_and_may_be_read_only(self):
        server = self.serve(servers.GitDaemon, self.repositories)
        source = self.write_list(f"{server.url('one')}?tag=1", f"{server.url('two')}")
        self.program("fetch", "--cache", self.folder / "filled", source)
        server.stop()
        copy = self.folder / "copy"
        shutil.copytree(self.folder / "filled", copy, symlinks=True)
        before = {path: path.lstat().st_mtime_ns for path in sorted(copy.rglob("*"))}
        self.call("mount", "--bind", copy, copy)
        self.addCleanup(self.call, "umount", copy)
        self.call("mount", "-o", "remount,bind,ro", copy)
        mount = self.mount(source, options="offline", cache=copy)
        self.assertIn(":1", self.image(mount))
        self.assertIn("manifest.json", os.listdir(self.set_folder(mount) / "1/start_point"))
        self.assertEqual(2, len((self.set_folder(mount) / "shas.txt").read_text().splitlines()))
        self.assertEqual(0, mount.fetches())
        mount.unmount()
        self.assertEqual(before, {path: path.lstat().st_mtime_ns for path in sorted(copy.rglob("*"))})

    def test_prefetch(self):
        mount = self.mount(self.write_list(f"{self.one.path}?tag=1", f"{self.two.path}"), options="prefetch")
        eventually(lambda: mount.fetches() == 2, 10, "both versions")
        states = {v["name"]: v["state"] for r in mount.status()["repositories"] for v in r["versions"]}
        self.assertEqual("ready", states["1"])
        self.assertEqual("ready", states["main"])
        self.assertNotEqual("ready", states["2"])
        self.assertTrue(json.dumps(states))
