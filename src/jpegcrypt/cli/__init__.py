"""The command ``jpegcrypt``: for the owner of pictures, and for a server without the key.

Options and their texts stand here; what takes long to import is imported by the command that needs
it.
"""

import functools
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from jpegcrypt.cli.keys import KeyFile, Passphrase, key_options
from jpegcrypt.cli.terminal import Program, about

if TYPE_CHECKING:
    from jpegcrypt.cli.conversion import Conversion


@click.group(
    "jpegcrypt",
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""Encrypt photos into ordinary JPEGs: everybody sees noise, you see the photo.

    \b
    jpegcrypt keygen album.key
    jpegcrypt encrypt photos noise --key album.key
    jpegcrypt decrypt noise photos-again --key album.key
    """,
)
@click.version_option(package_name="jpegcrypt", message="jpegcrypt %(version)s")
def main() -> None:
    """Run one of the commands below."""


@main.command()
@click.argument("keyfile")
def keygen(keyfile: str) -> None:
    """Make a random key and write it to the new file KEYFILE.

    Keep a copy in a safe place: without the key the pictures are lost.
    """
    from jpegcrypt.key import Key

    if keyfile == "-":
        raise click.UsageError("a key goes to a file that only you can read, not to stdout")
    key = Key.generate()
    key.save(keyfile)
    click.echo(f"key {key.id.hex()}")


max_pixels_option = click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(min=1),
    help="Refuse larger pictures, before they take memory.  [default: 178956970]",
)


def work_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what `encrypt` and `decrypt` have in common."""
    decorators = (
        click.argument("src"),
        click.argument("dst"),
        key_options,
        click.option("--overwrite", is_flag=True, help="Replace files that exist."),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            help="Files of a folder to work on at a time.  [default: one for each processor]",
        ),
        max_pixels_option,
    )
    return functools.reduce(lambda f, decorator: decorator(f), reversed(decorators), command)


def parse_background(
    _: click.Context, option: click.Parameter, color: str | None
) -> tuple[int, int, int] | None:
    """Turn the name of a color into numbers, or end with a usage error."""
    if color is None:
        return None
    from jpegcrypt.images import parse_color

    try:
        return parse_color(color)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


@main.command()
@work_options
@click.option("--quality", type=click.IntRange(1, 100), default=75, show_default=True)
@click.option(
    "--subsampling",
    type=click.Choice(["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1"]),
    default="4:2:0",
    show_default=True,
    help="Resolution of the color.",
)
@click.option(
    "--effort",
    type=click.Choice(["fast", "default", "best"]),
    default="default",
    show_default=True,
    help="Time spent on a small file.",
)
@click.option(
    "--bank",
    type=click.Choice(["givens128", "authors16", "signs256"]),
    default="givens128",
    show_default=True,
    help="Transforms the key chooses from. signs256: for pictures that were JPEGs of lower quality "
    "before; leaves magnitudes in clear. authors16: only to reproduce papers.",
)
@click.option(
    "--dc",
    type=click.Choice(["permuted", "residual"]),
    default="permuted",
    show_default=True,
    help="residual: smaller files, slower to decrypt; of brightness, what a prediction leaves is "
    "permuted.",
)
@click.option(
    "--key-mode",
    type=click.Choice(["nonce", "content", "fixed"]),
    default="nonce",
    show_default=True,
    help="nonce: every file differs. content: equal pictures and metadata give equal files, with "
    "one key file and equal settings; a passphrase has a new salt each time. "
    "fixed: only to reproduce papers, hides nothing from who knows one picture.",
)
@click.option(
    "--metadata",
    type=click.Choice(["seal", "strip"]),
    default="seal",
    show_default=True,
    help="Encrypt EXIF, XMP, IPTC, color profile, comments and text into the file, or leave them "
    "out; the picture is then turned upright as its EXIF asks for.",
)
@click.option(
    "--background",
    metavar="COLOR",
    callback=parse_background,
    help="What shines through transparent pictures: white, #ffeedd, ...",
)
def encrypt(
    src: str,
    dst: str,
    keys: KeyFile | Passphrase,
    overwrite: bool,
    jobs: int | None,
    max_pixels: int | None,
    **options: Any,
) -> None:
    """Encrypt the picture SRC to the JPEG DST, or a folder tree to another.

    SRC is any picture that Pillow reads, told by its content. DST is a JPEG, and must not have the
    name of another image format. `-` is stdin or stdout. As with any JPEG, what the quality loses
    is lost: mind it before you delete originals.

    In a tree a.jpg stays a.jpg, any other name gets .jpg behind: a.png becomes a.png.jpg. Files
    that exist in DST are passed over, so the same command goes on where it stopped: give every
    tree a DST of its own. Files that are no pictures are counted; broken ones, and files in DST
    that are plain, of another key, cut short or older than their source, are listed at the end,
    and the exit code is 1.
    """
    from jpegcrypt.cli.conversion import encryption, limit_pixels
    from jpegcrypt.files import check_jpeg_name

    keys.spare(dst)
    if dst != "-" and not os.path.isdir(src) and not os.path.isdir(dst):
        with about(""):
            check_jpeg_name(dst)
    with limit_pixels(max_pixels):
        _convert(src, dst, encryption(keys, options), overwrite=overwrite, jobs=jobs)


