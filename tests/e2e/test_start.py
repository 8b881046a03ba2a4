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
    """The layering check sees what it must see."""

    with_sanitizers = False

    def check(self):
        return subprocess.run([PROJECT / "tests" / "layers", self.folder / "tree"], text=True,
                              env={**self.env, "GIT_DIR": "/nonexistent"}, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def write(self, path, text=""):
        file = self.folder / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def test_each_fault_is_found(self):
        self.write("gitcache/wire.c", '#include <curl/curl.h>\n#include <git2.h>\n')
        self.write("manifest/manifest.c", '#include <jansson.h>\n#include "findings.h"\n')
        self.write("fs/nodes.c", '#include "gitcache/cache.h"\n')
        self.assertEqual(0, self.check().returncode, self.check().stdout)
        faults = {"fs/a.c": "#include <git2.h>", "fs/b.c": " # include <curl/curl.h>",
                  "gitcache/c.c": "#include <jansson.h>",
                  "gitcache/d.c": '#include "manifest/manifest.h"',
                  "manifest/e.c": '#include "gitcache/oid.h"', "manifest/f.c": '#include "fs/nodes.h"',
                  "fs/g.h": "#include <fuse_lowlevel.h>", "fs/h.c": "#include <jansson.h>",
                  "gitcache/i.h": "#include <fuse.h>", "gitcache/j.txt": "", "fs/utils.c": "",
                  "more/k.c": "", "core": ""}
        for path, text in faults.items():
            self.write(path, text + "\n")
        found = self.check()
        self.assertEqual(1, found.returncode)
        for path in faults:
            self.assertIn("more/" if path == "more/k.c" else path, found.stdout)
        self.assertEqual(len(faults), len(found.stdout.splitlines()), found.stdout)
