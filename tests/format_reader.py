"""A decoder written from docs/format.md alone: slow, plain, and importing nothing of jpegcrypt.

libjpeg reads the coefficients, through jpeglib. Section numbers are those of the document.
"""

import base64
import hashlib
import hmac
import struct
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import jpeglib
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id


class Refused(Exception):
    """The file is not to be shown."""


# ---- 2 Keys ----


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf_expand(prk, info):
    return hmac_sha256(prk, info + b"\1")  # one round: 32 bytes


def key_id(secret):
    return hashlib.sha256(hkdf_expand(secret, b"jpegcrypt/1 key id")).digest()[:8]


def image_keys(secret, nonce):
    prk = hmac_sha256(nonce, secret)  # HKDF-Extract
    return lambda label: hkdf_expand(prk, b"jpegcrypt/1 " + label.encode())


def key_from_file(text):
    lines = [line.strip() for line in text.splitlines()]
    (line,) = [line for line in lines if line and not line.startswith("#")]
    prefix = "JPEGCRYPT-KEY-1"
    if not line.startswith(prefix):
        raise Refused("not a key")
    digits = line[len(prefix) :]
    raw = base64.b32decode(digits + "=" * (-len(digits) % 8))
    secret, checksum = raw[:32], raw[32:]
    if checksum != hashlib.sha256(b"jpegcrypt key file 1" + secret).digest()[:4]:
        raise Refused("a mistyped key")
    return secret


def key_from_passphrase(text, salt):
    argon2 = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=65536)
    return argon2.derive(unicodedata.normalize("NFC", text).encode("utf-8"))


# ---- 3 Segments, 4 Header, 5 Sealed metadata ----


def segments(data):
    """Yield marker code and payload of everything before the first scan, and behind it."""
    position = 2
    while True:
        start = data.index(b"\xff", position)
        if start != position:
            raise Refused("no marker")
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        if marker == 0xD9:
            return
        length = int.from_bytes(data[position + 1 : position + 3], "big")
        yield marker, data[position + 3 : position + 1 + length]
        position += 1 + length
        if marker == 0xDA:
            while data[position] != 0xFF or data[position + 1] == 0 or data[position + 1] in RST:
                position += 1


RST = range(0xD0, 0xD8)


@dataclass
class Header:
    payload: bytes
    scheme: int
    bank: int
    key_mode: int
    dc_mode: int
    levels: bytes
    key_id: bytes
    nonce: bytes
    tag: bytes
    salt: bytes | None


def read_header(data):
    app11 = [payload for marker, payload in segments(data) if marker == 0xEB]
    headers = [payload for payload in app11 if payload.startswith(b"jpegcrypt\0")]
    if len(headers) != 1:
        raise Refused(f"{len(headers)} headers")
    (p,) = headers
    if p[10] != 1:
        raise Refused(f"format version {p[10]}")
    flags = p[18]
    if flags & ~1 or len(p) != (75 if flags else 59):
        raise Refused("flags or length of the header")
    salt = p[59:75] if flags else None
    header = Header(p, *p[11:15], p[15:18], p[19:27], p[27:43], p[43:59], salt)
    chunks = [payload for payload in app11 if payload.startswith(b"jpegcrypt\1")]
    for i, chunk in enumerate(chunks, start=1):
        if (chunk[10], chunk[11]) != (i, len(chunks)):
            raise Refused("sealed metadata is not whole")
    return header, b"".join(chunk[12:] for chunk in chunks)


def open_metadata(sealed, keys):
    if not sealed:
        return {}
    plaintext = AESGCM(keys("metadata")).decrypt(sealed[:12], sealed[12:], None)
    names = {1: "exif", 2: "xmp", 3: "icc_profile", 4: "comment"}
    metadata = {}
    while plaintext:
        kind, length = struct.unpack(">BI", plaintext[:5])
        content, plaintext = plaintext[5 : 5 + length], plaintext[5 + length :]
        if kind == 5:
            metadata["dpi"] = struct.unpack(">dd", content)
        elif kind == 6:
            metadata.setdefault("segments", []).append((content[0], content[1:]))
        elif kind == 7:
            keyword, text = content.split(b"\0")
            pair = keyword.decode("latin-1"), text.decode("utf-8")
            metadata.setdefault("text", []).append(pair)
        else:
            metadata[names[kind]] = content
    return metadata


