"""Named sets: create, check, ls, inspect, images, update, rm, and fetch of a set."""

import calendar
import json
import os
import re
import resource
import signal
import stat
import time
import unittest

from support import servers, trees
from support.case import EndToEnd
from support.processes import PROGRAM, eventually, slowness
from support.repositories import Repository, executable, plain, start_point, symlink


def manifest(name="Python, unittest", **further):
    """The text of a manifest; None removes a key."""
    keys = {"display_name": name, "image_name": "acme/python:1",
            "visible_filenames": ["hiker.py", "cyber-dojo.sh"], "filename_extension": ".py", **further}
    return json.dumps({key: value for key, value in keys.items() if value is not None}, indent=2)


def files(text=None, **further):
    return {"manifest.json": text if text is not None else manifest(), "hiker.py": "",
            "cyber-dojo.sh": executable("#!/bin/sh\n"), **further}


class Sets(EndToEnd):
    def setUp(self):
        super().setUp()
        self.sets = self.folder / "sets"
        self.env |= {"STARTPOINTFS_SETS": str(self.sets), "STARTPOINTFS_CACHE": str(self.folder / "cache")}

    def source(self, name, content, tag="1"):
        """A repository with one tag, as a source."""
        repository = self.make_repository(name)
        repository.commit(content, tag=tag)
        return f"{repository.path}?tag={tag}"

    def create(self, name, *sources, kind="--languages", **options):
        return self.program("create", name, kind, *sources, **options)

    def set_file(self, name):
        return self.sets / name.replace("/", "%")

    def listed(self):
        return json.loads(self.program("ls", "--json").stdout)

    def plain_folder(self, content, name="plain"):
        folder = self.folder / name
        for path, text in content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text if isinstance(text, str) else text.content.decode())
        return folder


