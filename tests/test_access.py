"""A replaced file keeps its access rules; where one cannot be copied, nobody gains a right."""

import os
import stat
import struct

import pytest

from imgconv.access import ACCESS_LISTS, DEFAULT_LIST, Access
from imgconv.atomic import atomic_write
from imgconv.inputs import Inputs

NOBODY = 65534
UNDEFINED = 0xFFFFFFFF  # the id of entries for owner, group, mask and others


def access_list(*entries):
    """An access control list as the kernel stores it: a version, then tag, rights and id of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


# the owner and the user nobody may read and write, the group and others may not
NOBODY_TOO = access_list((0x01, 6, UNDEFINED), (0x02, 6, NOBODY), (0x04, 0, UNDEFINED), (0x10, 6, UNDEFINED), (0x20, 0, UNDEFINED))


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    path.chmod(0o600)
    return path


@pytest.fixture
def listed(old):
    """A file with an access control list."""
    try:
        os.setxattr(old, ACCESS_LISTS[0], NOBODY_TOO)
    except (AttributeError, OSError):
        pytest.skip("this file system has no access control lists")
    return old


def replaced(path):
    with atomic_write(path, Inputs()) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"
    return stat.S_IMODE(path.stat().st_mode)


def test_an_access_control_list_is_copied(listed):
    assert replaced(listed) == 0o660  # in the place of the group's rights is the mask of the list
    assert os.getxattr(listed, ACCESS_LISTS[0]) == NOBODY_TOO


@pytest.mark.parametrize("failing", ["getxattr", "setxattr"])
def test_without_the_list_the_group_gains_nothing(listed, monkeypatch, failing):
    def fail(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, failing, fail)
    assert replaced(listed) == 0o600


def test_a_new_file_gets_the_rights_that_its_folder_gives_by_default(tmp_path):
    try:
        os.setxattr(tmp_path, DEFAULT_LIST, NOBODY_TOO)
    except (AttributeError, OSError):
        pytest.skip("this file system has no access control lists")
    path = tmp_path / "new.png"
    with atomic_write(path, Inputs()) as stream:
        (part,) = tmp_path.iterdir()
        assert stat.S_IMODE(part.stat().st_mode) == 0o600  # the mask of the list hides the entry of nobody
        stream.write(b"new")
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    assert os.getxattr(path, ACCESS_LISTS[0]) == os.getxattr(tmp_path / "other", ACCESS_LISTS[0])


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1644, 0o6777])
def test_special_bits_do_not_survive(old, mode):
    old.chmod(mode)
    assert replaced(old) == mode & 0o777


@pytest.mark.parametrize("exists", [True, False])
def test_a_temporary_file_is_private(old, exists):
    old.chmod(0o644)
    if not exists:
        old.unlink()
    with atomic_write(old, Inputs()) as stream:
        (part,) = set(old.parent.iterdir()) - {old}
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        stream.write(b"new")
    assert stat.S_IMODE(old.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("user", "group", "mode", "expected"),
    [
        (True, True, 0o664, 0o664),
        (True, False, 0o660, 0o600),  # another group gains nothing
        (True, False, 0o640, 0o600),
        (True, False, 0o604, 0o600),  # the former group, which was excluded, is now among the others
        (True, False, 0o666, 0o666),
        (False, True, 0o466, 0o444),  # the former owner is now among the group or the others
        (False, False, 0o664, 0o644),
    ],
)
def test_no_user_gains_rights_where_owner_or_group_cannot_be_set(tmp_path, monkeypatch, user, group, mode, expected):
    path = tmp_path / "new.png"
    own = path.parent.stat()
    monkeypatch.setattr(os, "fchown", lambda *_: (_ for _ in ()).throw(PermissionError(1, "Operation not permitted")))
    owner = (own.st_uid if user else own.st_uid + 1, own.st_gid if group else own.st_gid + 1)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.chown(path, own.st_uid, own.st_gid)
        Access(mode, owner).apply(descriptor)
    finally:
        os.close(descriptor)
    assert stat.S_IMODE(path.stat().st_mode) == expected
