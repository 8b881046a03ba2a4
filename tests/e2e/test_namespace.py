"""What stands where in a mount, and what looking at it costs."""

import concurrent.futures
import errno
import json
import os
import re
import time

from support import servers
from support.case import EndToEnd
from support.processes import eventually
from support.repositories import start_point


class Versions(EndToEnd):
    def test_all_kinds_of_tags(self):
        repository = self.make_start_point(tags=["light"])
        repository.annotate("annotated")
        repository.annotate("tag-of-tag", "annotated")
        repository.annotate("tag-of-tag-of-tag", "tag-of-tag")
        mount = self.mount(repository.path)
        names = {"light", "annotated", "tag-of-tag", "tag-of-tag-of-tag"}
        self.assertEqual(names | {"master"}, set(os.listdir(mount / "python-unittest")))
        for name in names:
            self.assertIn("manifest.json", os.listdir(mount / "python-unittest" / name))
            self.assertEqual(repository.id_of("light"),
                             mount.version("python-unittest", name)["commit"])

    def test_tags_with_slashes_are_nested_folders(self):
        repository = self.make_start_point(tags=["v/1", "v/2.x/2.1", "v/2.x/2.2", "plain"])
        mount = self.mount(f"{repository.path}?tag=v/1") / "python-unittest"
        self.assertEqual(["plain", "v"], sorted(os.listdir(mount)))
        self.assertEqual(["1", "2.x"], sorted(os.listdir(mount / "v")))
        self.assertEqual(["2.1", "2.2"], sorted(os.listdir(mount / "v" / "2.x")))
        self.assertIn(":v/2.x/2.1", (mount / "v/2.x/2.1/manifest.json").read_text())
        self.assert_errno(errno.ENOENT, os.listdir, mount / "v/3")

    def test_tags_with_odd_names(self):
        names = ["ünïcode", "with,comma", "a'quote", "percent%20", "plus+", "=", "-dash", "@x"]
        repository = self.make_start_point()
        repository.tag_many(names)
        mount = self.mount(repository.path) / "python-unittest"
        self.assertLessEqual(set(names), set(os.listdir(mount)))
        for name in names:
            self.assertIn("manifest.json", os.listdir(mount / name))

    def test_commit_ids_whole_and_abbreviated(self):
        repository = self.make_start_point(tags=["1", "2", "3"])
        middle = repository.id_of("2")
        repository.delete_tag("2")
        mount = self.mount(repository.path) / "python-unittest"
        for name in (middle, middle[:7], middle[:20]):
            self.assertIn(":2", (mount / name / "manifest.json").read_text())
        tip = repository.id_of("3")
        self.assertIn(":3", (mount / tip[:8] / "manifest.json").read_text())
        self.assert_errno(errno.ENOENT, os.listdir, mount / ("0" * 40))
        self.assert_errno(errno.ENOENT, os.listdir, mount / middle[:6])

    def test_a_repository_that_was_away_for_a_moment(self):
        """What the server said then is not what the kernel says for the rest of the mount."""
        self.make_start_point("moment", tags=["1"])
        nginx = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(nginx.url("moment") + "?tag=1")
        os.rename(self.repositories / "moment", self.folder / "away")
        file = mount / "moment/1/manifest.json"
        self.assert_errno(errno.EHOSTUNREACH, file.read_bytes)
        os.rename(self.folder / "away", self.repositories / "moment")

        def is_back():
            try:
                return file.read_bytes()
            except OSError:
                return b""

        self.assertIn(b":1", eventually(is_back, 20, "the file"))

    def test_a_version_that_no_list_names(self):
        repository = self.make_start_point(tags=["3.7.4-18", "3.7.4-19"])
        mount = self.mount(f"{repository.path}?tag=3.7.4-19")
        self.assertIn(":3.7.4-18",
                      (mount / "python-unittest/3.7.4-18/manifest.json").read_text())

    def test_a_tag_wins_over_a_branch(self):
        repository = self.make_repository("both")
        repository.commit({"kind": "tag"}, tag="same")
        repository.commit({"kind": "branch"}, branch="same")
        mount = self.mount(f"{repository.path}?tag=same")
        self.assertEqual("tag", (mount / "both/same/kind").read_text())

    def test_a_named_branch(self):
        repository = self.make_start_point()
        repository.commit({"kind": "branch"}, branch="wild/thing")
        mount = self.mount(f"{repository.path}?tag=wild/thing")
        self.assertEqual("branch", (mount / "python-unittest/wild/thing/kind").read_text())
        self.assertIn("wild", os.listdir(mount / "python-unittest"))

    def test_a_tag_of_no_commit_hurts_nobody(self):
        repository = self.make_start_point()
        blob = repository.git("hash-object", "-w", "--stdin", input="text").strip()
        repository.git("update-ref", "refs/tags/a-blob", blob)
        repository.tag("a-tree", "HEAD^{tree}")
        mount = self.mount(repository.path) / "python-unittest"
        self.assertIn("3.7.4-19", os.listdir(mount))
        for name in ("a-blob", "a-tree"):
            with self.assertRaises(OSError):
                os.listdir(mount / name)
        self.assertIn("manifest.json", os.listdir(mount / "3.7.4-19"))

    def test_an_empty_repository(self):
        mount = self.mount(self.make_repository("empty").path)
        self.assertEqual([], os.listdir(mount / "empty"))
        self.assert_errno(errno.ENOENT, os.listdir, mount / "empty" / "1.0")


