"""Mounting and unmounting."""

import errno
import os
import pathlib
import signal
import time

from support import servers
from support.case import EndToEnd
from support.processes import PROGRAM, eventually


class Mounting(EndToEnd):
    def test_it_answers_when_the_command_returns(self):
        repository = self.make_start_point()
        mount = self.mount(f"{repository.path}?tag=3.7.4-19")
        self.assertEqual(["python-unittest"], os.listdir(mount))
        self.assertIn("3.7.4-19", (mount / "python-unittest/3.7.4-19/manifest.json").read_text())
        # It keeps no folder busy, and ps(1) shows its name.
        processes = [pathlib.Path(f"/proc/{pid}") for pid in mount.processes()]
        self.assertEqual({("/", "startpointfs\n"), ("/", "sp-launcher\n")},
                         {(os.readlink(one / "cwd"), (one / "comm").read_text()) for one in processes})

    def test_it_needs_no_remote_and_asks_none(self):
        silent = self.serve(servers.SilentServer)
        begun = time.monotonic()
        mount = self.mount(silent.url("dead") + "?tag=1", f"{self.folder}/nowhere/gone?tag=1",
                           f"http://127.0.0.1:{servers.free_port()}/refused")
        self.assertEqual(["dead", "gone", "refused"], sorted(os.listdir(mount)))
        self.call("ls", "-l", mount)
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(0, mount.fetches())
        self.assertEqual(0, silent.accepted)

    def test_the_foreground_logs_on_stderr(self):
        repository = self.make_start_point()
        (self.folder / "mnt").mkdir()
        with open(self.folder / "stderr.log", "wb") as log:
            self.start(PROGRAM, "mount", "-f", "-o", "log=debug", "--cache", self.folder / "cache",
                       f"{repository.path}?tag=3.7.4-19", self.folder / "mnt", stderr=log)
        manifest = self.folder / "mnt/python-unittest/3.7.4-19/manifest.json"
        eventually(manifest.exists, 10, "the mount")
        eventually(lambda: "python-unittest" in (self.folder / "stderr.log").read_text(), 10,
                   "a log on stderr that names what was fetched")
        self.call("umount", self.folder / "mnt")

    def test_every_way_to_unmount_ends_the_daemon_with_exit_code_0(self):
        repository = self.make_start_point()
        for how in ("startpointfs", "umount", "fusermount3"):
            with self.subTest(how):
                mount = self.mount(repository.path, foreground=True, name=how)
                os.listdir(mount / "python-unittest" / "master")
                mount.unmount(how)
                self.assertEqual(0, mount.expect_end())

    def test_every_way_to_unmount_ends_the_background_daemon(self):
        repository = self.make_start_point()
        for how in ("startpointfs", "umount", "fusermount3"):
            with self.subTest(how):
                mount = self.mount(repository.path, name=how)
                self.assertTrue(mount.processes())
                os.listdir(mount / "python-unittest" / "3.7.4-19")
                mount.unmount(how)

    def test_signals_unmount_and_exit_with_0(self):
        repository = self.make_start_point()
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                mount = self.mount(repository.path, foreground=True, name=f"mount-{number}")
                os.listdir(mount / "python-unittest")
                mount.foreground.send_signal(number)
                self.assertEqual(0, mount.expect_end())

    def test_a_mount_that_waits_for_a_dead_server_can_be_unmounted(self):
        silent = self.serve(servers.SilentServer)
        mount = self.mount(silent.url("dead") + "?tag=1", foreground=True, options="timeout=100")
        reader = self.start("cat", mount / "dead/1/manifest.json", stderr=-3)
        eventually(lambda: silent.accepted, 10, "a connection to the silent server")
        mount.foreground.send_signal(signal.SIGTERM)
        self.assertEqual(0, mount.expect_end())
        self.assertNotEqual(0, reader.wait(10))

    def test_a_dead_daemons_mount_point_is_cleared(self):
        repository = self.make_start_point()
        source = f"{repository.path}?tag=3.7.4-19"
        first = self.mount(source, name="again")
        os.listdir(first / "python-unittest")
        # The parent first, so that it starts no new worker.
        for pid in sorted(first.processes()):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not first.processes(), 10, "the daemon's death")

        def is_dead():
            try:
                return os.listdir(first) and False
            except OSError as failure:
                return failure.errno == errno.ENOTCONN

        eventually(is_dead, 10, "Transport endpoint is not connected")
        self.assertEqual(f"startpointfs: the mount on {first.path} does not answer: Transport endpoint is not connected\n",
                         self.refused("status", first.path, status=1))
        second = self.mount(source, name="again")
        self.assertEqual(["python-unittest"], os.listdir(second))
        second.unmount()
        self.assertFalse(second.is_mounted())

    def test_a_mount_point_that_cannot_be_used_is_named(self):
        repository = self.make_start_point()
        missing = self.folder / "missing"
        file = self.folder / "file"
        file.touch()
        for place, says in ((missing, "No such file or directory (make it with mkdir)"), (file, "not a folder"),
                            (file / "x", "Not a directory")):
            self.assertEqual(f"startpointfs: mount point {place}: {says}\n",
                             self.refused("mount", "--cache", self.folder / "cache", repository.path, place, status=1))
        mount = self.mount(repository.path)
        self.assertEqual(f"startpointfs: a startpointfs is already mounted on {mount.path}: run 'startpointfs umount {mount.path}' "
                         "first\n", self.refused("mount", "--cache", mount.cache, repository.path, mount.path, status=1))

    def test_umount_of_what_is_not_mounted_is_refused(self):
        self.assertEqual(f"startpointfs: nothing is mounted on {self.folder}\n", self.refused("umount", self.folder, status=1))

    def test_without_arguments_it_says_how_to_use_it(self):
        self.assertIn("mount", self.refused())
        self.assertIn("frobnicate", self.refused("frobnicate"))
        self.assertIn("--frobnicate", self.refused("mount", "--frobnicate", "x", self.folder))
        self.assertIn("frobnicate", self.refused("mount", "-o", "frobnicate=1", "x", self.folder))
        self.assertIn("mount", self.program("--help").stdout)


