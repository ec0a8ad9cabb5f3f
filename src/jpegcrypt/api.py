"""The library in memory: encrypt, decrypt, encode, decode, write, inspect.

::

    pixels ── encode (plan from the key) ──> scan, message ── tag ──> header ──> file
    file ── parse ──> header, scans ── decode (plan from the key) ──> planes, message
                                                      tag verified ──> pixels
"""

import errno
import io
import os
import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, Literal

from PIL import Image

from jpegcrypt import _core, atomic
from jpegcrypt import metadata as meta
from jpegcrypt.cipher.bank import BANKS, dct_bank
from jpegcrypt.codec import write as jpeg_write
from jpegcrypt.codec.decode import decode_planes, planes_to_image
from jpegcrypt.codec.markers import XMP, segment
from jpegcrypt.codec.parse import MAX_PIXELS, JpegFile, parse
from jpegcrypt.codec.write import frame_identity
from jpegcrypt.encoder import (
    MAX_THREADS,
    Effort,
    EncoderInput,
    ImageLike,
    Pixels,
    QuantizationTables,
    as_pixels,
    in_range,
    sampling_factors,
)
from jpegcrypt.errors import (
    FixedKeyWarning,
    JpegcryptError,
    NotEncrypted,
    TamperedFile,
    UnsupportedJpeg,
    WrongKey,
)
from jpegcrypt.header import DC_MODES, KEY_MODES, SEGMENT_MARKER, Header, is_header
from jpegcrypt.key import NONCE_SIZE, ImageKeys, Key
from jpegcrypt.metadata import Metadata, Segment, Text
from jpegcrypt.schemes import lu2022, name_of
from jpegcrypt.tag import compute_tag, message_start, verify_tag

KeyMode = Literal["nonce", "content", "fixed"]
DcMode = Literal["permuted", "residual"]


