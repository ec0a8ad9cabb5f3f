"""Feng, Li, Lu, Liu, Huang 2021: block permutation, and substituted colors in some of the blocks.

"End-to-end Learning for Encrypted Image Retrieval", APSIPA ASC 2021, section II-A. The picture is
cut into P x P blocks, P 8 or 16. The blocks are permuted (1); M of them, chosen by a second keyed
shuffle of their new places, have every value replaced by a keyed permutation of 0..255, one each
for R, G and B (2).

::

    picture ── permute blocks ──> substitute in M blocks ──> PNG, or JPEG
    file ── pixels ── tag verified ──> substitute back ──> blocks back in place

Five keys of 256 bits each drive BLAKE2b, as in the paper. Ours by choice, where it is silent: the
keys come from the master key (`key`); BLAKE2b runs keyed, in counter mode, with a personalization
for each use (RFC 7693); shuffles are unbiased (`_core.shuffle`); M is given in quarters of the
blocks, as the paper has it; a lossless PNG, whose text chunk holds our header, or a JPEG, which
cannot bring substituted blocks back exactly; a tag over the cipher pixels.

The substitution serves the whole data set in every key mode, or colors of different pictures could
not be compared; mode `nonce` changes the permutation and the choice of blocks alone. "fixed", one
permutation for all, is what the paper does and the default here.

What leaks: at M = 3/4 a quarter of the blocks is in clear, only moved, which is a jigsaw puzzle;
one known picture gives the substitution of the values in it, and in mode `fixed` the permutation.
Histograms of the blocks and equal blocks show in any case. Not for hiding pictures: it stands here
to be compared with.
"""

import hashlib
import hmac
import io
import secrets
import warnings
import zlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from jpegcrypt import _core
from jpegcrypt.codec.decode import decode_planes, planes_to_image
from jpegcrypt.codec.markers import segment
from jpegcrypt.codec.parse import MAX_PIXELS, parse
from jpegcrypt.encoder import ImageLike, Pixels, as_pixels, in_range
from jpegcrypt.errors import (
    FixedKeyWarning,
    NotEncrypted,
    TamperedFile,
    WrongKey,
)
from jpegcrypt.header import DC_MODES, KEY_MODES, PNG_KEYWORD, SEGMENT_MARKER, Header, is_header
from jpegcrypt.key import NONCE_SIZE, ImageKeys, Key
from jpegcrypt.schemes.envelope import load_png, png_header

ID = 2  # in the file header, whose field `bank` holds P + quarters: 8 to 12, or 16 to 20
BLOCKS = (8, 16)
QUARTERS = (0, 1, 2, 3, 4)
CHANNELS = ("R", "G", "B")

_PNG = b"\x89PNG\r\n\x1a\n"
_NO_TAG = bytes(16)
_DATA_SET = bytes(NONCE_SIZE)  # the nonce of what all pictures share


