"""The kernels of each instruction set against the portable reference, in C and in Python."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

LEVELS = ("sse4", "avx2", "avx512", "neon")
NOT_HERE = 77  # what kernels.c returns for a level that the processor lacks


@pytest.fixture(scope="module")
def compare(build):
    return build("kernels.c")


@pytest.mark.parametrize("level", LEVELS)
def test_kernels_equal_the_portable_ones(compare, level):
    result = subprocess.run([compare, level], capture_output=True, text=True)
    if result.returncode == NOT_HERE:
        pytest.skip(result.stdout.strip())
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{level}: 20000 rounds, 0 differences\n"


# Run in a fresh process, because the level is chosen at import: prints a hash over everything.
SCRIPT = """
import hashlib
import numpy as np
from jpegcrypt import Key, _core, decode, decrypt, encode, encrypt

key, digest, random = Key(bytes(32)), hashlib.sha256(), np.random.default_rng(1)
smooth = np.add.outer(np.arange(45) * 3, np.arange(83) * 2)[:, :, None] + np.array([0, 40, 90])
pictures = [
    (smooth % 256).astype(np.uint8),
    (smooth[:33, :64, 0] % 256).astype(np.uint8),
    random.integers(0, 256, (67, 91, 3), dtype=np.uint8),
    np.zeros((40, 33, 3), np.uint8),
    random.integers(0, 2, (64, 96, 3), dtype=np.uint8) * np.uint8(255),
]
for picture in pictures:
    for quality in (1, 30, 75, 100):
        for subsampling in ("4:4:4", "4:2:0", "4:2:2", "4:4:0", "4:1:1"):
            for bank in ("givens128", "authors16", "signs256"):
                settings = dict(quality=quality, subsampling=subsampling)
                data = encrypt(picture, key, bank=bank, nonce=bytes(16), **settings)
                digest.update(data + decrypt(data, key).tobytes() + decode(data).tobytes())
            data = encode(picture, effort="fast", **settings)
            digest.update(data + decode(data).tobytes())
print(_core.simd_level(), digest.hexdigest())
"""


def run(level):
    environment = os.environ | {"JPEGCRYPT_SIMD": level}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
    )


def test_every_level_writes_the_same_bytes_and_shows_the_same_pixels():
    reference = run("portable")
    assert reference.stdout.startswith("portable "), reference.stderr
    digest = reference.stdout.split()[1]
    assert digest != hashlib.sha256().hexdigest()
    outputs = {level: run(level) for level in LEVELS}
    tested = {level: out.stdout for level, out in outputs.items() if out.returncode == 0}
    assert tested == {level: f"{level} {digest}\n" for level in tested}
    for level in outputs.keys() - tested.keys():
        assert "no such level" in outputs[level].stderr
    if not tested:
        pytest.skip("the processor has none of the levels")


def test_an_unknown_level_is_refused():
    result = run("mmx")
    assert result.returncode != 0
    assert "JPEGCRYPT_SIMD='mmx'" in result.stderr


def test_the_quantizer_divides_exactly():
    """Every dividend and step: the reciprocal of jc_quantizer_init against integer division."""
    n = np.arange(1 << 15, dtype=np.uint64)
    for step in range(1, 256):
        d, s = 16 * step, 0
        while (2 << s) < d:
            s += 1
        reciprocal, scale = -(-(1 << (16 + s)) // d), 1 << (16 - s)
        assert reciprocal < 1 << 16
        quotient = ((n * reciprocal >> 16) * scale) >> 16
        assert np.array_equal(quotient, n // d)
