"""The worked example of docs/format.md: prints it, or with --write puts it into the document.

Intermediate values come from format_reader.py; the library only makes the file.
"""

import argparse
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np

import format_reader as reader
import jpegcrypt

DOCUMENT = Path(__file__).parents[1] / "docs" / "format.md"
SECRET = bytes(range(32))
NONCE = bytes(range(0xA0, 0xB0))
COMMENT = b"at the lake"
_BLOCK = re.compile(
    r"(<!-- begin: python tests/format_example.py --write -->\n).*(<!-- end -->)", re.S
)


def picture() -> np.ndarray:
    y, x = np.mgrid[0:12, 0:20]
    return np.stack([12 * x, 20 * y, 128 + 5 * x - 5 * y], axis=2).astype(np.uint8)


def encrypted_file() -> bytes:
    return jpegcrypt.encrypt(
        picture(), jpegcrypt.Key(SECRET), nonce=NONCE, effort="fast", comment=COMMENT
    )


def sections(data: bytes) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield a title and its named values, section by section, in the order of the document."""
    header, sealed = reader.read_header(data)
    keys = reader.image_keys(SECRET, header.nonce)
    cipher = reader.read_picture(data)
    components = [
        reader.component_label(name, header, blocks)
        for name, blocks in zip(("Y", "Cb", "Cr"), cipher.blocks, strict=True)
    ]
    labels = (*components, "hash", "tag", "metadata", "metadata nonce")
    yield (
        "Keys",
        [
            ("master key K", SECRET.hex()),
            ("key id", reader.key_id(SECRET).hex()),
            ("nonce N", header.nonce.hex()),
            ("prk", reader.hmac_sha256(header.nonce, SECRET).hex()),
            *((f'key("{label}")', keys(label).hex()) for label in labels),
        ],
    )
    yield (
        f"Header, and the sealed comment {COMMENT.decode()!r}",
        [("header payload", wrapped(header.payload)), ("sealed blob", wrapped(sealed))],
    )

    blocks, steps = cipher.blocks[0], cipher.steps[0]
    n = blocks.shape[0] * blocks.shape[1]
    stream = reader.key_stream(keys(components[0]), 16 * n + 4 * (n - 1))
    records, permutation = reader.plan(keys(components[0]), n)
    matrices = " ".join(str(index % 128) for index in records[0, :9])
    yield (
        "Plan of the luma component",
        [
            ("key stream: a record a line", wrapped(stream[: 16 * n], 16)),
            ("words of the permutation", wrapped(stream[16 * n :], 4)),
            ("permutation p", " ".join(map(str, permutation))),
            ("record 0: row matrix, 8 column matrices", matrices),
            ("record 0: rotation", str(records[0, 9] % 4)),
        ],
    )
    bank = reader.fixed_point(header.bank)
    step, level = int(steps[0, 0]), header.levels[0]
    dc = reader.decrypt_dc(blocks, step, level, 0, cipher.sampling[0], records, permutation, bank)
    transformed = blocks.reshape(n, 8, 8).copy()
    transformed[:, 0, 0] = dc
    plain = reader.inverse_blocks(transformed, steps, records, bank, full_resolution=True)
    sign = reader.dc_sign(records, bank)[0]
    dc_numbers = (sign, reader.dc_bound(step), reader.dc_shift(level, step))
    yield (
        "Cipher block 0 of the luma component",
        [
            ("quantization steps", rows(steps)),
            ("coefficients of the file", rows(blocks[0, 0])),
            ("sign, bound, shift of its DC value", " ".join(map(str, dc_numbers))),
            ("DC value q[0][0]", str(dc[0])),
            (f"samples of plain block p[0] = {permutation[0]}", rows(plain[0])),
        ],
    )
    message = reader.tag_message(header, cipher, sealed)
    block = reader.block_message(blocks[0, 0].ravel()[reader.ZIGZAG])
    yield (
        "Tag",
        [
            ("cipher block 0 in the message", block.hex()),
            ("length of the message", str(len(message))),
            ("SHA-256 of the message", sha256(message).hexdigest()),
            ("tag", reader.compute_tag(keys, message).hex()),
        ],
    )
    pixels, _ = reader.decrypt(data, SECRET)
    yield (
        "Pixels",
        [
            ("first row, R G B", "\n".join(numbers(row) for row in pixels[0].reshape(2, -1))),
            ("SHA-256 of all pixels, row by row, R G B", sha256(pixels.tobytes()).hexdigest()),
        ],
    )
    yield "The file", [(f"{len(data)} bytes", wrapped(data))]


def numbers(row: np.ndarray) -> str:
    return " ".join(f"{value:3d}" for value in row)


def rows(matrix: np.ndarray) -> str:
    return "\n".join(numbers(row) for row in matrix)


def wrapped(value: bytes, width: int = 32) -> str:
    return "\n".join(value[i : i + width].hex() for i in range(0, len(value), width))


def example() -> str:
    """Return the example as Markdown."""
    text = ""
    for title, named in sections(encrypted_file()):
        text += f"**{title}**\n\n```\n"
        for name, value in named:
            several = "\n" in value
            text += f"{name}:\n{value}\n" if several else f"{name}: {value}\n"
        text += "```\n\n"
    return text


def with_example(document: str) -> str:
    """Return the document with its example made anew."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n{example()}{match[2]}", document)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put it into docs/format.md")
    if parser.parse_args().write:
        DOCUMENT.write_text(with_example(DOCUMENT.read_text("utf-8")), "utf-8")
    else:
        print(example())
