"""Layouts of data sets, and their splits."""

import os
from pathlib import Path

import numpy as np
import pytest

from jpegcrypt.retrieval.folders import read_files, read_folder, stratified, unseen_classes

LABELS = np.repeat(np.arange(50), 100)[:-1]  # as corel5k: 49 classes of 100, one of 99


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def names(root: Path) -> list[tuple[str, str]]:
    files = read_folder(root)
    base = root if root.is_dir() else root.parent
    return [
        (path.relative_to(base).as_posix(), files.classes[label])
        for path, label in zip(files.paths, files.labels, strict=True)
    ]


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    touch(tmp_path, "10/b.jpg", "9/c.PNG", "10/sub/a.jpeg", "9/notes.txt", ".git/x.jpg", "9/.y.jpg")
    assert names(tmp_path) == [("9/c.PNG", "9"), ("10/b.jpg", "10"), ("10/sub/a.jpeg", "10")]


def test_a_class_may_be_a_link(tmp_path: Path) -> None:
    touch(tmp_path / "all", "lake/1.jpg", "road/1.jpg")
    (tmp_path / "some").mkdir()
    for name in ("lake", "road"):
        (tmp_path / "some" / name).symlink_to(tmp_path / "all" / name)
    assert names(tmp_path / "some") == [("lake/1.jpg", "lake"), ("road/1.jpg", "road")]


def test_numbered_as_corel(tmp_path: Path) -> None:
    touch(tmp_path, "0.jpg", "99.jpg", "100.jpg", "1000.jpg", "20.jpg")
    assert names(tmp_path) == [
        ("0.jpg", "0"), ("20.jpg", "0"), ("99.jpg", "0"), ("100.jpg", "1"), ("1000.jpg", "10"),
    ]  # fmt: skip


def test_class_and_index(tmp_path: Path) -> None:
    touch(tmp_path, "12_7.jpg", "2_10.jpg", "2_9.jpg", "sea_side_1.jpg")
    assert [label for _, label in names(tmp_path)] == ["2", "2", "12", "sea_side"]
    assert names(tmp_path)[0][0] == "2_9.jpg"


def test_a_csv_file(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("label,path,note\nbus,x/2.jpg,\nbus,x/1.jpg,\nape,3.jpg,old\n")
    assert names(table) == [("3.jpg", "ape"), ("x/1.jpg", "bus"), ("x/2.jpg", "bus")]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([], "no pictures"),
        (["a.jpg"], "tells no class"),
        (["1.jpg", "x_1.jpg"], "tells no class"),
        (["1.jpg", "bus/1.jpg"], "beside folders"),
    ],
)
def test_no_layout(tmp_path: Path, found: list[str], text: str) -> None:
    touch(tmp_path, *found)
    with pytest.raises(ValueError, match=f"{text}.*expected a folder per class"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("file,label\na.jpg,1\n", "columns file, label"),
        ("path,label\na.jpg,\n", "line 2 lacks"),
        ("", "columns none"),
        ('path,label\n"a.jpg,1\n', "unexpected end of data"),
        ("path,label\n\xff.jpg,1\n", "UTF-8"),
    ],
)
def test_a_csv_file_that_is_none(tmp_path: Path, table: str, text: str) -> None:
    (tmp_path / "x.csv").write_bytes(table.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"x\.csv: .*{text}"):
        read_folder(tmp_path / "x.csv")


def test_names_are_those_of_other_encryptions(tmp_path: Path) -> None:
    touch(tmp_path / "one", "lake/1.jpg", "lake/a/1.jpg", "bus/2.x.jpg")
    touch(tmp_path / "two", "lake/1.png", "lake/a/1.jpeg", "bus/2.x.jpg")
    touch(tmp_path / "three", "lake/1.png.jpg", "lake/a/1.webp.jpg", "bus/2.x.JPG.png")
    table = tmp_path / "two" / "labels.csv"
    table.write_text("path,label\nlake/1.png,lake\nlake/a/1.jpeg,lake\n./bus/2.x.jpg,bus\n")
    for root in (tmp_path / "one", tmp_path / "two", tmp_path / "three", table):
        assert read_folder(root).names == ["bus/2.x", "lake/1", "lake/a/1"]


def test_a_picture_counts_once(tmp_path: Path) -> None:
    for name in ("lake/1.jpg", "lake/1.png.jpg", "sea/1.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with pytest.raises(ValueError, match=r"1\.png\.jpg: the same picture as .*1\.jpg, by its name"):
        read_folder(tmp_path)
    (tmp_path / "list.csv").write_text("path,label\nsea/1.jpg,a\nsea/1.jpg,b\n")
    with pytest.raises(ValueError, match="the same picture as"):
        read_folder(tmp_path / "list.csv")


def test_a_csv_file_on_another_drive(tmp_path: Path, monkeypatch) -> None:
    def apart(path: Path, start: Path) -> str:
        raise ValueError(f"path is on mount 'D:', start on mount {start}")

    monkeypatch.setattr(os.path, "relpath", apart)
    table = tmp_path / "labels.csv"
    table.write_text("path,label\n/d/a.jpg,x\n")
    assert read_folder(table).names == ["/d/a"]


def test_files_without_classes(tmp_path: Path) -> None:
    touch(tmp_path, "set/b.jpg", "set/a/10.jpg", "set/a/9.jpg", "set/.x.jpg", "c.jpg")
    files = read_files([tmp_path / "c.jpg", tmp_path / "set", tmp_path / "missing.jpg"])
    listed = [path.relative_to(tmp_path).as_posix() for path in files.paths]
    assert listed == ["c.jpg", "set/a/9.jpg", "set/a/10.jpg", "set/b.jpg", "missing.jpg"]
    assert files.labels.tolist() == [-1] * 5


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_folder(tmp_path / "missing")
    touch(tmp_path, "a.zip")
    with pytest.raises(ValueError, match="a file"):
        read_folder(tmp_path / "a.zip")


def test_stratified_takes_the_same_part_of_every_class() -> None:
    train, test = stratified(LABELS)
    assert len(test) == 1500
    assert np.bincount(LABELS[test]).tolist() == [30] * 50
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(LABELS)))


def test_unseen_classes_share_nothing() -> None:
    train, test = unseen_classes(LABELS)
    assert len(np.unique(LABELS[test])) == 15
    assert not np.isin(LABELS[test], LABELS[train]).any()
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(LABELS)))


@pytest.mark.parametrize("split", [stratified, unseen_classes])
def test_a_split_follows_its_seed_alone(split) -> None:
    np.testing.assert_array_equal(split(LABELS)[1], split(LABELS.tolist(), seed=2020)[1])
    assert not np.array_equal(split(LABELS)[1], split(LABELS, seed=1)[1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        split(LABELS, test=1)


def test_the_splits_never_change() -> None:
    # A published number names its split by the seed alone.
    labels = np.repeat([0, 1, 2, 3], 5)
    assert stratified(labels)[1].tolist() == STRATIFIED
    assert unseen_classes(labels)[1].tolist() == UNSEEN


STRATIFIED = [0, 4, 6, 9, 11, 12, 15, 18]
UNSEEN = [0, 1, 2, 3, 4]
