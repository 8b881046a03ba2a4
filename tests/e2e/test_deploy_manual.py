"""The manual pages, the completions and the package say what the program does."""

import os
import re
import subprocess

from support.case import EndToEnd
from support.processes import PROGRAM, PROJECT

PAGES = PROJECT / "mount-scripts" / "man"
VERSION = re.search(r"(?m)^VERSION := (\S+)$", (PROJECT / "Makefile").read_text())[1]
COMPLETIONS = PROJECT / "mount-scripts" / "completions"


class Documented(EndToEnd):
    with_sanitizers = False

    def setUp(self):
        super().setUp()
        # The completions ask the program.
        self.env["PATH"] = f"{PROGRAM.parent}:{self.env['PATH']}"

    def verbs(self):
        return re.findall(r"(?m)^  ([a-z]+) ", self.program("--help").stdout)

    def help(self, verb):
        return self.program(verb, "--help").stdout

    def options(self, verb):
        return re.findall(r"(?m)^  (-[-a-z]+)", self.help(verb).partition("\nMount options:")[0])

    def mount_options(self):
        listed = self.help("mount").partition("\nMount options:\n")[2]
        return re.findall(r"(?m)(?:^  |, )([a-z_]+)=", listed) + re.findall(
            r"(?m)^  ([a-z_]+)  ", listed)


class Help(Documented):
    def test_it_fits_into_80_columns(self):
        for verb in (None, *self.verbs()):
            shown = self.program(*([verb] if verb else []), "--help", env={**self.env, "COLUMNS": "80"}).stdout
            self.assertEqual([], [line for line in shown.splitlines() if len(line) > 80])
            self.assertNotIn("null", shown)

    OPTIONS = {
        "mount": "-f -o --languages --exercises --custom --cache --sets --offline --jobs --quiet",
        "hold": "", "umount": "--lazy --quiet", "status": "--watch --color --json --prometheus",
        "versions": "--cache --offline --json",
        "create": "--languages --exercises --custom --cache --sets --offline --jobs --force --strict --color --quiet",
        "check": "--languages --exercises --custom --cache --offline --jobs --strict --worktree --color --json --quiet",
        "ls": "--sets --json --quiet", "inspect": "--cache --sets --offline --json", "images": "--cache --sets --offline",
        "update": "--cache --sets --jobs --strict --dry-run --color --quiet", "rm": "--sets --quiet",
        "fetch": "--cache --cache-mode --sets --offline --jobs --progress --color --quiet", "reload": "--quiet",
        "gc": "--cache --sets --offline --dry-run --days --max-size --quiet",
        "serve": "--cache --sets --offline --jobs --listen --port --mount",
    }

    def test_a_verb_takes_its_own_options_alone(self):
        self.assertEqual(list(self.OPTIONS), self.verbs())
        for verb, options in self.OPTIONS.items():
            self.assertEqual(options.split(), self.options(verb), verb)

    def test_the_help_of_a_verb(self):
        """What it is made of, in its order."""
        self.assertEqual("usage: startpointfs rm [OPTIONS] NAME\n\nRemove a named set.\n\n"
                         "  --sets DIR          where named sets are kept\n  --quiet             print errors only\n", self.help("rm"))
        self.assertTrue(self.help("ls").startswith("usage: startpointfs ls [OPTIONS]\n\nList the named sets.\n\n  --sets"))
        self.assertTrue(self.help("hold").startswith("usage: startpointfs hold [OPTIONS] SOCKET\n\nKeep mounts alive when their "
                                                     "supervisors die.\n\nListens at SOCKET"))
        self.assertRegex(self.help("mount"), r"(?s)\nMount options:\n  cache=DIR .*\n  allow_other, auto_unmount and other options of "
                                             r"fuse\(8\)\n$")
        shown = self.program("--help").stdout
        self.assertTrue(shown.startswith("startpointfs shows tagged git repositories as plain folders, read-only.\n\n"
                                         "usage: startpointfs VERB [OPTIONS] OPERANDS\n\n  mount     mount lists"))
        self.assertTrue(shown.endswith("\n\n'startpointfs help VERB' says more about a verb.\n"))
        nothing = self.program(check=False)
        self.assertEqual((2, "", shown), (nothing.returncode, nothing.stdout, nothing.stderr))

    def test_a_verb_takes_so_many_operands(self):
        few, many = "too few operands; usage: startpointfs", "unexpected operand"
        for verb, least, most in (("mount", 1, None), ("hold", 1, 1), ("umount", 1, 1), ("status", 1, 1), ("versions", 1, 1),
                                  ("create", 2, None), ("check", 1, None), ("ls", 0, 0), ("inspect", 1, 1), ("images", 1, 1),
                                  ("update", 1, 1), ("rm", 1, 1), ("fetch", 1, None), ("reload", 1, 1), ("gc", 0, 0), ("probe", 0, 0)):
            if least:
                self.assertIn(f"startpointfs: {verb}: {few} {verb} [OPTIONS]", self.refused(verb, *["x"] * (least - 1)))
            if most is not None:
                self.assertIn(f"startpointfs: {many} 'y'", self.refused(verb, *["x"] * most, "y", "z"))