class Sources(EndToEnd):
    def test_all_four_spellings(self):
        repository = self.make_start_point(tags=["1.0", "2.0"])
        first, last = repository.id_of("1.0"), repository.id_of("2.0")
        for source, name, expected in (
                (f"{repository.file_url}?tag=1.0", "1.0", "1.0"),
                (repository.file_url, "master", "2.0"),
                (f"{first[:7]}@{repository.file_url}", first[:7], "1.0"),
                (f"{last}@{repository.file_url}", last, "2.0"),
                (f"{repository.path}?tag=2.0", "2.0", "2.0"),
                (f"{first[:12]}@{repository.path}", first[:12], "1.0"),
                (f"{repository.path}", "master", "2.0")):
            with self.subTest(source):
                mount = self.mount(source)
                shown = os.listdir(mount / "python-unittest")
                self.assertTrue([one for one in shown if one.startswith(name)], shown)
                manifest = (mount / "python-unittest" / name / "manifest.json").read_text()
                self.assertIn(f"python_unittest:{expected}", manifest)
                mount.unmount()

    def test_a_folder_relative_to_where_one_stands(self):
        self.make_start_point()
        place = self.folder / "mount"
        place.mkdir()
        self.call(PROGRAM, "mount", "--cache", self.folder / "cache",
                  "repositories/python-unittest", "mount", cwd=self.folder)
        self.addCleanup(self.program, "umount", place)
        self.assertIn("manifest.json", os.listdir(place / "python-unittest" / "master"))

    def test_the_default_branch_is_master_then_main_then_head(self):
        for branches, expected in ((["master", "main", "trunk"], "master"),
                                   (["main", "trunk"], "main"), (["trunk", "other"], "trunk")):
            with self.subTest(expected):
                repository = self.make_repository(expected, branch="trunk")
                for branch in branches:
                    repository.commit({"branch": branch}, branch=branch)
                mount = self.mount(repository.path)
                self.assertEqual(expected, (mount / expected / expected / "branch").read_text())
                self.assertIn(expected, os.listdir(mount / expected))

    def test_lists_with_comments_and_several_of_them(self):
        for name in ("one", "two", "three", "four"):
            self.make_start_point(name, tags=["1", "2"])
        (self.folder / "first").write_bytes(
            b"\xef\xbb\xbf# a comment\r\n\r\n  # another\r\n./repositories/one?tag=1\r\n"
            b"./repositories/one?tag=2\r\n")
        (self.folder / "second").write_text(
            f"file://{self.repositories}/two?tag=1\n\n{self.repositories}/three?tag=1")
        mount = self.mount(self.folder / "first", f"{self.repositories}/four?tag=2",
                           self.folder / "second")
        self.assertEqual(["four", "one", "three", "two"], sorted(os.listdir(mount)))
        for path in ("one/1", "one/2", "two/1", "three/1", "four/2"):
            self.assertIn("manifest.json", os.listdir(mount / path))

    def test_an_alias_renames_the_folder(self):
        repository = self.make_start_point()
        mount = self.mount(f"{repository.path}?tag=3.7.4-19&name=python")
        self.assertEqual(["python"], os.listdir(mount))
        self.assertIn("manifest.json", os.listdir(mount / "python/3.7.4-19"))

    def test_dot_git_is_no_part_of_the_name(self):
        repository = self.make_start_point("bats.git")
        mount = self.mount(repository.path)
        self.assertEqual(["bats"], os.listdir(mount))

    def test_a_pinned_commit_is_what_is_served(self):
        repository = self.make_start_point(tags=["1", "2"])
        first, second = repository.id_of("1"), repository.id_of("2")
        mount = self.mount(f"{repository.path}?tag=1&commit={first}")
        self.assertIn(":1", (mount / "python-unittest/1/manifest.json").read_text())
        # The tag has moved since the source was pinned: another machine gets the same tree all the same.
        repository.git("tag", "-f", "1", second)
        other = self.mount(f"{repository.path}?tag=1&commit={first}", cache=self.folder / "other")
        self.assertIn(":1", (other / "python-unittest/1/manifest.json").read_text())

    def test_a_pinned_commit_that_does_not_exist_is_refused(self):
        repository = self.make_start_point(tags=["1"])
        mount = self.mount(f"{repository.path}?tag=1&commit={'5' * 40}")
        self.assert_errno(errno.ENOENT, os.stat, mount / "python-unittest/1/manifest.json")
        self.assertIn("5" * 40, mount.version("python-unittest", "1")["error"])

    def test_options_stand_anywhere_before_the_operands(self):
        repository = self.make_start_point()
        for number, (before, after, environment) in enumerate((
                (["--cache", "CACHE"], [], {}), ([], ["--cache", "CACHE"], {}),
                ([], ["--cache=CACHE"], {}), ([], ["-o", "refs_ttl=5,cache=CACHE"], {}),
                ([], ["-o", "cache=CACHE", "-o", "refs_ttl=5"], {}),
                ([], [], {"STARTPOINTFS_CACHE": "CACHE"}))):
            with self.subTest(before=before, after=after, environment=environment):
                cache, place = self.folder / f"cache{number}", self.folder / f"place{number}"
                place.mkdir()
                fill = {"CACHE": str(cache)}
                command = [one.replace("CACHE", fill["CACHE"]) for one in [*before, "mount", *after]]
                env = {**self.env, **{name: str(cache) for name in environment}}
                self.program(*command, repository.path, place, env=env)
                try:
                    os.listdir(place / "python-unittest" / "master")
                    self.assertTrue(os.listdir(cache))
                finally:
                    self.program("umount", place)

    def test_without_any_option_the_cache_is_in_its_usual_place(self):
        repository = self.make_start_point()
        place = self.folder / "place"
        place.mkdir()
        env = {**self.env, "XDG_CACHE_HOME": str(self.folder / "xdg"),
               "CACHE_DIRECTORY": str(self.folder / "systemd")}
        self.program("mount", repository.path, place, env=env)
        self.addCleanup(self.program, "umount", place)
        os.listdir(place / "python-unittest" / "master")
        self.assertTrue(os.listdir(self.folder / "systemd"))

    def test_credentials_are_shown_nowhere(self):
        port = servers.free_port()
        mount = self.mount(f"http://somebody:s3cr3t@127.0.0.1:{port}/dead?tag=1")
        with self.assertRaises(OSError):
            os.listdir(mount / "dead" / "1")
        status = (mount / ".startpointfs" / "status.json").read_text()
        self.assertIn(f"127.0.0.1:{port}/dead", status)
        shown = [status, self.program("status", mount).stdout, self.call("findmnt").stdout,
                 mount.log(), str(list(mount.cache.rglob("*")))]
        for text in shown:
            self.assertNotIn("s3cr3t", text)
        for file in mount.cache.rglob("*"):
            if file.is_file():
                self.assertNotIn(b"s3cr3t", file.read_bytes(), file)


