"""From a checkout to a program: make, make run, make install, make clean."""

import os
import pathlib
import re
import shutil
import subprocess

from support.case import EndToEnd
from support.processes import PROGRAM, PROJECT


class Start(EndToEnd):
    with_sanitizers = False
    deadline = 120

    def make(self, *arguments, **options):
        return self.call("make", "--no-print-directory", f"B={PROGRAM.parent}", *arguments,
                         cwd=options.pop("cwd", PROJECT), timeout=100, **options)

    def test_run_shows_a_mount_and_how_to_end_it_and_does_so_twice(self):
        env = {**self.env, "XDG_RUNTIME_DIR": str(self.folder)}
        self.addCleanup(self.call, "sh", "-c", "umount startpointfs-example-*/mount || :",
                        cwd=self.folder)
        for _ in range(2):
            shown = self.make("run", env=env).stdout
            unmount = shown.rstrip().splitlines()[-1].split()
            self.assertEqual("umount", unmount[1])
            mount = pathlib.Path(unmount[2])
            self.assertEqual(["bash-bats", "python-unittest"], sorted(os.listdir(mount)))
            tags = ["3.7.3-2", "3.7.4-18", "3.7.4-19"]
            self.assertLessEqual(set(tags), set(os.listdir(mount / "python-unittest")))
            listing = shown.partition(f"$ ls {mount}/python-unittest\n")[2].split("\n\n")[0]
            self.assertLessEqual(set(tags), set(listing.split()))
            manifest = (mount / "python-unittest" / "3.7.4-19" / "manifest.json").read_text()
            self.assertIn("cyberdojofoundation/python_unittest:3.7.4-19", manifest)
            self.assertIn(manifest, shown)
        self.call(*unmount, cwd=PROJECT)
        self.assertFalse(os.path.ismount(mount))

    def test_install_and_uninstall(self):
        target = self.folder / "root"
        self.make("install", f"DESTDIR={target}", "PREFIX=/usr")
        installed = target / "usr" / "bin" / "startpointfs"
        self.assertTrue(os.access(installed, os.X_OK))
        self.assertEqual(PROGRAM.read_bytes(), installed.read_bytes())
        self.make("uninstall", f"DESTDIR={target}", "PREFIX=/usr")
        self.assertEqual([], [path for path in target.rglob("*") if not path.is_dir()])

    def test_clean_removes_what_was_built_and_nothing_else(self):
        shutil.copy(PROJECT / "Makefile", self.folder)
        for name in ("build", "build-asan", "keep"):
            (self.folder / name).mkdir()
            (self.folder / name / "file").touch()
        self.make("clean", cwd=self.folder)
        left = {path.name for path in self.folder.iterdir()}
        self.assertLessEqual({"Makefile", "keep"}, left)
        self.assertFalse({"build", "build-asan"} & left)

    def test_strict_flags_survive_the_callers_own(self):
        shown = self.make("-n", "-B", "all", "CFLAGS=-O0").stdout
        compiled = [line for line in shown.splitlines() if re.search(r" -c .*\.c$", line)]
        self.assertTrue(compiled)
        for line in compiled:
            self.assertIn("-Wall", line)
            self.assertIn("-Werror", line)
            self.assertIn("-O0", line)

    def test_ci_runs_make_test(self):
        self.assertRegex((PROJECT / ".ci" / "run").read_text(), r"(?m)^(exec )?make test$")
        self.assertTrue(os.access(PROJECT / ".ci" / "run", os.X_OK))


