"""mount(8), fstab(5), findmnt(8), df(1); folders of lists; mounting as an ordinary user."""

import os
import pwd
import subprocess

from support.case import EndToEnd
from support.host import NOBODY, Host
from support.processes import eventually, processes_of


class MountHelper(EndToEnd):
    def setUp(self):
        super().setUp()
        self.host = Host(self)
        self.repository = self.make_start_point()
        self.lists = self.folder / "lists"
        self.lists.mkdir()
        (self.lists / "languages.list").write_text(f"{self.repository.path}?tag=3.7.4-19\n")
        self.point = self.folder / "start-points"
        self.point.mkdir()
        self.options = f"cache={self.folder}/cache,log_file={self.folder}/mount.log"

    def mount(self, source, *arguments, options="ro,allow_other", **further):
        return self.host.call("mount", "-t", "startpointfs", *arguments, "-o",
                              f"{options},{self.options}", source, self.point, **further)

    def expect_no_daemon(self):
        eventually(lambda: not processes_of(self.folder, self.host.program), 10, "the daemon's end")

    def names(self, folder="."):
        return self.host.output("ls", self.point / folder).split()

    def fstab(self, *lines):
        file = self.folder / "fstab"
        file.write_text("".join(line + "\n" for line in lines))
        return file

    def test_mount_shows_a_folder_of_lists_and_umount_ends_the_daemon(self):
        self.mount(self.lists)
        self.assertEqual(["python-unittest"], self.names())
        self.assertIn("manifest.json", self.names("python-unittest/3.7.4-19"))
        self.assertEqual(["languages"], self.names(".startpointfs/sets"))
        self.assertEqual("languages", self.host.output(
            "cat", self.point / ".startpointfs/sets/languages/image.type").strip())
        self.assertEqual(NOBODY, int(self.host.output(
            "sh", "-c", f"id -u && ls {self.point} >/dev/null", user=NOBODY)))
        self.host.call("umount", self.point)
        self.expect_no_daemon()

    def test_findmnt_df_and_mount_show_what_is_mounted(self):
        self.mount(self.lists)
        row = self.host.output("findmnt", "-n", "-o", "SOURCE,FSTYPE,OPTIONS", self.point).split()
        self.assertEqual([str(self.lists), "fuse.startpointfs"], row[:2])
        self.assertIn("ro", row[2].split(","))
        self.assertIn("allow_other", row[2].split(","))
        self.assertEqual(str(self.point), self.host.output(
            "findmnt", "-n", "-o", "TARGET", "--source", self.lists).strip())
        total, used, free = map(int, self.host.output(
            "df", "--output=size,used,avail", self.point).splitlines()[1].split())
        self.assertGreater(total, 0)
        self.assertLessEqual(used + free, total)
        # df alone fails when any mount is dead; in a namespace of its own the machine's others may be.
        self.assertIn(str(self.point), self.host.call("df", check=False).stdout)
        self.assertIn(f"{self.lists} on {self.point} type fuse.startpointfs",
                      self.host.output("mount"))
        self.host.call("umount", self.point)
        self.expect_no_daemon()

    def test_the_row_shows_no_password(self):
        self.mount("http://somebody:open-sesame@127.0.0.1:9/x/repository?tag=1")
        row = self.host.output("findmnt", "-n", "-o", "SOURCE", self.point).strip()
        self.assertEqual("http://127.0.0.1:9/x/repository", row)
        self.host.call("umount", self.point)
        self.expect_no_daemon()

    def test_a_source_with_a_comma_in_its_name(self):
        folder = self.folder / "x,y"
        self.lists.rename(folder)
        self.mount(folder)
        self.assertEqual(str(folder), self.host.output(
            "findmnt", "-n", "-o", "SOURCE", self.point).strip())
        self.host.call("umount", self.point)
        self.expect_no_daemon()

    def test_an_fstab_line_and_mount_a_twice(self):
        extra = ("ro,allow_other,_netdev,nofail,noauto,user,x-systemd.automount,"
                 "x-systemd.requires=network-online.target,comment=lists")
        fstab = self.fstab(f"{self.lists} {self.point} startpointfs {extra},{self.options} 0 0")
        self.host.call("mount", "-T", fstab, self.point)
        self.assertEqual(["python-unittest"], self.names())
        self.host.call("umount", self.point)
        self.expect_no_daemon()
        fstab = self.fstab(
            f"{self.lists} {self.point} startpointfs ro,nofail,_netdev,{self.options} 0 0")
        for _ in range(2):
            self.host.call("mount", "-a", "-T", fstab)
        self.assertEqual(1, self.host.output("cat", "/proc/mounts").count(f" {self.point} "))
        self.host.call("umount", self.point)
        self.expect_no_daemon()

    def test_none_is_all_sets(self):
        sets = self.folder / "sets"
        self.program("create", "pp", "--languages", f"{self.repository.path}?tag=3.7.4-19",
                     "--sets", sets, "--cache", self.folder / "cache", "--quiet")
        fstab = self.fstab(f"none {self.point} startpointfs ro,{self.options},sets={sets} 0 0")
        for _ in range(2):
            self.host.call("mount", "-a", "-T", fstab)
        self.assertEqual(["pp"], self.names(".startpointfs/sets"))
        self.assertEqual("none", self.host.output(
            "findmnt", "-n", "-o", "SOURCE", self.point).strip())
        self.host.call("umount", self.point)
        self.expect_no_daemon()

    def test_a_fake_mount_mounts_nothing(self):
        self.mount(self.lists, "--fake")
        self.host.call("/sbin/mount.startpointfs", self.lists, self.point, "-f", "-n", "-s", "-v",
                       "-o", f"ro,{self.options}")
        self.assertEqual([], self.names())
        self.expect_no_daemon()

    def test_a_fault_is_a_sentence_and_an_exit_status(self):
        done = self.mount(self.lists, options="refs_ttl=soon", check=False)
        self.assertNotEqual(0, done.returncode)
        self.assertIn("refs_ttl", done.stderr)
        done = self.host.call("/sbin/mount.startpointfs", self.lists, check=False)
        self.assertEqual(2, done.returncode)
        self.assertIn("mount -t startpointfs", done.stderr)
        self.expect_no_daemon()


