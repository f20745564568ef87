"""Names, removal, listing, history and inspect over rows alone: content stores that hold nothing."""

from __future__ import annotations

import os

import pytest

from firkin.config import Config
from firkin.db.connection import open_database
from firkin.errors import Conflict, InUse, InvalidArgument, NotFound
from firkin.images import tables
from firkin.images.image import AmbiguousImage, NoSuchImage
from firkin.images.store import ImageStore
from firkin.images.tables import BlobRow, ImageRow, LayerRow
from firkin.oci.digest import chain_ids
from firkin.oci.image import ImageConfig
from firkin.paths import Paths

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
X, Y, Z = ("sha256:" + digit * 64 for digit in "123")
BUSYBOX, DEBIAN = "docker.io/library/busybox:latest", "docker.io/library/debian:bookworm-slim"


class Blobs:
    def __init__(self, held):
        self.held = set(held)

    def list(self):
        return iter(self.held)

    def has(self, digest):
        return digest in self.held

    def size(self, digest):
        return 10

    def remove(self, digest):
        present = digest in self.held
        self.held.discard(digest)
        return present

    def sweep(self):
        return []


class Layer:
    size = 100

    def __init__(self, diff_id):
        self.diff_id = diff_id


class Layers(Blobs):
    def list(self):
        return iter([Layer(one) for one in self.held])

    def path(self, diff_id):
        if diff_id not in self.held:
            raise NotFound(diff_id)
        return f"/layers/{diff_id[7:]}/diff"

    def get(self, diff_id):
        return Layer(diff_id)


@pytest.fixture
def store(tmp_path):
    paths = Paths(root=str(tmp_path), run_root=str(tmp_path / "run"))
    os.makedirs(paths.locks)
    os.makedirs(paths.tmp)
    db = open_database(paths.database, 1, lambda: iter([tables.SCHEMA]))
    made = ImageStore(
        Config(paths=paths, engine_id="0" * 8, settings={}), db, Blobs([X, Y, Z]), Layers([X, Y, Z])
    )
    yield made
    db.close()


def add(store, identifier, diff_ids, *names, created=1, digests=(), history=None, base=0):
    steps = tuple({"created_by": f"step {n}"} for n in range(len(diff_ids))) if history is None else history
    config = ImageConfig(architecture="amd64", diff_ids=tuple(diff_ids), history=steps, env=("A=1",))
    row = ImageRow(
        id=identifier, config=config.to_json().decode(), created_ns=created, loaded_ns=created, size=100 * len(diff_ids),
        manifest="", names=(), digests=(), base=base,
    )  # fmt: skip
    layers = [LayerRow(diff_id=d, size=100, blob=d, blob_size=10, media_type="t") for d in diff_ids]
    with store.db.write():
        store.table.insert(row, layers, [BlobRow(digest=identifier, kind="config", size=1)])
        for name in names:
            store.table.tag(name, identifier, created)
        for repository, digest in digests:
            store.table.add_digest(repository, digest, identifier)


def names(store):
    return {one.id[7:8]: one.references for one in store.list() if one.kind == "image"}


def test_resolve_by_everything(store):
    add(store, A, [X, Y], BUSYBOX, "quay.io/a/b:1", digests=[("docker.io/library/busybox", Z)])
    for text in ("busybox", "busybox:latest", "docker.io/busybox", A, "a" * 64, "aa", "sha256:aaa", "quay.io/a/b:1",
                 f"busybox@{Z}", f"busybox:latest@{Z}"):  # fmt: skip
        image = store.resolve(text)
        assert (image.id, image.references) == (A, ("busybox:latest", "quay.io/a/b:1"))
    assert image.lowers == (f"/layers/{Y[7:]}/diff", f"/layers/{X[7:]}/diff"), "top first"
    assert image.digests == (f"busybox@{Z}",)


