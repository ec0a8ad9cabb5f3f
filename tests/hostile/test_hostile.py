"""Hostile files: any bytes give a picture or an error of ours, in bounded time and memory.

`make sanitize` runs this folder under AddressSanitizer and UBSan. JPEGCRYPT_EXAMPLES sets how many
files hypothesis tries in each test.
"""

import os
import resource
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import oracle
import recode
from checks import KEY, NONCE, patterns, photo, pillow_jpeg, refusal
from format_reader import read_picture
from jpegcrypt import (
    ImageTooLarge,
    JpegError,
    MalformedJpeg,
    decode,
    decrypt,
    encode,
    encrypt,
    inspect,
    read_coefficients,
)
from jpegcrypt.codec.tables import ZIGZAG

EXAMPLES = int(os.environ.get("JPEGCRYPT_EXAMPLES", "600"))
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
MAX_PIXELS = 1 << 20
# Processor time: it is the file that must not take long, not a busy machine.
SECONDS = 2 * (10 if SANITIZED else 1)  # for a file of some kilobytes and up to MAX_PIXELS

hostile = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

IMAGE = photo("coffee.png")[200:225, 300:334]


def seeds() -> list[bytes]:
    """Small valid files of every kind that is read."""
    gray = IMAGE[:, :, 1]
    files = [
        encrypt(IMAGE, KEY, nonce=NONCE),
        encrypt(IMAGE, KEY, nonce=NONCE, subsampling="4:1:1", effort="fast", restart_interval=2),
        encrypt(IMAGE, KEY, nonce=NONCE, subsampling="4:4:4", comment=b"hello", quality=95),
        encrypt(gray, KEY, nonce=NONCE, bank="signs256"),
        encrypt(IMAGE, KEY, nonce=NONCE, dc="residual", effort="best"),
        encode(IMAGE, subsampling="4:4:0", restart_interval=1, exif=bytes(40)),
        encode(IMAGE[:1, :1]),
        pillow_jpeg(IMAGE),
        pillow_jpeg(IMAGE, progressive=True, restart_marker_blocks=3),
        pillow_jpeg(IMAGE, keep_rgb=True),
        pillow_jpeg(gray, progressive=True, optimize=True),
    ]
    cipher = read_picture(files[0])
    for kind in (
        {"script": recode.PROGRESSIVE},
        {"script": recode.PROGRESSIVE, "restart_interval": 2, "code_length": 16},
        {"script": recode.SEPARATE, "wide_tables": True},
        {"code_length": 13, "restart_interval": 1},
    ):
        files.append(recode.recode(files[0], cipher, **kind))
    full = read_picture(encode(IMAGE, subsampling="4:4:4"))
    full.sampling = [(4, 4)] * 3  # the same blocks, in components that cannot be interleaved
    files.append(recode.recode(b"", full, script=recode.SEPARATE))
    return files


SEEDS = seeds()


def survive(data: bytes) -> None:
    """Feed a file to everything that reads files."""
    for function in (decode, partial(decode, threads=2), read_coefficients, inspect):
        start = time.process_time()
        refusal(lambda file, f=function: f(file, max_pixels=MAX_PIXELS), data)
        assert time.process_time() - start < SECONDS
    for verify in (True, False):
        start = time.process_time()
        refusal(lambda file, v=verify: decrypt(file, KEY, verify=v, max_pixels=MAX_PIXELS), data)
        assert time.process_time() - start < SECONDS


def test_the_seeds_are_valid():
    for data in SEEDS:
        assert refusal(decode, data) is None
        assert refusal(read_coefficients, data) is None


# --- mutations ----------------------------------------------------------------------------------

places = st.floats(0, 1, exclude_max=True)
small = st.integers(0, 40)
interesting = st.sampled_from(
    [0x00, 0x01, 0x02, 0x10, 0x7F, 0x80, 0xD0, 0xD8, 0xD9, 0xDA, 0xFE, 0xFF]
)
markers = st.sampled_from([0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xEB, 0xEE, 0xD9, 0xD3])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Bit flips, bytes, cuts, repeats, splices, and wrong lengths, one upon the other."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = int(draw(places) * len(data)) if data else 0
        match draw(st.integers(0, 8)):
            case 0 if data:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case 1 if data:
                data[at] = draw(interesting | st.integers(0, 255))
            case 2:
                del data[at : at + draw(small)]
            case 3:
                data[at:at] = draw(st.binary(max_size=40))
            case 4:
                data[at:at] = data[at : at + draw(small)]
            case 5:
                other = draw(st.sampled_from(SEEDS))
                start = int(draw(places) * len(other))
                data[at:] = other[start:]
            case 6:
                del data[at:]
            case 7:
                starts = [i for i in range(len(data) - 3) if data[i] == 0xFF and data[i + 1] > 0xBF]
                if starts:
                    start = draw(st.sampled_from(starts))
                    data[start + 2 : start + 4] = draw(st.integers(0, 65535)).to_bytes(2)
            case _:
                starts = [i for i in range(len(data) - 3) if data[i] == 0xFF and data[i + 1] > 0xBF]
                if starts:
                    data[draw(st.sampled_from(starts)) + 1] = draw(markers)
    return bytes(data)


