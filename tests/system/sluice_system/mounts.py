"""File systems that can be filled, taken away and cut off from power. Needs root; all mounts are in a mount namespace of the test's own,
so that nothing is left behind, whatever happens."""

import ctypes
import errno
import os
import pathlib
import shutil
import subprocess
import unittest

CLONE_NEWNS = 0x00020000


def own_mounts():
    """Call once, before threads; raises SkipTest where the system does not let us."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root, to mount file systems")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise unittest.SkipTest(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    or_skip("mount", "--make-rprivate", "/")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


def or_skip(*command):
    """The first of its kind: a container may forbid it."""
    try:
        return run(*command)
    except (RuntimeError, FileNotFoundError) as error:
        raise unittest.SkipTest(f"not possible here: {error}") from error


class Tmpfs:
    """A small file system in memory."""

    def __init__(self, where: pathlib.Path, size: str):
        self.where = where
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        or_skip("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", where)

    def free(self) -> int:
        state = os.statvfs(self.where)
        return state.f_bavail * state.f_frsize

    def fill(self, leave: int = 0):
        """Another file takes all that is free, to the last byte."""
        with open(self.where / "filler", "ab", buffering=0) as filler:
            for size in (65536, 4096, 512, 1):
                block = b"\xff" * size
                while not leave or self.free() > leave + size:
                    try:
                        filler.write(block)
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        break

    def clear(self):
        (self.where / "filler").unlink(missing_ok=True)

    def end(self):
        run("umount", "-l", self.where)


class Image:
    """An ext4 file system in a file, over a loop device. What was not synced by someone is not in the file."""

    def __init__(self, file: pathlib.Path, where: pathlib.Path, size: str = "64M"):
        self.file, self.where, self.device = file, where, None
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        run("truncate", "-s", size, file)
        or_skip("losetup", "--find")
        # Without lazy initialisation: nothing but what the test does is written.
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file)

    def mount(self):
        self.device = or_skip("losetup", "--find", "--show", self.file)
        or_skip("mount", "-o", "errors=remount-ro", self.device, self.where)
        return self

    def fail(self):
        """The kernel finds the file system damaged and makes it read-only, for open files as well. Skips where it cannot be asked to."""
        trigger = pathlib.Path(f"/sys/fs/ext4/{pathlib.Path(self.device).name}/trigger_fs_error")
        if not trigger.exists():
            raise unittest.SkipTest("this kernel has no trigger_fs_error")
        trigger.write_text("by a test\n", encoding="utf-8")

    def repair(self):
        """What an administrator does before mounting it again."""
        subprocess.run(["e2fsck", "-fy", self.file], capture_output=True, check=False)
        return self

    def end(self):
        if self.device:
            run("umount", "-l", self.where)
            run("losetup", "-d", self.device)
            self.device = None

    def clone(self, name: str) -> "Image":
        """The file system as a power cut now would leave it; mount() it to see what the journal makes of it. To be called while those
        who write are stopped or dead."""
        other = Image.__new__(Image)
        other.file, other.where, other.device = self.file.with_name(name), self.where, None
        shutil.copyfile(self.file, other.file)
        return other