def test_a_name_wins_over_the_beginning_of_an_id(store):
    add(store, A, [X], BUSYBOX)
    add(store, B, [Y], "docker.io/library/aaa:latest")
    assert store.resolve("aaa").id == B
    assert store.resolve("aaaa").id == A


@pytest.mark.parametrize(
    ("text", "hint"),
    [("busbox", "busybox:latest"), ("busybox:ltest", "busybox:latest"), ("debian", None), ("debian:bookworm", "debian:bookworm-slim"),
     ("hsot", "host"), ("zzz", None), ("busybox:1@" + X, None), ("sha256:77", None), ("d" * 64, None)],
)  # fmt: skip
def test_what_is_not_there_names_the_nearest(store, text, hint):
    add(store, A, [X], BUSYBOX)
    add(store, B, [X], DEBIAN)
    with pytest.raises(NoSuchImage, match=r"^No such image: ") as caught:
        store.resolve(text)
    if hint is not None:
        assert caught.value.hint.startswith(f"did you mean {hint}")


def test_a_wrong_name_is_said_to_be_wrong(store):
    with pytest.raises(InvalidArgument, match="must be lowercase"):
        store.resolve("BusyBox")


def test_ambiguous_beginnings_list_the_candidates(store):
    add(store, A, [X], BUSYBOX)
    add(store, "sha256:a" + "b" * 63, [Y])
    with pytest.raises(AmbiguousImage, match=r"aaaaaaaaaaaa \(busybox:latest\).*abbbbbbbbbbb \(<none>\)"):
        store.resolve("a")


def test_layers_below_an_opaque_root_are_not_stacked(store):
    add(store, A, [X, Y, Z], BUSYBOX, base=1)
    assert store.resolve("busybox").lowers == (f"/layers/{Z[7:]}/diff", f"/layers/{Y[7:]}/diff")


def test_host_is_built_in(store):
    image = store.resolve("host")
    assert (image.kind, image.lowers, image.references) == ("host", ("/",), ("host:latest",))
    assert store.resolve(image.id) == store.resolve("host:latest") == image
    assert store.resolve(image.id[7:15]).id == image.id
    assert store.list()[-1].id == image.id
    store.tag("host", "box:1")
    assert store.resolve("box:1").references == ("host:latest", "box:1")
    assert store.remove("box:1") == [("untagged", "box:1")]
    for text in ("host", "host:latest", image.id, image.id[7:19]):
        with pytest.raises(Conflict, match="built in"):
            store.remove(text, force=True)
    with pytest.raises(NotFound):
        store.resolve("box:1")


def test_an_image_named_host_by_an_archive_is_shown_by_its_whole_name(store):
    add(store, A, [X], "docker.io/library/host:latest")
    assert store.resolve("docker.io/library/host").references == ("docker.io/library/host:latest",)
    assert store.resolve("host").kind == "host"


def test_tag_moves_a_name_and_leaves_the_other_image_dangling(store):
    add(store, A, [X], BUSYBOX)
    add(store, B, [Y], "docker.io/library/b:1")
    assert store.tag("b:1", "busybox") == "busybox:latest"
    assert names(store) == {"a": (), "b": ("b:1", "busybox:latest")}
    for bad, kind in (("x@" + X, InvalidArgument), ("A B", InvalidArgument), ("host", Conflict)):
        with pytest.raises(kind):
            store.tag("b:1", bad)
    with pytest.raises(NotFound):
        store.tag("nope", "c:1")


# asked, force, users -> what happens; the table of images/remove.py, line by line
STOPPED, RUNNING = ("old", False), ("web", True)


def test_a_name_of_several_is_untagged_whoever_uses_the_image(store):
    add(store, A, [X], BUSYBOX, "docker.io/library/c:1")
    assert store.remove("busybox", used_by={A: [RUNNING]}) == [("untagged", "busybox:latest")]
    assert names(store) == {"a": ("c:1",)}


