"""Quotas of control groups, read from trees of files like those of the kernel."""

import pytest

from imgconv.system import cgroup_quota, usable_cores

CASES = {
    "no limit": ("0::/run", {"run/cpu.max": "max 100000"}, None),
    "two cores": ("0::/run", {"run/cpu.max": "200000 100000"}, 2),
    "a part is rounded up": ("0::/run", {"run/cpu.max": "150000 100000"}, 2),
    "less than one": ("0::/run", {"run/cpu.max": "5000 100000"}, 1),
    "the parent's is smaller": ("0::/a/b", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"}, 1),
    "in a container": ("0::/docker/1f", {"cpu.max": "300000 100000"}, 3),
    "outside of the mount": ("0::/../other", {"cpu.max": "300000 100000"}, 3),
    "version 1": (
        "5:memory:/m\n4:cpu,cpuacct:/job",
        {"cpu/job/cpu.cfs_quota_us": "250000", "cpu/job/cpu.cfs_period_us": "100000", "cpu/cpu.cfs_quota_us": "-1"},
        3,
    ),
    "version 1 without limit": ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "another controller's": ("5:cpuset:/job", {"job/cpu.max": "100000 100000"}, None),
    "nonsense": ("0::/run", {"run/cpu.max": "lots"}, None),
    "no period": ("0::/run", {"run/cpu.max": "100000 0"}, None),
    "broken list": ("what?\n0::/run", {"run/cpu.max": "100000 100000"}, 1),
    "nothing": ("", {}, None),
}


@pytest.mark.parametrize(("membership", "files", "quota"), CASES.values(), ids=CASES)
def test_quota(tmp_path, membership, files, quota):
    root = tmp_path / "cgroup"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    (tmp_path / "self").write_text(membership + "\n")
    assert cgroup_quota(tmp_path / "self", root) == quota


def test_no_control_groups_at_all(tmp_path):
    assert cgroup_quota(tmp_path / "self", tmp_path / "cgroup") is None


def test_at_least_one_core_is_usable():
    assert usable_cores() >= 1
