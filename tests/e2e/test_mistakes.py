"""What people get wrong, and what they are told."""

import errno
import os

from support.case import EndToEnd
from support.processes import PROGRAM, eventually
from support.repositories import executable, start_point


class Sources(EndToEnd):
    def setUp(self):
        super().setUp()
        self.env |= {"STARTPOINTFS_SETS": str(self.folder / "sets"), "STARTPOINTFS_CACHE": str(self.folder / "cache")}
        self.point = self.folder / "m"
        self.point.mkdir()

    def test_what_is_neither_a_url_nor_there_is_an_error_at_once(self):
        for source, says in (("nosuch.list", "no such file or folder"),
                             (self.folder / "nosuch.list", "no such file or folder"),
                             ("this is junk", "no such file or folder"),
                             ("github.com/my/bash-bats?tag=1", "is https:// missing?"),
                             ("https://example.org/a b", "no spaces")):
            for verb in (["mount", source, self.point], ["fetch", source], ["versions", source]):
                with self.subTest(verb):
                    self.assertIn(says, self.refused(*verb))
            self.assertFalse(os.path.ismount(self.point))
        for verb in (["check", "--custom"], ["create", "x", "--custom"]):
            self.assertIn("no such file or folder", self.refused(*verb, "nosuch.list"))
        # A list is no slip: what it names may be away for a while.
        (self.folder / "pp.list").write_text("./nosuch\n")
        self.assertEqual(3, self.program("fetch", self.folder / "pp.list", check=False).returncode)
        helper = self.folder / "mount.startpointfs"
        helper.symlink_to(PROGRAM)
        done = self.call(helper, "nosuch.list", self.point, check=False)
        self.assertEqual(2, done.returncode)
        self.assertIn("no such file or folder", done.stderr)
        self.assertEqual([], os.listdir(self.point))

    def test_options(self):
        for options, says in ((["--cache="], "option --cache needs a value: --cache DIR"),
                              (["--cache", ""], "option --cache needs a value: --cache DIR"),
                              (["--jobs"], "option --jobs needs a value: --jobs N"),
                              (["--quiet=1"], "option --quiet takes no value"),
                              (["--nosuch"], "unknown option '--nosuch': see 'startpointfs fetch --help'")):
            with self.subTest(options):
                self.assertEqual(f"startpointfs: {says}\n", self.refused("fetch", "https://example.invalid/x", *options))
        self.assertEqual([], os.listdir(self.folder / "m"))

    def test_a_cache_that_cannot_be_made(self):
        repository, file = self.make_start_point("one", tags=["1"]), self.folder / "file"
        file.touch()
        source, cache = f"{repository.path}?tag=1", ["--cache", file / "x"]
        why = f"startpointfs: cannot make the folder {file}/x: Not a directory; name another cache with --cache"
        self.program("create", "pp", "--languages", source)
        for verb, more in ((["fetch", source], ""), (["check", "--languages", source], ""), (["versions", source], ""),
                           (["create", "x", "--languages", source], "; nothing was recorded"), (["inspect", "pp"], ""),
                           (["update", "pp"], "; the set 'pp' stays as it was"), (["mount", source, self.point], "")):
            self.assertEqual(f"{why}{more}\n", self.refused(*verb, *cache, status=1))

    test_a_cache_that_cannot_be_made.with_sanitizers = False  # a worker that cannot start frees nothing

    def test_a_line_of_a_list_is_a_url_or_a_marked_path(self):
        lines = self.folder / "pp.list"
        for line, says in (("this is junk", "pp.list:2: 'this is junk' is neither a URL nor a path"),
                           ("repository?tag=1", "pp.list:2: 'repository' is neither"),
                           ("github.com/my/bash-bats?tag=1", "pp.list:2: github.com/my/bash-bats is not a URL: is https://"),
                           ("https://example.org/a b", "pp.list:2: https://example.org/a b: a URL has no spaces")):
            lines.write_text(f"# first\n{line}\n")
            for verb in (["mount", lines, self.point], ["fetch", lines]):
                with self.subTest(line):
                    self.assertIn(says, self.refused(*verb))

    def test_a_live_edit_keeps_the_last_good_list(self):
        home = self.folder / "home"
        one = self.make_start_point("one", tags=["1"])
        self.call("git", "clone", "-q", "--bare", one.path, home / "mine.git")
        lines = self.folder / "pp.list"
        lines.write_text("./repositories/one?tag=1\n~/mine.git?tag=1\n")
        mount = self.mount(lines)
        self.assertEqual(["mine", "one"], sorted(os.listdir(mount)))
        self.assertEqual((mount / "one/1/manifest.json").read_text(), (mount / "mine/1/manifest.json").read_text())
        lines.write_text("this is junk\n")
        fault = eventually(lambda: mount.status()["sets"][0]["error"], 10, "the fault")
        self.assertIn("pp.list:1: 'this is junk' is neither", fault)
        self.assertEqual(["mine", "one"], sorted(os.listdir(mount)))
        lines.write_text("./repositories/one?tag=1\n")
        eventually(lambda: os.listdir(mount) == ["one"], 10, "the mended list")

    def test_a_remote_that_is_gone_is_no_mistake(self):
        one = self.make_repository("one")
        one.commit(start_point("1"), tag="1")
        self.program("fetch", f"{one.path}?tag=1")
        one.path.rename(self.folder / "elsewhere")
        mount = self.mount(f"{one.path}?tag=1")
        self.assertIn("manifest.json", os.listdir(mount / "one/1"))