def test_the_last_name_takes_the_image_and_its_layers_along(store):
    add(store, A, [X, Y], BUSYBOX, digests=[("docker.io/library/busybox", Z)])
    add(store, B, [X], "docker.io/library/b:1")
    chain = chain_ids((X, Y))
    assert store.remove("busybox") == [
        ("untagged", "busybox:latest"),
        ("untagged", f"busybox@{Z}"),
        ("deleted", A),
        ("deleted", chain[1]),
    ]
    assert store.layers.held == {X, Z}, "what b:1 shares stays; Z is nobody's and not ours to judge"
    assert store.blobs.held == {X, Z}


def test_dry_run_says_the_same_and_does_nothing(store):
    add(store, A, [X, Y], BUSYBOX)
    plan = store.remove("busybox", dry_run=True)
    assert names(store) == {"a": ("busybox:latest",)}
    assert store.remove("busybox") == plan


@pytest.mark.parametrize("text", ["busybox", "aaaa"])
@pytest.mark.parametrize("users", [[STOPPED], [RUNNING], [RUNNING, STOPPED]])
def test_what_is_in_use_is_refused_naming_by_whom(store, text, users):
    add(store, A, [X], BUSYBOX)
    with pytest.raises(InUse, match=", ".join(name for name, _ in users)) as caught:
        store.remove(text, used_by={A: users})
    assert caught.value.fields["by"] == ", ".join(name for name, _ in users)
    assert names(store) == {"a": ("busybox:latest",)}


def test_by_force_an_image_of_stopped_containers_is_forgotten_but_still_there_for_them(store):
    add(store, A, [X], BUSYBOX)
    assert store.remove("busybox", force=True, used_by=lambda: {A: [STOPPED]}) == [
        ("untagged", "busybox:latest"), ("deleted", A),
    ]  # fmt: skip
    assert names(store) == {}
    with pytest.raises(NotFound):
        store.resolve("aaaa")
    assert store.resolve(A).lowers
    store.hold(A)
    assert store.recover({A: [STOPPED]}) == []
    assert store.layers.held == {X, Y, Z}
    assert X in store.recover({})
    assert X not in store.layers.held
    with pytest.raises(NotFound):
        store.hold(A)


def test_a_forgotten_image_goes_with_the_next_removal_or_prune_without_its_container(store):
    for clean in (lambda: store.remove("b:1", used_by={}), lambda: store.prune({})):
        add(store, A, [X], BUSYBOX)
        add(store, B, [Y], "docker.io/library/b:1")
        store.remove("busybox", force=True, used_by={A: [STOPPED]})
        assert store.table.removed() == [A]
        clean()
        assert store.table.removed() == []
        assert X not in store.layers.held


def test_loading_a_forgotten_image_again_brings_it_back(store):
    add(store, A, [X], BUSYBOX)
    store.remove("busybox", force=True, used_by={A: [STOPPED]})
    add(store, A, [X], BUSYBOX)
    assert names(store) == {"a": ("busybox:latest",)}
    assert store.recover({}) == []


def test_by_force_an_image_of_running_containers_loses_its_name_alone(store):
    add(store, A, [X], BUSYBOX)
    assert store.remove("busybox", force=True, used_by={A: [RUNNING]}) == [("untagged", "busybox:latest")]
    assert names(store) == {"a": ()}
    with pytest.raises(InUse, match="cannot be forced"):
        store.remove(A, force=True, used_by={A: [RUNNING]})


def test_an_id_with_several_names_must_be_forced(store):
    add(store, A, [X], BUSYBOX, "docker.io/library/c:1")
    with pytest.raises(Conflict, match=r"must be forced.*busybox:latest, c:1"):
        store.remove("aaaa")
    done = store.remove("aaaa", force=True)
    assert done[:3] == [("untagged", "busybox:latest"), ("untagged", "c:1"), ("deleted", A)]


