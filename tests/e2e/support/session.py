"""Sessions in documents: what is typed after a `$`, and what a terminal of 80 columns shows then.

A document is compared with what happens after both have been made alike: dates, times, sizes, numbers of processes and of
requests are the same word; folders of the test are those that the document names; where a line is broken, and how many blanks
stand between two words, does not count, since paths are longer in the test. A line `...` in a document stands for any lines.
"""

import os
import pathlib
import re

from .processes import PROGRAM
from .terminal import OnTerminal

# What differs from one run to the next.
ALIKE = ((r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "DATE"), (r"\b\d+(\.\d+)? (s|ms|min|h|d)\b", "N s"),
         (r"\b\d+(\.\d+)? [kMG]?B\b", "N B"), (r"\bworker \d+", "worker N"), (r"\brequests: \d+", "requests: N"))


def commands(text):
    """(command, what is shown) of each indented line that begins with a dollar."""
    found = []
    for block in re.findall(r"(?m)(?:^    .*\n|^\n(?=    ))+", text):
        for part in re.split(r"(?m)^    \$ ", block)[1:]:
            command, _, shown = part.partition("\n")
            found.append((re.sub(r" {2,}#.*", "", command), re.sub(r"(?m)^    ", "", shown).rstrip("\n")))
    return found


def alike(text):
    for pattern, word in ALIKE:
        text = re.sub(pattern, word, text)
    return " ".join(text.split())


def matches(expected, shown):
    """Whether these are the same, but for lines of `...`."""
    parts = re.split(r"(?m)^ *\.\.\.$", expected)
    return re.fullmatch(".*".join(re.escape(alike(part)) for part in parts), alike(shown)) is not None


class Session:
    """Runs a document's commands for a test. `places` are the document's folders: {in the document: in the test}."""

    def __init__(self, test, document, places, columns=80):
        self.test, self.document, self.places, self.columns = test, pathlib.Path(document), places, columns
        self.env = {**test.env, "PATH": f"{PROGRAM.parent}:{test.env['PATH']}"}

    def there(self, text):
        """A command as it is run."""
        for here, there in self.places.items():
            text = text.replace(here, str(there))
        return text

    def back(self, text):
        """What was shown, as the document says it."""
        for here, there in self.places.items():
            text = text.replace(str(there), here)
        return text

    def run(self, command):
        terminal = OnTerminal(["bash", "-c", f"cd {self.test.folder} && {self.there(command)}"], {**self.env, "COLUMNS": str(self.columns)},
                              columns=2000)
        try:
            terminal.wait()
            return self.back(terminal.screen.text())
        finally:
            terminal.close()

    def compare(self, number, command, expected):
        """With E2E_RECORD, the document is given what is shown instead."""
        shown = self.run(command)
        if matches(expected, shown):
            return
        if os.environ.get("E2E_RECORD"):
            self.record(command, shown)
            return
        self.test.fail(f"{self.document.name}, command {number}: $ {command}\n--- the document\n{expected}\n--- now\n{shown}")

    def record(self, command, shown):
        text = self.document.read_text()
        lines = "".join(f"    {line}".rstrip() + "\n" for line in shown.splitlines())
        old = re.search(rf"(?m)^    \$ {re.escape(command)}(?: {{2,}}#.*)?\n((?:(?:    (?!\$ ).*)?\n)*?)(?=    \$ |\n?\S|\n*\Z)", text)
        self.document.write_text(text[:old.start(1)] + lines + text[old.end(1):])