def encrypt(
    image: ImageLike,
    key: Key,
    *,
    quality: int | None = None,
    subsampling: str = "4:2:0",
    qtables: QuantizationTables = "annex-k",
    bank: str = "givens128",
    dc: DcMode = "permuted",
    key_mode: KeyMode = "nonce",
    nonce: bytes | None = None,
    effort: Effort = "default",
    trellis_lambda: float | None = None,
    restart_interval: int | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    icc_profile: bytes | None = None,
    comment: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    segments: Sequence[Segment] | None = None,
    text: Sequence[Text] | None = None,
    threads: int = 1,
) -> bytes:
    """Encrypt a picture into a baseline JPEG that any viewer opens and sees as noise.

    Parameters
    ----------
    image : uint8 array (H, W) or (H, W, 3), or PIL image of mode L or RGB
        Arrays may be strided.
    key : Key
    quality : int, optional
        1 to 100 on the scale of the IJG, 75 by default; not with own `qtables`.
    subsampling : {"4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1"}
        Of the chroma; without effect on a gray picture.
    qtables : {"annex-k", "flat"} or sequence of 1 to 3 tables
        Tables that the quality scales: those of T.81 Annex K, or one step for all frequencies,
        which aims at PSNR instead of what the eye sees. Or own tables instead of a quality: 64
        steps each, 1 to 255, natural order.
    bank : {"givens128", "authors16", "signs256"}
        The transforms the key chooses from; the last two leave every magnitude in clear, the first
        gives signs away where the picture was a JPEG of lower quality (docs/threat_model.md).
    dc : {"permuted", "residual"}
        Whether the blocks travel with their DC values, as in the paper, or with what a prediction
        from their neighbors leaves of them: a smaller file that shows the residuals to everyone,
        without their places. Decryption then takes longer.
    key_mode : {"nonce", "content", "fixed"}
        Where the nonce comes from: fresh randomness; the picture, so that equal pictures give
        equal files; or nowhere. "fixed" is for reproducing papers: one known picture opens all
        others, and it warns.
    nonce : bytes, optional
        16 bytes to use in mode "nonce", never twice with one key.
    effort : {"fast", "default", "best"}
        Annex K Huffman tables; tables made for the picture; and coefficients chosen for the least
        error at the file size they take. Decryption does not ask.
    trellis_lambda : float, optional
        With effort "best", 0 to 1: how much error a bit may cost, as a factor of the mean squared
        quantization step.
    restart_interval : int, optional
        MCUs between restart markers, 0 for none. By default pictures of a megapixel and more have
        one every quarter of a megapixel: what several threads need to decode a file takes some
        0.02 % of it.
    exif, xmp, icc_profile, comment, dpi, segments, text : optional
        As for `Metadata`, sealed in the file: only the key holder reads it.
    threads : int
        Threads that share the work, which pays from a megapixel on. The file is the same.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    TypeError, ValueError
        For bad arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from jpegcrypt import Key, decrypt, encrypt
    >>> picture = np.full((32, 48, 3), (200, 120, 40), np.uint8)
    >>> key = Key.generate()
    >>> data = encrypt(picture, key, quality=90)
    >>> int(np.abs(decrypt(data, key).astype(int) - picture).max()) <= 4
    True
    """
    _check_key(key)
    metadata = _metadata(exif, xmp, icc_profile, comment, dpi, segments, text)
    settings = EncoderInput.of(
        image, quality, subsampling, qtables, effort, trellis_lambda, restart_interval
    )
    if bank not in BANKS:
        raise ValueError(f"unknown bank {bank!r}, expected one of {', '.join(BANKS)}")
    if dc not in DC_MODES:
        raise ValueError(f"unknown dc {dc!r}, expected one of {', '.join(DC_MODES)}")
    threads = in_range("threads", threads, 1, MAX_THREADS)
    if key_mode == "content":  # an array that changes meanwhile has the nonce of another picture
        settings = settings._replace(pixels=settings.pixels.copy())
    nonce = _choose_nonce(key, key_mode, nonce, settings.pixels)
    planes = _core.image_to_planes(settings.pixels, settings.layout.frame, threads=threads)
    head = Header(
        scheme=lu2022.ID,
        bank=BANKS[bank],
        key_mode=KEY_MODES[key_mode],
        dc=DC_MODES[dc],
        levels=bytes((*planes.means, 128, 128)[:3]),
        key_id=key.id,
        nonce=nonce,
        tag=bytes(16),
        salt=key.salt,
    )
    keys = key.derive(head.nonce)
    sealed = b"" if metadata.is_empty else meta.seal(metadata, keys)
    scan, huffman, message = lu2022.encrypt(
        planes,
        keys,
        settings.layout.frame,
        settings.layout.quantizers,
        bank=bank,
        levels=head.levels,
        dc_residuals=dc == "residual",
        tables=settings.huffman,
        trellis_lambda=settings.trellis_lambda,
        restart_interval=settings.restart_interval,
        message_start=message_start(head, settings.layout.identity, sealed),
        threads=threads,
    )
    payloads = [head.pack(compute_tag(keys, message)), *meta.to_segments(sealed)]
    return settings.file(
        huffman, scan, [jpeg_write.jfif_segment(), *(segment(SEGMENT_MARKER, p) for p in payloads)]
    )


def decrypt(
    data: bytes, key: Key, *, verify: bool = True, max_pixels: int = MAX_PIXELS, threads: int = 1
) -> Pixels:
    """Decrypt a file that `encrypt` made.

    Parameters
    ----------
    data : bytes
        The file, also after a lossless rewrite that kept its APP11 segments.
    key : Key
    verify : bool
        False shows the picture of a file that was changed, without metadata if they were, unless
        its header or the pieces of its metadata are in disorder. Dangerous: whoever changed it
        chose what you see.
    max_pixels : int
        Larger pictures are refused.
    threads : int
        Threads that share the work, which pays from a megapixel on.

    Returns
    -------
    uint8 array (H, W, 3) or (H, W)

    Raises
    ------
    WrongKey, NotEncrypted, TamperedFile, MalformedJpeg, UnsupportedJpeg, ImageTooLarge
    """
    return open_encrypted(data, key, verify=verify, max_pixels=max_pixels, threads=threads).pixels


