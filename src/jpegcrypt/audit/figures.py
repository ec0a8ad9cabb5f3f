"""Figures of a report: what an attack started from, and what it came to."""

import base64
import io
from collections.abc import Sequence

from matplotlib.figure import Figure

from jpegcrypt.audit.outcome import Panel

HEIGHT, DPI, QUALITY = 2.3, 60, 45  # inches of a panel; of the image that the page carries


def draw(panels: Sequence[Panel]) -> bytes:
    """Return the panels side by side as a WebP."""
    widths = [panel.picture.shape[1] / panel.picture.shape[0] for panel in panels]
    figure = Figure(figsize=(HEIGHT * sum(widths) + 0.1, HEIGHT + 0.3), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
    for axis, panel in zip(axes, panels, strict=True):
        axis.imshow(panel.picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(panel.label, fontsize=8)
        axis.set_axis_off()
    file = io.BytesIO()
    figure.savefig(file, format="webp", dpi=DPI, pil_kwargs={"quality": QUALITY})
    return file.getvalue()


def data_uri(webp: bytes) -> str:
    """Return a WebP as the address of an image that stands in the page itself."""
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
