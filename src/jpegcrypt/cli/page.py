"""A page of queries and what was found for them, with what everyone sees and, for the key holder,
the pictures themselves. It is the owner's step: the search that made the list never had a key.
"""

import base64
import html
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jpegcrypt import atomic
from jpegcrypt.api import decode, decrypt, find_header
from jpegcrypt.cli.keys import KeyFile
from jpegcrypt.cli.terminal import about
from jpegcrypt.codec.parse import parse
from jpegcrypt.encoder import Pixels
from jpegcrypt.schemes import feng2021

_HEIGHT = 220  # of a picture in the file, twice what the page shows

_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Search of encrypted pictures</title><style>
body { font: 14px sans-serif; margin: 2em; } table { border-spacing: 4px; }
td { vertical-align: top; text-align: center; font-size: 11px; } img { height: 110px; }
.hit img { outline: 3px solid #2a2; } .miss img { outline: 3px solid #c33; }
td:first-child { padding-right: 2em; }
</style></head><body>
<h1>Search of encrypted pictures</h1>
"""


def page(rankings: str, target: str, keys: KeyFile | None, *, overwrite: bool) -> None:
    """Write the page of a list that `search --json` or `evaluate --rankings` made."""
    with about(target):
        atomic.check(target, overwrite=overwrite)
    with about(rankings):
        listed = _read(rankings)
    views: list[Callable[[bytes], Pixels]] = [_seen]
    if keys is not None:
        keys.spare(target)
        keys.unlock(to_encrypt=False)
        views.append(lambda data: _decrypted(data, keys))
    body = "".join(_query(one, views) for one in listed)
    text = f"{_HEAD}{body}</body></html>\n"
    atomic.write(target, text.encode("utf-8", "backslashreplace"), overwrite=overwrite)


def _read(rankings: str) -> list[dict[str, Any]]:
    data = Path(rankings).read_bytes()
    try:
        listed: list[dict[str, Any]] = json.loads(data)
        for ranking in listed:
            for one in ({"path": ranking["query"]}, *ranking["results"]):
                _ = Path(one["path"]), float(one.get("similarity", 0))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("no list that search --json or evaluate --rankings wrote") from None
    return listed


def _query(ranking: dict[str, Any], views: list[Callable[[bytes], Pixels]]) -> str:
    """Return the table of a query: a row of what everyone sees, a row with the key."""
    pictures = [{"path": ranking["query"]}, *ranking["results"]]
    rows = "".join(
        f"<tr>{''.join(_cell(one, view, caption=not i) for one in pictures)}</tr>\n"
        for i, view in enumerate(views)
    )
    title = html.escape(str(ranking.get("class", ranking["query"])))
    return f"<h2>{title}</h2>\n<table>\n{rows}</table>\n"


def _cell(picture: dict[str, Any], view: Callable[[bytes], Pixels], *, caption: bool) -> str:
    path = picture["path"]
    with about(path):
        pixels = view(Path(path).read_bytes())
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    image.thumbnail((image.width, _HEIGHT))
    image.save(file, "PNG")
    source = base64.b64encode(file.getvalue()).decode()
    kind = "" if "hit" not in picture else "hit" if picture["hit"] else "miss"
    below = f"{float(picture['similarity']):.3f}" if caption and "similarity" in picture else ""
    return (
        f'<td class="{kind}"><img src="data:image/png;base64,{source}" '
        f'alt="{html.escape(path, quote=True)}" title="{html.escape(path, quote=True)}">'
        f"<br>{below}</td>"
    )


def _seen(data: bytes) -> Pixels:
    if data.startswith(b"\xff\xd8"):
        return decode(data)
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return np.asarray(image.convert("RGB"))


def _decrypted(data: bytes, keys: KeyFile) -> Pixels:
    jpeg = data.startswith(b"\xff\xd8")
    if jpeg and find_header(parse(data))[0].scheme != feng2021.ID:
        return decrypt(data, keys.of(data))
    return feng2021.decrypt(data, keys.of(data))