@dataclass(frozen=True, slots=True)
class Opened:
    """A decrypted file: pixels, sealed metadata, chroma subsampling factors of the file.

    The repr shows no pixels.
    """

    pixels: Pixels = field(repr=False)
    metadata: Metadata
    sampling: tuple[tuple[int, int], ...]


def open_encrypted(
    data: bytes, key: Key, *, verify: bool = True, max_pixels: int = MAX_PIXELS, threads: int = 1
) -> Opened:
    """As `decrypt`, with the sealed metadata.

    Examples
    --------
    >>> import numpy as np
    >>> from jpegcrypt import Key, encrypt, open_encrypted
    >>> key = Key.generate()
    >>> data = encrypt(np.zeros((8, 8), np.uint8), key, comment=b"at the lake")
    >>> open_encrypted(data, key).metadata.comment
    b'at the lake'
    """
    _check_key(key)
    in_range("threads", threads, 1, MAX_THREADS)
    jpeg = parse(data, max_pixels=max_pixels)
    head, sealed = find_header(jpeg)
    known = head.bank in BANKS.values() and head.dc in DC_MODES.values()
    if head.key_id != key.id or head.scheme != lu2022.ID or not known:
        raise _misfit(jpeg, head, sealed, key)
    keys = key.derive(head.nonce)
    planes, message = lu2022.decrypt(
        jpeg,
        keys,
        bank=_name(BANKS, head.bank),
        levels=head.levels,
        dc_residuals=head.dc == DC_MODES["residual"],
        message_start=message_start(head, frame_identity(jpeg.frame, jpeg.tables), sealed),
        threads=threads,
    )
    if verify and not verify_tag(keys, message, head.tag):
        raise _tampered()
    opened = _open_metadata(sealed, keys, verify=verify)
    pixels = planes_to_image(jpeg, planes, threads=threads)
    return Opened(pixels, opened, jpeg.frame.sampling)


def _open_metadata(sealed: bytes, keys: ImageKeys, *, verify: bool) -> Metadata:
    if not sealed:
        return _NO_METADATA
    try:
        return meta.open_sealed(sealed, keys)
    except TamperedFile:
        if verify:
            raise
        return _NO_METADATA  # it is the picture that is asked for


def find_header(jpeg: JpegFile) -> tuple[Header, bytes]:
    """Return the header and the sealed metadata (may be empty) of a parsed file."""
    ours = [s for s in jpeg.segments if s.marker == SEGMENT_MARKER]
    headers = [s for s in ours if is_header(s.payload)]
    if not headers:
        raise NotEncrypted(
            "an ordinary JPEG: no jpegcrypt header among its segments",
            hint="tools that strip APP segments make a file undecryptable; "
            "jpegtran keeps them with -copy all",
        )
    if len(headers) > 1:
        raise TamperedFile(f"{len(headers)} jpegcrypt headers in one file")
    if jpeg.color == "rgb":
        raise TamperedFile("markers that call the components R, G, B")
    head = Header.unpack(headers[0].payload, offset=headers[0].offset)
    return head, meta.from_segments(s.payload for s in ours) or b""


def _tampered() -> TamperedFile:
    return TamperedFile(
        "the tag does not fit: header, size, tables, coefficients or metadata were changed "
        "after encryption",
        hint="re-compressed or resized copies cannot be decrypted; get the original file",
    )


def _misfit(jpeg: JpegFile, head: Header, sealed: bytes, key: Key) -> JpegcryptError:
    """Say why a header does not fit: changed, another key's, or of another scheme or release."""
    other = None if head.scheme == lu2022.ID else name_of(head.scheme)
    # Other schemes have a tag of zeros, but for feng2021; a changed file of ours has its own.
    if other == "feng2021" or (other is not None and head.tag == bytes(len(head.tag))):
        way = "feng2021" if other == "feng2021" else f'load("{other}")'
        return UnsupportedJpeg(
            f"a file of scheme {other}, expected lu2022",
            hint=f"jpegcrypt.schemes.{way}.decrypt opens it",
        )
    as_ours = replace(head, key_id=key.id)
    start = message_start(as_ours, frame_identity(jpeg.frame, jpeg.tables), sealed)
    _, message = decode_planes(jpeg, message_start=start)
    assert message is not None
    genuine = verify_tag(key.derive(head.nonce), message, head.tag)
    if head.key_id != key.id:
        if genuine:
            return TamperedFile("the key id in the header was changed after encryption")
        return WrongKey(
            f"the file was encrypted with key {head.key_id.hex()}, the key given is {key.id.hex()}"
        )
    if not genuine:
        return _tampered()
    return UnsupportedJpeg(
        f"scheme {head.scheme} with bank {head.bank} and DC mode {head.dc}, "
        "unknown to this release",
        hint="the file was written by a newer jpegcrypt: upgrade",
    )


