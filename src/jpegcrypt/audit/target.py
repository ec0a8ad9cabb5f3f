"""What is audited: something that turns pictures into JPEG files.

A scheme takes part by two methods (`Target`): the plain file and the encrypted one. Most of the
audit needs no more; attacks that use the structure of a scheme name the class they need.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core, api
from jpegcrypt.audit import dc, places
from jpegcrypt.audit.dc import Values
from jpegcrypt.audit.histograms import components
from jpegcrypt.audit.places import Order
from jpegcrypt.cipher.bank import transform_bank
from jpegcrypt.cipher.plan import ComponentPlan
from jpegcrypt.codec.coefficients import Coefficients, decode_scans, read_coefficients
from jpegcrypt.codec.decode import decode_planes, planes_to_image
from jpegcrypt.codec.parse import parse
from jpegcrypt.codec.tables import quantizer
from jpegcrypt.errors import FixedKeyWarning
from jpegcrypt.key import Key
from jpegcrypt.schemes import load, lu2022, names

Pixels = npt.NDArray[np.uint8]

OWNER = Key(bytes([1]) * 32)  # whose files are attacked; any key serves, these make runs repeat
ATTACKER = Key(bytes([2]) * 32)


class Target(Protocol):
    """A scheme with its settings, as the audit sees it."""

    @property
    def name(self) -> str:
        """The configuration in a few words, the title of its report."""

    @property
    def settings(self) -> dict[str, str | int]:
        """The configuration as data."""

    def encode(self, picture: Pixels) -> bytes:
        """Return the plain JPEG of a picture with the settings of the scheme."""

    def coefficients(self, data: bytes) -> Coefficients:
        """Return what anyone reads off an encrypted file, block by block."""

    def encrypt(self, picture: Pixels, serial: int, *, key: Key = OWNER) -> bytes:
        """Return the encrypted JPEG.

        Parameters
        ----------
        picture : uint8 array (H, W, 3) or (H, W)
        serial : int
            Number of the encryption. A scheme with nonces takes the nonce from it, so that runs
            repeat; two pictures have one number only to see what changes with one of them.
        key : Key
            The owner's, or the one that the attacker made for himself.
        """


@runtime_checkable
class Placed(Target, Protocol):
    """A target that tells where the blocks of its files belong, to score attacks on places."""

    def luma_order(self, data: bytes) -> Order | None:
        """Return the order of the luma blocks of a file, None where no block stays together."""


@dataclass(frozen=True, slots=True)
class Lu2022:
    """The scheme of this project, `schemes.lu2022`.

    Examples
    --------
    >>> target = Lu2022(bank="authors16", key_mode="fixed", quality=90)
    >>> target.name
    'lu2022, authors16, fixed keys, DC permuted, quality 90'
    >>> picture = np.zeros((16, 16), np.uint8)
    >>> target.encrypt(picture, 1) == target.encrypt(picture, 2)
    True
    """

    bank: str = "givens128"
    key_mode: api.KeyMode = "nonce"
    dc: api.DcMode = "permuted"
    quality: int = 75

    @property
    def name(self) -> str:
        """As in `Target`."""
        return f"lu2022, {self.bank}, {self.key_mode} keys, DC {self.dc}, quality {self.quality}"

    @property
    def settings(self) -> dict[str, str | int]:
        """As in `Target`."""
        return {
            "scheme": "lu2022",
            "bank": self.bank,
            "key_mode": self.key_mode,
            "dc": self.dc,
            "quality": self.quality,
        }

    def encode(self, picture: Pixels) -> bytes:
        """As in `Target`."""
        return api.encode(picture, quality=self.quality)

    def encrypt(
        self,
        picture: Pixels,
        serial: int,
        *,
        key: Key = OWNER,
        metadata: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """As in `Target`; metadata by the names that `api.encrypt` has for it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FixedKeyWarning)  # the audit shows why
            return api.encrypt(
                picture,
                key,
                quality=self.quality,
                bank=self.bank,
                dc=self.dc,
                key_mode=self.key_mode,
                nonce=serial.to_bytes(16) if self.key_mode == "nonce" else None,
                **(metadata or {}),  # type: ignore[arg-type]
            )

    def coefficients(self, data: bytes) -> Coefficients:
        """As in `Target`; of DC residuals what each block took along, not their running sum."""
        c = read_coefficients(data)
        if self.dc == "permuted":
            return c
        color = c.Cb is not None and c.Cr is not None
        factors = c.sampling if color else ((1, 1),)
        told = [
            dc.told_by_file(blocks, factors[i], int(c.qt[i][0, 0]))
            for i, blocks in enumerate(components(c))
        ]
        Y, *chroma = told
        Cb, Cr = chroma or (None, None)
        return replace(c, Y=Y, Cb=Cb, Cr=Cr)

    def levels(self, data: bytes) -> list[int]:
        """Return the level shift of each component, which an encrypted file tells everyone."""
        jpeg = parse(data)
        return list(api.find_header(jpeg)[0].levels[: len(jpeg.frame.sampling)])

    def travelling(self, plain: Coefficients, levels: Sequence[int]) -> list[Values]:
        """Return the DC value that each plain block takes along, up to a sign, by component.

        Parameters
        ----------
        plain : Coefficients
        levels : sequence of int
            The level shift of each component, which is public.
        """
        return [
            dc.travelling(
                blocks[:, :, 0, 0].astype(np.int64),
                level,
                int(table[0, 0]),
                residual=self.dc == "residual",
            )
            for blocks, table, level in zip(components(plain), plain.qt, levels, strict=True)
        ]

    def plan(self, data: bytes, *, key: Key = OWNER) -> list[ComponentPlan]:
        """Return what the key decided for a file: the truth that attacks are scored against."""
        jpeg = parse(data)
        head, _ = api.find_header(jpeg)
        return lu2022.make_plan(
            key.derive(head.nonce),
            jpeg.frame,
            bank=self.bank,
            dc_residuals=self.dc == "residual",
        )

    def luma_order(self, data: bytes) -> Order:
        """As in `Placed`."""
        return self.plan(data)[0].permutation.astype(np.intp)

    def decrypt(
        self,
        data: bytes,
        plan: Sequence[ComponentPlan],
        *,
        carried: Sequence[Values] | None = None,
    ) -> Pixels:
        """Decrypt with a plan instead of a key, as an attacker does who found one.

        Parameters
        ----------
        data : bytes
        plan : sequence of ComponentPlan
        carried : sequence of int array (rows, columns), optional
            What to take, by component, for what DC mode `permuted` would have the blocks carry.
        """
        jpeg = parse(data)
        head, _ = api.find_header(jpeg)
        if carried is not None:
            coefficients = decode_scans(jpeg)
            for blocks, values in zip(coefficients, carried, strict=True):
                blocks[:, :, 0] = values
            planes, _ = _core.coefficients_to_planes(
                jpeg.frame,
                coefficients,
                [quantizer(table.tobytes()) for table in jpeg.tables],
                bank=transform_bank(self.bank),
                plan=plan,
                levels=head.levels,
            )
            return planes_to_image(jpeg, planes)
        planes, _ = decode_planes(
            jpeg,
            bank=transform_bank(self.bank),
            plan=plan,
            levels=head.levels,
            dc_residuals=self.dc == "residual",
        )
        return planes_to_image(jpeg, planes)