@hostile
@given(mutated())
def test_mutated_files(data):
    survive(data)


def framed(data: bytes) -> tuple[list[bytes], list[oracle.Segment]]:
    found = list(oracle.segments(data))
    return [data[s.offset : s.end] for s in found], found


@hostile
@given(st.data())
def test_segments_in_any_order(data):
    """Segments of all kinds of files, shuffled, left out, repeated."""
    parts = [
        part
        for seed in data.draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3))
        for part in framed(seed)[0]
    ]
    chosen = data.draw(st.lists(st.sampled_from(parts), max_size=14))
    if data.draw(st.booleans()):
        chosen = [*framed(SEEDS[0])[0][:-1], *chosen]
    survive(b"\xff\xd8" + b"".join(chosen) + b"\xff\xd9")


@hostile
@given(st.sampled_from(SEEDS), st.data())
def test_any_entropy_coded_data(seed, data):
    """A sound header before random bits; each scan of the file gets its own."""
    out = []
    for part, s in zip(*framed(seed), strict=True):
        if s.marker == 0xDA:
            length = int.from_bytes(part[2:4]) + 2
            noise = data.draw(st.binary(max_size=300) | st.just(b"\xaa" * 3000))
            if data.draw(st.booleans()):
                noise = noise.replace(b"\xff", b"\xff\0")
            part = part[:length] + noise
        out.append(part)
    survive(b"".join(out))


@st.composite
def huffman_segments(draw: st.DrawFn) -> bytes:
    """DHT with any lengths; half of them make a prefix code, as full as one likes."""
    bits, room = [], 1
    sound = draw(st.booleans())
    for _ in range(16):
        room = min(room * 2, 512)
        count = draw(st.integers(0, max(0, min(room - 1, 60)) if sound else 60))
        room -= count
        bits.append(count)
    values = draw(st.binary(min_size=min(sum(bits), 256), max_size=min(sum(bits), 256)))
    destination = draw(st.sampled_from([0x00, 0x10, 0x01, 0x11]))
    payload = bytes([destination, *bits]) + values
    return b"\xff\xc4" + (len(payload) + 2).to_bytes(2) + payload


@hostile
@given(st.sampled_from(SEEDS), st.lists(huffman_segments(), min_size=1, max_size=4))
def test_any_huffman_tables(seed, tables):
    """Their own bits, read with other tables."""
    out = []
    for part, s in zip(*framed(seed), strict=True):
        out += [*tables, part] if s.marker == 0xDA else [part]
    survive(b"".join(out))


LONG_AND_SHORT = b"\x10\1\1" + bytes(13) + b"\1" + bytes([0x09, 0x00, 0x0F])  # 1, 2, 16 bits


@hostile
@given(
    st.lists(
        st.lists(
            st.sampled_from([(9, 300), (9, -511), (15, 20001), (15, -16384)]),
            min_size=1,
            max_size=63,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_values_beyond_those_of_baseline(blocks):
    """AC sizes up to 15, which only 16-bit samples need: a code and its bits take up to 31."""
    codes = {0: "10", 9: "0", 15: "1100000000000000"}
    bits = ""
    for values in blocks:
        bits += "0"  # no DC difference
        for size, value in values:
            bits += codes[size] + format(
                value if value > 0 else value + (1 << size) - 1, f"0{size}b"
            )
        bits += codes[0] * (len(values) < 63)
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0")
    data = b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, bytes([0, *[1] * 64])),
            segment(0xC0, b"\x08\0\x08" + (8 * len(blocks)).to_bytes(2) + b"\1\1\x11\0"),
            segment(0xC4, b"\0\1" + bytes(15) + b"\0"),
            segment(0xC4, LONG_AND_SHORT),
            segment(0xDA, b"\1\1\0\0\x3f\0"),
            scan,
            b"\xff\xd9",
        ]
    )
    found = read_coefficients(data).Y[0].reshape(-1, 64)[:, ZIGZAG]
    expected = [[0, *(value for _, value in values)] for values in blocks]
    for row, block in zip(found.tolist(), expected, strict=True):
        assert row == block + [0] * (64 - len(block))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """SOF with any size and factors."""
    side = st.integers(1, 64) | st.integers(0, 65535)
    n = draw(st.sampled_from([1, 3, 3, 3, 2, 4]))
    payload = b"\x08" + draw(side).to_bytes(2) + draw(side).to_bytes(2) + bytes([n])
    for i in range(n):
        payload += bytes([i + 1, draw(st.integers(1, 4)) << 4 | draw(st.integers(1, 4)), 0])
    marker = draw(st.sampled_from([0xC0, 0xC1, 0xC2]))
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