class Folders(EndToEnd):
    def test_a_cache_in_the_mount_point_is_refused(self):
        repository = self.make_start_point()
        point = self.folder / "mnt"
        point.mkdir()
        (self.folder / "link").symlink_to("mnt")
        sets = self.folder / "sets"
        for cache, others in ((point, sets), (point / "cache", sets), (self.folder / "link", sets), (self.folder / "link/not/yet", sets),
                              (self.folder / "c", point / "s")):
            said = self.refused("mount", "--cache", cache, "--sets", others, repository.path, point, status=1)
            self.assertEqual(f"startpointfs: the cache {cache} and the sets {others} must not lie in the mount point {point}\n", said)
        self.mount(repository.path, name="mnt", cache=self.folder / "mnt-cache")


class FolderOfLists(EndToEnd):
    def setUp(self):
        super().setUp()
        self.first = self.make_start_point("first", tags=["1"])
        self.second = self.make_start_point("second", tags=["2"])
        self.lists = self.folder / "lists"
        self.lists.mkdir()

    def write(self, name, *sources):
        (self.folder / "new").write_text("".join(f"{source}\n" for source in sources))
        os.rename(self.folder / "new", self.lists / name)

    def expect(self, mount, roots, sets):
        eventually(lambda: sorted(os.listdir(mount)) == roots
                   and sorted(os.listdir(mount / ".startpointfs/sets")) == sets,
                   15, f"{roots} and {sets}")

    def test_lists_come_change_and_go_while_it_is_mounted(self):
        self.write("one.list", f"{self.first.path}?tag=1")
        (self.lists / "README").write_text("no list")
        mount = self.mount(self.lists)
        self.expect(mount, ["first"], ["one"])
        self.write("two.list", f"{self.second.path}?tag=2")
        self.expect(mount, ["first", "second"], ["one", "two"])
        self.write("two.list", f"{self.second.path}?tag=2&name=renamed")
        self.expect(mount, ["first", "renamed"], ["one", "two"])
        os.unlink(self.lists / "one.list")
        self.expect(mount, ["renamed"], ["two"])

    def test_a_faulty_list_comes_and_is_repaired(self):
        mount = self.mount(self.lists)
        self.expect(mount, [], [])
        self.write("one.list", "https://example.org/x?colour=red")
        eventually(lambda: "colour" in mount.log(), 15, "a sentence in the log")
        self.expect(mount, [], [])
        self.write("one.list", f"{self.first.path}?tag=1")
        self.expect(mount, ["first"], ["one"])

    def test_lists_as_a_configmap_mounts_them(self):
        """Kubernetes changes all files of such a folder at once, by renaming a symlink."""
        def publish(name, **files):
            (self.lists / name).mkdir()
            for file, text in files.items():
                (self.lists / name / f"{file}.list").write_text(text + "\n")
            os.symlink(name, self.lists / "..tmp")
            os.rename(self.lists / "..tmp", self.lists / "..data")

        publish("..1", one=f"{self.first.path}?tag=1")
        os.symlink("..data/one.list", self.lists / "one.list")
        mount = self.mount(self.lists)
        self.expect(mount, ["first"], ["one"])
        publish("..2", one=f"{self.second.path}?tag=2")
        self.expect(mount, ["second"], ["one"])

    def test_create_and_fetch_take_a_folder_of_lists(self):
        self.write("a.list", f"{self.first.path}?tag=1")
        self.write("b.list", f"{self.second.path}?tag=2")
        folders = ["--cache", self.folder / "cache", "--sets", self.folder / "sets"]
        self.assertIn("2 versions", self.program("fetch", *folders[:2], self.lists).stdout)
        done = self.program("create", "both", "--languages", *folders, self.lists, check=False)
        self.assertEqual(40, done.returncode, done.stderr)  # the same display name twice