class Missing(EndToEnd):
    def test_a_tag_that_is_not_there_is_a_state(self):
        bats = self.make_start_point("bash-bats", tags=["1.0.0", "1.2.0-4", "1.2.1-7"])
        lines = self.folder / "pp.list"
        lines.write_text(f"{bats.path}?tag=1.2.0-9\n{bats.path}?tag=1.2.0-4\n")
        mount = self.mount(lines, options="refs_ttl=0")
        self.assertEqual(["1.0.0", "1.2.0-4", "1.2.1-7"], sorted(os.listdir(mount / "bash-bats")))
        sentence = "1.2.0-9 is no tag or branch of bash-bats; nearest: 1.2.0-4, 1.2.1-7"
        version = mount.version("bash-bats", "1.2.0-9")
        self.assertEqual(("missing", sentence), (version["state"], version["error"]))
        shown = self.program("status", mount.path).stdout
        self.assertIn("3 versions", shown)
        self.assertIn("1 missing", shown)
        self.assertIn(sentence, shown)
        numbers = self.program("status", "--prometheus", mount.path).stdout
        self.assertRegex(numbers, r'versions\{.*repository="bash-bats",state="missing"\} 1\n')
        for _ in range(3):
            with self.assertRaises(OSError):
                os.listdir(mount / "bash-bats/1.2.0-9")
            os.listdir(mount / "bash-bats")
        self.assertEqual(1, mount.log().count(sentence))
        bats.commit(start_point("1.2.0-9"), tag="1.2.0-9")
        eventually(lambda: "1.2.0-9" in os.listdir(mount / "bash-bats"), 10, "the tag that was pushed")
        self.assertNotEqual("missing", mount.version("bash-bats", "1.2.0-9")["state"])

    def test_a_tag_that_a_kept_listing_lacks_is_asked_for_unasked(self):
        """When the mount begins, and when its list changes: a listing that is older than the tag says nothing of it."""
        bats, lines = self.make_start_point("bash-bats", tags=["1"]), self.folder / "pp.list"
        cache = self.folder / "cache"
        self.program("fetch", "--cache", cache, f"{bats.path}?tag=1")
        bats.commit(start_point("2"), tag="2")
        lines.write_text(f"{bats.path}?tag=2\n")
        mount = self.mount(lines, cache=cache, options="refs_ttl=3600")
        eventually(lambda: mount.status()["listings"] == 1, 10, "a new listing")
        bats.commit(start_point("4"), tag="4")
        lines.write_text(f"{bats.path}?tag=4\n")
        eventually(lambda: mount.status()["listings"] == 2, 10, "another")


