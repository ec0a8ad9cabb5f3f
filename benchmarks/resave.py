"""Save the pictures of a folder again with Pillow: the rival of `jpegcrypt encrypt FOLDER`."""

import sys
from pathlib import Path

from PIL import Image


def resave(source: Path, target: Path, quality: int) -> None:
    target.mkdir()
    for path in sorted(source.iterdir()):
        with Image.open(path) as image:
            image.save(target / path.name, "JPEG", quality=quality)


if __name__ == "__main__":
    resave(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