class WithoutAnEnvironment(EndToEnd):
    """As mount(8) from fstab, and systemd, start a program: without HOME and PATH."""

    def setUp(self):
        super().setUp()
        self.host = Host(self)
        self.repository = self.make_start_point()
        home = self.folder / "root"
        home.mkdir()
        (home / ".gitconfig").write_text(
            f"[url \"{self.repositories}/\"]\n\tinsteadOf = https://example.invalid/\n"
            f"[safe]\n\tdirectory = *\n[core]\n\tsshCommand = \"/usr/bin/env > {self.folder}/seen; false\"\n")
        self.home = pwd.getpwuid(0).pw_dir
        self.host.call("mount", "--bind", home, self.home)
        self.bare = ["env", "-i", f"E2E_FOLDER={self.folder}"]

    def test_git_is_configured_as_in_a_shell(self):
        listed = self.host.output(*self.bare, self.host.program, "versions", "https://example.invalid/python-unittest")
        self.assertIn("3.7.4-19", listed)
        self.host.call(*self.bare, self.host.program, "versions", "ssh://example.invalid/x", check=False)
        seen = (self.folder / "seen").read_text().splitlines()
        self.assertIn(f"HOME={self.home}", seen)
        self.assertIn("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", seen)
        # What is set stays.
        done = self.host.call(*self.bare, "HOME=/nowhere", self.host.program, "versions",
                              "https://example.invalid/python-unittest", check=False)
        self.assertEqual(3, done.returncode)

    def test_a_mount_from_fstab_is_configured_likewise(self):
        point = self.folder / "start-points"
        point.mkdir()
        lines = self.folder / "pp.list"
        lines.write_text("https://example.invalid/python-unittest?tag=3.7.4-19\n")
        fstab = self.folder / "fstab"
        fstab.write_text(f"{lines} {point} startpointfs ro,cache={self.folder}/cache,log_file={self.folder}/mount.log 0 0\n")
        self.host.call(*self.bare, "/bin/mount", "-T", fstab, point)
        self.assertIn("manifest.json", self.host.output("ls", point / "python-unittest/3.7.4-19"))
        self.host.call("umount", point)
        eventually(lambda: not processes_of(self.folder, self.host.program), 10, "the daemon's end")


