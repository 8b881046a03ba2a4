"""Boots a disk and a kernel, and gives the lines that the machine writes."""

import os
import pathlib
import select
import subprocess
import time

# What a processor without help needs for a boot is some 100 s; with its help 5.
KVM_ANSWERS_WITHIN = 20

# For an emulated processor. Its kernel trusts the time stamp counter of none but Intel's, and would ask the HPET at each look at the clock,
# outside of the emulation; all processors here have the host's counter. Nor does it wait long enough for the first interrupts
# of a timer on a busy host, and would panic. Nobody attacks what is in here; and a fifth level of page tables (la57) is only slower.
EMULATED = " tsc=reliable no_timer_check mitigations=off"


def _command(accelerator, kernel, initrd, console):
    kvm = accelerator == "kvm"
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,sata=off,usb=off",
            "-accel", "kvm" if kvm else "tcg,thread=multi", "-cpu", "host" if kvm else "max,la57=off",
            "-smp", "2", "-m", "2048", "-nic", "none", "-serial", f"file:{console}", "-kernel", kernel, "-initrd", initrd,
            "-append", f"root=LABEL=machine rw console=ttyS0 fsck.mode=skip panic=-1 net.ifnames=0{'' if kvm else EMULATED}"]


def _stop(process):
    process.kill()
    process.wait()


def accelerator(kernel, initrd, folder):
    """kvm, where a kernel says something within 20 s (a machine in a machine may have a /dev/kvm that hangs), else tcg."""
    if os.environ.get("VM_ACCEL"):
        return os.environ["VM_ACCEL"]
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    console = pathlib.Path(folder) / "kvm.log"
    console.unlink(missing_ok=True)
    command = _command("kvm", kernel, initrd, console)
    command[-1] = "console=ttyS0 panic=-1"
    process = subprocess.Popen([os.fspath(part) for part in command], stdin=subprocess.DEVNULL)
    end = time.monotonic() + KVM_ANSWERS_WITHIN
    try:
        while time.monotonic() < end and process.poll() is None:
            if console.exists() and console.stat().st_size > 0:
                return "kvm"
            time.sleep(0.2)
        return "tcg"
    finally:
        _stop(process)


def lines(accelerator_name, kernel, initrd, disks, console, timeout):
    """Boots, and yields each line that the machine writes into /dev/virtio-ports/results, until it powers off. Nothing is
    written to the disks. After `timeout` seconds without a line the machine is ended, and another one says so."""
    command = _command(accelerator_name, kernel, initrd, console)
    for disk in disks:
        command += ["-drive", f"file={disk},if=virtio,format=raw,snapshot=on"]
    command += ["-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random",
                "-chardev", "file,id=results,path=/dev/stdout", "-device", "virtio-serial-pci",
                "-device", "virtserialport,chardev=results,name=results"]
    process = subprocess.Popen([os.fspath(part) for part in command], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    try:
        yield from _lines_of(process.stdout.fileno(), timeout)
    finally:
        _stop(process)


def _lines_of(file, timeout):
    rest = b""
    while True:
        ready, _, _ = select.select([file], [], [], timeout)
        if not ready:
            yield f"FAIL machine: it has said nothing for {timeout} s"
            return
        text = os.read(file, 65536)
        if not text:
            return
        *whole, rest = (rest + text).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
