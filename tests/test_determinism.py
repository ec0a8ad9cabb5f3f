"""The same picture, key and nonce give the same bytes: in any thread, process and environment."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from checks import KEY, NONCE, SAMPLINGS, photo
from jpegcrypt import MalformedJpeg, _core, decode, decrypt, encode, encrypt
from jpegcrypt.cipher.bank import BANKS
from jpegcrypt.encoder import EFFORTS

IMAGE = photo("coffee.png")[40:141, 60:213]

# Prints a digest of files made and of pixels decrypted.
PROGRAM = """
import hashlib, sys
import numpy as np
from jpegcrypt import Key, decrypt, encode, encrypt
y, x, c = np.indices((75, 101, 3))
image = ((x * y // 3 + 40 * c) % 256).astype(np.uint8)
key, digest = Key(bytes(range(32))), hashlib.sha256()
for bank in ("givens128", "authors16", "signs256"):
    for subsampling in ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1"):
        for effort in ("fast", "default", "best"):
            for quality in (40, 100):
                kind = dict(subsampling=subsampling, effort=effort, quality=quality)
                digest.update(encode(image, **kind))
                for dc in ("permuted", "residual"):
                    data = encrypt(image, key, bank=bank, dc=dc, nonce=bytes(16), **kind)
                    digest.update(data + decrypt(data, key).tobytes())
print(digest.hexdigest())
"""


def run(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def settings():
    for bank in BANKS:
        for subsampling in SAMPLINGS:
            for effort in EFFORTS:
                yield {"bank": bank, "subsampling": subsampling, "effort": effort}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_again():
    for kind in settings():
        first = encrypt(IMAGE, KEY, nonce=NONCE, **kind)
        assert encrypt(IMAGE.copy(), KEY, nonce=NONCE, **kind) == first
        assert np.array_equal(decrypt(first, KEY), decrypt(first, KEY))


def test_threads():
    """Eight threads at once, each with all settings, as one alone."""

    def work(_: int) -> list[str]:
        found = []
        for kind in settings():
            data = encrypt(IMAGE, KEY, nonce=NONCE, **kind)
            found += [digest(data), digest(decrypt(data, KEY).tobytes())]
            del kind["bank"]
            found.append(digest(encode(IMAGE, **kind)))
        return found

    alone = work(0)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == [alone] * 8


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "4:1:1"])
@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("restart_interval", [0, 1, 7, 1000])
def test_threads_in_a_picture(subsampling, effort, restart_interval):
    """Rows shared out to any number of threads, with odd edges and restarts at any place."""
    image = photo("coffee.png")[:203, :301]
    kind = {"subsampling": subsampling, "effort": effort, "restart_interval": restart_interval}
    alone = encrypt(image, KEY, nonce=NONCE, **kind)
    residual = encrypt(image, KEY, nonce=NONCE, dc="residual", **kind)
    plain = encode(image, **kind)
    for threads in (2, 3, 5, 64):
        assert encrypt(image, KEY, nonce=NONCE, threads=threads, **kind) == alone
        again = encrypt(image, KEY, nonce=NONCE, threads=threads, dc="residual", **kind)
        assert again == residual
        assert encode(image, threads=threads, **kind) == plain
    for threads in (2, 3, 64):
        assert np.array_equal(decrypt(alone, KEY, threads=threads), decrypt(alone, KEY))
        assert np.array_equal(decode(plain, threads=threads), decode(plain))


def test_threads_in_small_and_in_large_pictures():
    for height, width in ((1, 1), (17, 1), (1, 300), (2100, 1700)):
        image = np.resize(photo("coffee.png"), (height, width, 3))
        for restart_interval in (0, None):
            kind = {"nonce": NONCE, "restart_interval": restart_interval}
            alone = encrypt(image, KEY, **kind)
            assert encrypt(image, KEY, threads=3, **kind) == alone
            assert np.array_equal(decrypt(alone, KEY, threads=3), decrypt(alone, KEY))


END = b"\xff\xd9"
DAMAGE = {
    "cut in half": lambda data: data[: len(data) // 2] + END,
    "cut at the end": lambda data: data[:-10] + END,
    "zeros": lambda data: data[: len(data) * 2 // 3] + bytes(2000) + END,
}
DAMAGE_OF_MARKERS = DAMAGE | {
    "an interval too few": lambda data: data[: data.rindex(b"\xff\xd3")] + END,
    "an interval too few, bytes left over": lambda data: (
        data[: data.rindex(b"\xff\xd3")] + bytes(range(50)) + END
    ),
    "an interval too many": lambda data: data[:-2] + b"\xff\xd4" + END,
    "a marker too few": lambda data: data.replace(b"\xff\xd1", b"", 1),
    "a marker too many": lambda data: data.replace(b"\xff\xd1", b"\xff\xd1\xff\xd2", 1),
    "out of order": lambda data: data.replace(b"\xff\xd1", b"\xff\xd2", 1),
}


def check_refused_alike(broken):
    texts = set()
    for threads in (1, 2, 3, 64):
        with pytest.raises(MalformedJpeg) as caught:
            decode(broken, threads=threads)
        texts.add(str(caught.value))
    assert len(texts) == 1


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_refused_by_two_threads_as_by_one(damage):
    image = np.resize(photo("coffee.png"), (2100, 1700, 3))
    check_refused_alike(damage(encode(image, restart_interval=0)))


@pytest.mark.parametrize("damage", DAMAGE_OF_MARKERS.values(), ids=DAMAGE_OF_MARKERS)
def test_damaged_intervals_are_refused_by_many_threads_as_by_one(damage):
    data = encode(np.resize(photo("coffee.png"), (900, 1200, 3)), effort="fast")
    assert [data.count(bytes([0xFF, 0xD0 + i])) for i in range(5)] == [1, 1, 1, 1, 0]
    check_refused_alike(damage(data))


def test_processes_and_environments():
    """Neither hash randomization, nor locale, nor float environment has a say."""
    first = run()
    assert len(first) == 64
    for environment in (
        {"PYTHONHASHSEED": "1"},
        {"LC_ALL": "C", "LANG": "de_DE.UTF-8"},
        {"OMP_NUM_THREADS": "1", "PYTHONOPTIMIZE": "2"},
    ):
        assert run(**environment) == first


LEVELS = ("portable", "sse4", "avx2", "avx512", "neon")


@pytest.mark.parametrize("level", LEVELS)
def test_instruction_sets(level):
    """Every level this processor has gives the bytes of the one in use."""
    try:
        forced = run(JPEGCRYPT_SIMD=level)
    except subprocess.CalledProcessError as error:
        assert f"JPEGCRYPT_SIMD='{level}'" in error.stderr
        pytest.skip(f"no {level} here")
    assert forced == run()


def test_the_level_in_use_has_a_name():
    assert _core.simd_level() in LEVELS


def test_an_unknown_level_is_refused():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(JPEGCRYPT_SIMD="abacus")
    assert "JPEGCRYPT_SIMD='abacus': this build or processor has no such level" in (
        caught.value.stderr
    )