class OrdinaryUser(EndToEnd):
    def setUp(self):
        super().setUp()
        self.host = Host(self)
        self.host.put_device()
        self.repository = self.make_start_point()
        self.home = self.folder / "nobody"
        self.home.mkdir()
        self.point = self.home / "mnt"
        self.point.mkdir()
        for path in (self.home, self.point):
            os.chown(path, NOBODY, NOBODY)
        self.call("chmod", "-R", "a+rX", self.folder)

    def call_as_nobody(self, *command, **options):
        environment = {"HOME": str(self.home), "TMPDIR": str(self.home)}
        return self.host.call(*command, user=NOBODY, env=environment, **options)

    def mount(self, *arguments, **options):
        return self.call_as_nobody(self.host.program, "mount", *arguments,
                                   f"{self.repository.path}?tag=3.7.4-19", self.point, **options)

    def test_mounts_reads_and_unmounts_with_a_cache_of_their_own(self):
        for unmount in ([self.host.program, "umount"], ["fusermount3", "-u"]):
            self.mount("-o", f"log_file={self.home}/mount.log")
            manifest = self.point / "python-unittest/3.7.4-19/manifest.json"
            self.assertIn("3.7.4-19", self.call_as_nobody("cat", manifest).stdout)
            self.assertEqual(NOBODY, int(self.call_as_nobody("stat", "-c", "%u", manifest).stdout))
            self.assertEqual(NOBODY, (self.home / ".cache/startpointfs").stat().st_uid)
            self.call_as_nobody(*unmount, self.point)
            eventually(lambda: not processes_of(self.folder, self.host.program), 10, "the end")

    def check_that_root_is_inside_unseen(self):
        inside = self.start("nsenter", "--target", str(self.host.keeper.pid), "--mount", "sh", "-c",
                            f"cd {self.point}/python-unittest && echo && exec sleep infinity", stdout=subprocess.PIPE)
        inside.stdout.readline()
        done = self.call_as_nobody(self.host.program, "umount", self.point, check=False)
        self.assertEqual(1, done.returncode)
        self.assertTrue(done.stderr.endswith("\n  nobody you are allowed to see; root sees everybody\n"), done.stderr)
        inside.kill()
        inside.wait()
        inside.stdout.close()

    def check_that_it_is_nobody_elses(self):
        done = self.host.call(self.host.program, "umount", self.point, user=pwd.getpwnam("daemon").pw_uid, check=False)
        self.assertEqual((1, f"startpointfs: {self.point} was mounted by user {NOBODY}: only that user and root can unmount it\n"),
                         (done.returncode, done.stderr))
        done = self.call_as_nobody("env", "PATH=/nowhere", self.host.program, "umount", self.point, check=False)
        self.assertEqual((1, f"startpointfs: cannot unmount {self.point}: there is no fusermount3; install fuse3\n"),
                         (done.returncode, done.stderr))
        nothing = self.folder / "nothing"
        nothing.mkdir()
        done = self.call_as_nobody(self.host.program, "umount", nothing, check=False)
        self.assertEqual((1, f"startpointfs: nothing is mounted on {nothing}\n"), (done.returncode, done.stderr))

    def test_allow_other_needs_a_line_in_fuse_conf(self):
        self.host.put_file("/etc/fuse.conf", "# user_allow_other\nuser_allow_others\n")
        for option in ("allow_other", "allow_root"):
            done = self.mount("-o", f"{option},log_file={self.home}/mount.log", check=False)
            self.assertEqual((1, f"startpointfs: option {option}: ordinary users may show a mount to others only if root has put the "
                              f"line 'user_allow_other' into /etc/fuse.conf; put it there, or leave {option} out\n"),
                             (done.returncode, done.stderr))
        self.host.put_file("/etc/fuse.conf", "mount_max = 10\n \tuser_allow_other # for all\n")
        self.mount("-o", f"allow_other,log_file={self.home}/mount.log")
        self.assertEqual("python-unittest", self.host.output("ls", self.point).strip())
        self.check_that_root_is_inside_unseen()
        self.check_that_it_is_nobody_elses()
        self.call_as_nobody(self.host.program, "umount", self.point)
        eventually(lambda: not processes_of(self.folder, self.host.program), 10, "the end")