class Unknown(EndToEnd):
    def test_what_does_not_exist_is_enoent(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path)
        for path in ("python-unittest/no-such-tag", "no-such-repository", "no-such-repository/1",
                     "python-unittest/3.7.4-19/no-such-file", "python-unittest/.git", ".git",
                     "python-unittest/a..b", "python-unittest/x.lock", "python-unittest/" + "x" * 300,
                     ".startpointfs/nothing"):
            with self.subTest(path):
                code = errno.ENAMETOOLONG if len(path) > 300 else errno.ENOENT
                self.assert_errno(code, os.stat, mount / path)
        self.assert_errno(errno.ENOTDIR, os.stat, mount / "python-unittest/3.7.4-19/hiker.py/x")

    def test_an_unknown_name_asks_the_remote_at_most_once_a_second(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(server.url("python-unittest"), options="refs_ttl=3600")
        os.listdir(mount / "python-unittest")
        before, begun = len(server.requests()), time.monotonic()
        for number in range(200):
            self.assertFalse((mount / "python-unittest" / f"unknown-{number}").exists())
        seconds = time.monotonic() - begun
        asked = len(server.requests()) - before
        # An answer may take two requests where a server must be asked for its protocol first.
        self.assertLessEqual(asked, 2 * (seconds + 2))

    def test_a_prompt_that_probes_for_git_asks_no_remote(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(server.url("python-unittest") + "?tag=3.7.4-19", options="refs_ttl=0")
        os.listdir(mount / "python-unittest" / "3.7.4-19")
        before = len(server.requests())
        for folder in ("", "python-unittest", "python-unittest/3.7.4-19"):
            for name in (".git", ".hg", ".svn", ".envrc", ".python-version"):
                self.assert_errno(errno.ENOENT, os.stat, mount / folder / name)
        self.assertEqual(before, len(server.requests()))


class Listing(EndToEnd):
    def test_ls_of_500_tags_fetches_nothing(self):
        repository = self.make_start_point(tags=["1.0"])
        tags = [f"2.{number}" for number in range(500)]
        repository.tag_many(tags)
        mount = self.mount(f"{repository.path}?tag=1.0")
        self.assertEqual(1, len(self.call("ls", "-l", mount).stdout.splitlines()) - 1)
        long_listing = self.call("ls", "-l", mount / "python-unittest").stdout
        for tag in tags:
            self.assertIn(f" {tag}\n", long_listing)
        self.call("ls", "-la", mount)
        self.call("ls", "-d", f"{mount.path}/python-unittest/2.7")
        status = mount.status()
        self.assertEqual(0, status["fetches"])
        states = {one["state"] for one in status["repositories"][0]["versions"]}
        self.assertEqual({"listed"}, states)
        os.listdir(mount / "python-unittest" / "2.7")
        self.assertEqual(1, mount.fetches())

    def test_ls_of_the_root_asks_no_remote(self):
        self.make_start_point()
        server = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(server.url("python-unittest"), options="refs_ttl=0")
        for _ in range(3):
            self.call("ls", "-la", mount)
        self.assertEqual([], server.requests())

    def test_a_tag_pushed_a_moment_ago(self):
        repository = self.make_start_point(tags=["1.0"])
        mount = self.mount(repository.path, options="refs_ttl=2")
        self.assertEqual({"1.0", "master"}, set(os.listdir(mount / "python-unittest")))
        self.assertFalse((mount / "python-unittest" / "2.0").exists())
        repository.commit(start_point("2.0"), tag="2.0")
        # At once by name: within the second that bounds the questions to the remote.
        manifest = mount / "python-unittest" / "2.0" / "manifest.json"
        eventually(manifest.exists, 2, "the new tag by name")
        self.assertIn(":2.0", manifest.read_text())
        eventually(lambda: "2.0" in os.listdir(mount / "python-unittest"), 5, "the new tag in ls")

    def test_who_comes_while_the_answer_arrives_sees_what_it_says(self):
        tags = [str(number) for number in range(60)]
        repository = self.make_start_point(tags=tags)
        for number in range(15):
            mount = self.mount(repository.path, name=f"mount{number}", cache=self.folder / f"cache{number}")

            def look(place, mount=mount):
                time.sleep(place * 0.0005)
                return os.stat(mount / "python-unittest" / tags[place]).st_ino

            with concurrent.futures.ThreadPoolExecutor(len(tags)) as pool:
                self.assertEqual(len(tags), len(set(pool.map(look, range(len(tags))))))
            mount.unmount()

    def test_a_tag_pushed_while_the_remote_is_being_asked(self):
        repository = self.make_start_point(tags=["1.0"])
        server = self.serve(servers.Nginx, self.repositories)
        slow = self.serve(servers.DelayProxy, server, 1600)
        mount = self.mount(slow.url("python-unittest"), options="refs_ttl=1")
        os.listdir(mount / "python-unittest")
        time.sleep(1.1)  # the listing's life
        asked = len(server.requests())
        self.start("ls", mount / "python-unittest", stdout=-3)
        eventually(lambda: len(server.requests()) > asked, 10, "the server's answer")
        repository.commit(start_point("2.0"), tag="2.0")
        self.assertIn(":2.0", (mount / "python-unittest/2.0/manifest.json").read_text())

    def test_ls_asks_again_after_refs_ttl(self):
        repository = self.make_start_point(tags=["1.0"])
        mount = self.mount(repository.path, options="refs_ttl=1")
        self.assertNotIn("2.0", os.listdir(mount / "python-unittest"))
        repository.commit(start_point("2.0"), tag="2.0")
        eventually(lambda: "2.0" in os.listdir(mount / "python-unittest"), 5, "the new tag in ls")

    def test_the_time_of_a_listing_that_is_too_old_goes_on(self):
        """So the kernel asks us, and does not show for ever what it has of a folder."""
        repository = self.make_start_point(tags=["1.0"])
        first = self.mount(repository.path)
        os.listdir(first / "python-unittest")
        first.unmount()
        mount = self.mount(repository.path, options="offline,refs_ttl=1")
        os.listdir(mount / "python-unittest")
        times = set()

        def has_changed_twice():
            times.add(os.stat(mount / "python-unittest").st_mtime_ns)
            return len(times) > 2

        eventually(has_changed_twice, 10, "another time")
        self.assertEqual(1, len({time // 1_000_000_000 for time in times}), times)

    def test_ls_does_not_ask_before_refs_ttl(self):
        self.make_start_point(tags=["1.0"])
        server = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(server.url("python-unittest"), options="refs_ttl=3600")
        os.listdir(mount / "python-unittest")
        before = len(server.requests())
        for _ in range(20):
            self.call("ls", "-l", mount / "python-unittest")
        self.assertEqual(before, len(server.requests()))

    def test_browse_named(self):
        repository = self.make_start_point(tags=["1", "2", "3", "deep/4"])
        mount = self.mount(f"{repository.path}?tag=2", f"{repository.path}?tag=deep/4",
                           options="browse=named")
        self.assertEqual(["2", "deep"], sorted(os.listdir(mount / "python-unittest")))
        self.assertIn(":1", (mount / "python-unittest/1/manifest.json").read_text())
        found = self.call("find", mount.path, "-name", "manifest.json").stdout.split()
        self.assertEqual(2, len(found), found)

    def test_the_control_folder_is_in_no_listing(self):
        mount = self.mount(self.make_start_point().path)
        self.assertEqual(["python-unittest"], os.listdir(mount))
        self.assertEqual({".", "..", "python-unittest"},
                         set(self.call("ls", "-a", mount).stdout.split()))
        self.assertEqual("", self.call("find", mount.path, "-name", ".startpointfs").stdout)
        self.assertIn("status.json", os.listdir(mount / ".startpointfs"))
        self.assertNotIn(".startpointfs", os.listdir(mount))
        self.call("find", mount / ".startpointfs", "-ls")


class Branches(EndToEnd):
    def test_a_branch_follows_its_remote_and_open_files_do_not(self):
        repository = self.make_start_point(tags=["one"])
        mount = self.mount(repository.path, options="refs_ttl=1")
        manifest = mount / "python-unittest/master/manifest.json"
        with open(manifest, encoding="utf-8") as opened:
            self.assertIn(":one", opened.read())
            repository.commit({**start_point("two"), "new": "file"})
            eventually(lambda: ":two" in manifest.read_text(), 8, "the branch's new commit")
            self.assertIn("new", os.listdir(mount / "python-unittest/master"))
            opened.seek(0)
            self.assertIn(":one", opened.read())
        self.assertIn(":one", (mount / "python-unittest/one/manifest.json").read_text())

    def test_a_branch_switches_as_a_whole(self):
        repository = self.make_repository("counter")
        names = [f"file{number}" for number in range(20)]
        repository.commit({name: "0" for name in names})
        mount = self.mount(repository.path, options="refs_ttl=0") / "counter/master"
        for number in range(1, 4):
            repository.commit({name: str(number) for name in names})
            read = []
            # Once a file shows the new commit, no other shows an older one.
            eventually(lambda: read.extend((mount / name).read_text() for name in names)  # noqa: B023
                       or read[-1] == str(number), 8, "the branch's new commit")  # noqa: B023
            self.assertEqual(sorted(read), read)


class Status(EndToEnd):
    def test_shape(self):
        repository = self.make_start_point(tags=["1", "2"])
        mount = self.mount(f"{repository.path}?tag=1", f"http://127.0.0.1:{servers.free_port()}/dead?tag=9")
        os.listdir(mount / "python-unittest")
        os.listdir(mount / "python-unittest/1")
        with self.assertRaises(OSError):
            os.listdir(mount / "dead/9")
        status = mount.status()
        self.assertRegex(status["version"], r"^\d+\.\d+\.\d+")
        self.assertIn(status["pid"], mount.processes())
        self.assertGreaterEqual(status["uptime_seconds"], 0)
        self.assertLess(status["uptime_seconds"], 60)
        operations = {name: number for name, number in status["requests"].items() if name != "total"}
        self.assertEqual(sum(operations.values()), status["requests"]["total"])
        self.assertLess(0, operations["lookup"])
        self.assertEqual(1, status["fetches"])
        known = {one["name"]: one for one in status["repositories"]}
        self.assertEqual({"python-unittest", "dead"}, set(known))
        python = known["python-unittest"]
        self.assertIn(str(repository.path), python["url"])
        self.assertTrue(python["listed_at"])
        versions = {one["name"]: one for one in python["versions"]}
        self.assertEqual("ready", versions["1"]["state"])
        self.assertEqual(repository.id_of("1"), versions["1"]["commit"])
        self.assertEqual("listed", versions["2"]["state"])
        failed = {one["name"]: one for one in known["dead"]["versions"]}["9"]
        self.assertEqual("failed", failed["state"])
        self.assertIn("127.0.0.1", failed["error"])
        self.assertFalse(known["dead"]["listed_at"])

    def test_the_text_and_its_size_agree(self):
        mount = self.mount(self.make_start_point().path)
        path = mount / ".startpointfs" / "status.json"
        for _ in range(10):
            size = os.stat(path).st_size
            text = self.call("cat", path).stdout
            json.loads(text)
            self.assertLess(0, size)
        # Other programs at the same time.
        loop = f"for i in $(seq 60); do cat {path} && printf ,; done"
        readers = [self.start("sh", "-c", loop, stdout=-1) for _ in range(2)]
        for reader in readers:
            texts = json.loads("[" + reader.communicate(timeout=40)[0].decode().rstrip(",") + "]")
            self.assertEqual(60, len(texts))

    def test_the_command(self):
        mount = self.mount(self.make_start_point().path)
        os.listdir(mount / "python-unittest/master")
        for_people = self.program("status", mount).stdout
        self.assertIn("python-unittest", for_people)
        as_json = json.loads(self.program("status", "--json", mount).stdout)
        self.assertEqual("python-unittest", as_json["repositories"][0]["name"])
        self.assertIn(str(self.folder), self.program("status", self.folder, check=False).stderr)
        self.assertNotEqual(0, self.program("status", self.folder, check=False).returncode)

    def test_hostile_names_are_escaped(self):
        repository = self.make_repository('quo"te')
        repository.commit({"a": "b"}, tag='t"ag')
        repository.git("update-ref", b"refs/tags/\xff\xfe".decode(errors="surrogateescape"), "HEAD")
        mount = self.mount(repository.path)
        os.listdir(mount / 'quo"te')
        names = [one["name"] for one in mount.repository('quo"te')["versions"]]
        self.assertIn('t"ag', names)


class Fetches(EndToEnd):
    def test_a_version_is_fetched_once_for_everybody(self):
        self.make_start_point(tags=["1"])
        server = self.serve(servers.Nginx, self.repositories)
        mount = self.mount(server.url("python-unittest") + "?tag=1")
        readers = [self.start("cat", mount / "python-unittest/1/manifest.json", stdout=-3)
                   for _ in range(20)]
        for reader in readers:
            self.assertEqual(0, reader.wait(30))
        self.assertEqual(1, mount.fetches())
        posts = [one for one in server.requests() if "command=fetch" in one["body"]]
        self.assertEqual(1, len(posts))

    def test_prefetch(self):
        repository = self.make_start_point(tags=["1", "2"])
        mount = self.mount(f"{repository.path}?tag=1", options="prefetch")
        eventually(lambda: (mount.version("python-unittest", "1") or {}).get("state") == "ready", 15,
                   "the version that the source names")
        version = mount.version("python-unittest", "2")
        self.assertNotEqual("ready", (version or {}).get("state"))

    def test_the_log_names_each_fetch_once(self):
        repository = self.make_start_point(tags=["1"])
        mount = self.mount(repository.path)
        for _ in range(3):
            os.listdir(mount / "python-unittest/1")
        self.assertEqual(1, len(re.findall(r"fetched python-unittest/1", mount.log())), mount.log())