class Versions(Documented):
    """The Makefile knows the version. All else that names it says the same."""

    CHANGES = PROJECT / ".github" / "CHANGELOG.md"

    def test_one_version_everywhere(self):
        self.assertIn(f"startpointfs {VERSION} ", self.program("--version").stdout)
        self.assertEqual(VERSION, re.search(r"(?m)^## (\S+) \(\d{4}-\d\d-\d\d\)$", self.CHANGES.read_text())[1])
        for file in PROJECT.glob("mount-scripts/**/*"):
            if file.is_file():
                for named in re.findall(r"(?:startpointfs[:_]|newTag: )(\d+\.\d+\.\d+)", file.read_text()):
                    self.assertEqual(VERSION, named, file)

    def test_the_changelog_is_debians_too(self):
        """Each sentence of one is in the other, in the same order."""
        text = self.CHANGES.read_text()
        made = self.folder / "changelog"
        made.write_text(self.call(PROJECT / "mount-scripts/packages/changelog", input=text).stdout)
        self.assertEqual("", self.call("dpkg-parsechangelog", "-l", made, "--all").stderr)

        def words(entry):
            return [word for word in entry.split() if re.search("[a-z0-9]", word)]

        entries = re.split(r"(?m)^## ", text)[1:]
        debian = re.split(r"(?m)^startpointfs (?=\()", made.read_text())[1:]
        self.assertEqual(len(entries), len(debian))
        for ours, theirs in zip(entries, debian):
            self.assertTrue(theirs.startswith(f"({ours.split()[0]}) unstable; "))
            self.assertEqual(words(ours)[2:], words(theirs.partition("\n")[2].partition("\n -- ")[0]))


