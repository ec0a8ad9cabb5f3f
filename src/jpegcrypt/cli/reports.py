"""The command that audits: pictures in, one report for each configuration out."""

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from jpegcrypt import atomic
from jpegcrypt.cli.terminal import Stop, about
from jpegcrypt.images import FORMATS, read_image

PACKAGES = ("scipy", "skimage", "matplotlib", "markdown_it")


def audit_pictures(
    files: Sequence[str],
    folder: str | None,
    limit: int,
    scheme: str,
    settings: Sequence[Mapping[str, Any]],
    out: str,
    *,
    overwrite: bool,
) -> None:
    """Audit a scheme with each of the settings, and write the reports to a folder."""
    _check_packages()
    from jpegcrypt.audit import report
    from jpegcrypt.audit.data import check_size, choose
    from jpegcrypt.audit.target import make

    try:
        targets = [make(scheme, **one) for one in settings]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--scheme") from None
    if folder is not None:
        with about(folder):
            os.listdir(folder)
    paths = list(files) if folder is None else map(str, choose(Path(folder), [*FORMATS], limit))
    pictures = []
    for path in paths:
        with about(path):
            pixels, _ = read_image(Path(path).read_bytes(), background="white", strip=True)
            check_size(pixels)
        pictures.append(pixels)
    name = f"{len(pictures)} files" if folder is None else os.path.basename(os.path.abspath(folder))
    if len(pictures) < 2:
        raise Stop(f"{folder or 'one picture'}: {len(pictures)} found, expected at least 2")
    stems = ["-".join(str(value) for value in target.settings.values()) for target in targets]
    written = {
        stem: [os.path.join(out, stem + suffix) for suffix in (".md", ".json", ".html")]
        for stem in stems
    }
    for path in (path for paths in written.values() for path in paths):
        with about(path):
            if os.path.exists(path) and not overwrite:
                raise FileExistsError(17, "File exists", path)
    os.makedirs(out, exist_ok=True)
    work = sum(report.steps(target, len(pictures)) for target in targets)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("audit", total=work)
        for stem, target in zip(stems, targets, strict=True):
            progress.update(task, description=target.name)
            with about(name):
                found = report.audit(
                    target, pictures, data=name, tick=lambda: progress.advance(task)
                )
            texts = report.to_markdown(found), report.to_json(found), report.to_html(found)
            for path, text in zip(written[stem], texts, strict=True):
                with about(path):
                    atomic.write(path, text.encode(), overwrite=overwrite)
            for outcome in found.outcomes:
                if outcome.verdict in ("works", "partly") and not outcome.is_bound:
                    progress.console.print(
                        f"{target.name}: {outcome.attack} {outcome.verdict}", soft_wrap=True
                    )
    for paths in written.values():
        click.echo("\n".join(paths))


def _check_packages() -> None:
    missing = []
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError:
            missing.append(package)
    if missing:
        raise Stop(
            f"the audit needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'jpegcrypt[audit]'",
        )