# ---- 6 Plan ----


def key_stream(key, n):
    return Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor().update(bytes(n))


def plan(key, n):
    """Records (n, 16) and permutation of a component of n blocks."""
    stream = key_stream(key, 16 * n + 4 * n + 4096)  # 1024 words more than the shuffle needs
    records = np.frombuffer(stream[: 16 * n], np.uint8).reshape(n, 16)
    draws = (int.from_bytes(stream[i : i + 4], "little") for i in range(16 * n, len(stream), 4))
    permutation = list(range(n))
    for i in range(n - 1, 0, -1):
        size = i + 1
        product = next(draws) * size
        while product % 2**32 < 2**32 % size:
            product = next(draws) * size
        j = product >> 32
        permutation[i], permutation[j] = permutation[j], permutation[i]
    return records.astype(int), permutation


# ---- 7 Banks ----


def dct():
    a = [np.sqrt(1 / 8)] + [1 / 2] * 7
    return np.array(
        [[a[i] * np.cos(np.pi * (2 * n + 1) * i / 16) for n in range(8)] for i in range(8)]
    )


def givens128():
    bank = []
    for k in range(128):
        m = dct()
        for j, alpha, beta in zip(
            range(1, 7), (23, 43, 67, 89, 109, 121), (90, 35, 121, 62, 8, 103), strict=True
        ):
            theta = 0.35 * (((alpha * k + beta) % 128) - 63.5) / 63.5
            upper, lower = m[j].copy(), m[j + 1].copy()
            m[j] = np.cos(theta) * upper - np.sin(theta) * lower
            m[j + 1] = np.sin(theta) * upper + np.cos(theta) * lower
        for i in range(1, 8):
            if k >> (i - 1) & 1:
                m[i] = -m[i]
        if (k & 1) ^ (k >> 6 & 1):
            m[0] = -m[0]
        bank.append(m)
    return bank


def authors16():
    bit = {0: 6, 4: 6, 2: 5, 6: 5, 1: 3, 7: 3, 3: 1, 5: 1}
    return [np.array([(-1) ** (k >> bit[i] & 1) * dct()[i] for i in range(8)]) for k in range(128)]


def signs256():
    return [np.array([(-1) ** (k >> i & 1) * dct()[i] for i in range(8)]) for k in range(256)]


BANKS = {1: givens128, 2: authors16, 3: signs256}


def fixed_point(bank):
    return np.rint(16384 * np.array(BANKS[bank]())).astype(np.int64)


def component_label(component, header, blocks):
    rows, columns = blocks.shape[:2]
    use = BANKS[header.bank].__name__ + (" residual" if header.dc_mode == 1 else "")
    return f"{component} {use} {columns}x{rows}"


# ---- 8 Blocks: DC values ----


def dc_sign(records, bank):
    """Sign that the matrices of each block give its DC value, (n,)."""
    row, column = (bank[records[:, i] % len(bank)][:, 0, 0] for i in (0, 1))
    return np.sign(row * column)