@main.command()
@work_options
@click.option(
    "--format",
    "extension",
    type=click.Choice(["png", "jpg", "tif", "webp", "bmp", "ppm"]),
    help="For a tree or stdout; otherwise the name DST says it.  [default: png]",
)
def decrypt(
    src: str,
    dst: str,
    keys: KeyFile | Passphrase,
    overwrite: bool,
    jobs: int | None,
    max_pixels: int | None,
    extension: str | None,
) -> None:
    """Decrypt SRC to the picture DST, or a folder tree to another.

    The extension of DST says the format: .png keeps every pixel, and the metadata of a PNG; .jpg
    loses a little, and keeps the metadata of a JPEG. What has no place is told. `-` is stdin or
    stdout.

    In a tree a.png.jpg becomes a.png again, and a.jpg becomes a.jpg.png; with `--format jpg` it
    stays a.jpg. Files that exist in DST are passed over, so the same command goes on where it
    stopped; files that are no JPEGs are counted; what cannot be decrypted, and files in DST that
    are of another format or older than their source, are listed at the end, and the exit code is 1.
    """
    from jpegcrypt.cli.conversion import decryption
    from jpegcrypt.codec.parse import MAX_PIXELS
    from jpegcrypt.images import find_format

    keys.spare(dst)
    if dst != "-" and not os.path.isdir(src) and not os.path.isdir(dst):
        if extension is not None:
            raise click.UsageError(f"--format, but the name {dst} says the format")
        with about(dst):
            find_format(dst)
        suffix = os.path.splitext(dst)[1].lower()
    else:
        suffix = f".{extension or 'png'}"
    conversion = decryption(keys, suffix, max_pixels=max_pixels or MAX_PIXELS)
    _convert(src, dst, conversion, overwrite=overwrite, jobs=jobs)


def _convert(
    src: str, dst: str, conversion: "Conversion", *, overwrite: bool, jobs: int | None
) -> None:
    if os.path.isdir(src):
        from jpegcrypt.cli.folder import convert_folder

        convert_folder(src, dst, conversion, overwrite=overwrite, jobs=jobs)
    else:
        from jpegcrypt.cli.file import convert_file

        convert_file(src, dst, conversion, overwrite=overwrite)


@main.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@max_pixels_option
def inspect(file: str, as_json: bool, max_pixels: int | None) -> None:
    """Show what the encrypted FILE says to everyone; `-` is stdin.

    Nothing of it is secret, and without the key nothing of it is proved.
    """
    import jpegcrypt
    from jpegcrypt.cli.file import read
    from jpegcrypt.codec.parse import MAX_PIXELS
    from jpegcrypt.codec.write import SUBSAMPLING

    with about("stdin" if file == "-" else file):
        info = asdict(jpegcrypt.inspect(read(file), max_pixels=max_pixels or MAX_PIXELS))
    for name in ("key_id", "nonce", "salt"):
        info[name] = info[name].hex() if info[name] else None
    if as_json:
        click.echo(json.dumps(info, indent=2))
        return
    factors = info["sampling"]
    names = [name for name, luma in SUBSAMPLING.items() if factors == (luma, (1, 1), (1, 1))]
    rows = {
        "scheme": info["scheme"],
        "bank": info["bank"],
        "DC": info["dc"],
        "key mode": info["key_mode"],
        "key id": info["key_id"],
        "nonce": info["nonce"],
        "salt": info["salt"] or "none: not from a passphrase",
        "size": f"{info['width']} x {info['height']}",
        "sampling": ", ".join([f"{h}x{v}" for h, v in factors] + names),
        "level shifts": ", ".join(map(str, info["levels"])),
        "sealed metadata": f"{info['sealed_metadata']} bytes",
    }
    for name, value in rows.items():
        click.echo(f"{name:16} {value}")


