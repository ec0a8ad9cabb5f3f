"""Files as arrays: the values of our own decoder, what is left out and why, the cache."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jpegcrypt
from checks import components
from format_reader import read_picture
from jpegcrypt import Key
from recode import SEPARATE, recode

pytest.importorskip("joblib", reason="joblib is not installed; the retrieval extra brings it")

from jpegcrypt.api import find_header
from jpegcrypt.codec.coefficients import read_coefficients
from jpegcrypt.codec.parse import parse
from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.retrieval import arrays, models
from jpegcrypt.retrieval.arrays import load_coefficients, load_pixels
from jpegcrypt.retrieval.embed import embed

KEY = Key(bytes(32))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with every kind of file that a data set may hold."""
    folder = tmp_path / "set"
    folder.mkdir()
    upright = jpegcrypt.encrypt(picture(48, 32), KEY)
    (folder / "0-upright.jpg").write_bytes(upright)
    (folder / "1-landscape.jpg").write_bytes(jpegcrypt.encrypt(picture(32, 48, 1), KEY))
    (folder / "2-cut.jpg").write_bytes(upright[:200])
    (folder / "3-plain.jpg").write_bytes(jpegcrypt.encode(picture(48, 32)))
    (folder / "4-small.jpg").write_bytes(jpegcrypt.encrypt(picture(32, 32), KEY))
    (folder / "5-text.jpg").write_text("hello")
    (folder / "6-empty.jpg").touch()
    Image.fromarray(picture(48, 32)).save(folder / "7-plain.png")
    (folder / "8-cut.png").write_bytes((folder / "7-plain.png").read_bytes()[:80])
    (folder / "9-link.jpg").symlink_to("nowhere")
    return folder


def test_coefficients_that_no_encoder_writes_are_no_trouble_for_a_model(tmp_path: Path) -> None:
    """DC differences add up to values beyond those of T.81, down to the least of int16."""
    path = tmp_path / "broken.jpg"
    data = jpegcrypt.encrypt(picture(48, 32), KEY)
    c = read_picture(data)
    for blocks in c.blocks:
        blocks[:] = 0
        dc = blocks[:, :, 0, 0]
        dc[:] = np.maximum(-32768, -2047 * np.arange(1, dc.size + 1)).reshape(dc.shape)
    path.write_bytes(recode(data, c, script=SEPARATE))
    assert components(read_coefficients(path.read_bytes()))[0].min() == -32768
    loaded = load_coefficients([path])
    assert loaded.coefficients.min() == -2047
    for model in ("block_set", "dct_histogram", "code_transformer"):
        assert np.isfinite(embed(models.create(model, classes=2), [path]).features).all()


