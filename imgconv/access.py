"""The access rules of a new file: those of the file that it replaces, or those that its folder and the umask give.

A file is written while only this user can read it, and gets its rules when it is complete. A rule that cannot be copied is replaced by
one that gives no user more rights. Set-user-ID and similar bits are not copied. Windows applies the rules of the folder.
"""

import errno
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from imgconv.platforms import IS_WINDOWS

ACCESS_LISTS = ("system.posix_acl_access", "system.nfs4_acl")  # extended attributes of Linux
DEFAULT_LIST = "system.posix_acl_default"  # of a folder, for its new files
NO_LIST = (getattr(errno, "ENODATA", 0), errno.ENOTSUP, errno.ENOSYS)
PRIVATE = 0o600
_OWNER, _GROUP, _MASK, _OTHER = 0x01, 0x04, 0x10, 0x20  # tags of the entries of an access control list


class Access(NamedTuple):
    """The mode of a file, its owner and group if they are to be copied, and its access control lists as extended attributes.

    `mode` None stands for lists that cannot be read.
    """

    mode: int
    owner: tuple[int, int] | None = None
    lists: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def of_file(cls, path: Path, status: os.stat_result) -> "Access":
        """Return the rules of an existing file; only the owner's rights if its access control list cannot be read."""
        mode = stat.S_IMODE(status.st_mode) & 0o777
        try:
            lists = tuple((name, value) for name in ACCESS_LISTS if (value := _attribute(path, name)) is not None)
        except OSError:
            lists, mode = (), mode & 0o700
        return cls(mode, (status.st_uid, status.st_gid), lists)

    @classmethod
    def of_new_file(cls, folder: Path, mode: int = 0o666) -> "Access":
        """Return the rules of a file that would be created in `folder` with `mode`."""
        if mode == PRIVATE or IS_WINDOWS:
            return cls(mode)
        with suppress(OSError):
            default = _attribute(folder, DEFAULT_LIST)
            if default is not None:  # it replaces the umask
                return cls(mode & _mode_of_list(default))
        return cls(mode & ~_umask())

    def apply(self, descriptor: int) -> None:
        """Apply these rules to an open file, which was private until now."""
        if IS_WINDOWS or not hasattr(os, "fchmod"):
            return
        mode, has_group = self.mode, True
        if self.owner is not None and hasattr(os, "fchown"):
            mode, has_group = _with_owner(descriptor, self.owner, mode)
        try:
            for name, value in self.lists if has_group else ():
                os.setxattr(descriptor, name, value)
        except OSError:
            mode &= 0o700
        if not has_group and self.lists:  # the mask replaces the rights of the group
            mode &= 0o700
        with suppress(OSError):  # a file system without modes
            os.fchmod(descriptor, mode)


def _with_owner(descriptor: int, owner: tuple[int, int], mode: int) -> tuple[int, bool]:
    """Give a file to an owner and group; return the mode, less what others gain where that fails, and whether it has the group."""
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != owner:
        for user in (owner[0], -1):  # only root may give a file away; a member of a group may give it to the group
            with suppress(OSError):
                os.fchown(descriptor, user, owner[1])
                break
        status = os.fstat(descriptor)
    if status.st_uid != owner[0]:  # the former owner has the rights of the group, or of others
        mode &= 0o700 | (mode >> 6 & 7) * 0o11
    if status.st_gid != owner[1]:  # members of the former group have the rights of others, members of the new one those of the group
        mode = mode & 0o700 | (mode >> 3 & mode & 7) * 0o11
    return mode, status.st_gid == owner[1]


def _attribute(path: Path, name: str) -> bytes | None:
    """Return an extended attribute of a file; None where there is none. Raises OSError where that is unknown."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(path, name)
    except OSError as error:
        if error.errno in NO_LIST:
            return None
        raise


def _mode_of_list(attribute: bytes) -> int:
    """Return the mode that the entries for owner, group or mask, and others give."""
    rights = {tag: right for tag, right, _ in struct.iter_unpack("<HHI", attribute[4:])}
    return rights.get(_OWNER, 0) << 6 | rights.get(_MASK, rights.get(_GROUP, 0)) << 3 | rights.get(_OTHER, 0)


def _umask() -> int:
    """Return the umask. Outside of Linux it can only be read by changing it, for a moment, to the most private one."""
    with suppress(OSError, StopIteration), Path("/proc/self/status").open("rb") as status:
        return int(next(line for line in status if line.startswith(b"Umask:")).split()[1], 8)
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