# --- keys to plan ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the keys decide for a picture. Secret: the repr hides it.

    Parameters
    ----------
    permutation : uint32 array (n,)
        Cipher block i holds plain block permutation[i], raster order.
    chosen : uint32 array (M,)
        Cipher blocks whose values are replaced.
    substitution : uint8 array (3, 256)
        A permutation of 0..255 for R, G and B.
    """

    permutation: npt.NDArray[np.uint32] = field(repr=False)
    chosen: npt.NDArray[np.uint32] = field(repr=False)
    substitution: npt.NDArray[np.uint8] = field(repr=False)


def make_plan(keys: ImageKeys, data_set_keys: ImageKeys, n: int, block: int, quarters: int) -> Plan:
    """Expand keys into a plan for `n` blocks.

    Parameters
    ----------
    keys : ImageKeys
        Of the picture.
    data_set_keys : ImageKeys
        Of the nonce 0, for what all pictures share.
    """
    size = f"{block} {n}"  # no key drives shuffles of two lengths
    order = _shuffled(keys.expand(f"feng2021 select {size}"), b"select", n)
    tables = [
        _shuffled(data_set_keys.expand(f"feng2021 subs {c}"), f"subs {c}".encode(), 256)
        for c in CHANNELS
    ]
    return Plan(
        permutation=_shuffled(keys.expand(f"feng2021 perm {size}"), b"perm", n),
        chosen=order[: n * quarters // 4],
        substitution=np.stack(tables).astype(np.uint8),
    )


def _shuffled(key: bytes, person: bytes, n: int) -> npt.NDArray[np.uint32]:
    """Return a uniform permutation of 0 to n - 1: Fisher-Yates from the last index down."""
    permutation = np.arange(n, dtype=np.uint32)
    i, counter = n - 1, 0
    while i > 0:
        # 4 bytes a draw; rejections are rare, and ask for more.
        n_digests = -(-4 * i // hashlib.blake2b.MAX_DIGEST_SIZE)
        stream = b"".join(
            hashlib.blake2b(c.to_bytes(8, "little"), key=key, person=person).digest()
            for c in range(counter, counter + n_digests)
        )
        counter += n_digests
        i = _core.shuffle(permutation, i, np.frombuffer(stream[: 4 * i], np.uint8))
    return permutation


# --- plan to picture ------------------------------------------------------------------------------


def apply(pixels: Pixels, plan: Plan, block: int) -> Pixels:
    """Permute and substitute uint8 (H, W, 3)."""
    blocks = _to_blocks(pixels, block)[plan.permutation]
    return _from_blocks(_substitute(blocks, plan.chosen, plan.substitution), pixels.shape, block)


def undo(pixels: Pixels, plan: Plan, block: int) -> Pixels:
    """Undo `apply`."""
    back = np.argsort(plan.substitution, axis=1).astype(np.uint8)
    blocks = _substitute(_to_blocks(pixels, block), plan.chosen, back)
    plain = np.empty_like(blocks)
    plain[plan.permutation] = blocks
    return _from_blocks(plain, pixels.shape, block)


def _substitute(
    blocks: Pixels, chosen: npt.NDArray[np.uint32], substitution: npt.NDArray[np.uint8]
) -> Pixels:
    some = blocks[chosen]
    for c in range(len(CHANNELS)):
        some[..., c] = substitution[c][some[..., c]]
    blocks[chosen] = some
    return blocks


def _to_blocks(pixels: Pixels, p: int) -> Pixels:
    """Return blocks in raster order, (n, p, p, 3), as a copy."""
    height, width, channels = pixels.shape
    grid = pixels.reshape(height // p, p, width // p, p, channels)
    return grid.swapaxes(1, 2).reshape(-1, p, p, channels).copy()


def _from_blocks(blocks: Pixels, shape: tuple[int, ...], p: int) -> Pixels:
    height, width, channels = shape
    grid = blocks.reshape(height // p, width // p, p, p, channels)
    return grid.swapaxes(1, 2).reshape(shape)


# --- picture to file ------------------------------------------------------------------------------


def encrypt(
    image: ImageLike,
    key: Key,
    *,
    block: int = 8,
    quarters: int = 1,
    key_mode: Literal["nonce", "content", "fixed"] = "fixed",
    quality: int | None = None,
) -> bytes:
    """Encrypt a color picture to a PNG or a JPEG.

    Parameters
    ----------
    image : uint8 array (H, W, 3), or PIL image of mode RGB
        Both sides multiples of `block`; the paper resizes to 192x128 or 128x192.
    key : Key
    block : {8, 16}
        P.
    quarters : int
        M in quarters of the number of blocks, 0 to 4. The paper has 1, 2 and 3.
    key_mode : {"fixed", "nonce", "content"}
        "fixed", one permutation for all pictures as in the paper, warns.
    quality : int, optional
        None writes a PNG. 1 to 100 a JPEG, 4:4:4, from which substituted blocks do not come back
        exactly.

    Raises
    ------
    TypeError, ValueError
        For bad arguments.

    Examples
    --------
    >>> picture = np.arange(16 * 8 * 3, dtype=np.uint8).reshape(16, 8, 3)
    >>> key = Key.generate()
    >>> data = encrypt(picture, key, key_mode="nonce")
    >>> np.array_equal(decrypt(data, key), picture)
    True
    """
    pixels = as_pixels(image)
    _check(pixels, block, quarters)
    if quality is not None:
        in_range("quality", quality, 1, 100)
    if key_mode not in KEY_MODES:
        raise ValueError(f"unknown key mode {key_mode!r}, expected one of {', '.join(KEY_MODES)}")
    head = Header(
        scheme=ID,
        bank=block + quarters,
        key_mode=KEY_MODES[key_mode],
        dc=DC_MODES["permuted"],
        levels=bytes([128] * 3),
        key_id=key.id,
        nonce=_nonce(key, key_mode, pixels),
        tag=_NO_TAG,
        salt=key.salt,
    )
    cipher = apply(pixels, _plan(key, head, pixels.shape), block)
    seen = cipher if quality is None else read(_write(cipher, head.pack(), quality))[0]
    return _write(cipher, head.pack(_tag(key, head, seen)), quality)


def decrypt(data: bytes, key: Key, *, verify: bool = True, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decrypt a file of `encrypt` to uint8 (H, W, 3).

    Raises
    ------
    NotEncrypted, WrongKey, TamperedFile, UnreadableImage, MalformedJpeg, UnsupportedJpeg,
    ImageTooLarge
    """
    cipher, head = read(data, max_pixels=max_pixels)
    block, quarters = _block_and_quarters(head)
    if head.key_id != key.id:
        raise WrongKey(
            f"the file was encrypted with key {head.key_id.hex()}, the key given is {key.id.hex()}"
        )
    if verify and not hmac.compare_digest(_tag(key, head, cipher), head.tag):
        raise TamperedFile(
            "the tag does not fit: pixels or header were changed after encryption",
            hint="re-compressed or resized copies cannot be decrypted; get the original file",
        )
    try:
        _check(cipher, block, quarters)
    except ValueError as error:
        raise TamperedFile(f"the header does not fit the picture: {error}") from None
    return undo(cipher, _plan(key, head, cipher.shape), block)


