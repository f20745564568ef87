"""The host image: which mounts are seen, what is masked, what --host-expose may undo."""

from __future__ import annotations

import os

import pytest

from firkin.errors import InvalidArgument
from firkin.images import host, host_plan
from firkin.images.host_plan import UnknownExposure, visible
from firkin.paths import Paths

PATHS = Paths(root="/nonexistent/firkin", run_root="/run/firkin")


def line(number, parent, path, fstype, root="/", device=None):
    return f"{number} {parent} {device or f'8:{number}'} {root} {path} rw,relatime shared:1 - {fstype} /dev/x rw\n"


ROOT = line(1, 0, "/", "ext4")


@pytest.fixture(autouse=True)
def no_engine_of_this_machine(monkeypatch):
    monkeypatch.setattr(host_plan, "DEFAULT_ROOT", "/nonexistent/default")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A machine of one home and no system secrets."""
    monkeypatch.setattr(host, "SYSTEM_SECRETS", ())
    monkeypatch.setattr(host, "homes", lambda: [str(tmp_path)])
    return tmp_path


def plan(mountinfo=ROOT, exposes=(), container_dir=None, paths=PATHS):
    return host_plan.host_plan(paths, mountinfo, exposes, container_dir)


def mounts_of(found):
    return {mount["destination"]: mount for mount in found.mounts}


def test_only_secrets_that_exist_are_masked_files_by_null_directories_by_an_empty_tmpfs(home):
    (home / ".ssh").mkdir()
    (home / ".netrc").touch()
    (home / ".config" / "gh").mkdir(parents=True)
    (home / ".config" / "other").mkdir()
    found = plan()
    assert set(found.masked) == {f"{home}/.ssh", f"{home}/.netrc", f"{home}/.config/gh"}
    mounts = mounts_of(found)
    assert mounts[f"{home}/.netrc"]["source"] == "/dev/null"
    assert "ro" in mounts[f"{home}/.netrc"]["options"]
    assert mounts[f"{home}/.ssh"]["type"] == "tmpfs"
    assert {"ro", "mode=000"} <= set(mounts[f"{home}/.ssh"]["options"])
    assert found.lowers == ("/",)


def test_every_documented_secret_of_a_home_is_masked(home):
    for name in host.HOME_SECRETS:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert set(plan().masked) == {f"{home}/{name}" for name in host.HOME_SECRETS}


def test_the_issues_list_is_in_ours():
    asked = {".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".docker", ".kube", ".netrc", ".config/gh", ".pypirc",
             ".npmrc", ".git-credentials", ".bash_history", ".zsh_history"}  # fmt: skip
    assert asked <= set(host.HOME_SECRETS)
    assert {"/etc/shadow", "/etc/gshadow", "/etc/ssl/private", "/etc/ssh/ssh_host_*_key"} <= set(
        host.SYSTEM_SECRETS
    )


def test_host_keys_are_found_by_their_pattern(tmp_path, monkeypatch):
    for name in ("ssh_host_rsa_key", "ssh_host_rsa_key.pub", "sshd_config"):
        (tmp_path / name).touch()
    monkeypatch.setattr(host, "SYSTEM_SECRETS", (f"{tmp_path}/ssh_host_*_key",))
    monkeypatch.setattr(host, "homes", list)
    assert plan().masked == (f"{tmp_path}/ssh_host_rsa_key",)


def test_homes_come_from_passwd_and_from_home(tmp_path):
    base = tmp_path / "home"
    for name in ("ann", "ben"):
        (base / name).mkdir(parents=True)
    (base / "file").touch()
    (base / "aloop").symlink_to("aloop")  # must not hide the homes that are listed after it
    service = tmp_path / "srv"
    service.mkdir()
    passwd = tmp_path / "passwd"
    passwd.write_bytes(
        b"root:x:0:0::/root:/bin/sh\nsvc:x:1:1::" + os.fsencode(service) + b"/:/bin/sh\n"
        b"gone:x:2:2::/nonexistent:/bin/sh\nbroken\n\xff\xfe:x\nrel:x:3:3::tmp:/bin/sh\n"
    )
    found = host.homes(str(passwd), str(base))
    assert {str(base / "ann"), str(base / "ben"), str(service), "/root"} == set(found)


def test_expose_undoes_one_mask(home):
    for name in (".ssh", ".aws"):
        (home / name).mkdir()
    assert plan(exposes=[f"{home}/.ssh"]).masked == (f"{home}/.aws",)
    assert plan(exposes=[f"{home}/.ssh/", f"{home}/x/../.aws"]).masked == ()


def test_expose_of_a_directory_undoes_what_is_masked_below_it(home):
    for name in (".ssh", ".aws"):
        (home / name).mkdir()
    assert plan(exposes=[str(home)]).masked == ()


def test_expose_of_one_file_keeps_its_neighbours_masked(home):
    for name in (".ssh/keys/a", ".ssh/keys/b", ".ssh/id_rsa", ".ssh/known_hosts"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    assert plan(exposes=[f"{home}/.ssh/keys/a"]).masked == (
        f"{home}/.ssh/id_rsa",
        f"{home}/.ssh/known_hosts",
        f"{home}/.ssh/keys/b",
    )


def test_expose_of_the_callers_home(home, monkeypatch):
    (home / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(home))
    assert plan(exposes=["~/.ssh"]).masked == ()


@pytest.mark.parametrize(
    "path", ["/etc/hostname", "relative", "", "/", "/nonexistent", "{home}/.ssh/missing", "{home}/.sshx"]
)
def test_expose_of_what_is_not_masked_is_refused(home, path):
    (home / ".ssh").mkdir()
    with pytest.raises(UnknownExposure) as caught:
        plan(exposes=[path.format(home=home)])
    assert isinstance(caught.value, InvalidArgument)


def test_expose_suggests_the_nearest(home):
    (home / ".ssh").mkdir()
    with pytest.raises(UnknownExposure, match=r"did you mean .*/\.ssh\?"):
        plan(exposes=[f"{home}/.sssh"])


def test_firkins_state_is_masked_and_never_exposed(home, tmp_path):
    root = tmp_path / "state"
    (root / "containers").mkdir(parents=True)
    paths = Paths(root=str(root), run_root="/run/firkin")
    assert str(root) in plan(paths=paths).masked
    for path in (str(root), f"{root}/containers", str(tmp_path)):
        with pytest.raises(UnknownExposure, match="never exposed"):
            plan(paths=paths, exposes=[path])


def test_run_is_always_an_empty_tmpfs_of_the_containers_own(home):
    mount = mounts_of(plan())["/run"]
    assert mount["type"] == "tmpfs"
    assert "ro" not in mount["options"]


def test_other_file_systems_are_seen_by_their_type(home, tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    text = ROOT + "".join(
        line(number, 1, f"/m{number}", fstype)
        for number, fstype in enumerate(
            ["ext4", "xfs", "vfat", "tmpfs", "nfs4", "cifs", "fuse.sshfs", "proc", "overlay", "autofs", "9p"],
            2,
        )
    )
    found = plan(text, container_dir="/c")
    mounts = mounts_of(found)
    assert {path for path in mounts if path.startswith("/m")} == {"/m2", "/m3", "/m4"}
    assert mounts["/m2"]["type"] == "overlay"
    assert "lowerdir=/m2" in mounts["/m2"]["options"]
    assert mounts["/m4"]["type"] == "bind"
    assert "ro" in mounts["/m4"]["options"]
    assert found.folders == ("/c/host/0/upper", "/c/host/0/work", "/c/host/1/upper", "/c/host/1/work")
    assert list(mounts)[-1] not in {"/m2", "/m3", "/m4"}, "masks go on last"


def test_without_a_place_for_uppers_they_are_read_only(home, monkeypatch):
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    mount = mounts_of(plan(ROOT + line(2, 1, "/home", "ext4")))["/home"]
    assert (mount["type"], "ro" in mount["options"]) == ("bind", True)


def test_nothing_below_what_the_container_has_of_its_own_or_below_an_unseen_mount(home, monkeypatch):
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    text = (
        ROOT + line(2, 1, "/run", "tmpfs") + line(3, 2, "/run/media/usb", "ext4") + line(4, 1, "/net", "nfs")
    )
    text += (
        line(5, 4, "/net/local", "ext4")
        + line(6, 1, "/dev", "devtmpfs")
        + line(7, 1, "/nonexistent/firkin", "ext4")
    )
    assert {m["destination"] for m in plan(text).mounts if m["type"] in {"overlay", "bind"}} & {
        "/run/media/usb", "/net/local", "/net", "/dev", "/nonexistent/firkin",
    } == set()  # fmt: skip


def test_a_mount_over_a_file_is_not_a_directory_of_ours(home, tmp_path):
    (tmp_path / "f").touch()
    assert f"{tmp_path}/f" not in mounts_of(plan(ROOT + line(2, 1, f"{tmp_path}/f", "ext4")))


def test_covered_mounts_cannot_be_reached():
    text = ROOT + line(2, 1, "/a", "ext4") + line(3, 2, "/a/b", "ext4") + line(4, 2, "/a", "xfs")
    assert [(m.path, m.fstype) for m in visible(text)] == [("/", "ext4"), ("/a", "xfs")]


def test_a_mount_tucked_beneath_another_by_propagation_is_not_the_visible_one():
    text = ROOT + line(2, 3, "/a", "xfs") + line(3, 1, "/a", "ext4")
    assert {m.path: m.fstype for m in visible(text)}["/a"] == "xfs"


def test_the_last_of_several_mounts_on_one_place_is_seen():
    text = ROOT + line(2, 1, "/a", "ext4") + line(3, 2, "/a", "xfs")
    assert {m.path: m.fstype for m in visible(text)}["/a"] == "xfs"


def test_names_with_blanks_and_colons_are_kept(home, monkeypatch):
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    mount = mounts_of(plan(ROOT + line(2, 1, "/a\\040b:c", "ext4"), container_dir="/c"))["/a b:c"]
    assert "lowerdir=/a b\\:c" in mount["options"]


def test_secrets_are_masked_wherever_their_file_system_is_seen_a_second_time(home, monkeypatch):
    """A bind of /etc has a shadow too, and a /home that is bound from elsewhere is there twice."""
    (home / ".ssh").mkdir()
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    base = str(home.parent)
    text = ROOT + line(2, 1, "/jail", "ext4", root=base, device="8:1") + line(3, 1, "/other", "ext4")
    assert set(plan(text).masked) == {
        f"{home}/.ssh",
        f"/jail/{home.name}/.ssh",
        "/nonexistent/firkin",
        "/nonexistent/default",
    }
    bound = ROOT + line(2, 1, str(home), "ext4", root="/srv/ann", device="8:1")
    assert set(plan(bound).masked) >= {f"{home}/.ssh", "/srv/ann/.ssh"}


def test_a_second_place_is_exposed_with_the_first(home, monkeypatch):
    (home / ".ssh").mkdir()
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    text = ROOT + line(2, 1, "/jail", "ext4", root=str(home), device="8:1")
    assert "/jail/.ssh" in plan(text).masked
    assert "/jail/.ssh" not in plan(text, exposes=[f"{home}/.ssh"]).masked


def test_a_subvolume_is_another_place_only_where_its_root_says_so(home, monkeypatch):
    (home / ".ssh").mkdir()
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    text = line(1, 0, "/", "btrfs", root="/@", device="0:30") + line(
        2, 1, "/home", "btrfs", root="/@home", device="0:30"
    )
    assert not [path for path in plan(text).masked if path.startswith("/home") and ".ssh" in path]


def test_the_image_itself():
    image = host.host_image()
    assert image.references == ("host:latest",)
    assert image.lowers == ("/",)
    assert image.config.cmd in {("bash",), ("sh",)}
    assert image.config.architecture
