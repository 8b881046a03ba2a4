"""The guide from cyber-dojo and the README's session are true: their commands are run, and what they print is compared."""

import re

import yaml

from support.case import EndToEnd, allow_seconds
from support.processes import PROJECT
from support.repositories import executable
from support.service import Service
from support.session import Session, commands

README = PROJECT / "README.md"
GUIDE = PROJECT / "mount-scripts" / "from-cyber-dojo.md"
FILES = PROJECT / "mount-scripts" / "example-files"
# Not run: what they print is theirs, and nothing is said of it.
OTHERS = ("make", "apt", "docker", "cyber-dojo", "systemctl disable", "xargs")


def files_of(*folders):
    """The files of example-files/FOLDER; what comes later lies above what came before, as in `make run`."""
    found = {}
    for folder in folders:
        for path in sorted((FILES / folder).rglob("*")):
            if path.is_file():
                text = path.read_text()
                found[str(path.relative_to(FILES / folder))] = executable(text) if path.suffix == ".sh" else text
    return found


class Documents(EndToEnd):
    with_sanitizers = False
    deadline = 120

    def publish(self, name, versions):
        """A repository of the documents' github.com, with a commit and a tag for each of {tag: folders of files}."""
        repository = self.make_repository(name, branch="main")
        for tag, files in versions.items():
            repository.commit(files, tag=tag, message=f"{name} {tag}")
        return repository

    def publish_all(self, organisation):
        self.publish("python-unittest", {tag: files_of(*(f"python-unittest/{one}" for one in tags)) for tag, tags in (
            ("3.7.3-2", ["3.7.3-2"]), ("3.7.4-18", ["3.7.3-2", "3.7.4-18"]),
            ("3.7.4-19", ["3.7.3-2", "3.7.4-18", "3.7.4-19"]))})
        bats = self.publish("bash-bats", {"1.2.0-4": files_of("bash-bats/1.2.0-4"),
                                          "1.2.1-7": files_of("bash-bats/1.2.0-4", "bash-bats/1.2.1-7")})
        self.git_configure(f"url.file://{self.repositories}/.insteadOf", f"https://github.com/{organisation}/")
        return bats


class Guide(Documents):
    def setUp(self):
        super().setUp()
        self.publish_all("acme")
        exercise = '{\n  "display_name": "Fizz Buzz",\n  "visible_filenames": [ "readme.txt" ]\n}\n'
        self.publish("exercises", {"1": {"fizz-buzz/manifest.json": exercise, "fizz-buzz/readme.txt": "Say fizz.\n"}})
        custom = files_of("python-unittest/3.7.3-2")
        custom["manifest.json"] = re.sub(r'"(display_name|image_name)": ".*"', lambda found: {
            "display_name": '"display_name": "Our first kata"', "image_name": '"image_name": "acme/kata:2"'}[found[1]],
            custom["manifest.json"])
        self.publish("custom", {"1": custom, "2": custom})
        for name in ("etc", "default", "sets", "cache", "start-points"):
            (self.folder / name).mkdir()
        self.env |= {"STARTPOINTFS_SETS": str(self.folder / "sets"), "STARTPOINTFS_CACHE": str(self.folder / "cache")}
        self.session = Session(self, GUIDE, {
            "/etc/startpointfs": self.folder / "etc", "/etc/default": self.folder / "default",
            "/start-points": self.folder / "start-points", "/var/lib/startpointfs/sets": self.folder / "sets"})

    def write_lists(self, text):
        """The lists, as the guide shows them first."""
        for name in ("languages", "exercises", "custom"):
            shown = next(shown for command, shown in commands(text) if command == f"cat /etc/startpointfs/{name}.list")
            (self.folder / "etc" / f"{name}.list").write_text(shown + "\n")

    def play_systemd(self, what):
        """What `systemctl enable --now` starts."""
        if what == "startpointfs":
            self.assertIn("SOURCES=\n", (self.folder / "default/startpointfs").read_text())
            self.addCleanup(self.program, "umount", "--quiet", self.folder / "start-points", check=False)
            self.program("mount", "-o", f"allow_other,log_file={self.folder}/mount.log", self.folder / "start-points")
        else:
            service = Service(self, what.partition("@")[2])
            self.session.places["localhost:4524"] = f"localhost:{service.port}"

    @allow_seconds(180)
    def test_its_commands_print_what_it_says(self):
        text = GUIDE.read_text()
        self.write_lists(text)
        ran = 0
        for number, (command, shown) in enumerate(commands(text), 1):
            if command.startswith("systemctl enable --now "):
                self.play_systemd(command.split()[-1])
            elif any(re.search(rf"(^|\| |=\S+ ){other}\b", command) for other in OTHERS):
                self.assertEqual("", shown, command)
            else:
                self.session.compare(number, command, shown)
                ran += 1
        self.assertGreater(ran, 18)
        print(f"figures: {ran} commands of the guide were run")

    def test_what_it_names_is_there(self):
        text = GUIDE.read_text()
        named = set(re.findall(r"(?:mount-scripts/)?containers/[-\w/.]*\w", text))
        self.assertGreater(len(named), 2)
        for path in named:
            self.assertTrue((PROJECT / "mount-scripts" / path.removeprefix("mount-scripts/")).exists(), path)
        self.assertIn("mount-scripts/from-cyber-dojo.md", (PROJECT / "README.md").read_text().partition("\n## ")[0])

    def test_the_compose_file_gives_each_service_its_set(self):
        services = yaml.safe_load((PROJECT / "mount-scripts/containers/cyber-dojo/compose.yaml").read_text())["services"]
        for port, name in ((4524, "languages"), (4525, "exercises"), (4526, "custom")):
            service = services.pop(f"{name}-start-points")
            self.assertEqual([f"/start-points/.startpointfs/sets/{name}:/app/repos:ro"], service["volumes"])
            self.assertEqual([f"{port}:{port}"], service["ports"])
            self.assertTrue(service["image"].startswith(f"${{{name.upper()}_IMAGE:-"))
            self.assertTrue(service["read_only"])
        self.assertEqual({}, services)


class Readme(Documents):
    """The README's session, in its order."""

    def test_the_session_was_recorded(self):
        self.publish_all("cyber-dojo-start-points")
        self.env |= {"STARTPOINTFS_CACHE": str(self.folder / "cache"), "STARTPOINTFS_SETS": str(self.folder / "sets")}
        point = self.folder / "start-points"
        self.addCleanup(self.call, "umount", point, check=False)
        text = README.read_text()
        typed = commands(text.partition("\n## A session\n")[2].partition("\n## ")[0])
        self.assertEqual("cat languages.list", typed[0][0])
        (self.folder / "languages.list").write_text(typed[0][1] + "\n")
        session = Session(self, README, {"/start-points": point, "/var/cache/startpointfs": self.folder / "cache"})
        for number, (command, shown) in enumerate(typed, 1):
            session.compare(number, command, shown)
        self.assertGreater(len(typed), 10)
        # The first screen shows a part of it.
        for command, shown in commands(text.partition("\n## ")[0]):
            self.assertIn((command, shown), typed)