def read(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[Pixels, Header]:
    """Return what everyone sees, uint8 (H, W, 3), and the header; no key is needed.

    Raises
    ------
    As `decrypt`, but for `WrongKey` and `TamperedFile`.
    """
    if data.startswith(_PNG):
        return _from_png(data, max_pixels)
    jpeg = parse(data, max_pixels=max_pixels)
    payloads = [s.payload for s in jpeg.segments if s.marker == SEGMENT_MARKER]
    head = _header(next(filter(is_header, payloads), b""))
    pixels = planes_to_image(jpeg, decode_planes(jpeg)[0])
    if pixels.ndim == 2:
        raise TamperedFile("a gray picture, but the scheme writes color")
    return pixels, head


def _write(pixels: Pixels, payload: bytes, quality: int | None) -> bytes:
    """Return the file; the JPEG comes from libjpeg, as any picture would be stored."""
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if quality is None:
        text = PngInfo()
        text.add_text(PNG_KEYWORD, payload.hex())
        # Runs alone: half the blocks are noise, in which searching for matches finds nothing.
        image.save(file, "PNG", pnginfo=text, compress_level=1, compress_type=zlib.Z_RLE)
    else:
        extra = segment(SEGMENT_MARKER, payload)
        image.save(file, "JPEG", quality=quality, subsampling="4:4:4", extra=extra)
    return file.getvalue()


def _from_png(data: bytes, max_pixels: int) -> tuple[Pixels, Header]:
    image = load_png(data, max_pixels)
    head = _header(png_header(image) or b"")
    if image.mode != "RGB":
        raise TamperedFile(f"a PNG of mode {image.mode}, but the scheme writes RGB")
    return np.array(image), head


def _header(payload: bytes) -> Header:
    if not is_header(payload):
        raise NotEncrypted("an ordinary picture: no jpegcrypt header")
    head = Header.unpack(payload)
    if head.scheme != ID:
        raise NotEncrypted(
            f"a file of scheme {head.scheme}, expected {ID} (feng2021)",
            hint="jpegcrypt.decrypt opens scheme 1",
        )
    return head


def _check(pixels: Pixels, block: int, quarters: int) -> None:
    if block not in BLOCKS:
        raise ValueError(f"blocks of {block}, expected 8 or 16")
    if quarters not in QUARTERS:
        raise ValueError(f"quarters {quarters}, expected 0 to 4")
    if pixels.ndim != 3:
        raise ValueError("a gray picture, expected RGB: the scheme substitutes R, G and B")
    height, width = pixels.shape[:2]
    if height % block or width % block:
        raise ValueError(f"{width}x{height} pixels, expected multiples of {block}: resize or crop")


def _nonce(key: Key, key_mode: str, pixels: Pixels) -> bytes:
    if key_mode == "content":
        return key.content_nonce(pixels)
    if key_mode == "fixed":
        warnings.warn(
            'key_mode "fixed" moves the blocks of all pictures alike: whoever knows one picture '
            "can decrypt the others",
            FixedKeyWarning,
            stacklevel=3,
        )
        return _DATA_SET
    return secrets.token_bytes(NONCE_SIZE)


def _plan(key: Key, head: Header, shape: tuple[int, ...]) -> Plan:
    block, quarters = _block_and_quarters(head)
    n = shape[0] * shape[1] // block**2
    return make_plan(key.derive(head.nonce), key.derive(_DATA_SET), n, block, quarters)


def _block_and_quarters(head: Header) -> tuple[int, int]:
    block = 16 if head.bank >= 16 else 8
    return block, head.bank - block


def _tag(key: Key, head: Header, cipher: Pixels) -> bytes:
    """Authenticate header, size and what everyone sees, whatever the file stores it as."""
    height, width = cipher.shape[:2]
    start = head.authenticated() + height.to_bytes(4) + width.to_bytes(4)
    tag_key = key.derive(head.nonce).expand("feng2021 tag")
    return hmac.digest(tag_key, start + cipher.tobytes(), "sha256")[: len(_NO_TAG)]