def encode(
    image: ImageLike,
    *,
    quality: int | None = None,
    subsampling: str = "4:2:0",
    qtables: QuantizationTables = "annex-k",
    effort: Effort = "default",
    trellis_lambda: float | None = None,
    restart_interval: int | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    icc_profile: bytes | None = None,
    comment: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    segments: Sequence[Segment] | None = None,
    threads: int = 1,
) -> bytes:
    """Encode a picture as an ordinary baseline JPEG; nothing is encrypted.

    Parameters
    ----------
    image, quality, subsampling, qtables, effort, trellis_lambda, restart_interval
        As for `encrypt`.
    exif, xmp, icc_profile, comment, dpi, segments : optional
        As for `Metadata`, written into the segments that other software reads.
    threads : int
        As for `encrypt`.

    Examples
    --------
    >>> import numpy as np
    >>> from jpegcrypt import decode, encode
    >>> decode(encode(np.full((9, 7), 77, np.uint8))).shape
    (9, 7)
    """
    metadata = _metadata(exif, xmp, icc_profile, comment, dpi, segments)
    settings = EncoderInput.of(
        image, quality, subsampling, qtables, effort, trellis_lambda, restart_interval
    )
    threads = in_range("threads", threads, 1, MAX_THREADS)
    planes = _core.image_to_planes(settings.pixels, settings.layout.frame, threads=threads)
    scan, huffman, _ = _core.encode_scan(
        planes,
        settings.layout.quantizers,
        dct_bank(),
        tables=settings.huffman,
        trellis_lambda=settings.trellis_lambda,
        restart_interval=settings.restart_interval,
        threads=threads,
    )
    return settings.file(huffman, scan, _plain_segments(metadata))


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, threads: int = 1) -> Pixels:
    """Decode any supported JPEG to what everyone sees; for an encrypted file that is noise.

    Parameters
    ----------
    data : bytes
        Baseline, extended sequential or progressive, 8 bits, gray, YCbCr or RGB.
    max_pixels : int
        Larger pictures are refused.
    threads : int
        As for `decrypt`.

    Returns
    -------
    uint8 array (H, W, 3) or (H, W)
        As libjpeg decodes it, triangle upsampling included.

    Raises
    ------
    MalformedJpeg, UnsupportedJpeg, ImageTooLarge
    """
    in_range("threads", threads, 1, MAX_THREADS)
    jpeg = parse(data, max_pixels=max_pixels)
    planes, _ = decode_planes(jpeg, threads=threads)
    return planes_to_image(jpeg, planes, threads=threads)