def test_prune_takes_the_nameless_and_content_that_no_row_names(store):
    add(store, A, [X])
    add(store, B, [Y], BUSYBOX)
    assert store.prune(dry_run=True) == ([("deleted", A), ("deleted", X)], 2 * 100 + 2 * 10)
    assert names(store) == {"a": (), "b": ("busybox:latest",)}
    done, freed = store.prune({A: []})
    assert done == [("deleted", A), ("deleted", X)]
    assert freed == 2 * 100 + 2 * 10, "X with its image, and Z, which had no row"
    assert store.layers.held == store.blobs.held == {Y}
    assert store.prune({B: [STOPPED]}, all=True)[0] == []
    assert store.prune(all=True)[0][0] == ("untagged", "busybox:latest")
    assert store.layers.held == set()


def test_nothing_is_deleted_while_somebody_loads(store):
    from firkin.images.content_lock import Bringing

    add(store, A, [X], BUSYBOX)
    with Bringing(store.paths):
        store.remove("busybox")
        assert store.layers.held == {X, Y, Z}
    store.prune()
    assert store.layers.held == set()


def test_a_killed_load_is_noticed_once(store):
    from firkin.images import content_lock

    with open(f"{store.paths.tmp}/load-0123", "w", encoding="ascii"):
        pass
    with content_lock.Bringing(store.paths):
        assert content_lock.killed(store.paths) is True
        assert content_lock.killed(store.paths) is False, "the living one is not"
    assert os.listdir(store.paths.tmp) == []


def test_listing_knows_what_is_shared(store):
    add(store, A, [X, Y], BUSYBOX, created=1)
    add(store, B, [X], "docker.io/library/b:1", created=2)
    found = {one.image.id: (one.size, one.shared, one.unique) for one in store.listing()}
    assert found[A] == (200, 100, 100)
    assert found[B] == (100, 100, 0)
    assert [one.id for one in store.list()][:2] == [B, A], "newest first"


def test_history_pairs_layers_with_the_steps_that_made_them(store):
    steps = (
        {"created": "2026-01-01T00:00:00Z", "created_by": "ADD"},
        {"created_by": "ENV", "empty_layer": True, "comment": "c"},
        {"created_by": "RUN"},
    )
    add(store, A, [X, Y], BUSYBOX, history=steps)
    found = store.history("busybox")
    assert [(s["Id"], s["CreatedBy"], s["Size"], s["DiffId"]) for s in found] == [
        (A, "RUN", 100, Y), ("<missing>", "ENV", 0, ""), ("<missing>", "ADD", 100, X),
    ]  # fmt: skip
    assert found[0]["Tags"] == ["busybox:latest"]
    assert found[2]["Created"] == 1767225600
    assert found[1]["Comment"] == "c"


@pytest.mark.parametrize(
    "history", [(), ({"created_by": "only one"},), tuple({"created_by": str(n)} for n in range(5))]
)
def test_history_that_does_not_fit_the_layers_still_adds_up(store, history):
    add(store, A, [X, Y], BUSYBOX, history=history)
    assert sum(step["Size"] for step in store.history("busybox")) == 200


def test_history_and_inspect_of_the_host(store):
    assert store.history("host")[0]["Tags"] == ["host:latest"]
    found = store.inspect("host")
    assert found["Config"]["Cmd"] in (["bash"], ["sh"])
    assert "Masked" in found["Firkin"]


def test_inspect_has_dockers_fields(store):
    add(store, A, [X, Y], BUSYBOX, digests=[("docker.io/library/busybox", Z)])
    found = store.inspect("busybox")
    assert {"Id", "RepoTags", "RepoDigests", "Parent", "Comment", "Created", "Author", "Config", "Architecture", "Os", "Size",
            "GraphDriver", "RootFS", "Metadata"} <= set(found)  # fmt: skip
    assert found["GraphDriver"]["Data"] == {
        "UpperDir": f"/layers/{Y[7:]}/diff",
        "LowerDir": f"/layers/{X[7:]}/diff",
    }
    assert found["Config"]["Env"] == ["A=1"]
    assert found["Config"]["Entrypoint"] is None
    assert found["RepoDigests"] == [f"busybox@{Z}"]