@hostile
@given(st.sampled_from(SEEDS), frames())
def test_any_frame(seed, frame):
    """Their bits, with another geometry."""
    out = [
        frame if 0xC0 <= s.marker <= 0xC2 else part for part, s in zip(*framed(seed), strict=True)
    ]
    survive(b"".join(out))


@hostile
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff")
@example(b"\xff\xd8\xff")
@example(b"\xff\xd8" + b"\xff" * 100)
def test_any_bytes(data):
    survive(data)
    survive(b"\xff\xd8" + data)


# --- any picture, any settings ------------------------------------------------------------------

steps = st.integers(1, 255)
tables = st.lists(st.lists(steps, min_size=64, max_size=64), min_size=1, max_size=3)


@settings(hostile, max_examples=EXAMPLES // 4)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    name=st.sampled_from(sorted(patterns(1, 1))),
    gray=st.booleans(),
    how=st.fixed_dictionaries({"quality": st.integers(1, 100)})
    | st.fixed_dictionaries({"qtables": tables}),
    kind=st.fixed_dictionaries(
        {
            "subsampling": st.sampled_from(["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1"]),
            "bank": st.sampled_from(["givens128", "authors16", "signs256"]),
            "effort": st.sampled_from(["fast", "default", "best"]),
            "dc": st.sampled_from(["permuted", "residual"]),
            "restart_interval": st.integers(0, 9) | st.integers(0, 65535),
        }
    ),
)
def test_any_picture(height, width, name, gray, how, kind):
    image = patterns(height, width, 1 if gray else 3)[name]
    data = encrypt(image, KEY, **how, **kind)
    assert decrypt(data, KEY).shape == decode(data).shape == image.shape
    assert max(np.abs(array).max() for array in arrays(data)) <= 1023


def arrays(data: bytes) -> list[np.ndarray]:
    c = read_coefficients(data)
    return [array for array in (c.Y, c.Cb, c.Cr) if array is not None]


# --- any coefficients, at every level -----------------------------------------------------------

# DC from end to end of int16 in steps that have codes, beside any number of AC values; then what
# has no code: AC beyond 1023, and a step of DC that is too far.
GIVEN = """
import hashlib
import numpy as np
from jpegcrypt import _core

frame, digest = _core.Frame(8 * 66, 8, [(1, 1)]), hashlib.sha256()
far = np.append(np.linspace(-32768, 32767, 65).astype(np.int16), np.int16(-32768))
for dc in (np.append(far[32:], far[:32]), np.append(far[32::-1], far[:32:-1])):
    for n in range(64):
        blocks = np.zeros((1, 66, 64), np.int16)
        blocks[0, :, 0] = dc
        blocks[0, :, 1 : n + 1] = np.resize([1023, -1023, 1], n)
        scan, tables = _core.encode_coefficients(frame, [blocks])
        digest.update(bytes(scan))
        for wrong in (1024, -1024, 32767, -32767, -32768):
            place = (0, 37, 1 + n % 63) if n % 2 else (0, 0, 63 - n % 63)
            refused = blocks.copy()
            refused[place] = wrong
            try:
                _core.encode_coefficients(frame, [refused])
            except ValueError:
                continue
            raise SystemExit(f"{wrong} at {place} was encoded")
for value in (32767, -32767):
    blocks = np.full((1, 66, 64), 5, np.int16)
    blocks[0, :, 0] = value
    try:
        _core.encode_coefficients(frame, [blocks])
    except ValueError:
        continue
    raise SystemExit(f"a first DC value of {value} was encoded")
print(digest.hexdigest())
"""