class Layers(EndToEnd):
    """The check of the house sees what it must see."""

    with_sanitizers = False

    # A house without a fault: what a path holds, but for headers' guards.
    SOUND = {
        "fs/cli/main.c": '#include "fs/cli/version.h"\n#include "fs/worker/worker.h"\n',
        "fs/cli/version.c": '#include "fs/cli/version.h"\n#include <jansson.h>\n#include <fuse_lowlevel.h>\n',
        "fs/cli/version.h": "/* version.h - which program this is. */\n",
        "fs/worker/worker.c": '#include "fs/worker/worker.h"\n#include <fuse_lowlevel.h>\nstruct worker {\n};\n',
        "fs/worker/worker.h": '/* worker.h - answers the kernel. */\n#include "fs/tree/mount.h"\n',
        "fs/tree/mount.c": '#include "fs/tree/mount.h"\n#include "gitcache/checkout/objects.h"\n'
                           'static const char *text = "cannot"; /* can\'t: said to nobody */\n',
        "fs/tree/mount.h": '/* mount.h - what a mount shows. */\n#include "gitcache/store/odb.h"\n',
        "fs/log.c": '#include "fs/log.h"\n',
        "fs/log.h": "/* log.h - a line an event. */\n",
        "gitcache/store/odb.c": '#include "gitcache/store/odb.h"\n#include "gitcache/store/pack.h"\n',
        "gitcache/store/odb.h": "/* odb.h - objects. */\n",
        "gitcache/store/pack.c": '#include "gitcache/store/pack.h"\n',
        "gitcache/store/pack.h": "/* pack.h - one pack. Private to\n * gitcache/store. */\n#include <git2.h>\n"
                                 "struct pack {\n};\n",
        "gitcache/net/http.c": '#include "gitcache/net/http.h"\n#include <curl/curl.h>\n',
        "gitcache/net/http.h": "/* http.h - a request. Private to gitcache/. */\n",
        "gitcache/checkout/objects.c": '#include "gitcache/checkout/objects.h"\n#include "gitcache/store/odb.h"\n',
        "gitcache/checkout/objects.h": "/* objects.h - trees and files. */\n",
        "manifest/rules.c": '#include "manifest/rules.h"\n#include <jansson.h>\n#include <oniguruma.h>\n',
        "manifest/rules.h": "/* rules.h - the rules. Private to rules.c. */\n",
        "Makefile": "", "README.md": "", ".github/CONTRIBUTING.md": "", "tests/run": "", "mount-scripts/example": "",
    }

    # One fault each: what is written, and what is said of it.
    FAULTS = {
        "a room that is none": ({"fs/room/a.h": "/* a.h - a. */\n"}, "no room: fs/room/a.h"),
        "directly in fs/": ({"fs/a.h": "/* a.h - a. */\n"}, "no room: fs/a.h"),
        "directly in gitcache/": ({"gitcache/a.h": "/* a.h - a. */\n"}, "no room: gitcache/a.h"),
        "no C file": ({"gitcache/net/a.txt": ""}, "only C files belong here: gitcache/net/a.txt"),
        "at the top": ({"more/a.c": ""}, "nothing else belongs at the top: more/a.c"),
        "a core dump": ({"core": ""}, "nothing else belongs at the top: core"),
        "a drawer": ({"fs/cli/utils.h": "/* utils.h - all sorts. */\n"}, "a drawer called utils"),
        "a source without a header": ({"fs/tree/a.c": ""}, "has no header of its name: fs/tree/a.c"),
        "a header that says nothing": ({"fs/tree/a.h": ""}, "does not begin with '/* a.h - ': fs/tree/a.h"),
        "no README": ({"fs/sets/a.h": "/* a.h - a. */\n"}, "has no README.md: fs/sets/"),
        "a long README": ({"fs/tree/README.md": "\n" * 41}, "has more than 40 lines: fs/tree/README.md"),
        "a room above": ({"gitcache/store/odb.c": '#include "gitcache/net/http.h"\n'},
                         "gitcache/store may not know gitcache/net"),
        "the tree knows FUSE": ({"fs/tree/mount.c": '#include "fs/worker/worker.h"\n'},
                                "fs/tree may not know fs/worker"),
        "a library knows the program": ({"manifest/rules.c": '#include "fs/log.h"\n'}, "manifest may not know fs"),
        "not from the top": ({"fs/tree/mount.c": '#include "mount.h"\n'}, "headers are found from the top"),
        "private": ({"gitcache/checkout/objects.c": '#include "gitcache/store/pack.h"\n'},
                    "private to gitcache/store: gitcache/checkout/objects.c"),
        "private to the library": ({"fs/log.c": '#include "gitcache/net/http.h"\n'},
                                   "private to gitcache: fs/log.c"),
        "libgit2": ({"fs/tree/mount.c": " # include <git2/odb.h>\n"}, "may not know libgit2: fs/tree/mount.c"),
        "libgit2 by another header": ({"gitcache/store/odb.h": '/* odb.h - o. */\n#include "gitcache/store/pack.h"\n'},
                                      "may not know libgit2: fs/tree/mount.h: git2.h by gitcache/store/pack.h"),
        "libcurl": ({"gitcache/net/ssh.h": "/* ssh.h - a. */\n#include <curl/curl.h>\n"},
                    "may not know libcurl: gitcache/net/ssh.h"),
        "libfuse": ({"fs/tree/mount.h": "/* mount.h - a. */\n#include <fuse_lowlevel.h>\n"},
                    "may not know libfuse: fs/tree/mount.h"),
        "jansson": ({"gitcache/net/http.c": "#include <jansson.h>\n"}, "may not know jansson: gitcache/net/http.c"),
        "oniguruma": ({"fs/log.c": "#include <oniguruma.h>\n"}, "may not know oniguruma: fs/log.c"),
        "libmicrohttpd": ({"fs/log.c": "#include <microhttpd.h>\n"}, "may not know libmicrohttpd: fs/log.c"),
        "one word": ({"gitcache/net/http.c": "struct worker {\n};\n"},
                     "one word for two things: worker: fs/worker/worker.c gitcache/net/http.c"),
        "can't": ({"fs/log.c": 'static const char *text = "you can\'t";\n'}, "says 'cannot', not 'can't': fs/log.c"),
    }

    def house(self, name, changes):
        """What the check says of the sound house with these changes."""
        top = self.folder / name.replace("/", "_")
        rooms = {path.rpartition("/")[0] for path in self.SOUND if path.endswith(".c")} - {"fs"}
        readmes = {f"{room}/README.md": "" for room in rooms}
        for path, text in {**self.SOUND, **readmes, **changes}.items():
            file = top / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return subprocess.run([PROJECT / "tests" / "layers", top], text=True, check=False,
                              env={**self.env, "GIT_DIR": "/nonexistent"}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)

    def test_a_sound_house_has_no_fault(self):
        done = self.house("sound", {})
        self.assertEqual((0, ""), (done.returncode, done.stdout))

    def test_each_fault_is_found(self):
        for name, (changes, said) in self.FAULTS.items():
            with self.subTest(name):
                done = self.house(name, changes)
                self.assertEqual(1, done.returncode)
                self.assertIn(said, done.stdout)