def dc_bound(step):
    return min(1023, (2048 + step) // (2 * step))


def dc_shift(level, step):
    shift = (16 * abs(level - 128) + step) // (2 * step)
    return shift if level > 128 else -shift


def wrap(value, bound):
    return (value + bound) % (2 * bound + 1) - bound


def coded_order(rows, columns, factors):
    """Raster positions of the real blocks of a component, in the order of an interleaved scan."""
    h, v = factors
    for mcu_y in range(-(-rows // v)):
        for mcu_x in range(-(-columns // h)):
            for y in range(mcu_y * v, min(mcu_y * v + v, rows)):
                for x in range(mcu_x * h, min(mcu_x * h + h, columns)):
                    yield y * columns + x


def prediction(plain, y, x, start):
    if y == 0:
        return plain[y, x - 1] if x else start
    if x == 0:
        return plain[y - 1, x]
    left, above, corner = plain[y, x - 1], plain[y - 1, x], plain[y - 1, x - 1]
    if corner >= max(left, above):
        return min(left, above)
    return max(left, above) if corner <= min(left, above) else left + above - corner


def encrypt_dc(dc, step, level, records, bank):
    """DC values (n,) of transformed blocks to those of the file, in DC mode 0."""
    return wrap(dc - dc_sign(records, bank) * dc_shift(level, step), dc_bound(step))


def decrypt_dc(coefficients, step, level, dc_mode, factors, records, permutation, bank):
    """DC value of each cipher block (n,) as its transform made it."""
    rows, columns = coefficients.shape[:2]
    dc = coefficients[:, :, 0, 0].ravel().astype(int)
    sign, bound, shift = dc_sign(records, bank), dc_bound(step), dc_shift(level, step)
    if dc_mode == 0:
        return np.array([wrap(q + s * shift, bound) for q, s in zip(dc, sign, strict=True)])
    residual, before = np.empty(rows * columns, int), 0
    for o in coded_order(rows, columns, factors):
        residual[permutation[o]] = sign[o] * wrap(dc[o] - before, bound)
        before = dc[o]
    plain = residual.reshape(rows, columns).copy()
    for y in range(rows):
        for x in range(columns):
            plain[y, x] = wrap(plain[y, x] + prediction(plain, y, x, shift), bound)
    return sign * plain.ravel()[permutation]


# ---- 8 Blocks: transforms ----


def int16(x):
    return x.astype(np.int16).astype(np.int64)


def int32(x):
    return x.astype(np.int32).astype(np.int64)


def forward_blocks(samples, steps, records, bank):
    """Samples (n, 8, 8) of plain blocks to the cipher coefficients (n, 8, 8) they become."""
    turned = [np.rot90(x, -r) for x, r in zip(samples, records[:, 9] % 4, strict=True)]
    x = np.array(turned, np.int64) - 128
    column = bank[records[:, 1:9] % len(bank)]  # column[b, u] is a matrix [v, i]
    row = bank[records[:, 0] % len(bank)]  # row[b] is a matrix [u, j]
    y = ((x[:, :, None] * row[:, None]).sum(axis=3) + 2**7) >> 8  # y[b, i, u]
    q = np.empty(x.shape, np.int64)
    for u in range(8):
        t = ((column[:, u] * y[:, None, :, u]).sum(axis=2) + 2**15) >> 16
        m = np.minimum(1023, (abs(t) + 8 * steps[:, u]) // (16 * steps[:, u]))
        q[:, :, u] = np.where(t < 0, -m, m)
    return q


def inverse_blocks(coefficients, steps, records, bank, full_resolution):
    """Cipher coefficients (n, 8, 8) to the samples (n, 8, 8) of the plain blocks they hold."""
    n = len(coefficients)
    q = coefficients.astype(np.int64)
    shrink = np.full((8, 8), int(full_resolution))
    shrink[0, 0] = 0
    z = int16((16 * q - shrink * np.sign(q)) * steps)  # z[b, v, u]
    column = bank[records[:, 1:9] % len(bank)]
    row = bank[records[:, 0] % len(bank)]
    y = np.empty((n, 8, 8), np.int64)
    for u in range(8):
        total = int32((column[:, u] * z[:, :, u, None]).sum(axis=1))
        y[:, :, u] = int16((total + 2**13) >> 14)
    total = int32((y[:, :, :, None] * row[:, None]).sum(axis=2))
    rotated = np.clip(int32(total + 128 * 2**18 + 2**17) >> 18, 0, 255)
    turns = records[:, 9] % 4  # clockwise when it was encrypted, so counterclockwise now
    return np.array([np.rot90(block, k) for block, k in zip(rotated, turns, strict=True)], np.uint8)


def decrypt_component(coefficients, steps, key, bank, level, dc_mode, factors, full_resolution):
    """Coefficients (rows, columns, 8, 8) of a component to its samples (8 rows, 8 columns)."""
    rows, columns = coefficients.shape[:2]
    n = rows * columns
    records, permutation = plan(key, n)
    cipher = coefficients.reshape(n, 8, 8).astype(int)
    step = int(steps[0, 0])
    cipher[:, 0, 0] = decrypt_dc(
        coefficients, step, level, dc_mode, factors, records, permutation, bank
    )
    plain = np.empty((n, 8, 8), np.uint8)
    plain[permutation] = inverse_blocks(cipher, steps, records, bank, full_resolution)
    return plain.reshape(rows, columns, 8, 8).swapaxes(1, 2).reshape(rows * 8, columns * 8)


# ---- 9 Tag ----

ZIGZAG = sorted(
    range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8)
)


@dataclass
class Picture:
    """What libjpeg says of a file: components in frame order, MCU padding left out."""

    width: int
    height: int
    sampling: list[tuple[int, int]]  # (H, V)
    steps: list[np.ndarray]  # (8, 8), natural order
    blocks: list[np.ndarray]  # (rows, columns, 8, 8), natural order


def read_picture(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cipher.jpg"
        path.write_bytes(data)
        jpeg = jpeglib.read_dct(str(path))
    blocks = [c for c in (jpeg.Y, jpeg.Cb, jpeg.Cr) if c is not None]
    factors = [(int(h), int(v)) for v, h in jpeg.samp_factor]  # jpeglib's order is V, H
    if len(blocks) == 1:
        factors = [(1, 1)]
    steps = [jpeg.qt[jpeg.quant_tbl_no[i]] for i in range(len(blocks))]
    return Picture(jpeg.width, jpeg.height, factors, steps, blocks)


def tag_message(header, picture, sealed):
    message = header.payload[:43] + bytes(16) + header.payload[59:]
    message += struct.pack(">HHB", picture.width, picture.height, len(picture.blocks))
    for (h, v), steps in zip(picture.sampling, picture.steps, strict=True):
        message += bytes([h, v]) + steps.astype(">u2").tobytes()
    message += len(sealed).to_bytes(4, "big") + sealed
    return message + b"".join(block_messages(picture))


def block_messages(picture):
    h_max = max(h for h, v in picture.sampling)
    v_max = max(v for h, v in picture.sampling)
    for mcu_y in range(-(-picture.height // (8 * v_max))):
        for mcu_x in range(-(-picture.width // (8 * h_max))):
            for (h, v), blocks in zip(picture.sampling, picture.blocks, strict=True):
                for y in range(mcu_y * v, mcu_y * v + v):
                    for x in range(mcu_x * h, mcu_x * h + h):
                        if y < blocks.shape[0] and x < blocks.shape[1]:
                            yield block_message(blocks[y, x].ravel()[ZIGZAG])


def block_message(zigzag):
    mask = sum(1 << k for k in range(64) if zigzag[k])
    return mask.to_bytes(8, "little") + zigzag[zigzag != 0].astype("<i2").tobytes()


def compute_tag(keys, message):
    gcm = Cipher(algorithms.AES256(keys("hash")), modes.GCM(bytes(12))).encryptor()
    gcm.authenticate_additional_data(message)
    gcm.finalize()
    return hmac_sha256(keys("tag"), gcm.tag)[:16]


# ---- 10 Pixels ----


def upsample(samples, factors, largest, width, height):
    """Samples of a component, cut to its real size, at the size of the picture."""
    (h, v), (h_max, v_max) = factors, largest
    samples = samples.astype(np.int64)
    wide, high = 2 * h == h_max, 2 * v == v_max
    rows, columns = samples.shape
    y = np.arange(height)
    near = y * v // v_max
    if h == h_max and high:
        far = far_rows(near, y, rows)
        pixels = (3 * samples[near] + samples[far] + np.where(y % 2, 2, 1)[:, None]) >> 2
    elif wide and high and columns > 2:
        far = far_rows(near, y, rows)
        pixels = widen(3 * samples[near] + samples[far], 4, left_bias=8, right_bias=7)
    elif wide and v == v_max and columns > 2:
        pixels = widen(samples[near], 2, left_bias=1, right_bias=2)
    else:
        pixels = samples[near][:, np.arange(width) * h // h_max]
    return pixels[:, :width]


def far_rows(near, y, rows):
    far = near + np.where(y % 2, 1, -1)
    return np.where((far < 0) | (far >= rows), near, far)


def widen(s, shift, left_bias, right_bias):
    """Two pixels a sample: each 3 parts of the near sample, 1 part of the neighbor on its side."""
    left = np.concatenate([s[:, :1], s[:, :-1]], axis=1)
    right = np.concatenate([s[:, 1:], s[:, -1:]], axis=1)
    pixels = np.empty((s.shape[0], 2 * s.shape[1]), np.int64)
    pixels[:, 0::2] = (3 * s + left + left_bias) >> shift
    pixels[:, 1::2] = (3 * s + right + right_bias) >> shift
    return pixels


def to_rgb(y, cb, cr):
    u, v = cb - 128, cr - 128
    r = y + ((91881 * v + 2**15) >> 16)
    g = y + ((-22554 * u - 46802 * v + 2**15) >> 16)
    b = y + ((116130 * u + 2**15) >> 16)
    return np.clip(np.stack([r, g, b], axis=2), 0, 255).astype(np.uint8)


def from_rgb(rgb, h, v):
    """Pixels of whole blocks to Y and to Cb and Cr of groups of h x v pixels, 1, 2 or 4 of them."""
    r, g, b = rgb.astype(np.int64).transpose(2, 0, 1)
    y = (19595 * r + 38470 * g + 7471 * b + 2**15) >> 16
    r, g, b = (
        c.reshape(c.shape[0] // v, v, c.shape[1] // h, h).sum(axis=(1, 3)) for c in (r, g, b)
    )
    e = {1: 0, 2: 1, 4: 2}[h * v]
    offset = 128 * 2 ** (16 + e) + 2 ** (15 + e) - 1
    cb = (-11059 * r - 21709 * g + 32768 * b + offset) >> (16 + e)
    cr = (32768 * r - 27439 * g - 5329 * b + offset) >> (16 + e)
    return y, cb, cr


# ---- 11 All of it ----


def decrypt(data, secret):
    """Return pixels and metadata of an encrypted file; Refused if it is not to be shown."""
    header, sealed = read_header(data)
    if header.scheme != 1 or header.bank not in BANKS or header.dc_mode > 1:
        raise Refused("an unknown scheme, bank or DC mode")
    if header.key_id != key_id(secret):
        raise Refused("another key")
    keys = image_keys(secret, header.nonce)
    picture = read_picture(data)
    if not hmac.compare_digest(compute_tag(keys, tag_message(header, picture, sealed)), header.tag):
        raise Refused("the tag does not fit")
    bank = fixed_point(header.bank)
    largest = tuple(np.max(picture.sampling, axis=0).tolist())
    planes = []
    for label, level, factors, steps, blocks in zip(
        ("Y", "Cb", "Cr"),
        header.levels,
        picture.sampling,
        picture.steps,
        picture.blocks,
        strict=False,
    ):
        key = keys(component_label(label, header, blocks))
        samples = decrypt_component(
            blocks, steps, key, bank, level, header.dc_mode, factors, factors == largest
        )
        rows = -(-picture.height * factors[1] // largest[1])
        columns = -(-picture.width * factors[0] // largest[0])
        samples = samples[:rows, :columns]
        planes.append(upsample(samples, factors, largest, picture.width, picture.height))
    pixels = planes[0].astype(np.uint8) if len(planes) == 1 else to_rgb(*planes)
    return pixels, open_metadata(sealed, keys)