def given_coefficients(level: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", GIVEN],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "JPEGCRYPT_SIMD": level},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def portable_digest() -> str:
    done = given_coefficients("portable")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("level", ["sse4", "avx2", "avx512", "neon"])
def test_any_coefficients(level, portable_digest):
    """Those without a code are refused, and no table is read outside on the way."""
    done = given_coefficients(level)
    if "no such level" in done.stderr:
        pytest.skip(f"no {level} here")
    assert (done.returncode, done.stdout) == (0, portable_digest), done.stderr


# --- bombs --------------------------------------------------------------------------------------


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


def bomb(
    width: int, height: int, *, progressive: bool = False, n: int = 3, passes: int = 4
) -> bytes:
    """A flat picture in as few bytes as JPEG allows: every code has one bit.

    Progressive, it has 63 scans a pass, each over all blocks of Y at next to no bytes.
    """
    frame = b"\x08" + height.to_bytes(2) + width.to_bytes(2) + bytes([n])
    frame += b"".join(bytes([i + 1, 0x11, 0]) for i in range(n))
    ids = b"".join(bytes([i + 1, 0]) for i in range(n))
    blocks = -(-width // 8) * -(-height // 8)
    out = [b"\xff\xd8", segment(0xDB, bytes([0, *[1] * 64]))]
    out.append(segment(0xC2 if progressive else 0xC0, frame))
    out.append(segment(0xC4, b"\0\1" + bytes(15) + b"\0"))  # 0: no DC difference
    out.append(segment(0xC4, b"\x10\1" + bytes(15) + (b"\xe0" if progressive else b"\0")))
    if not progressive:
        bits = blocks * n * 2
        out += [segment(0xDA, bytes([n]) + ids + b"\0\x3f\0"), bytes(-(-bits // 8))]
    else:
        out += [segment(0xDA, bytes([n]) + ids + b"\0\0\0"), bytes(-(-blocks * n // 8))]
        runs = bytes(2 * -(-blocks // (1 << 14)))  # EOB14 with 14 zero bits: 2**14 blocks
        bands = [
            (k, high, low)
            for high, low in ((0, 3), (3, 2), (2, 1), (1, 0))[:passes]
            for k in range(1, 64)
        ]
        for k, high, low in bands:
            out += [segment(0xDA, bytes([1, 1, 0, k, k, high << 4 | low])), runs]
    return b"".join([*out, b"\xff\xd9"])


def test_huge_header():
    """65535 x 65535 in 200 bytes."""
    data = bomb(65535, 65535)[:200]
    for function in (decode, read_coefficients, inspect, lambda data: decrypt(data, KEY)):
        start = time.process_time()
        with pytest.raises(ImageTooLarge):
            function(data)
        assert time.process_time() - start < 0.1
    start = time.process_time()
    with pytest.raises(JpegError):
        decode(data, max_pixels=1 << 32)
    assert time.process_time() - start < 0.1


def test_many_scans_take_their_time_and_no_more():
    """253 scans over 4 megapixels in 60 KB: the slowest kind of file for its size."""
    data = bomb(2000, 2000, progressive=True, n=1)
    assert len(data) < 60_000
    start = time.process_time()
    assert decode(data).shape == (2000, 2000)
    assert time.process_time() - start < 5 * (10 if SANITIZED else 1)


MEASURE = """
import resource, sys
import numpy as np
import jpegcrypt
data = sys.stdin.buffer.read()
jpegcrypt.decode(jpegcrypt.encode(np.zeros((8, 8), np.uint8)))  # imports
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
jpegcrypt.decode(data)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizer takes memory of its own")
@pytest.mark.parametrize("progressive", [False, True])
def test_memory_follows_the_pixels(progressive):
    """At most 6 bytes a pixel for samples and picture, 6 more for coefficients of many scans."""
    data = bomb(4000, 2000, progressive=progressive, passes=2)
    assert len(data) < 200_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=data,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
    )
    assert int(done.stdout) * 1024 < 4000 * 2000 * (12 if progressive else 6) + (8 << 20)


def test_many_scans_of_a_large_picture():
    """A second's work is done in any case, more only if the picture is worth it."""
    start = time.process_time()
    with pytest.raises(MalformedJpeg, match="visit the blocks more than 64 times"):
        decode(bomb(4000, 2000, progressive=True))
    assert time.process_time() - start < 5


def test_many_segments():
    for one in (*(segment(m, b"") for m in (0xE0, 0xDB, 0xC4, 0xFE)), b"\xff\x01"):  # and TEM
        with pytest.raises(MalformedJpeg, match="more than 4096 segments"):
            inspect(b"\xff\xd8" + one * 5000)


def test_many_tables_in_a_segment():
    for marker, table in ((0xC4, bytes(17)), (0xDB, b"\0" + b"\1" * 64)):
        with pytest.raises(MalformedJpeg, match="of more than 64 tables"):
            inspect(b"\xff\xd8" + segment(marker, table * 65))


def test_many_fill_bytes():
    start = time.process_time()
    with pytest.raises(MalformedJpeg, match="ends in a marker"):
        inspect(b"\xff\xd8" + b"\xff" * (1 << 25))
    assert time.process_time() - start < 1


def test_nothing_leaks():
    """Failing over and over takes no memory: what was allocated before an error is freed."""
    cuts = [seed[: len(seed) * i // 7] for seed in SEEDS for i in range(1, 7)]
    flips = [seed[:-9] + bytes([seed[-9] ^ 0x55]) + seed[-8:] for seed in SEEDS]

    def work(n: int) -> None:
        for _ in range(n):
            for data in cuts + flips:
                refusal(decode, data)
                refusal(decrypt, data, KEY)

    work(20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work(60)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 8 << 10 or SANITIZED  # kilobytes; freed memory stays in quarantine there