def test_a_broken_entry_of_the_cache_is_named(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    load_pixels(listed(folder), cache=cache)
    (entry,) = cache.iterdir()
    (entry / "record.json").write_text("")
    with pytest.raises(ValueError, match=f"{entry}: a broken part of the cache"):
        load_pixels(listed(folder), cache=cache)


def listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_pixels_are_those_of_the_decoder(folder: Path) -> None:
    loaded = load_pixels(listed(folder))
    assert loaded.kept.tolist() == [0, 1]
    assert loaded.pixels.shape == (2, 48, 32, 3)
    for row, path in zip(loaded.pixels, listed(folder), strict=False):
        seen = jpegcrypt.decode(path.read_bytes())
        np.testing.assert_array_equal(row, seen if seen.shape[0] == 48 else np.rot90(seen))


def test_coefficients_are_those_of_the_decoder(folder: Path) -> None:
    loaded = load_coefficients(listed(folder))
    assert loaded.kept.tolist() == [0, 1]
    assert loaded.coefficients.shape == (2, 36, 64)
    assert np.bincount(loaded.component).tolist() == [24, 6, 6]
    for i, path in enumerate(listed(folder)[:2]):
        read = jpegcrypt.read_coefficients(path.read_bytes())
        assert read.Cb is not None
        cb = loaded.coefficients[i, loaded.component == 1]
        np.testing.assert_array_equal(cb, read.Cb.reshape(-1, 64)[:, ZIGZAG])
        np.testing.assert_array_equal(loaded.steps[i], read.qt.reshape(3, 64)[:, ZIGZAG])


@pytest.mark.parametrize("load", [load_pixels, load_coefficients])
def test_levels_are_those_of_the_header(folder: Path, load) -> None:
    loaded = load(listed(folder))
    for i, path in enumerate(listed(folder)[:2]):
        assert loaded.levels[i].tobytes() == find_header(parse(path.read_bytes()))[0].levels


def test_plain_pictures_have_their_means_taken_off(tmp_path: Path) -> None:
    """As encryption does, but for means of quantized values, which may be one off."""
    pictures = [picture(48, 32), picture(32, 48, 2) // 4, picture(16, 16)[:, :, 0] // 2]
    for pixels in pictures:
        files = [tmp_path / "cipher.jpg", tmp_path / "plain.jpg"]
        files[0].write_bytes(jpegcrypt.encrypt(pixels, KEY, quality=75))
        files[1].write_bytes(jpegcrypt.encode(pixels, quality=75))
        loaded = load_coefficients(files, cipher_only=False)
        cipher, plain = loaded.coefficients[:, :, 0]
        of_cipher, of_plain = loaded.levels.astype(int)
        np.testing.assert_allclose(of_cipher, of_plain, atol=1)
        for index in range(loaded.levels.shape[1]):
            place = loaded.component == index
            sizes = np.sort(abs(cipher[place])), np.sort(abs(plain[place]))
            np.testing.assert_allclose(*sizes, atol=1)
            assert abs(plain[place].mean()) <= 0.5 + 0.5 * 8 / loaded.steps[1, index, 0]


@pytest.mark.parametrize("load", [load_pixels, load_coefficients])
def test_what_is_left_out_is_named(folder: Path, load) -> None:
    reasons = {skipped.path.name: skipped.reason for skipped in load(listed(folder)).skipped}
    assert list(reasons) == [path.name for path in listed(folder)[2:]]
    assert "cut short at byte" in reasons["2-cut.jpg"]
    assert "without a jpegcrypt header" in reasons["3-plain.jpg"]
    assert "as the first file has" in reasons["4-small.jpg"]
    assert "begins with 0x68656C6C" in reasons["5-text.jpg"]
    assert "an empty file" in reasons["6-empty.jpg"]
    assert reasons["9-link.jpg"] == "No such file or directory"


def test_plain_pictures_on_request(folder: Path) -> None:
    loaded = load_pixels(listed(folder), cipher_only=False)
    assert loaded.kept.tolist() == [0, 1, 3, 7]
    np.testing.assert_array_equal(loaded.pixels[3], picture(48, 32))
    assert (loaded.levels[2:] == 128).all()
    assert load_coefficients(listed(folder), cipher_only=False).kept.tolist() == [0, 1, 3]


def test_gray_pictures(tmp_path: Path) -> None:
    path = tmp_path / "gray.jpg"
    path.write_bytes(jpegcrypt.encrypt(picture(16, 16)[:, :, 0], KEY))
    assert load_pixels([path]).pixels.shape == (1, 16, 16, 3)
    assert load_coefficients([path]).component.tolist() == [0] * 4


@pytest.mark.parametrize("load", [load_pixels, load_coefficients])
def test_nothing_to_use(folder: Path, load) -> None:
    with pytest.raises(ValueError, match=r"none of 1 files.*5-text\.jpg: found a file that begins"):
        load([folder / "5-text.jpg"])
    with pytest.raises(ValueError, match="none of 0 files"):
        load([])


@pytest.mark.parametrize(("load", "name"), [(load_pixels, "pixels"), (load_coefficients, "steps")])
def test_the_cache_gives_the_same(folder: Path, tmp_path: Path, monkeypatch, load, name) -> None:
    cache = tmp_path / "cache"
    fresh, first = load(listed(folder)), load(listed(folder), cache=cache)
    monkeypatch.setattr(arrays, "_decode", None)  # not needed again
    moved = tmp_path / "moved"
    shutil.move(folder, moved)
    again = load(listed(moved), cache=cache)
    for loaded in (first, again):
        assert isinstance(getattr(loaded, name), np.memmap)
        np.testing.assert_array_equal(getattr(loaded, name), getattr(fresh, name))
        np.testing.assert_array_equal(loaded.kept, fresh.kept)
        assert [s.reason for s in loaded.skipped] == [s.reason for s in fresh.skipped]
    assert again.skipped[0].path.parent == moved
    assert len(list(cache.iterdir())) == 1


def test_the_cache_follows_the_contents(folder: Path, tmp_path: Path) -> None:
    files, cache = listed(folder), tmp_path / "cache"
    before = load_pixels(files, cache=cache).pixels
    files[0].write_bytes(jpegcrypt.encrypt(picture(48, 32, 2), KEY))
    after = load_pixels(files, cache=cache).pixels
    np.testing.assert_array_equal(before[1], after[1])
    assert not np.array_equal(before[0], after[0])
    assert load_pixels(files, cache=cache, cipher_only=False).kept.tolist() == [0, 1, 3, 7]


def test_a_failed_load_leaves_no_entry(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of 1 files"):
        load_pixels([folder / "5-text.jpg"], cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_processes_give_the_same(folder: Path) -> None:
    files = listed(folder) * 20  # several chunks
    one, two = load_pixels(files, workers=1), load_pixels(files, workers=2)
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.kept, two.kept)
    assert one.skipped == two.skipped


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names in folders")
@pytest.mark.parametrize("load", [load_pixels, load_coefficients])
def test_odd_entries_are_left_out(folder: Path, load, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    odd = [folder / "pipe.jpg", folder, Path("x" * 300), Path("a\0b")]
    for cache in (None, tmp_path / "cache"):
        loaded = load([*odd, folder / "0-upright.jpg", *odd], cache=cache)
        assert loaded.kept.tolist() == [4]
        reasons = [one.reason for one in loaded.skipped]
        assert reasons[:4] == reasons[4:]
        assert reasons[:2] == ["no file but a folder, a device or a pipe"] * 2
        assert "name too long" in reasons[2]
        assert "null" in reasons[3]


@pytest.mark.parametrize("load", [load_pixels, load_coefficients])
def test_pictures_of_another_size_are_not_decoded(folder: Path, load, monkeypatch) -> None:
    decoded = []

    def watch(name: str) -> None:
        original = getattr(arrays, name)

        def noting(jpeg):
            decoded.append(jpeg.frame.width)
            return original(jpeg)

        monkeypatch.setattr(arrays, name, noting)

    watch("decode_planes")
    watch("decode_scans")
    (folder / "large.jpg").write_bytes(jpegcrypt.encrypt(picture(480, 320), KEY))
    names = ["0-upright.jpg", "large.jpg", "4-small.jpg", "1-landscape.jpg"]
    loaded = load([folder / name for name in names], workers=1)
    assert loaded.kept.tolist() == [0, 3]
    assert decoded == [32, 48]


def test_few_large_pictures_are_held_at_a_time(folder: Path, monkeypatch) -> None:
    files = listed(folder) * 3
    whole = load_pixels(files)
    handed = []
    original = arrays._read_chunk

    def noting(paths, *rest):
        handed.append(len(paths))
        return original(paths, *rest)

    monkeypatch.setattr(arrays, "_read_chunk", noting)
    monkeypatch.setattr(arrays, "_CHUNK_SIZE", 3 * 48 * 32 * 3 + 10)
    by_few = load_pixels(files, workers=1)
    assert max(handed) == 3
    assert sum(handed) == len(files) - 1
    np.testing.assert_array_equal(whole.pixels, by_few.pixels)
    assert whole.skipped == by_few.skipped


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files")
def test_a_full_disk_is_an_error_that_names_it(folder: Path, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * 48 * 32 * 3, before[1]))
    try:
        with pytest.raises(OSError, match="cache") as error:
            load_pixels(listed(folder) * 5, cache=tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(tmp_path / "cache") in str(error.value)
    assert list((tmp_path / "cache").iterdir()) == []