class Words(EndToEnd):
    def test_did_you_mean(self):
        self.env |= {"STARTPOINTFS_SETS": str(self.folder / "sets")}
        sets = self.folder / "sets"
        sets.mkdir()
        (sets / "languages").write_text("# startpointfs set\n# type: languages\nhttps://example.org/x\n")
        for arguments, meant in ((["moutn", "x", "y"], "mount"), (["verions"], "versions"), (["help", "statsu"], "status"),
                                 (["ls", "--jsn"], "--json"), (["fetch", "--of-line", "x"], "--offline"),
                                 (["mount", "-o", "ref_ttl=3", "x"], "refs_ttl"),
                                 (["mount", "-o", "ofline", "x"], "offline")):
            with self.subTest(arguments):
                self.assertIn(f"did you mean '{meant}'?", self.refused(*arguments))
        self.assertIn("did you mean 'languages'?", self.refused("inspect", "langages", status=1))
        for arguments in (["xyzzy"], ["ls", "--xyzzy"], ["mount", "-o", "xyzzy", "m"]):
            self.assertNotIn("did you mean", self.refused(*arguments))

    def test_what_is_no_verb_for_people(self):
        for arguments, status, says in ((["--quiet"], 2, "no verb given: 'startpointfs --help' lists them all"),
                                        (["worker", "x"], 2, "'worker' is for 'startpointfs mount' to start, not for people"),
                                        (["probe"], 1, "'probe' is for mounts to start, not for people")):
            self.assertEqual(f"startpointfs: {says}\n", self.refused(*arguments, status=status))

    def test_help_and_version_are_verbs_too(self):
        self.assertEqual(self.program("--help").stdout, self.program("help").stdout)
        self.assertEqual(self.program("gc", "--help").stdout, self.program("help", "gc").stdout)
        for word in ("version", "-V"):
            self.assertEqual(self.program("--version").stdout, self.program(word).stdout)

    def test_what_is_not_mounted_is_told_apart(self):
        plain = self.folder / "plain"
        plain.mkdir()
        for verb in ("status", "umount", "reload"):
            says = f"nothing is mounted on {plain}" if verb == "umount" else f"no startpointfs is mounted on {plain}"
            self.assertEqual(f"startpointfs: there is no folder {self.folder}/nosuch\n", self.refused(verb, self.folder / "nosuch", status=1))
            self.assertEqual(f"startpointfs: {says}\n", self.refused(verb, plain, status=1))

    def test_a_mount_says_what_it_hides(self):
        source = f"{self.make_start_point('one', tags=['1']).path}?tag=1"
        point = self.folder / "full"
        point.mkdir()
        self.assertEqual("", self.program("mount", source, point).stderr)
        self.program("umount", point)
        for names, hidden in ((["a"], "1 entry"), ([".b", "c"], "3 entries")):
            for name in names:
                (point / name).touch()
            self.assertEqual(f"startpointfs: the mount hides {hidden} of {point} until it is unmounted\n",
                             self.program("mount", source, point).stderr)
            self.program("umount", point)
        self.assertEqual("", self.program("mount", "--quiet", source, point).stderr)
        self.program("umount", point)

    def test_pre_releases_come_before_their_release(self):
        tags = ["v2.54.0", "v2.55.0-rc1", "v2.55.0-rc2", "v2.55.0-rc10", "v2.55.0", "v2.55.0-1", "v2.55.1.beta",
                "v2.55.1"]
        repository = self.make_start_point(tags=sorted(tags))
        listed = [line.split("\t")[0] for line in self.program("versions", repository.path).stdout.splitlines()]
        self.assertEqual(tags, listed)


    def test_versions_are_in_gits_order_where_that_is_configured(self):
        repository = self.make_start_point(tags=["v1.0", "v1.0-rc1", "v1.0-rc10", "v1.0-rc2", "v1.0-fix1", "v1.0.1"])
        for suffix in ("-fix", "-rc"):
            self.git_configure("versionsort.suffix", suffix, add=True)
        tags = self.call("git", "-C", repository.path, "tag", "--sort=version:refname").stdout.split()
        listed = [line.split("\t")[0] for line in self.program("versions", repository.path).stdout.splitlines()]
        self.assertEqual(tags, listed)
        self.assertEqual("v1.0-fix1", tags[0])

    def test_remount_is_explained(self):
        said = self.refused("mount", "-o", "remount,ro", self.folder / "x", self.folder / "m")
        self.assertIn("there is nothing to remount", said)
        self.assertIn("unmount", said)

    def test_a_tag_that_moves_is_logged_once(self):
        repository = self.make_start_point("one", tags=["1"])
        mount = self.mount(f"{repository.path}?tag=1", options="refs_ttl=0")
        os.listdir(mount / "one/1")
        for count in (1, 2):
            repository.commit(start_point(str(count)))
            repository.git("tag", "-f", "1", "HEAD")
            for _ in range(3):
                listings = mount.status()["listings"]
                eventually(lambda before=listings: os.listdir(mount / "one") and mount.status()["listings"] > before, 20,
                           "a new listing")
            self.assertEqual(count, mount.log().count("the tag has moved"))

    def test_what_cannot_be_listed_is_an_error_and_no_empty_folder(self):
        repository = self.make_start_point("one", tags=["1"])
        mount = self.mount(f"{repository.path}?tag=2")
        # Nobody has asked the remote yet, and the list names it: so the folder is there until somebody looks into it.
        self.assert_errno(errno.ESTALE, os.listdir, mount / "one/2")
        self.assert_errno(errno.ENOENT, open, mount / "one/2/manifest.json")
        os.listdir(mount / "one")
        eventually(lambda: not os.path.exists(mount / "one/2"), 10, "the folder's end")
        self.assert_errno(errno.ENOENT, os.listdir, mount / "one/2")