class Create(Sets):
    def test_says_what_it_does_and_records_pinned_sources(self):
        one = self.make_start_point("one", tags=["1", "2"])
        two = self.make_repository("two", branch="main")
        two.commit(files(manifest("Two")))
        three = self.make_repository("three")
        three.commit(files(manifest("Three")))
        sources = [f"{one.path}?tag=2", f"{two.path}", f"{three.id_of('HEAD')[:9]}@{three.path}"]
        done = self.create("acme/my-languages_1.0", *sources)
        lines = done.stdout.splitlines()
        self.assertEqual([f"0\t{one.id_of('2')[:7]}\t{sources[0]}", f"1\t{two.id_of('HEAD')[:7]}\t{sources[1]}",
                          f"2\t{three.id_of('HEAD')[:7]}\t{sources[2]}"], lines[:3])
        self.assertEqual(["Created the set 'acme/my-languages_1.0': 3 start-points (languages), all checked.",
                          "Mount it: startpointfs mount MOUNTPOINT",
                          "It is then at MOUNTPOINT/.startpointfs/sets/acme/my-languages_1.0/.",
                          "Running mounts without a SOURCE show it already."], lines[3:])
        (name,) = os.listdir(self.sets)
        recorded = [line for line in (self.sets / name).read_text().splitlines() if line[0] != "#"]
        self.assertEqual([f"{one.path}?tag=2&commit={one.id_of('2')}", f"{two.path}?commit={two.id_of('HEAD')}",
                          f"{three.id_of('HEAD')}@{three.path}"], recorded)

    def test_a_list_with_comments(self):
        for name in ("one", "two"):
            self.source(name, files(manifest(name)))
        listing = self.folder / "repositories" / "all.list"
        listing.write_text("# all\n\n../repositories/one?tag=1 # first\n./two?tag=1\n")
        self.create("pp", listing)
        # A pipe can be read only once, and lies nowhere: its paths are relative to where one stands.
        pipe = listing.with_name("pipe")
        os.mkfifo(pipe)
        self.start("sh", "-c", f"cat {listing} >{pipe}")
        self.create("qq", pipe, cwd=listing.parent)
        for found in self.listed():
            self.assertEqual(["../repositories/one?tag=1", "./two?tag=1"], [one["source"] for one in found["sources"]])

    def test_records_nothing_if_anything_is_wrong(self):
        good = self.source("good", files(manifest("Good")))
        bad = self.source("bad", files(manifest("Bad", tab_size=9, max_seconds=99)))
        missing = f"{self.repositories}/good?tag=3"
        for sources, status in (([good, bad], 41), ([good, missing], 3), ([missing, bad], 3), ([bad, missing], 41)):
            with self.subTest(sources):
                complaint = self.refused("create", "pp", "--languages", *sources, status=status)
                self.assertFalse(self.sets.exists() and os.listdir(self.sets))
                self.assertIn("'pp' was not created", complaint)
        self.assertRegex(complaint, r"bad\?tag=1: manifest.json:\d+:\d+: /tab_size: .*not 9 \[41\]")
        self.assertRegex(complaint, r"bad\?tag=1: manifest.json:\d+:\d+: /max_seconds: .*not 99 \[42\]")
        self.assertRegex(complaint, r"good\?tag=3: .*no tag, branch or commit 3.* \[3\]")

    def time_of_a_list(self, size):
        """Seconds of processor time to refuse a list of so many lines, the last of which repeats one."""
        lines = [f"https://example.org/r{number}?tag=1\n" for number in range(size)]
        long = self.folder / "long.list"
        long.write_text("".join([*lines, lines[size // 2]]))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        complaint = self.refused("create", "pp", "--languages", long, status=13)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertIn(f"long.list:{size // 2 + 1}", complaint)
        self.assertIn(f"long.list:{size + 1}", complaint)
        return after.ru_utime - before.ru_utime

    def test_lists_are_linear(self):
        quarter, whole = self.time_of_a_list(25_000), self.time_of_a_list(100_000)
        # Comparing each with each would take 16 times as long, and minutes.
        self.assertLess(whole, 8 * quarter)
        if slowness() == 1:
            self.assertLess(whole, 1)

    def test_the_order_of_findings_is_that_of_the_sources(self):
        slow = self.source("slow", files(manifest("Slow", tab_size=0)))
        fast = self.source("fast", files(manifest("Fast", max_seconds=0)))
        self.assertTrue(fast)
        daemon = self.serve(servers.GitDaemon, self.repositories)
        proxy = self.serve(servers.DelayProxy, daemon, 600)
        del slow
        for order in (1, -1):
            sources = [proxy.url("slow") + "?tag=1", daemon.url("fast") + "?tag=1"][::order]
            complaint = self.refused("create", "pp", "--languages", *sources, "--cache",
                                     self.folder / f"cache{order}", status=(41, 0, 42)[1 - order])
            found = re.findall(r"/(tab_size|max_seconds):", complaint)
            self.assertEqual(["tab_size", "max_seconds"][::order], found)

    def test_many_are_fetched_at_once(self):
        count, rtt = 8, 300
        for number in range(count):
            self.source(f"r{number}", files(manifest(f"R {number}")))
        daemon = self.serve(servers.GitDaemon, self.repositories)
        proxy = self.serve(servers.DelayProxy, daemon, rtt)
        begun = os.times().elapsed
        self.create("pp", *(proxy.url(f"r{number}") + "?tag=1" for number in range(count)))
        # One after the other they would need at least two round trips each.
        self.assertLess(os.times().elapsed - begun, count * 2 * rtt / 1000)

    def test_bad_arguments(self):
        source = self.source("one", files())
        other = Repository(self.folder / "one", self.env)
        other.commit(files(manifest("Other")))
        (self.folder / "empty.list").write_text("# nothing\n")
        cases = [
            (4, "--languages", ["create", "pp", source]),
            (4, "unknown query key", ["create", "pp", "--languages", source + "&x=y"]),
            (4, "claimed by", ["create", "pp", "--languages", source, other.path]),
            (4, "has no sources", ["create", "pp", "--languages", self.folder / "empty.list"]),
            (4, "name", ["create", "../pp", "--languages", source]),
            (4, "name", ["create", "a b", "--languages", source]),
            (4, "name", ["create", "a//b", "--languages", source]),
            (4, "name", ["create", "", "--languages", source]),
            (4, "--languages", ["check", source]),
            (2, "usage", ["create", "pp", "--languages"]),
            (2, "one of --languages", ["create", "pp", "--languages", "--custom", source]),
            (2, "unknown option", ["create", "pp", "--language", source]),
            (13, "given twice", ["create", "pp", "--languages", source, source]),
            (12, "given twice", ["create", "pp", "--exercises", source, source]),
            (11, "given twice", ["create", "pp", "--custom", source, source + "&name=x"]),
            (13, "given twice", ["check", "--languages", f"1234567@{other.path}", f"12345678@{other.path}"]),
        ]
        for status, text, command in cases:
            with self.subTest(command):
                self.assertIn(text, self.refused(*command, status=status))
        self.assertFalse(self.sets.exists())

    def test_two_versions_of_one_repository_are_no_repetition(self):
        repository = self.make_repository("one")
        for tag in "12":
            repository.commit(files(manifest(f"Version {tag}")), tag=tag)
        self.create("pp", f"{repository.path}?tag=1", f"{repository.path}?tag=2")

    def test_an_existing_name_needs_force(self):
        one, two = (self.source(name, files(manifest(name))) for name in ("one", "two"))
        self.create("pp", one)
        before = self.set_file("pp").read_text()
        self.assertEqual("startpointfs: the set 'pp' already exists; --force replaces it\n",
                         self.refused("create", "pp", "--languages", two, status=4))
        self.assertEqual(before, self.set_file("pp").read_text())
        bad = self.source("bad", files("{"))
        self.refused("create", "--force", "pp", "--languages", bad, status=17)
        self.assertEqual(before, self.set_file("pp").read_text())
        self.create("pp", "--force", two)
        self.assertEqual([two], [source["source"] for source in self.listed()[0]["sources"]])

    def test_a_branch_is_what_it_is_now(self):
        """Whatever the cache has of it."""
        repository = self.make_repository("one")
        repository.commit(files())
        self.create("pp", repository.path)
        good = repository.commit(files(manifest("Newer")))
        self.create("pp", "--force", repository.path)
        self.assertIn(good, self.set_file("pp").read_text())
        repository.commit(files("{"))
        self.refused("check", "--languages", repository.path, status=17)

    def test_no_set_lies_within_another(self):
        source = self.source("one", files())
        self.create("acme/pp", source)
        for name in ("acme", "acme/pp/more"):
            self.assertEqual(f"startpointfs: the sets 'acme/pp' and '{name}' cannot both exist: a set is a folder, and none may lie "
                             "inside another; choose another name\n", self.refused("create", name, "--languages", source, status=4))
        for name in ("acme/pp2", "acme/p", "acme-pp"):
            self.create(name, source)

    def test_of_two_at_once_one_wins(self):
        source = self.source("one", files())
        running = [self.start(PROGRAM, "create", "pp", "--languages", source, stdout=-3, stderr=-3) for _ in range(4)]
        codes = sorted(process.wait(30) for process in running)
        self.assertEqual(0, codes[0])
        self.assertTrue(set(codes[1:]) <= {1, 4}, codes)
        self.assertEqual(["pp"], os.listdir(self.sets))

    def test_offline_with_all_cached(self):
        source = self.source("one", files())
        complaint = self.refused("create", "--offline", "pp", "--languages", source, status=3)
        self.assertIn("--offline", complaint)
        self.program("fetch", source)
        self.repositories.rename(self.folder / "gone")
        self.create("pp", "--offline", source)
        self.create("pp2", source)

    def test_interrupted(self):
        server = self.serve(servers.SilentServer)
        process = self.start(PROGRAM, "create", "pp", "--languages", server.url("x"), stderr=-1)
        eventually(lambda: server.connections, 10, "the connection")
        process.send_signal(signal.SIGINT)
        self.assertEqual(1, process.wait(10))
        self.assertIn(b"interrupted", process.stderr.read())
        self.assertFalse(self.sets.exists())

    def test_no_password_is_shown(self):
        self.source("one", files())
        server = self.serve(servers.Nginx, self.repositories)
        url = server.url("one").replace("//", "//me:hush-hush@")
        shown = self.create("pp", url + "?tag=1")
        self.assertNotIn("hush", shown.stdout + shown.stderr)
        self.assertEqual(0o600, stat.S_IMODE(self.set_file("pp").stat().st_mode))
        for command in (["ls", "--json"], ["inspect", "pp"], ["check", "--languages", self.set_file("pp")],
                        ["check", "--languages", url + "?tag=2"]):
            done = self.program(*command, check=False)
            self.assertNotIn("hush", done.stdout + done.stderr, command)
        self.assertEqual(server.url("one"), json.loads(self.program("inspect", "pp").stdout)["Python, unittest"]["url"])

    def test_types(self):
        exercise = self.source("exercise", {"manifest.json": json.dumps(
            {"display_name": "Fizz", "visible_filenames": ["readme"]}), "readme": ""})
        custom = self.source("custom", files(manifest(visible_filenames=["hiker.py"])))
        self.create("e", exercise, kind="--exercises")
        self.create("c", custom, kind="--custom")
        self.refused("create", "l", "--languages", exercise, status=21)
        self.refused("create", "l", "--languages", custom, status=32)
        self.assertEqual(["custom", "exercises"], [one["type"] for one in self.listed()])

    def test_a_full_or_read_only_sets_folder(self):
        source = self.source("one", files())
        self.sets.write_text("in the way")
        self.assertIn("sets", self.refused("create", "pp", "--languages", source, status=1))


class Check(Sets):
    def test_good_and_bad(self):
        good = self.source("good", files(manifest("Good", image_name="acme/python:1")))
        self.assertEqual("1 start-point (languages) checked: no errors\n", self.program("check", "--languages", good).stdout)
        self.assertFalse(self.sets.exists())
        self.refused("check", "--exercises", good, status=50)
        gone = f"http://127.0.0.1:{servers.free_port()}/x"
        complaint = self.refused("check", "--languages", gone, status=3)
        self.assertEqual(1, complaint.count(gone), complaint)

    def test_every_ending_code(self):
        cases = {
            16: {"readme": ""}, 17: files("{"), 18: files('{"a": 1, "a": 2}'),
            20: files(manifest(colour="red")), 21: files(manifest(image_name=None)),
            30: files(manifest(image_name="A B")), 31: files(manifest("")),
            32: files(manifest(visible_filenames=["cyber-dojo.sh", "../outside"])),
            33: files(manifest(filename_extension="py")), 40: files(manifest(hidden_filenames=["("])),
            41: files(manifest(tab_size=9)), 42: files(manifest(max_seconds=0)),
            43: files(manifest(highlight_filenames=["other"])), 44: files(manifest(progress_regexs=["a"])),
            45: files(manifest(rag_lambda="none.rb")), 46: files(manifest(language=[1, 2], test_framework=["a", "b"])),
            47: files(manifest(test_framework=[], language=["a", "b"])), 48: files(manifest(language=["a", "b"])),
        }
        for code, content in cases.items():
            with self.subTest(code):
                source = self.source(f"r{code}", content)
                self.assertIn(f" [{code}]", self.refused("check", "--languages", source, status=code))

    def test_the_same_name_in_two_sources(self):
        one, two = (self.source(name, files()) for name in ("one", "two"))
        complaint = self.refused("check", "--languages", one, two, status=40)
        self.assertIn("one", complaint)
        self.assertIn("two", complaint)

    def test_image_tag(self):
        source = self.source("one", files(manifest(image_name="acme/python:3.7.4-18")), tag="3.7.4-19")
        done = self.program("check", "--languages", source)
        self.assertRegex(done.stderr, r"warning: /image_name.*\[34\]")
        complaint = self.refused("check", "--strict", "--languages", source, status=34)
        self.assertNotIn("warning", complaint)
        branch = self.make_repository("branch")
        branch.commit(files(manifest(image_name="acme/python:1")))
        self.program("check", "--strict", "--languages", f"{branch.path}?tag=master")

    def test_a_moved_tag(self):
        repository = self.make_start_point("one", tags=["1"])
        other = repository.commit(files(manifest("Other")), tag="2")
        source, later = f"{repository.path}?tag=1", f"{repository.path}?tag=2"
        first = repository.id_of("1")
        self.program("fetch", source, later)
        now = repository.commit(start_point("1", more=""))
        for tag in "12":
            repository.tag(tag)
        done = self.program("check", "--languages", source, later)
        for number, (name, before) in enumerate(((source, first), (later, other)), 1):
            self.assertIn(f"{name}: warning: the tag {number} has moved at the remote, from {before[:10]} to {now[:10]}; the first is still "
                          "served: ask for a new tag instead, or name the commit, SHA@URL [3]\n", done.stderr)
        self.refused("check", "--strict", "--languages", source, status=3)
        done = self.program("check", "--strict", "--languages", "--json", source, check=False)
        self.assertEqual(3, done.returncode)
        (finding,) = json.loads(done.stdout)
        self.assertEqual(("error", 3), (finding["severity"], finding["code"]))

    def test_json(self):
        source = self.source("one", files(manifest(tab_size=9)))
        done = self.program("check", "--json", "--quiet", "--languages", source, check=False)
        self.assertEqual((41, ""), (done.returncode, done.stderr))
        (finding,) = json.loads(done.stdout)
        self.assertEqual(("manifest.json", "/tab_size", source), (finding["file"], finding["pointer"], finding["source"]))
        good = self.source("good", files())
        self.assertEqual([], json.loads(self.program("check", "--json", "--languages", good).stdout))

    def test_a_plain_folder(self):
        folder = self.plain_folder(files(manifest(tab_size=9)))
        complaint = self.refused("check", "--languages", folder, status=41)
        self.assertIn("manifest.json:", complaint)
        self.assertFalse((self.folder / "cache").exists())
        (folder / "manifest.json").write_text(manifest())
        self.program("check", "--languages", folder)
        self.program("check", "--languages", ".", cwd=folder)
        (folder / "hiker.py").unlink()
        self.assertIn("hiker.py", self.refused("check", "--languages", folder, status=32))
        # Pinning needs a commit, so only `check` takes it.
        self.assertIn("not a git repository", self.refused("create", "pp", "--languages", folder, status=3))

    def test_a_plain_folder_beside_repositories(self):
        folder = self.plain_folder(files(manifest(tab_size=9)))
        source = self.source("one", files(manifest("One", max_seconds=0)))
        for sources, codes in (([folder, source], ["41", "42"]), ([source, folder], ["42", "41"])):
            complaint = self.refused("check", "--languages", *sources, status=int(codes[0]))
            self.assertEqual(codes, re.findall(r"\[(\d+)\]", complaint))

    def test_symlinks_of_a_plain_folder_are_not_followed_out(self):
        secret = self.folder / "secret"
        secret.mkdir()
        (secret / "manifest.json").write_text('{"secret": "hush-hush"')
        (secret / "hiker.py").write_text("hush")
        folder = self.plain_folder(files())
        (folder / "way").symlink_to(secret)
        (folder / "hiker.py").unlink()
        (folder / "hiker.py").symlink_to(secret / "hiker.py")
        (folder / "x").mkdir()
        (folder / "x" / "manifest.json").symlink_to("../../secret/manifest.json")
        done = self.program("check", "--languages", folder, check=False)
        self.assertEqual(17, done.returncode)
        self.assertNotIn("hush", done.stdout + done.stderr)
        (folder / "x" / "manifest.json").unlink()
        self.assertIn("hiker.py", self.refused("check", "--languages", folder, status=32))
        (folder / "hiker.py").unlink()
        (folder / "hiker.py").symlink_to("lib/hiker.py")
        (folder / "lib").mkdir()
        (folder / "lib" / "hiker.py").write_text("")
        self.program("check", "--languages", folder)

    def test_pipes_and_deep_folders(self):
        folder = self.plain_folder(files())
        os.mkfifo(folder / "pipe")
        os.mkfifo(folder / "more.json")
        self.program("check", "--languages", folder)
        deep = "/".join("d" * 5 for _ in range(190))
        self.plain_folder({f"{deep}/manifest.json": manifest("Deep"), f"{deep}/hiker.py": "",
                           f"{deep}/cyber-dojo.sh": ""})
        self.program("check", "--languages", folder)
        self.plain_folder({f"{deep}/{'/'.join('e' * 20)}/x": ""})
        self.assertIn("deep", self.refused("check", "--languages", folder, status=1))

    def test_a_worktree_is_checked_as_committed(self):
        folder = self.plain_folder(files())
        for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
            self.call("git", "-C", folder, *command)
        (folder / "manifest.json").write_text("{")
        self.assertIn("uncommitted", self.program("check", "--languages", folder).stderr)

    def test_a_checkout_is_checked_as_git_would_publish_it(self):
        folder = self.plain_folder(files())
        for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"], ["checkout", "-q", "-b", "feature"]):
            self.call("git", "-C", folder, *command)
        said = self.program("check", "--languages", ".", cwd=folder).stderr
        head = self.call("git", "-C", folder, "rev-parse", "HEAD").stdout[:7]
        self.assertTrue(said.endswith(f"\n.: note: HEAD ({head}) was checked; the folder is identical\n"), said)
        (folder / "manifest.json").write_text(manifest(tab_size=99))
        self.call("git", "-C", folder, "commit", "-q", "-a", "-m", "not on master")
        self.assertIn("./manifest.json:", self.refused("check", "--languages", ".", status=41, cwd=folder))
        (folder / "manifest.json").write_text(manifest())
        (folder / "ne\x1bw").write_text("")
        (folder / "sub").mkdir()
        for name in ("a", "b"):
            (folder / "sub" / name).write_text("")
        said = self.refused("check", "--languages", ".", status=41, cwd=folder)
        head = self.call("git", "-C", folder, "rev-parse", "HEAD").stdout[:7]
        self.assertIn(f"\n.: note: HEAD ({head}) was checked, without 4 uncommitted changes (manifest.json, ne?w, sub/a, sub/b); "
                      "--worktree checks the files as they are\n", said)
        self.call("git", "-C", folder, "add", "sub", "ne\x1bw")
        self.call("git", "-C", folder, "commit", "-q", "-m", "all but one")
        self.assertIn(" was checked, without 1 uncommitted change (manifest.json); ",
                      self.refused("check", "--languages", ".", status=41, cwd=folder))
        self.assertNotIn("note", self.refused("check", "--languages", "--quiet", ".", status=41, cwd=folder))
        done = self.program("check", "--languages", "--worktree", ".", cwd=folder)
        self.assertEqual(("1 start-point (languages) checked: no errors\n", ""), (done.stdout, done.stderr))
        done = self.program("check", "--languages", "--quiet", "--worktree", ".", cwd=folder)
        self.assertEqual(("", ""), (done.stdout, done.stderr))

    def test_names_that_will_fall_back_are_a_warning(self):
        def pair(name, language, framework="unittest"):
            return files(manifest(name, language=[language, "3"], test_framework=[framework, ""]))
        one, two = self.source("one", pair("P1", "Python")), self.source("two", pair("P2", "Ruby"))
        same, bare = self.source("same", pair("P3", "Python")), self.source("bare", files(manifest("P4")))
        for sources, says in (([one, two], None), ([bare], None),
                              ([one, two, same], r'same\?tag=1: manifest\.json:.* warning: .*"Python, unittest" is also '
                                                 r'the language and framework of .*one\?tag=1: manifest\.json; .*\[35\]'),
                              ([one, bare, two], r'bare\?tag=1: .*warning: .*which 2 of 3 manifests .*\[35\]')):
            with self.subTest(sources):
                done = self.program("check", "--languages", *sources)
                if says:
                    self.assertRegex(done.stderr, says)
                    self.assertIn("\n1 warning\n", done.stderr)
                    self.refused("check", "--languages", "--strict", *sources, status=35)
                else:
                    self.assertNotIn("warning", done.stderr)
        # Exercises have no languages: that they must not is an error already.
        self.assertNotIn("warning", self.refused("check", "--exercises", one, bare, status=50))

    def test_sizes_are_those_of_a_checkout(self):
        # 25 KiB are allowed; with eol=crlf the checkout is a byte a line longer.
        text = "x" * 1023 + "\n"
        repository = self.make_repository("one")
        repository.commit(files(**{"hiker.py": text * 25}), tag="lf")
        repository.commit(files(**{"hiker.py": text * 25, ".gitattributes": "*.py text eol=crlf\n"}), tag="crlf")
        self.program("check", "--languages", f"{repository.path}?tag=lf")
        self.assertIn("hiker.py", self.refused("check", "--languages", f"{repository.path}?tag=crlf", status=32))

    def test_hostile_repositories(self):
        cases = {
            "control": (files(manifest("\x1b[31mred", tab_size=9)), 41),
            "symlinks": ({**files(), "hiker.py": symlink("hiker.py")}, 32),
            "out": ({**files(), "hiker.py": symlink("/etc/passwd")}, 32),
            "parent": ({**files(), "hiker.py": symlink("../../../../../../etc/passwd")}, 32),
            "manifest": ({**files(), "manifest.json": symlink("/etc/passwd")}, 17),
            "nul": (files('{"display_name": "a\\u0000b"}'), 17),
            "nested": (files("[" * 100_000), 17),
            "huge": (files(" " * (1 << 20) + "{}"), 17),
            "name": ({**files(manifest(tab_size=9)), "a\x1b[2J/\xff/manifest.json": manifest("B", tab_size=9)}, 32),
        }
        for name, (content, code) in cases.items():
            with self.subTest(name):
                complaint = self.refused("check", "--languages", self.source(name, content), status=code)
                self.assertNotIn("\x1b", complaint)
                self.assertNotIn("root:", complaint)


class Bombs(Sets):
    with_sanitizers = False  # a million files

    def test_a_git_bomb_ends(self):
        daemon = self.serve(servers.GitDaemon, self.repositories)
        for name in ("files", "folders"):
            repository = self.make_repository(name)
            blob = repository.git("hash-object", "-w", "--stdin", input="x").strip()
            tree = repository.git("mktree", input=f"100644 blob {blob}\tf\n" if name == "files" else "").strip()
            for _ in range(10):
                tree = repository.git("mktree", input="".join(f"040000 tree {tree}\td{number}\n"
                                                              for number in range(10))).strip()
            commit = repository.git("commit-tree", tree, "-m", "bomb").strip()
            repository.git("update-ref", "refs/heads/master", commit)
            self.assertIn("more than", self.refused("check", "--languages", daemon.url(name), status=1))


class FromBefore(Sets):
    """What 0.1.0 left behind: a listing without a checksum, no record of pins, a set that all may read."""

    def test_a_cache_and_a_set_of_0_1_0_go_on(self):
        source = self.source("one", files())
        self.create("pp", source)
        [listing] = (self.folder / "cache").rglob("startpointfs-listing")
        text = listing.read_text().replace("startpointfs listing 2", "startpointfs listing 1")
        listing.write_text(re.sub(r"(?m)^(server|sum) .*\n", "", text))
        (listing.parent / "startpointfs-pins").unlink()
        self.set_file("pp").chmod(0o644)
        away = self.folder / "away"
        (self.repositories / "one").rename(away)
        self.assertIn("sha", self.program("inspect", "--offline", "pp").stdout)
        mount = self.mount(options="offline", arguments=["--sets", self.sets])
        self.assertEqual(["1"], os.listdir(mount / "one"))
        for name, content in files().items():
            self.assertEqual(plain(content).content, (mount / "one/1" / name).read_bytes())
        away.rename(self.repositories / "one")
        self.assertIn("Nothing changed", self.program("update", "pp").stdout)
        self.create("pp", source, "--force")
        self.assertEqual(0o644, stat.S_IMODE(self.set_file("pp").stat().st_mode))


class Look(Sets):
    def test_ls(self):
        none = self.program("ls")
        self.assertEqual(("", f"no sets in {self.sets}: 'startpointfs create' makes one\n"), (none.stdout, none.stderr))
        for option, shown in (("--quiet", ""), ("--json", "[]\n")):
            done = self.program("ls", option)
            self.assertEqual((shown, ""), (done.stdout, done.stderr))
        repository = self.make_start_point("one", tags=["1"])
        source, before = f"{repository.path}?tag=1", int(time.time())
        for name in ("zz", "acme/a-long-name", "b"):
            self.create(name, source)
        head, *rows = self.program("ls").stdout.splitlines()
        one, two, three = self.listed()
        self.assertEqual("NAME              TYPE       SOURCES  MADE", head)
        self.assertEqual([f"{name:16}  languages        1  {made[:10]} {made[11:16]} UTC"
                          for name, made in (("acme/a-long-name", one["made_at"]), ("b", two["made_at"]), ("zz", three["made_at"]))],
                         rows)
        self.assertEqual({"name": "acme/a-long-name", "type": "languages", "made_at": one["made_at"],
                          "sources": [{"source": source, "sha": repository.id_of("1")}]}, one)
        made = calendar.timegm(time.strptime(one["made_at"], "%Y-%m-%dT%H:%M:%SZ"))
        self.assertTrue(before <= made <= time.time(), one["made_at"])

    def test_a_damaged_set_hides_no_other(self):
        source = self.source("one", files())
        self.create("a", source)
        self.create("c", source)
        self.set_file("b").write_text("rubbish?x=y\n")
        (self.sets / "note.txt~").write_text("not a set's name\n")
        done = self.program("ls", check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("'b'", done.stderr)
        self.assertEqual(["a", "c"], [row.split()[0] for row in done.stdout.splitlines()[1:]])

    def test_inspect_and_images(self):
        one = self.source("one", files(manifest("Zebra", image_name="acme/z:1")))
        two = self.make_repository("two")
        two.commit({f"{folder}/{path}": content for folder, name in (("a", "Äpfel"), ("b", "Ant"))
                    for path, content in files(manifest(name, image_name="acme/ant")).items()})
        self.create("pp", one, two.path)
        shown = self.program("inspect", "pp").stdout
        self.assertEqual(["Ant", "Zebra", "Äpfel"], list(json.loads(shown)))
        self.assertEqual({"url": str(two.path), "sha": two.id_of("HEAD"), "image_name": "acme/ant"},
                         json.loads(shown)["Ant"])
        self.assertEqual(shown, self.program("inspect", "--json", "pp").stdout)
        self.assertEqual("acme/ant\nacme/z:1\n", self.program("images", "pp").stdout)
        # From the cache alone.
        self.repositories.rename(self.folder / "gone")
        self.assertEqual(shown, self.program("inspect", "--offline", "pp").stdout)
        self.assertEqual(shown, self.program("inspect", "pp").stdout)
        self.assertIn("acme/ant", self.program("images", "pp").stdout)
        # Without it, it must be fetched.
        empty = ["--cache", self.folder / "empty", "inspect", "pp"]
        self.refused("inspect", *empty[:2], "pp", status=3)
        (self.folder / "gone").rename(self.repositories)
        self.assertEqual(shown, self.program("inspect", *empty[:2], "pp").stdout)

    def test_what_would_not_be_recorded_today_is_shown(self):
        repository = self.make_repository("one")
        repository.commit(files(manifest(tab_size=99)))
        self.sets.mkdir()
        self.set_file("old").write_text("# startpointfs set\n# type: languages\n# made: 1\n"
                                        f"{repository.path}?commit={repository.id_of('HEAD')}\n")
        self.assertEqual(["Python, unittest"], list(json.loads(self.program("inspect", "old").stdout)))
        self.assertEqual("acme/python:1\n", self.program("images", "old").stdout)
        broken = repository.commit(files("{"))
        self.set_file("old").write_text(f"# startpointfs set\n# type: languages\n{repository.path}?commit={broken}\n")
        self.refused("inspect", "old", status=17)

    def test_exercises_have_no_image(self):
        source = self.source("e", {"manifest.json": '{"display_name": "Fizz", "visible_filenames": ["r"]}', "r": ""})
        self.create("e", source, kind="--exercises")
        self.assertEqual({"url", "sha"}, set(json.loads(self.program("inspect", "e").stdout)["Fizz"]))
        self.assertEqual("", self.program("images", "e").stdout)

    def test_rm(self):
        for name in ("a/b", "c"):
            self.create(name, self.source(name, files()))
        self.assertEqual("Removed the set 'a/b'. Its versions stay in the cache until 'startpointfs gc'.\n",
                         self.program("rm", "a/b").stdout)
        self.assertEqual("", self.program("rm", "--quiet", "c").stdout)
        self.assertEqual([], self.listed())
        for verb in ("rm", "inspect", "images", "update"):
            self.assertIn("no set 'a/b'", self.refused(verb, "a/b", status=1))
            self.assertIn("name", self.refused(verb, "../x", status=1))


class Update(Sets):
    def test_branches_move_and_tags_stay(self):
        tagged = self.make_start_point("tagged", tags=["1"])
        branch = self.make_repository("branch")
        branch.commit(files(manifest("Default")))
        named = self.make_repository("named")
        named.commit(files(manifest("Named")), branch="dev/x")
        plain = self.make_repository("commit")
        commit = plain.commit(files(manifest("Commit")))
        self.create("pp", f"{tagged.path}?tag=1", branch.path, f"{named.path}?tag=dev/x", f"{commit[:8]}@{plain.path}")
        before = self.set_file("pp").read_text()
        self.assertEqual("Nothing changed in the set 'pp'.\n", self.program("update", "pp").stdout)
        self.assertEqual(before, self.set_file("pp").read_text())
        old, first = [branch.id_of("HEAD"), named.id_of("dev/x")], tagged.id_of("1")
        tagged.commit(start_point("2"))
        tagged.tag("1")
        plain.commit(files(manifest("Commit 2")))
        new = [branch.commit(files(manifest("Default 2"))), named.commit(files(manifest("Named 2")), branch="dev/x")]
        expected = [f"1\t{old[0][:7]} -> {new[0][:7]}\t{branch.path}",
                    f"2\t{old[1][:7]} -> {new[1][:7]}\t{named.path}?tag=dev/x"]
        done = self.program("update", "--dry-run", "pp")
        self.assertEqual(expected, done.stdout.splitlines()[:2])
        self.assertEqual("2 of 4 sources of the set 'pp' would change; nothing was recorded.", done.stdout.splitlines()[2])
        moved = f"{tagged.path}?tag=1: warning: the tag 1 has moved at the remote, to {tagged.id_of('1')[:7]}; the set keeps "
        self.assertEqual([moved + first[:7]], [line for line in done.stderr.splitlines() if "moved" in line])
        self.assertEqual(before, self.set_file("pp").read_text())
        done = self.program("update", "pp")
        self.assertEqual(expected, done.stdout.splitlines()[:2])
        self.assertEqual("Updated the set 'pp': 2 of 4 sources changed, all checked.", done.stdout.splitlines()[2])
        self.assertEqual(re.sub("made: .*", "made:", before.replace(old[0], new[0]).replace(old[1], new[1])),
                         re.sub("made: .*", "made:", self.set_file("pp").read_text()))
        done = self.program("update", "--quiet", "pp")
        self.assertEqual(("", ""), (done.stdout, done.stderr))
        self.assertEqual({"Default 2", "Named 2", "Python, unittest", "Commit"},
                         set(json.loads(self.program("inspect", "pp").stdout)))
        self.assertIn("Nothing changed", self.program("update", "pp").stdout)

    def test_a_moved_tag_stays_without_its_cache(self):
        repository = self.make_start_point("one", tags=["1"])
        self.create("pp", f"{repository.path}?tag=1")
        before = self.set_file("pp").read_text()
        repository.commit(start_point("2"))
        repository.tag("1")
        done = self.program("update", "--cache", self.folder / "empty", "pp")
        self.assertIn("Nothing changed", done.stdout)
        self.assertEqual(before, self.set_file("pp").read_text())

    def test_a_faulty_new_version_changes_nothing(self):
        repository = self.make_repository("one")
        repository.commit(files())
        self.create("pp", repository.path)
        before = self.set_file("pp").read_text()
        repository.commit(files("{"))
        self.assertIn("stays as it was", self.refused("update", "pp", status=17))
        self.assertEqual(before, self.set_file("pp").read_text())
        self.repositories.rename(self.folder / "gone")
        self.refused("update", "pp", status=3)

    def test_a_rewritten_branch(self):
        repository = self.make_repository("one")
        repository.commit(files())
        self.create("pp", repository.path)
        repository.git("update-ref", "-d", "refs/heads/master")
        new = repository.commit(files(manifest("New")))
        self.set_file("pp").write_text(re.sub("made: .*", "made: 1", self.set_file("pp").read_text()))
        self.program("update", "--cache", self.folder / "empty", "pp")
        self.assertIn(new, self.set_file("pp").read_text())
        self.assertNotIn("made: 1\n", self.set_file("pp").read_text())

    def test_tags_need_no_remote(self):
        source = self.source("one", files())
        self.create("pp", source)
        self.repositories.rename(self.folder / "gone")
        self.assertIn("Nothing changed", self.program("update", "pp").stdout)


class Elsewhere(Sets):
    def test_a_sets_file_is_a_list(self):
        repository = self.make_start_point("one", tags=["1"])
        branch = self.make_repository("branch")
        branch.commit(files(manifest("Branch")))
        self.create("pp", f"{repository.path}?tag=1", branch.path)
        shown = self.program("inspect", "pp").stdout
        branch.commit(files(manifest("Later")))
        copy = self.folder / "pp-copy"
        copy.write_bytes(self.set_file("pp").read_bytes())
        there = ["--cache", self.folder / "other-cache", "--sets", self.folder / "other-sets"]
        # The type, too, is in the file.
        said = self.program("create", *there, "pp", copy).stdout
        self.assertIn(f"\nMount it: startpointfs mount {' '.join(map(str, there))} MOUNTPOINT\n", said)
        self.assertEqual(shown, self.program("inspect", *there, "pp").stdout)
        again = (self.folder / "other-sets" / "pp").read_text()
        self.assertEqual(re.sub("made: .*", "", self.set_file("pp").read_text()), re.sub("made: .*", "", again))

    def test_a_sets_file_mounted_elsewhere_shows_the_same_trees(self):
        tagged = self.make_start_point("one", tags=["1"])
        branch = self.make_repository("branch")
        branch.commit(files(manifest("Branch")))
        self.create("pp", f"{tagged.path}?tag=1", branch.path)
        expected = [tagged.clone("1", self.folder / "clone0"), branch.clone("master", self.folder / "clone1")]
        tagged.commit(start_point("2"))
        tagged.tag("1")
        branch.commit(files(manifest("Later")))
        copy = self.folder / "copy.list"
        copy.write_bytes(self.set_file("pp").read_bytes())
        for name, cache, arguments in (("pp", self.folder / "cache", []), ("copy", self.folder / "other", [copy])):
            mount = self.mount(*arguments, cache=cache)
            folder = mount / ".startpointfs" / "sets" / name
            for number, clone in enumerate(expected):
                trees.compare(self, folder / str(number), clone)
            lines = [line.split("\t") for line in (folder / "shas.txt").read_text().splitlines()]
            self.assertEqual(["languages"], (folder / "image.type").read_text().split())
            self.assertEqual([f"{tagged.path}?tag=1", str(branch.path)], [line[2].strip() for line in lines])
            mount.unmount()

    def test_fetch_of_a_set(self):
        source = self.source("one", files())
        self.create("acme/pp", source)
        cache = self.folder / "other"
        self.assertIn("1 fetched", self.program("fetch", "--cache", cache, "acme/pp").stdout)
        self.program("inspect", "--offline", "--cache", cache, "acme/pp")

    def test_odd_names(self):
        repository = Repository(self.folder / "a b%20c", self.env)
        repository.commit(files(), tag="v%1&x=y")
        source = f"{repository.path}?tag=v%251%26x%3Dy&name=alias"
        self.create("pp", source)
        self.program("update", "pp")
        self.assertIn("Python", self.program("inspect", "pp").stdout)
        hash_sign = Repository(self.folder / "a #b", self.env)
        hash_sign.commit(files())
        self.assertIn("rename", self.refused("create", "x", "--languages", hash_sign.path, "--quiet", status=4))


class Help(Sets):
    def test_each_verb_has_help(self):
        for verb in ("create", "check", "ls", "inspect", "images", "update", "rm", "fetch"):
            self.assertIn(f"usage: startpointfs {verb}", self.program(verb, "--help").stdout)
        self.assertIn("4 bad arguments", self.program("create", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
