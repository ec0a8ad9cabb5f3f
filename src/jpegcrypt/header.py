r"""The jpegcrypt header: one APP11 segment that names all a key holder needs to decrypt.

::

    0   magic "jpegcrypt\0"       10 bytes
    10  format version           1 byte, 1
    11  scheme, bank, key mode   1 byte each
    14  DC mode                  1 byte
    15  level shifts             3 bytes, one a component
    18  flags                    1 byte: bit 0, a salt follows; the others are 0
    19  key id                   8 bytes
    27  nonce                    16 bytes
    43  tag                      16 bytes
    59  salt                     16 bytes, only with flag bit 0

Offsets count from behind the two length bytes of the segment (T.81 B.2.4.6).
"""

import struct
from dataclasses import dataclass
from typing import Self

from jpegcrypt.errors import MalformedJpeg, UnsupportedJpeg

SEGMENT_MARKER = 0xEB  # APP11
PNG_KEYWORD = "jpegcrypt"  # of the text chunk that holds the header in hexadecimal
FORMAT_VERSION = 1
KEY_MODES = {"nonce": 0, "content": 1, "fixed": 2}
DC_MODES = {"permuted": 0, "residual": 1}

MAGIC = b"jpegcrypt\0"  # small: in APP11 a payload that begins with "JP" is a JPEG XT box
_LAYOUT = struct.Struct("10sBBBBB3sB8s16s16s")  # bytes only: no byte order, no padding
_FLAGS_AT = 18
_SALT_FLAG = 1
_SIZES = {"levels": 3, "key_id": 8, "nonce": 16, "tag": 16, "salt": 16}


@dataclass(frozen=True)
class Header:
    """What the header segment says. Nothing in it is secret.

    Parameters
    ----------
    scheme, bank, key_mode, dc : int
        Ids of one byte each; `KEY_MODES` names the key modes, `DC_MODES` how DC values travel.
    levels : bytes
        Level shift of each component, 3 bytes; 128 where a picture lacks the component.
    key_id : bytes
        `Key.id`, 8 bytes.
    nonce, tag : bytes
        16 bytes each.
    salt : bytes, optional
        16 bytes, for a key from a passphrase.

    Raises
    ------
    ValueError
        If a field does not fit its place.

    Examples
    --------
    >>> header = Header(
    ...     scheme=1, bank=1, key_mode=KEY_MODES["nonce"], dc=DC_MODES["permuted"],
    ...     levels=bytes([128] * 3), key_id=bytes(8), nonce=bytes(16), tag=bytes(16)
    ... )
    >>> len(header.pack())
    59
    >>> Header.unpack(header.pack()) == header
    True
    """

    scheme: int
    bank: int
    key_mode: int
    dc: int
    levels: bytes
    key_id: bytes
    nonce: bytes
    tag: bytes
    salt: bytes | None = None

    def __post_init__(self) -> None:
        for name in ("scheme", "bank", "key_mode", "dc"):
            if not 0 <= getattr(self, name) <= 255:
                raise ValueError(f"{name} must be 0 to 255, got {getattr(self, name)}")
        for name, size in _SIZES.items():
            if name == "salt" and self.salt is None:
                continue
            if len(getattr(self, name)) != size:
                raise ValueError(f"{name} must be exactly {size} bytes")

    def pack(self, tag: bytes | None = None) -> bytes:
        """Return the segment payload: 59 bytes, or 75 with a salt; `tag` replaces the own one."""
        return self._pack(self.tag if tag is None else tag)

    def authenticated(self) -> bytes:
        """Return what the tag covers of the header: `pack()` with the tag itself zeroed."""
        return self._pack(bytes(_SIZES["tag"]))

    def _pack(self, tag: bytes) -> bytes:
        fixed = _LAYOUT.pack(
            MAGIC,
            FORMAT_VERSION,
            self.scheme,
            self.bank,
            self.key_mode,
            self.dc,
            self.levels,
            0 if self.salt is None else _SALT_FLAG,
            self.key_id,
            self.nonce,
            tag,
        )
        return fixed + (self.salt or b"")

    @classmethod
    def unpack(cls, payload: bytes, *, offset: int | None = None) -> Self:
        """Read a segment payload.

        Parameters
        ----------
        payload : bytes
            The segment without marker and length.
        offset : int, optional
            Where it starts in the file, for the error text.

        Raises
        ------
        UnsupportedJpeg
            If the format version is unknown.
        MalformedJpeg
            If it is not a header, or its length or flags are wrong.
        """
        if not is_header(payload):
            raise MalformedJpeg("found a segment that is no jpegcrypt header", offset=offset)
        version = payload[len(MAGIC)] if len(payload) > len(MAGIC) else FORMAT_VERSION
        if version != FORMAT_VERSION:
            raise UnsupportedJpeg(
                f"jpegcrypt format version {version}, this release reads {FORMAT_VERSION}",
                hint="the file was written by a newer jpegcrypt: upgrade",
            )
        if len(payload) < _LAYOUT.size:
            raise MalformedJpeg(
                f"jpegcrypt header of {len(payload)} bytes, expected at least {_LAYOUT.size}",
                offset=offset,
            )
        _, _, scheme, bank, key_mode, dc, levels, flags, key_id, nonce, tag = _LAYOUT.unpack_from(
            payload
        )
        if flags & ~_SALT_FLAG:
            raise MalformedJpeg(f"jpegcrypt header with unknown flags 0x{flags:02x}", offset=offset)
        size = packed_size(payload)
        if len(payload) != size:
            raise MalformedJpeg(
                f"jpegcrypt header of {len(payload)} bytes, expected {size}", offset=offset
            )
        salt = payload[_LAYOUT.size :] if flags else None
        return cls(scheme, bank, key_mode, dc, levels, key_id, nonce, tag, salt)


def packed_size(payload: bytes) -> int:
    """Return how many bytes a header takes, by its flags, whatever stands behind it.

    Examples
    --------
    >>> packed_size(bytes(100)), packed_size(bytes(18) + bytes([1]))
    (59, 75)
    """
    salted = payload[_FLAGS_AT : _FLAGS_AT + 1] == bytes([_SALT_FLAG])
    return _LAYOUT.size + (_SIZES["salt"] if salted else 0)


def is_header(payload: bytes) -> bool:
    """Tell whether an APP11 payload is a jpegcrypt header, of any version.

    Examples
    --------
    >>> is_header(b"JP")
    False
    """
    return payload.startswith(MAGIC)