class Authors(EndToEnd):
    def test_findings_are_in_order_clickable_and_counted(self):
        work = self.folder / "p2/start_point"
        work.mkdir(parents=True)
        (work / "manifest.json").write_text('{\n  "tab_size": 0,\n  "zebra": 1,\n  "max_seconds": 99,\n'
                                            '  "display_name": "P"\n}\n')
        done = self.program("check", "--languages", "p2", check=False, cwd=self.folder)
        lines = done.stderr.splitlines()
        self.assertEqual(20, done.returncode)  # that of the first rule, as ever
        places = [line.split(": ")[0] for line in lines if line.startswith("p2/start_point/manifest.json:")]
        self.assertEqual(sorted(places), places)
        self.assertIn("p2/start_point/manifest.json:3:3", places)
        self.assertRegex(lines[-1], r"^\d+ errors$")
        self.assertEqual(len(lines) - 1, int(lines[-1].split()[0]))
        # In a repository that is not here, the place is the source's.
        repository = self.make_repository("far")
        repository.commit({"manifest.json": '{"tab_size": 0}'}, tag="1")
        done = self.program("check", "--languages", f"{repository.path}?tag=1", check=False)
        self.assertIn(f"{repository.path}?tag=1: manifest.json:1:", done.stderr)


class Rights(EndToEnd):
    def test_the_kernel_checks_them_as_on_the_clone(self):
        """As root, too: every file was executable for access(2), as the kernel asked nobody."""
        repository = self.make_repository("one")
        repository.commit({"run": executable("#!/bin/sh\n"), "text": "no program\n", "folder/deep": executable("#!/bin/sh\n"),
                           "folder/text": ""}, tag="1")
        clone = self.folder / "clone"
        repository.clone("1", clone)
        mount = self.mount(f"{repository.path}?tag=1")

        def executables(folder):
            found = self.call("find", ".", "-path", "./.git", "-prune", "-o", "-type", "f", "-executable", "-print", cwd=folder)
            return sorted(found.stdout.split())

        self.assertEqual(["./folder/deep", "./run"], executables(mount / "one/1"))
        self.assertEqual(executables(clone), executables(mount / "one/1"))
        self.assertFalse(os.access(mount / "one/1/text", os.X_OK))
        self.assertTrue(os.access(mount / "one/1/run", os.X_OK))
        version = os.open(mount / "one/1", os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, version)
        def ask(name):
            return lambda: os.access(name, os.X_OK, dir_fd=version)

        self.assertEqual({}, mount.requests_during(ask("run"), right_after=ask("run")))
        # Before it says no, the kernel asks once whether the mode is still what it knows.
        made = mount.requests_during(ask("text"), right_after=ask("text"))
        self.assertEqual({"getattr": 1, "total": 1}, made)
        self.assert_errno(errno.EROFS, os.open, mount / "one/1/new", os.O_CREAT | os.O_WRONLY)