def given(parameter: str) -> bool:
    """Tell if an option was on the command line of the command that runs."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE


@main.command()
@click.argument("files", nargs=-1)
@click.option("--data", metavar="DIR", help="A folder of pictures; of its classes the same number.")
@click.option(
    "--limit",
    type=click.IntRange(min=2),
    default=100,
    show_default=True,
    help="Pictures to take from it.",
)
@click.option(
    "--scheme",
    metavar="ID",
    default="lu2022",
    show_default=True,
    help="Any whose files are JPEGs, such as zhang2014.",
)
@click.option(
    "--bank",
    "banks",
    type=click.Choice(["givens128", "authors16", "signs256"]),
    multiple=True,
    default=["givens128"],
    show_default=True,
    help="Of lu2022; give it several times for several reports.",
)
@click.option(
    "--key-mode",
    "key_modes",
    type=click.Choice(["nonce", "content", "fixed"]),
    multiple=True,
    default=["nonce"],
    show_default=True,
    help="The same.",
)
@click.option(
    "--dc",
    "dc_modes",
    type=click.Choice(["permuted", "residual"]),
    multiple=True,
    default=["permuted"],
    show_default=True,
    help="The same.",
)
@click.option("--quality", type=click.IntRange(1, 100), default=75, show_default=True)
@click.option("--out", metavar="DIR", default="audit", show_default=True, help="For the reports.")
@click.option("--overwrite", is_flag=True, help="Replace reports that exist.")
def audit(
    files: tuple[str, ...],
    data: str | None,
    limit: int,
    scheme: str,
    banks: tuple[str, ...],
    key_modes: tuple[str, ...],
    dc_modes: tuple[str, ...],
    quality: int,
    out: str,
    overwrite: bool,
) -> None:
    """Measure what encrypted pictures leak, and attack them.

    Takes the pictures FILES, or a sample of the folder given by --data, at least two, each of 64
    pixels or more each way, and encrypts them with keys of its own: no key of yours is needed. For
    each configuration it writes a report to read, one as data, and one page with figures. Needs the
    extra: pip install 'jpegcrypt[audit]'
    """
    if bool(files) == (data is not None):
        raise click.UsageError("name pictures, or a folder with --data")
    from jpegcrypt.cli.reports import audit_pictures

    settings: list[dict[str, Any]] = [{"quality": quality}]
    if scheme == "lu2022":
        settings = [
            {"bank": bank, "key_mode": key_mode, "dc": dc, "quality": quality}
            for bank in dict.fromkeys(banks)
            for key_mode in dict.fromkeys(key_modes)
            for dc in dict.fromkeys(dc_modes)
        ]
    elif any(map(given, ("banks", "key_modes", "dc_modes"))):
        raise click.UsageError(f"--bank, --key-mode and --dc are of lu2022, not of {scheme}")
    audit_pictures(files, data, limit, scheme, settings, out, overwrite=overwrite)


# --- the server's side ----------------------------------------------------------------------------

model_option = click.option(
    "--model", required=True, metavar="FILE", help="A model that `jpegcrypt train` made."
)
plain_option = click.option(
    "--plain", is_flag=True, help="Take pictures that nobody encrypted, too."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace a file that exists.")


@main.command()
@click.argument("data")
@click.argument("out")
@click.option(
    "--model",
    metavar="NAME",
    default="block_set",
    show_default=True,
    help="block_set is ours; gmlp, vit and resnet are those of the papers; dct_histogram and "
    "code_transformer are after others.",
)
@click.option(
    "--again",
    multiple=True,
    metavar="DATA",
    help="The same pictures, encrypted anew: training draws from all. May be repeated.",
)
@click.option(
    "--split",
    type=click.Choice(["stratified", "unseen-classes", "all"]),
    default="stratified",
    show_default=True,
    help="Which 70 % to learn from; mAP is measured on the others. all: learn from every picture.",
)
@click.option("--split-seed", type=click.IntRange(min=0), default=2020, show_default=True)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change the model or its training: epochs=30, seed=1, precision=bf16, words=256, ...",
)
@plain_option
@click.option("--cache", metavar="FOLDER", help="Keep decoded pictures here for the next time.")
@click.option("--resume", is_flag=True, help="Go on with OUT where its training stopped.")
def train(data: str, out: str, model: str, **options: Any) -> None:
    """Learn from the labelled encrypted pictures in DATA and write a model to OUT.

    DATA is a folder with a folder for each class, or with n.jpg as Corel has it, or with
    class_index.jpg, or a CSV file with the columns path and label. No key is needed. OUT is written
    anew as training goes on, and a log beside it, OUT.csv.

    Several GPUs: accelerate launch -m jpegcrypt train ...
    """
    from jpegcrypt.cli.train import train as run

    run(data, out, model, **options)


@main.command()
@click.argument("data", nargs=-1, required=True)
@click.argument("index")
@model_option
@click.option(
    "--device",
    metavar="NAME",
    default="cpu",
    show_default=True,
    help="Where the model runs, such as cuda.",
)
@plain_option
@overwrite_option
def embed(data: tuple[str, ...], index: str, model: str, **options: Any) -> None:
    """Compute a feature of each encrypted picture in DATA and write them to INDEX, an .npz file.

    DATA is a labelled folder (a folder for each class, or n.jpg as Corel has it, or
    class_index.jpg), a CSV file with the columns path and label, or any files and folders, whose
    classes are then not known. No key is needed. Files that cannot be used are listed and left out,
    and the exit code is 1.
    """
    from jpegcrypt.cli import retrieval

    retrieval.embed(data, index, model, **options)


@main.command()
@click.argument("index")
@click.argument("query")
@model_option
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
@plain_option
@click.option("--json", "as_json", is_flag=True, help="For programs, and for `jpegcrypt page`.")
def search(index: str, query: str, model: str, k: int, plain: bool, as_json: bool) -> None:
    """List the pictures of INDEX that are most similar to the encrypted picture QUERY.

    Each line has the cosine of the features and the file. The search is exact, and needs no key.
    """
    from jpegcrypt.cli import retrieval

    retrieval.search(index, query, model, k, plain=plain, as_json=as_json)


@main.command()
@click.argument("index")
@click.option(
    "--all", "every", is_flag=True, help="Search for those too that the model learned from."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--rankings",
    metavar="FILE",
    help="Write the ten best for a query of each class, for `jpegcrypt page`.",
)
@overwrite_option
def evaluate(index: str, every: bool, as_json: bool, rankings: str | None, overwrite: bool) -> None:
    """Measure how well INDEX, of a labelled folder, finds pictures of the same class.

    Searched for are the pictures that the model did not learn from, in none of their encryptions:
    the model knows them by their paths below the folder. They are searched among each other, and
    among those that it learned from.

    All rules of average precision in use stand side by side, with recall, precision and nDCG, what
    a random order would give, and the means with equally similar pictures in reverse order.
    """
    from jpegcrypt.cli import retrieval

    retrieval.evaluate(index, rankings, every=every, as_json=as_json, overwrite=overwrite)


@main.command()
@click.argument("rankings")
@click.argument("html")
@click.option("--key", "key_file", metavar="KEYFILE", help="Show the decrypted pictures below.")
@overwrite_option
def page(rankings: str, html: str, key_file: str | None, overwrite: bool) -> None:
    """Show queries and what was found for them on a page, the new file HTML.

    RANKINGS comes from `jpegcrypt search --json` or `jpegcrypt evaluate --rankings`. Without a key
    the page shows what the server sees; with it, which the server never has, what was found.
    """
    from jpegcrypt.cli.page import page as write_page

    write_page(rankings, html, KeyFile(key_file) if key_file else None, overwrite=overwrite)