class Manual(Documented):
    def page(self, name):
        """A page as people see it, one line a paragraph's line."""
        shown = subprocess.run(["man", "-l", "-P", "cat", PAGES / name], check=True, text=True,
                               stdout=subprocess.PIPE, env={**self.env, "MANWIDTH": "200"}).stdout
        return re.sub(".\x08", "", shown)

    def test_the_pages_have_no_faults(self):
        pages = sorted(PAGES.iterdir())
        self.assertEqual(["mount.startpointfs.8", "startpointfs-list.5", "startpointfs.1"],
                         [page.name for page in pages])
        for page in pages:
            done = self.call("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
            self.assertEqual("", done.stderr)

    def test_every_verb_and_option_is_in_the_page(self):
        source = (PAGES / "startpointfs.1").read_text().replace("\\-", "-")
        verbs = self.verbs()
        self.assertGreater(len(verbs), 7)
        titles = re.findall(r'(?m)^\.SS "?([a-z]+)', source)
        self.assertEqual([], sorted(set(verbs) - set(titles)), "verbs without a section")
        for verb in verbs:
            usage = re.search(r"usage: startpointfs (\S+) \[OPTIONS\] ?(.*)", self.help(verb))
            title = f"{usage[1]} {usage[2]}".strip()
            self.assertRegex(source, rf'(?m)^\.SS "?{re.escape(title)}"?$')
            for option in self.options(verb):
                self.assertRegex(source, rf'(?m)^\.[BI]+R?I? (.*[ "])?{option}\b', f"{verb} {option}")

    def test_every_mount_option_is_in_the_page(self):
        source = (PAGES / "startpointfs.1").read_text().partition('.SH "MOUNT OPTIONS"')[2]
        options = self.mount_options()
        self.assertIn("refs_ttl", options)
        self.assertIn("offline", options)
        for option in options:
            self.assertRegex(source, rf"(?m)^\.B\S* (.* )?{option}\b")

    def test_every_mount_option_and_its_default_is_said_alike(self):
        """In the help, which is made from the table of options, and in the page; what the README names is there."""
        source = (PAGES / "startpointfs.1").read_text().partition('.SH "MOUNT OPTIONS"')[2].partition("\n.SH")[0]
        paragraphs = source.split("\n.TP\n")
        readme = (PROJECT / "README.md").read_text().replace("\\|", "|")
        helped = self.help("mount").partition("\nMount options:\n")[2]
        found = dict(re.findall(r"(?m)^  ([a-z_]+)(?:=\S+)? +(\S.*)$", helped))
        self.assertEqual(set(self.mount_options()), set(found) - {"allow_other"})
        for option in self.mount_options():
            default = re.search(r" \((\w+)\)$", found[option])
            page = [text for text in paragraphs if re.match(rf"\.B\S* (.* )?{option}\b", text)]
            self.assertEqual(1, len(page), option)
            if default:
                self.assertIn(f"({default[1]})", page[0], option)
        for option, value in re.findall(r"`([a-z_]+)=(\d+\w?)`", readme.partition("| -o | means |")[2].partition("\n\n")[0]):
            self.assertIn(f" ({value})", found[option])

    def test_what_the_page_names_is_there(self):
        """Of a page, what is no option of any verb."""
        source = (PAGES / "startpointfs.1").read_text().replace("\\-", "-")
        documented = set(re.findall(r"--[a-z][-a-z]*", source.partition(".SH OPTIONS")[2].partition(
            ".SH")[0]))
        known = {"--help", "--version", "--days", "--dry-run", "--prometheus"}
        for verb in self.verbs():
            known.update(self.options(verb))
        self.assertEqual(set(), documented - known)

    def test_the_examples_of_the_lists_page_are_a_list(self):
        shown = self.page("startpointfs-list.5").partition("EXAMPLES")[2].partition("SEE ALSO")[0]
        file = self.folder / "example.list"
        file.write_text(re.sub(r"(?m)^ +", "", shown))
        done = self.program("fetch", "--offline", "--cache", self.folder / "cache", file, check=False)
        self.assertEqual(3, done.returncode, done.stderr)
        self.assertIn("5 versions", done.stdout)

    def test_versions_of_the_libraries(self):
        shown = self.program("--version").stdout
        for library in ("libfuse", "libgit2", "libcurl", "jansson", "libmicrohttpd"):
            self.assertRegex(shown, rf"{library} \d+\.\d+")


class Completion(Documented):
    def complete(self, *words):
        script = (f". {COMPLETIONS}/startpointfs.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
                  "compopt() { :; }; _startpointfs; printf '%s\\n' \"${COMPREPLY[@]}\"")
        shown = self.call("bash", "-c", script, "bash", "startpointfs", *words, cwd=self.folder)
        return shown.stdout.split()

    def test_bash_knows_verbs_options_and_mount_options(self):
        self.assertEqual(sorted([*self.verbs(), "--help", "--version"]), sorted(self.complete("")))
        self.assertEqual(["status"], self.complete("sta"))
        for verb in self.verbs():
            self.assertEqual(sorted({*self.options(verb), "--help"} - {"-f", "-o"}),
                             sorted(set(self.complete(verb, "--"))))
        self.assertEqual(["allow_other,refs_ttl="], self.complete("mount", "-o", "allow_other,refs"))
        self.assertEqual(["no_fetch_for="], self.complete("mount", "-o", "no_f"))
        self.assertLessEqual({f"{name}=" for name in ("cache", "gid", "max_file")},
                             set(self.complete("mount", "-o", "")))

    def test_bash_knows_sets_and_mount_points(self):
        self.env["STARTPOINTFS_SETS"] = str(self.folder / "sets")
        repository = self.make_start_point()
        for name in ("alpha", "beta/gamma"):
            self.program("create", name, "--languages", "--quiet", "--cache", self.folder / "cache",
                         f"{repository.path}?tag=3.7.4-19")
        self.assertEqual(["alpha", "beta/gamma"], sorted(self.complete("rm", "")))
        self.assertEqual(["beta/gamma"], self.complete("inspect", "b"))
        mount = self.mount(f"{repository.path}?tag=3.7.4-19")
        self.assertIn(str(mount.path), self.complete("status", str(self.folder)))

    def test_zsh_reads_its_file(self):
        self.call("zsh", "-n", COMPLETIONS / "_startpointfs")
        # Each helper that asks the program, with zsh's own functions replaced by ones that print.
        script = (f"compadd() {{ print -l -- $@ }}; _describe() {{ print -l -- ${{(P)@[-1]}} }}; "
                  "_call_program() { shift; eval \"$@\" }; _values() { print -l -- ${@[4,-1]} }; "
                  f"source <(sed '$d' {COMPLETIONS}/_startpointfs); ")
        shown = self.call("zsh", "-f", "-c", script + "_startpointfs_verbs").stdout
        self.assertEqual(sorted(self.verbs()), sorted(re.findall(r"(?m)^([a-z]+):", shown)))
        shown = self.call("zsh", "-f", "-c", script + "_startpointfs_options mount").stdout
        self.assertEqual(sorted([*self.options("mount"), "--help"]),
                         sorted(re.findall(r"(?m)^(-[-a-z]+):", shown)))
        shown = self.call("zsh", "-f", "-c", script + "_startpointfs_mount_options").stdout.split()
        self.assertLessEqual({"no_fetch_for=", "offline", "browse=", "allow_other"}, set(shown))


class Package(Documented):
    deadline = 180

    def test_install_puts_all_in_place(self):
        root = self.folder / "root"
        self.call("make", "--no-print-directory", f"B={PROGRAM.parent}", "install",
                  f"DESTDIR={root}", cwd=PROJECT, timeout=100)
        found = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
        self.assertEqual({
            "usr/local/bin/startpointfs", "sbin/mount.startpointfs",
            "usr/local/share/man/man1/startpointfs.1", "usr/local/share/man/man5/startpointfs-list.5",
            "usr/local/share/man/man8/mount.startpointfs.8",
            "usr/local/lib/systemd/system/startpointfs.service",
            "usr/local/lib/systemd/system/startpointfs-serve@.service",
            "usr/local/lib/systemd/system-generators/startpointfs-generator",
            "usr/local/share/bash-completion/completions/startpointfs",
            "usr/local/share/zsh/site-functions/_startpointfs"}, found)
        self.assertEqual("/usr/local/bin/startpointfs",
                         os.readlink(root / "sbin/mount.startpointfs"))
        self.call("make", "--no-print-directory", f"B={PROGRAM.parent}", "uninstall",
                  f"DESTDIR={root}", cwd=PROJECT)
        self.assertEqual([], [path for path in root.rglob("*") if not path.is_dir()])

    def test_the_debian_package(self):
        self.call("cp", "-r", PROJECT / "Makefile", PROJECT / "LICENSE", PROJECT / ".github",
                  PROJECT / "mount-scripts", self.folder)
        (self.folder / "build").mkdir()
        self.call("cp", PROGRAM, self.folder / "build")
        shown = self.call("mount-scripts/packages/build-deb", "build", VERSION, cwd=self.folder,
                          timeout=100).stdout
        package = self.folder / shown.strip()
        done = self.call("lintian", "--allow-root", package, check=False, timeout=100)
        self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))
        self.assertRegex(self.call("dpkg-deb", "-f", package, "Depends").stdout, r"libgit2.*fuse3")
        self.call("dpkg-deb", "-x", package, self.folder / "tree")
        tree = self.folder / "tree"
        self.assertEqual(self.program("--version").stdout,
                         self.call(tree / "usr/bin/startpointfs", "--version").stdout)
        self.assertTrue((tree / "usr/sbin/mount.startpointfs").resolve().samefile(
            tree / "usr/bin/startpointfs"))
        for file in ("lib/systemd/system/startpointfs.service", "etc/default/startpointfs",
                     "usr/share/man/man1/startpointfs.1.gz",
                     "usr/share/doc/startpointfs/from-cyber-dojo.md.gz",
                     "usr/share/doc/startpointfs/examples/languages.list",
                     "usr/share/zsh/vendor-completions/_startpointfs"):
            self.assertTrue((tree / file).is_file(), file)
