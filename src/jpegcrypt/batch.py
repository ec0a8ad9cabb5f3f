"""Many pictures in memory: several threads, results in order, no more in flight than needed."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic, TypeVar, Unpack

import numpy as np
from PIL import Image

from jpegcrypt.api import decrypt, encrypt
from jpegcrypt.codec.parse import MAX_PIXELS
from jpegcrypt.encoder import ImageLike, Pixels
from jpegcrypt.key import Key
from jpegcrypt.settings import EncoderSettings, check_settings

# Handing work to a thread and back takes some 0.3 ms, as long as a thumbnail takes: several of them
# go together, as many as keep a thread busy for so long.
_HANDFUL_SECONDS = 0.01
_MOST = 16
# What photographs behind thumbnails leave of a handful when this is over is handed over one by one,
# so that their results do not gather.
_TOO_LONG_SECONDS = 4 * _HANDFUL_SECONDS
_QUICK_SECONDS = 0.002  # waiting for a network takes longer,
_PATIENCE_SECONDS = 0.1  # and so does the first picture, which imports modules
# Below this, threads wait for Python's lock longer than they work without it.
_THUMBNAIL_SAMPLES = 3 * 256 * 256
THUMBNAIL_BYTES = 16_384

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[Result]):
    """What became of one item.

    Attributes
    ----------
    index : int
        The item's place, from 0.
    value : bytes or array, or None
        None if there is an error. The repr hides it: it may be a decrypted picture.
    error : Exception or None
        What `encrypt` or `decrypt` raised.

    Examples
    --------
    >>> BatchResult(0, b"file", None).unwrap()
    b'file'
    """

    index: int
    value: Result | None = field(repr=False)
    error: Exception | None

    def unwrap(self) -> Result:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        assert self.value is not None
        return self.value


def encrypt_many(
    items: Iterable[ImageLike],
    key: Key,
    *,
    threads: int | None = None,
    **settings: Unpack[EncoderSettings],
) -> Generator[BatchResult[bytes], None, None]:
    """Encrypt pictures one after another, several at a time.

    Threads pay for pictures of a megapixel and more. For thumbnails most of the time goes to keys
    and Python, one thread at a time: the thread that asks for the results encrypts them itself, and
    several processes are the way to use several processors, each with a `Key.load` of its own, as
    keys are not pickled.

    Parameters
    ----------
    items : iterable of images
        Consumed as the results are, two for each thread ahead, or 32 thumbnails; never held as a
        whole. Each is read later than it is taken, so it must not change: a video reader that
        uses one array for all frames has to hand out copies.
    key : Key
    threads : int, optional
        As many as there are processors to use.
    **settings
        As for `encrypt`: quality, subsampling, qtables, bank, dc, key_mode, effort,
        trellis_lambda, restart_interval.
        They serve all pictures; a nonce must not.

    Returns
    -------
    iterator of BatchResult
        In the order of `items`. A bad picture has its error in its result, and the others go on;
        an error of `items` itself is raised behind the results of what came before it.

    Raises
    ------
    TypeError, ValueError
        For bad keywords, at once.

    Examples
    --------
    >>> import numpy as np
    >>> from jpegcrypt import Key
    >>> pictures = (np.full((8, 8), gray, np.uint8) for gray in range(3))
    >>> [result.index for result in encrypt_many(pictures, Key.generate()) if not result.error]
    [0, 1, 2]
    """
    check_settings("encrypt_many", settings, key)
    return in_order(lambda image: encrypt(image, key, **settings), items, threads, _is_thumbnail)


def decrypt_many(
    items: Iterable[bytes],
    key: Key,
    *,
    threads: int | None = None,
    verify: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> Generator[BatchResult[Pixels], None, None]:
    """Decrypt files one after another, several at a time.

    Parameters
    ----------
    items : iterable of bytes
        Files, consumed as the results are.
    key : Key
    threads : int, optional
        As many as there are processors to use.
    verify, max_pixels
        As for `decrypt`.

    Returns
    -------
    iterator of BatchResult
        In the order of `items`, as for `encrypt_many`.

    Raises
    ------
    TypeError
        If `key` is no `Key`, at once.

    Examples
    --------
    >>> from jpegcrypt import Key, NotEncrypted, encode
    >>> import numpy as np
    >>> (result,) = decrypt_many([encode(np.zeros((8, 8), np.uint8))], Key.generate())
    >>> isinstance(result.error, NotEncrypted)
    True
    """
    if not isinstance(key, Key):
        raise TypeError(f"{type(key).__name__}, expected a jpegcrypt.Key")
    return in_order(
        lambda data: decrypt(data, key, verify=verify, max_pixels=max_pixels),
        items,
        threads,
        _is_thumbnail_file,
    )


def _is_thumbnail(image: object) -> bool:
    if isinstance(image, Image.Image):
        return 3 * image.width * image.height < _THUMBNAIL_SAMPLES
    return isinstance(image, np.ndarray) and image.size < _THUMBNAIL_SAMPLES


def _is_thumbnail_file(data: object) -> bool:
    return isinstance(data, bytes) and len(data) < THUMBNAIL_BYTES


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int | None = None,
    is_quick: Callable[[Item], bool] = lambda item: False,
) -> Generator[BatchResult[Result], None, None]:
    """Apply a function to items in threads; yield results in order.

    The thread that asks for the results does all of the work if `threads` is 1, and otherwise items
    that `is_quick` names, unless others are at work or these turn out to be slow. At most two
    handfuls of items for each thread are in flight, done but not fetched ones included: whoever
    consumes slowly holds back the reading. A handful is one item, or several of which each takes
    less than handing it over. Closing the generator drops what has not begun, and waits for
    the rest.
    """
    if threads is None:
        threads = processors()
    if threads < 1:
        raise ValueError(f"{threads} threads, expected at least 1")
    if threads == 1:
        return _here(function, items)
    return _in_threads(function, items, threads, is_quick)


def _run(function: Callable[[Item], Result], index: int, item: Item) -> BatchResult[Result]:
    try:
        return BatchResult(index, function(item), None)
    except Exception as error:
        return BatchResult(index, None, error)


def _here(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[BatchResult[Result], None, None]:
    for index, item in enumerate(items):
        yield _run(function, index, item)


def _in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    is_quick: Callable[[Item], bool],
) -> Generator[BatchResult[Result], None, None]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="jpegcrypt")
    window: deque[Future[tuple[list[BatchResult[Result]], list[tuple[int, Item]], float]]] = deque()
    size = 1  # of a handful
    patience = _PATIENCE_SECONDS  # with what is called quick

    def run_all(
        handful: list[tuple[int, Item]],
    ) -> tuple[list[BatchResult[Result]], list[tuple[int, Item]], float]:
        results: list[BatchResult[Result]] = []
        start = perf_counter()
        for index, item in handful:
            if perf_counter() - start > _TOO_LONG_SECONDS:
                break
            results.append(_run(function, index, item))
        return results, handful[len(results) :], perf_counter() - start

    def fetch() -> list[BatchResult[Result]]:
        nonlocal size
        results, rest, seconds = window.popleft().result()
        window.extendleft(reversed([pool.submit(run_all, [numbered]) for numbered in rest]))
        if seconds < _HANDFUL_SECONDS / 2:
            size = min(2 * size, _MOST)
        elif seconds > _HANDFUL_SECONDS:
            size = max(size // 2, 1)
        return results

    failed: list[Exception] = []  # of `items`

    def numbered_items() -> Iterator[tuple[int, Item]]:
        try:
            yield from enumerate(items)
        except Exception as error:
            failed.append(error)

    handful: list[tuple[int, Item]] = []
    deadline = 0.0
    try:
        for numbered in numbered_items():
            if not window and not handful and patience > 0 and is_quick(numbered[1]):
                start = perf_counter()
                result = _run(function, *numbered)
                patience += _QUICK_SECONDS - (perf_counter() - start)
                patience = min(patience, _PATIENCE_SECONDS)
                yield result
                continue
            if not handful:
                deadline = perf_counter() + _HANDFUL_SECONDS
            handful.append(numbered)
            if len(handful) >= size or perf_counter() > deadline:
                window.append(pool.submit(run_all, handful))
                handful = []
                while len(window) >= 2 * threads:
                    yield from fetch()
        if handful:
            window.append(pool.submit(run_all, handful))
        while window:
            yield from fetch()
        if failed:
            raise failed[0]
    finally:
        pool.shutdown(cancel_futures=True)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