@dataclass(frozen=True, slots=True)
class Compared:
    """A scheme of others whose files are JPEGs, by its id.

    Examples
    --------
    >>> Compared("zhang2014").name
    'zhang2014, quality 75'
    """

    scheme: str
    quality: int = 75

    @property
    def name(self) -> str:
        """As in `Target`."""
        return f"{self.scheme}, quality {self.quality}"

    @property
    def settings(self) -> dict[str, str | int]:
        """As in `Target`."""
        return {"scheme": self.scheme, "quality": self.quality}

    def encode(self, picture: Pixels) -> bytes:
        """As in `Target`."""
        return load(self.scheme, quality=self.quality).plain(picture)

    def encrypt(self, picture: Pixels, serial: int, *, key: Key = OWNER) -> bytes:
        """As in `Target`."""
        return load(self.scheme, quality=self.quality).encrypt(picture, key, serial.to_bytes(16))

    def coefficients(self, data: bytes) -> Coefficients:
        """As in `Target`."""
        return read_coefficients(data)

    def luma_order(self, data: bytes) -> Order | None:
        """As in `Placed`."""
        return places.luma_order(load(self.scheme), data, OWNER)


def jpeg_schemes() -> tuple[str, ...]:
    """Return the ids of all schemes that can be audited, as their files are JPEGs.

    Examples
    --------
    >>> {"lu2022", "zhang2014"} <= {*jpeg_schemes()}
    True
    """
    return ("lu2022", *(name for name in names() if load(name).is_jpeg))


def make(scheme: str, **settings: Any) -> Target:
    """Return the target of a scheme with its settings.

    Raises
    ------
    ValueError
        If there is no such scheme, or its files are no JPEGs.

    Examples
    --------
    >>> make("zhang2014", quality=90).name, make("lu2022").name
    ('zhang2014, quality 90', 'lu2022, givens128, nonce keys, DC permuted, quality 75')
    """
    if scheme not in jpeg_schemes():
        raise ValueError(f"unknown scheme {scheme!r}, expected one of {', '.join(jpeg_schemes())}")
    return Lu2022(**settings) if scheme == "lu2022" else Compared(scheme, **settings)