def write(
    dst: str | os.PathLike[str] | IO[bytes],
    image: ImageLike,
    key: Key | None = None,
    *,
    quality: int | None = None,
    subsampling: str | int = "4:2:0",
    qtables: QuantizationTables = "annex-k",
    optimize: bool = False,
    progressive: bool = False,
    restart_marker_blocks: int = 0,
    restart_marker_rows: int = 0,
    dpi: tuple[float, float] | None = None,
    exif: bytes | Image.Exif | None = None,
    xmp: bytes | None = None,
    icc_profile: bytes | None = None,
    comment: bytes | str | None = None,
    effort: Effort = "default",
    trellis_lambda: float | None = None,
    bank: str = "givens128",
    dc: DcMode = "permuted",
    key_mode: KeyMode = "nonce",
    nonce: bytes | None = None,
) -> None:
    """Write a JPEG with the keywords of Pillow's writer: encrypted with a key, plain without.

    Parameters
    ----------
    dst : path or binary file
        A path appears whole or not at all, and replaces what was there, as `Image.save` does.
    image, quality, qtables, effort, trellis_lambda, bank, dc, key_mode, nonce
        As for `encrypt`.
    key : Key, optional
        **None writes the picture in clear**, also where a look-up of keys found none.
    subsampling : str or int
        Also Pillow's 0, 1, 2 for 4:4:4, 4:2:2, 4:2:0.
    optimize : bool
        At least effort "default".
    progressive : bool
        False, as only baseline is written.
    restart_marker_blocks, restart_marker_rows : int
        Restart interval in MCUs or in rows of MCUs; with neither, that of `encrypt`.
    dpi, exif, xmp, icc_profile, comment : optional
        Sealed with a key, in clear without. As with Pillow's writer, a comment comes along in
        ``image.info``, and all else must be given, such as ``exif=image.info.get("exif")`` and
        ``icc_profile=image.info.get("icc_profile")``; ``comment=""`` writes none. An `Image.Exif`
        is written as Pillow writes it: without the thumbnail, and with "?" for what is not ASCII.
        IPTC and the like have no keyword here: `encrypt_file` seals them.

    Raises
    ------
    TypeError, ValueError
        For what is not supported: nothing is silently ignored.
    BlockingIOError
        If a raw stream takes no more for now; a part may be written.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write(file, Image.new("RGB", (20, 10), "teal"), quality=90, optimize=True)
    >>> Image.open(file).size
    (20, 10)
    """
    if progressive:
        raise ValueError("progressive=True, but only baseline is written")
    if restart_marker_blocks and restart_marker_rows:
        raise ValueError("restart_marker_blocks and restart_marker_rows exclude each other")
    if isinstance(subsampling, int):
        subsampling = ("4:4:4", "4:2:2", "4:2:0")[in_range("subsampling", subsampling, 0, 2)]
    pixels = as_pixels(image)
    restart_interval = restart_marker_blocks or None
    if restart_marker_rows:
        h = 1 if pixels.ndim == 2 else sampling_factors(subsampling)[0]
        restart_interval = restart_marker_rows * -(-pixels.shape[1] // (8 * h))
    if optimize and effort == "fast":
        effort = "default"
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    if comment is None and isinstance(image, Image.Image):
        comment = image.info.get("comment")
    if isinstance(comment, str):
        comment = comment.encode()
    if key is None:
        if (bank, dc, key_mode, nonce) != ("givens128", "permuted", "nonce", None):
            raise ValueError("bank, dc, key_mode and nonce need a key")
        data = encode(
            pixels, quality=quality, subsampling=subsampling, qtables=qtables, effort=effort,
            trellis_lambda=trellis_lambda, restart_interval=restart_interval, dpi=dpi, exif=exif,
            xmp=xmp, icc_profile=icc_profile, comment=comment,
        )  # fmt: skip
    else:
        data = encrypt(
            pixels, key, quality=quality, subsampling=subsampling, qtables=qtables, effort=effort,
            trellis_lambda=trellis_lambda, restart_interval=restart_interval, dpi=dpi, exif=exif,
            xmp=xmp, icc_profile=icc_profile, comment=comment, bank=bank, dc=dc,
            key_mode=key_mode, nonce=nonce,
        )  # fmt: skip
    if isinstance(dst, str | os.PathLike):
        atomic.write(dst, data, overwrite=True)
    else:
        rest = data
        while rest:  # raw streams may take a part, or nothing
            taken = dst.write(rest)
            if not taken and isinstance(dst, io.RawIOBase):
                written = len(data) - len(rest)
                raise BlockingIOError(
                    errno.EAGAIN, f"took {written} of {len(data)} bytes, expected all", written
                )
            rest = rest[taken or len(rest) :]


@dataclass(frozen=True, slots=True)
class CipherInfo:
    """What an encrypted file says to everyone; nothing of it is secret.

    Attributes
    ----------
    scheme, bank, dc, key_mode : str
        Names, or "unknown (id)".
    key_id, nonce : bytes
    salt : bytes or None
        Of a passphrase.
    width, height : int
    sampling : tuple of (int, int)
        Factors (H, V) of each component.
    levels : tuple of int
        Level shift of each component: its mean before encryption, rounded.
    sealed_metadata : int
        Bytes of sealed metadata, 0 if there is none.
    """

    scheme: str
    bank: str
    dc: str
    key_mode: str
    key_id: bytes
    nonce: bytes
    salt: bytes | None
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]
    levels: tuple[int, ...]
    sealed_metadata: int


