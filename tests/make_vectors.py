"""Write the golden files of the present version into tests/vectors: `make vectors`.

A folder a version; those of released versions are never written again, and open forever.
"""

import hashlib
import json
import tomllib
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import recode
from format_reader import read_picture
from jpegcrypt import Key, decode, decrypt, encrypt

ROOT = Path(__file__).parents[1]
VECTORS = ROOT / "tests" / "vectors"

ABOUT = {
    "picture": "sample c (R 0, G 1, B 2; gray 0) of the pixel in column x, row y: "
    "(5 x + 3 y + floor(x y / 4) + 60 c) mod 256",
    "key": "master key, 32 bytes in hex; or the passphrase, and the salt in hex",
    "settings": "how the file was encrypted; what is not given has its default: quality 75, "
    "subsampling 4:2:0, bank givens128, dc permuted, key_mode nonce, effort default, "
    "restart_interval 0",
    "metadata": "sealed; bytes in hex, dpi as two numbers",
    "file": "SHA-256 of the file in this folder",
    "decrypted": "SHA-256 of the decrypted samples, row by row, R G B",
    "shown": "SHA-256 of the samples that libjpeg-turbo shows, without the key",
}

KEY = {"key": bytes(range(32)).hex()}
METADATA = {
    "exif": b"II*\0\x08\0\0\0\0\0\0\0\0\0".hex(),
    "xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>".hex(),
    "icc_profile": bytes(range(64)).hex(),
    "comment": "Z\u00fcrich, at the lake".encode().hex(),
    "dpi": [300.0, 72.5],
}


def vector(
    name: str,
    width: int,
    height: int,
    components: int = 3,
    *,
    key: dict[str, str] = KEY,
    metadata: dict[str, Any] | None = None,
    rewritten: str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Describe one golden file."""
    if settings.get("key_mode", "nonce") == "nonce":
        settings["nonce"] = hashlib.sha256(name.encode()).digest()[:16].hex()
    return {
        "name": name,
        **key,
        "width": width,
        "height": height,
        "components": components,
        "settings": settings,
        "metadata": metadata or {},
        "rewritten": rewritten,
    }


DESCRIPTIONS = [
    vector("default", 50, 37),
    vector("gray", 41, 29, 1),
    vector("4x4x4", 35, 26, subsampling="4:4:4", quality=90),
    vector("4x2x2", 35, 26, subsampling="4:2:2", quality=60),
    vector("4x4x0", 35, 26, subsampling="4:4:0"),
    vector("4x1x1", 67, 26, subsampling="4:1:1", effort="fast"),
    vector("one-pixel", 1, 1),
    vector("one-row", 50, 1, subsampling="4:4:4", bank="signs256"),
    vector("whole-mcus", 64, 32, quality=50, effort="fast"),
    vector("quality-1", 40, 40, quality=1),
    vector("quality-100", 24, 24, quality=100),
    vector("authors16", 33, 33, bank="authors16"),
    vector("signs256", 33, 33, bank="signs256"),
    vector("flat", 24, 16, 1, quality=100, qtables="flat", effort="best"),
    vector("best", 70, 45, effort="best"),
    vector("residuals", 50, 37, dc="residual"),
    vector("residuals-gray", 41, 29, 1, dc="residual", quality=100),
    vector("residuals-4x1x1", 67, 26, dc="residual", subsampling="4:1:1", effort="best"),
    vector("own-tables", 33, 17, qtables=[list(range(3, 67)), [9] * 64]),
    vector("restarts", 50, 40, restart_interval=2),
    vector("metadata", 30, 20, metadata=METADATA),
    vector("content", 30, 20, key_mode="content"),
    vector("fixed", 30, 20, 1, key_mode="fixed"),
    vector(
        "passphrase",
        30,
        20,
        key={"passphrase": "Zu\u0308rich see", "salt": bytes(range(16)).hex()},
    ),
    vector("progressive", 37, 30, metadata={"comment": b"hi".hex()}, rewritten="progressive"),
    vector("residuals-progressive", 37, 30, dc="residual", rewritten="progressive"),
    vector("separate-scans", 37, 30, rewritten="separate scans, restart interval 3"),
]
REWRITES: dict[str, dict[str, Any]] = {
    "progressive": {"script": recode.PROGRESSIVE},
    "separate scans, restart interval 3": {"script": recode.SEPARATE, "restart_interval": 3},
}


def folder_of_this_version() -> Path:
    with open(ROOT / "pyproject.toml", "rb") as file:
        version: str = tomllib.load(file)["project"]["version"]
    return VECTORS / version.partition(".dev")[0]


def picture(width: int, height: int, components: int) -> np.ndarray:
    y, x, c = np.indices((height, width, components))
    samples: np.ndarray = ((5 * x + 3 * y + x * y // 4 + 60 * c) % 256).astype(np.uint8)
    return samples[:, :, 0] if components == 1 else samples


def key_of(description: dict[str, Any]) -> Key:
    if "key" in description:
        return Key(bytes.fromhex(description["key"]))
    return Key.from_passphrase(description["passphrase"], salt=bytes.fromhex(description["salt"]))


def metadata_of(description: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if name == "dpi" else bytes.fromhex(value)
        for name, value in description["metadata"].items()
    }


def encrypt_described(description: dict[str, Any]) -> bytes:
    """Make the file of a description."""
    settings = dict(description["settings"])
    if "nonce" in settings:
        settings["nonce"] = bytes.fromhex(settings["nonce"])
    image = picture(*(description[name] for name in ("width", "height", "components")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of key_mode "fixed"
        data = encrypt(image, key_of(description), **settings, **metadata_of(description))
    if description["rewritten"]:
        return recode.recode(data, read_picture(data), **REWRITES[description["rewritten"]])
    return data


def main() -> None:
    folder = folder_of_this_version()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    vectors = []
    for description in DESCRIPTIONS:
        data = encrypt_described(description)
        (folder / f"{description['name']}.jpg").write_bytes(data)
        contents = {
            "file": data,
            "decrypted": decrypt(data, key_of(description)).tobytes(),
            "shown": decode(data).tobytes(),
        }
        digests = {name: hashlib.sha256(x).hexdigest() for name, x in contents.items()}
        vectors.append(description | digests)
    text = json.dumps({"about": ABOUT, "vectors": vectors}, indent=1, ensure_ascii=False)
    (folder / "vectors.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
