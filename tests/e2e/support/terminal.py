"""A program on a terminal, and what can be read on that terminal: a small one, that knows what ours prints."""

import errno
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from .processes import slowness

SEQUENCE = re.compile(r"\033\[(\??)([0-9;]*)([A-Za-z])")


class Screen:
    """Lines of so many columns. It notes each character that is written beyond the last column, what a terminal would
    wrap."""

    def __init__(self, columns):
        self.columns, self.wrapped, self.colours, self.other = columns, 0, 0, False
        self.lines, self.row, self.column, self.rest = [""], 0, 0, ""

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        at = 0
        while at < len(text):
            if text[at] == "\033":
                found = SEQUENCE.match(text, at)
                if not found:
                    self.rest = text[at:]
                    return
                self._sequence(*found.groups())
                at = found.end()
            else:
                self._character(text[at])
                at += 1

    def _character(self, char):
        if char == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif char == "\r":
            self.column = 0
        elif char == "\t":
            self.column = self.column // 8 * 8 + 8
        else:
            assert char.isprintable(), repr(char)
            if self.column >= self.columns:
                self.wrapped += 1
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[:self.column] + char + line[self.column + 1:]
            self.column += 1

    def _sequence(self, private, numbers, letter):
        if letter == "m":
            self.colours += 1
        elif letter == "A":
            self.row = max(0, self.row - int(numbers or 1))
        elif letter == "H":
            self.row = self.column = 0
        elif letter == "K":
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif letter == "J":
            del self.lines[self.row + 1:]
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif private and numbers == "1049":
            self.other = letter == "h"
        elif not (private and numbers == "25"):
            raise AssertionError(f"unknown: ESC [ {private}{numbers}{letter}")

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).strip("\n")


class OnTerminal:
    """Runs a command there: all of it, or (pipe_stdout) with its standard output elsewhere."""

    def __init__(self, command, env, *, columns=80, rows=24, pipe_stdout=False):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.settings = termios.tcgetattr(slave)
        self.slave = slave
        self.screen = Screen(columns)
        self.raw = b""
        self.process = subprocess.Popen([os.fspath(part) for part in command], stdin=slave,
                                        stdout=subprocess.PIPE if pipe_stdout else slave, stderr=slave,
                                        env={"TERM": "xterm", **env}, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0))

    def _read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            block = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.raw += block
        self.screen.feed(block.decode())
        return bool(block)

    def until(self, condition, complaint, timeout=20):
        """Shows what is printed until that is true; returns what it is."""
        end = time.monotonic() + timeout * slowness()
        while not (found := condition()):
            assert time.monotonic() < end, f"{complaint}\n{self.screen.text()}"
            self._read(0.1)
        return found

    def shows(self, pattern, timeout=20):
        """Waits until what the screen shows matches; returns the match."""
        return self.until(lambda: re.search(pattern, self.screen.text()), f"never shown: {pattern}", timeout)

    def resize(self, columns, rows):
        self.screen.columns = columns
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def wait(self, timeout=30):
        """Until the program ends; returns its exit status, and what was written last is on the screen."""
        end = time.monotonic() + timeout * slowness()
        while self.process.poll() is None:
            assert time.monotonic() < end, f"does not end:\n{self.screen.text()}"
            self._read(0.05)
        while self._read(0.2):
            pass
        return self.process.returncode

    def is_as_before(self):
        """Whether keys are shown and come as lines, as they did when the program began."""
        return termios.tcgetattr(self.slave)[3] == self.settings[3]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        os.close(self.master)
        os.close(self.slave)
