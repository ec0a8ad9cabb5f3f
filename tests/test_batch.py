"""Batches: in order, bounded, one bad item at its place, no thread left behind."""

import gc
import threading
import time

import numpy as np
import pytest
from PIL import Image

from checks import KEY, photo
from jpegcrypt import (
    BatchResult,
    FixedKeyWarning,
    MalformedJpeg,
    WrongKey,
    batch,
    decrypt,
    decrypt_many,
    encrypt,
    encrypt_many,
)
from jpegcrypt.batch import in_order
from jpegcrypt.key import Key


def grays(count):
    return [np.full((16, 16), i, np.uint8) for i in range(count)]


WAYS = {
    "one thread": lambda items: in_order(len, items, 1),
    "threads": lambda items: in_order(len, items, 2),
    "thumbnails": lambda items: in_order(len, items, 2, lambda item: True),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("jpegcrypt")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    assert workers() == []


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_there_and_back_in_order(threads):
    files = encrypt_many(grays(20), KEY, threads=threads, quality=95)
    results = list(decrypt_many((file.unwrap() for file in files), KEY, threads=threads))
    assert [result.index for result in results] == list(range(20))
    for i, result in enumerate(results):
        assert np.abs(result.unwrap().astype(int) - i).max() <= 1


def test_the_same_bytes_whatever_the_threads():
    pictures = [photo("coffee.png"), *grays(5), photo("astronaut.png")]
    one, four = (
        [r.unwrap() for r in encrypt_many(pictures, KEY, threads=n, key_mode="content")]
        for n in (1, 4)
    )
    assert one == four == [encrypt(picture, KEY, key_mode="content") for picture in pictures]


def test_pictures_of_pillow_too():
    (result,) = encrypt_many([Image.new("RGB", (9, 7))], KEY)
    assert decrypt(result.unwrap(), KEY).shape == (7, 9, 3)


def test_a_bad_item_does_not_stop_the_others():
    good = grays(3)
    results = list(encrypt_many([good[0], "text", good[1], np.zeros((2, 2)), good[2]], KEY))
    assert [result.error is None for result in results] == [True, False, True, False, True]
    assert isinstance(results[1].error, TypeError)
    assert results[1].value is None
    with pytest.raises(TypeError, match="str, expected a uint8 array"):
        results[1].unwrap()

    files = [results[0].unwrap(), b"", encrypt(good[1], Key.generate()), results[4].unwrap()]
    errors = [result.error for result in decrypt_many(files, KEY)]
    assert [type(error) for error in errors] == [type(None), MalformedJpeg, WrongKey, type(None)]


@every_way
@pytest.mark.parametrize("count", [0, 1, 5])
def test_an_error_of_the_iterable_comes_behind_what_it_gave(way, count):
    def pictures():
        yield from grays(count)
        raise OSError("unplugged")

    found = []
    with pytest.raises(OSError, match="unplugged"):
        found.extend(result.index for result in way(pictures()))
    assert found == list(range(count))


@every_way
def test_nothing_to_do(way):
    assert list(way([])) == []
    assert list(way(iter(()))) == []


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_window_is_bounded(threads):
    """An endless iterable, and a consumer that is slower than the threads.

    Items that take as long as a photograph are handed over one by one, quick ones in handfuls.
    """
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield taken

    def slow(item):
        time.sleep(1.1 * batch._HANDFUL_SECONDS)
        return item

    results = in_order(slow, endless(), threads)
    assert taken == 0
    for n in range(1, 10):
        assert next(results) == BatchResult(n - 1, n, None)
        time.sleep(0.002)
        assert taken - n < 2 * threads
    results.close()

    taken = 0
    results = in_order(lambda item: item, endless(), threads)
    for n in range(1, 500):
        assert next(results) == BatchResult(n - 1, n, None)
        assert taken - n < 2 * threads * batch._MOST
    results.close()


def test_results_of_large_items_behind_quick_ones_do_not_gather():
    begun = 0

    def work(item):
        nonlocal begun
        begun += 1
        if item >= 300:
            time.sleep(1.1 * batch._TOO_LONG_SECONDS)
        return item

    results = in_order(work, range(1000), 2)
    for n in range(340):
        assert next(results) == BatchResult(n, n, None)
        if n >= 300:
            time.sleep(2 * batch._TOO_LONG_SECONDS)
            assert begun - n <= batch._MOST + 2 * 2
    results.close()


def test_items_of_a_slow_source_do_not_gather():
    """Each is worked on when the next one comes, also after quick ones that went in handfuls."""
    begun = []

    def source():
        yield from range(200)
        for item in range(200, 210):
            time.sleep(1.1 * batch._HANDFUL_SECONDS)
            yield item
            time.sleep(0.1)
            assert len(begun) >= item - 1

    assert all(result.error is None for result in in_order(begun.append, source(), 2))
    assert sorted(begun) == list(range(210))


@every_way
def test_items_are_let_go(way):
    pictures = (np.zeros((8, 8), np.uint8) for _ in range(300))
    alive = []

    def watched():
        import weakref

        for picture in pictures:
            alive.append(weakref.ref(picture))
            yield picture
            del picture

    for _ in way(watched()):
        assert sum(ref() is not None for ref in alive) <= 2 * 2 * batch._MOST + 2


def test_closing_early_drops_what_has_not_begun():
    begun = []
    release = threading.Event()

    def work(item):
        begun.append(item)
        if item:
            release.wait(5)
        return item

    results = in_order(work, range(100), 2)
    assert next(results).value == 0
    release.set()
    results.close()
    assert len(begun) <= 4
    assert workers() == []
    with pytest.raises(StopIteration):
        next(results)


@every_way
def test_never_started_or_forgotten(way):
    way(grays(5))
    forgotten = way(grays(50))
    next(forgotten)


@every_way
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_passes_at_once(way, error):
    def pictures():
        yield from grays(3)
        raise error

    with pytest.raises(error):
        list(way(pictures()))


def test_threads_work_at_the_same_time():
    barrier = threading.Barrier(3, timeout=5)
    results = in_order(lambda _: barrier.wait() is not None, range(6), 3)
    assert [result.value for result in results] == [True] * 6


@pytest.mark.parametrize(
    ("keywords", "error", "text"),
    [
        (
            {"qualty": 90},
            TypeError,
            "unexpected keyword argument 'qualty'",
        ),
        ({"nonce": bytes(16)}, TypeError, "unexpected keyword argument 'nonce'"),
        ({"exif": b"II"}, TypeError, "unexpected keyword argument 'exif'"),
        ({"quality": 0}, ValueError, "quality"),
        ({"subsampling": "4:2:1"}, ValueError, "unknown subsampling"),
        ({"bank": "none"}, ValueError, "unknown bank"),
        ({"threads": 0}, ValueError, "0 threads, expected at least 1"),
        ({"threads": -2}, ValueError, "-2 threads"),
    ],
)
def test_bad_keywords_are_told_at_once(keywords, error, text):
    with pytest.raises(error, match=text):
        encrypt_many([], KEY, **keywords)


def test_fixed_key_mode_warns():
    with pytest.warns(FixedKeyWarning):
        list(encrypt_many(grays(2), KEY, key_mode="fixed"))


def test_decrypt_many_passes_its_keywords_on():
    file = bytearray(encrypt(grays(1)[0], KEY))
    file[file.index(b"\xff\xdb") + 5] ^= 1  # a quantization step
    (refused,) = decrypt_many([bytes(file)], KEY)
    (shown,) = decrypt_many([bytes(file)], KEY, verify=False)
    (large,) = decrypt_many([bytes(file)], KEY, verify=False, max_pixels=16)
    assert refused.error is not None
    assert shown.unwrap().shape == (16, 16)
    assert "16x16 pixels" in str(large.error)


def test_thumbnails_need_no_thread_but_photographs_do():
    big = np.zeros((512, 512, 3), np.uint8)
    results = encrypt_many([*grays(3), big, *grays(3), big], KEY, threads=2)
    for _ in range(3):
        next(results)
        assert workers() == []
    next(results)
    assert workers()
    assert [result.index for result in results] == [4, 5, 6, 7]


def test_thumbnails_alone_start_no_thread(monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", None)
    files = [result.unwrap() for result in encrypt_many(grays(3), KEY, threads=2)]
    assert [result.index for result in decrypt_many(files, KEY, threads=2)] == [0, 1, 2]


def test_what_is_called_quick_but_waits_gets_threads():
    def work(item):
        time.sleep(0.01)
        return threading.current_thread() is threading.main_thread()

    here = [result.value for result in in_order(work, range(30), 4, lambda item: True)]
    assert here[:5] == [True] * 5
    assert here[-5:] == [False] * 5


def test_one_thread_is_the_own_one():
    names = in_order(lambda _: threading.current_thread().name, range(3), 1)
    assert {result.value for result in names} == {threading.current_thread().name}