class SourceErrors(EndToEnd):
    """What is wrong with a list is said before anything is mounted, with file and line."""

    def check(self, line, *parts):
        with self.subTest(line):
            listed = self.folder / "faulty"
            listed.write_text(f"# first\n\n{line}\n", errors="surrogateescape")
            place = self.folder / "place"
            place.mkdir(exist_ok=True)
            text = self.refused("mount", listed, place)
            for part in (str(listed), "3", *parts):
                self.assertIn(part, text.replace(str(self.folder / "place"), ""))
            self.assertEqual(1, len(text.splitlines()), text)
            self.assertFalse(os.path.ismount(place))
            return text

    def test_unknown_query_key(self):
        self.check("https://example.org/a?colour=blue", "colour")
        self.check("https://example.org/a?tag=1&tag=2", "tag")
        self.check("https://example.org/a?tag=1&commit=12345", "commit")

    def test_empty_or_impossible_tag(self):
        self.check("https://example.org/a?tag=", "tag")
        self.check("https://example.org/a?tag=a..b", "a..b")
        self.check("https://example.org/a?tag=.hidden", ".hidden")
        self.check("https://example.org/a?tag=/x", "/x")

    def test_a_url_that_begins_with_a_dash(self):
        self.check("--upload-pack=touch", "--upload-pack")
        self.check("1234567@-oProxyCommand=x", "-oProxyCommand")
        self.check("ssh://-oProxyCommand=touch/x", "-oProxyCommand")

    def test_schemes_that_run_commands(self):
        for url in ("ext::sh -c touch% /tmp/x", "fd::3", "helper::x", "gopher://example.org/a"):
            self.check(url, url.split(":")[0])

    def test_a_name_that_cannot_be_a_folder(self):
        self.check("https://example.org/a?name=x/y", "x/y")
        self.check("https://example.org/a?name=.startpointfs", ".startpointfs")
        self.check("https://example.org/a?name=..", "..")
        self.check("https://example.org/..", "..")

    def test_control_characters_are_not_echoed(self):
        text = self.check("https://example.org/\x1b[31mred?tag=")
        self.assertNotIn("\x1b", text)

    def test_credentials_are_not_echoed(self):
        self.assertNotIn("s3cr3t", self.check("https://me:s3cr3t@example.org/a?colour=blue"))

    def test_a_name_that_two_urls_claim(self):
        one, two = self.folder / "list-one", self.folder / "list-two"
        one.write_text("# x\nhttps://example.org/one/same?tag=1\n")
        two.write_text("https://example.org/two/same?tag=1\n")
        text = self.refused("mount", one, two, self.folder)
        for part in ("same", f"{one}", "2", f"{two}", "1"):
            self.assertIn(part, text)

    def test_a_list_without_sources_or_that_cannot_be_read(self):
        empty = self.folder / "empty"
        empty.write_text("# nothing\n")
        self.assertIn(str(empty), self.refused("mount", empty, self.folder))