def inspect(data: bytes, *, max_pixels: int = MAX_PIXELS) -> CipherInfo:
    """Read what an encrypted file says without a key; nothing of it is verified.

    Raises
    ------
    NotEncrypted, MalformedJpeg, UnsupportedJpeg, ImageTooLarge
    TamperedFile
        If there are two headers, or the pieces of its metadata are in disorder.

    Examples
    --------
    >>> import numpy as np
    >>> from jpegcrypt import Key, encrypt, inspect
    >>> info = inspect(encrypt(np.zeros((8, 16), np.uint8), Key.generate()))
    >>> info.scheme, info.bank, info.key_mode, info.width, info.height
    ('lu2022', 'givens128', 'nonce', 16, 8)
    """
    jpeg = parse(data, max_pixels=max_pixels)
    head, sealed = find_header(jpeg)
    return CipherInfo(
        scheme=name_of(head.scheme) or f"unknown ({head.scheme})",
        bank=_name(BANKS, head.bank),
        dc=_name(DC_MODES, head.dc),
        key_mode=_name(KEY_MODES, head.key_mode),
        key_id=head.key_id,
        nonce=head.nonce,
        salt=head.salt,
        width=jpeg.frame.width,
        height=jpeg.frame.height,
        sampling=jpeg.frame.sampling,
        levels=tuple(head.levels[: len(jpeg.frame.sampling)]),
        sealed_metadata=len(sealed),
    )


def _metadata(*fields: Any) -> Metadata:
    return _NO_METADATA if all(value is None for value in fields) else Metadata(*fields)


_NO_METADATA = Metadata()


def _check_key(key: Key) -> None:
    if not isinstance(key, Key):
        raise TypeError(f"{type(key).__name__}, expected a jpegcrypt.Key")


def _choose_nonce(key: Key, key_mode: str, nonce: bytes | None, pixels: Pixels) -> bytes:
    if key_mode not in KEY_MODES:
        raise ValueError(f"unknown key mode {key_mode!r}, expected one of {', '.join(KEY_MODES)}")
    if nonce is not None and key_mode != "nonce":
        raise ValueError(f'a nonce goes with key_mode "nonce", not with {key_mode!r}')
    if key_mode == "content":
        return key.content_nonce(pixels)
    if key_mode == "fixed":
        warnings.warn(
            'key_mode "fixed" uses one key stream for all pictures: whoever knows one of them '
            "can decrypt the others",
            FixedKeyWarning,
            stacklevel=3,
        )
        return bytes(NONCE_SIZE)
    return secrets.token_bytes(NONCE_SIZE) if nonce is None else nonce


def _plain_segments(metadata: Metadata) -> list[bytes]:
    segments = [jpeg_write.jfif_segment(metadata.dpi)]
    if metadata.exif:
        segments.append(jpeg_write.exif_segment(metadata.exif))
    others = [segment(*other) for other in metadata.segments or ()]
    xmp = [jpeg_write.xmp_segment(metadata.xmp)] if metadata.xmp else []
    several = xmp and any(payload.startswith(XMP) for _, payload in metadata.segments or ())
    if not several:
        segments += xmp
    if metadata.icc_profile:
        segments += jpeg_write.icc_segments(metadata.icc_profile)
    segments += others
    if several:  # the last one counts
        segments += xmp
    if metadata.comment:
        segments.append(jpeg_write.comment_segment(metadata.comment))
    return segments


def _name(names: Mapping[str, int], number: int) -> str:
    return next((name for name, i in names.items() if i == number), f"unknown ({number})")
