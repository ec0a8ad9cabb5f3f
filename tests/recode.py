"""Write the coefficients of a JPEG as another JPEG, as jpegtran does, on machines without it.

Nothing of jpegcrypt is asked. Codes all have one length, padding blocks repeat the edge of the
component, so hardly a byte of the original survives but its APPn and COM segments.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from format_reader import Picture
from oracle import ZIGZAG, segments

Script = Sequence[tuple[Sequence[int], int, int, int, int]]  # components, Ss, Se, Ah, Al

# As libjpeg's, with a split spectrum and two refinements.
PROGRESSIVE: Script = (
    ((0, 1, 2), 0, 0, 0, 1),
    *(((c,), *band, 0, 2) for c in range(3) for band in ((1, 5), (6, 63))),
    *(((c,), 1, 63, 2, 1) for c in range(3)),
    ((0, 1, 2), 0, 0, 1, 0),
    *(((c,), 1, 63, 1, 0) for c in range(3)),
)
SEPARATE: Script = tuple(((c,), 0, 63, 0, 0) for c in range(3))
FULL_BAND = (0, 63, 0, 0)

_DC = range(12)
_AC = [*(run << 4 for run in range(16)), *(r << 4 | s for r in range(16) for s in range(1, 11))]


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


def _huffman(destination: int, symbols: Sequence[int], length: int) -> bytes:
    bits = bytes(len(symbols) if n == length else 0 for n in range(1, 17))
    return _segment(0xC4, bytes([destination]) + bits + bytes(symbols))


def _value(value: int) -> tuple[int, str]:
    """The size and the additional bits of a value (F.1.2.1)."""
    size = abs(value).bit_length()
    return size, f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""


class _Scan:
    """The bits of one scan."""

    def __init__(self, script: tuple[int, int, int, int], code_length: int) -> None:
        self.start, self.end, self.high, self.low = script
        self.progressive = script != FULL_BAND
        self.code_length = code_length
        self.intervals: list[str] = []
        self.restart()

    def restart(self) -> None:
        self.bits: list[str] = []
        self.prediction: dict[int, int] = {}
        self.eob_run, self.pending = 0, ""

    def symbol(self, symbols: Sequence[int], symbol: int) -> None:
        self.bits.append(f"{symbols.index(symbol):0{self.code_length}b}")

    def finish(self) -> None:
        self.flush_eob_run()
        bits = "".join(self.bits)
        self.intervals.append(bits + "1" * (-len(bits) % 8))
        self.restart()

    def block(self, c: int, zigzag: list[int]) -> None:
        if self.high:
            (self.refine_ac if self.start else self.refine_dc)(zigzag)
            return
        if self.start == 0:
            dc = zigzag[0] >> self.low
            size, bits = _value(dc - self.prediction.get(c, 0))
            self.prediction[c] = dc
            self.symbol(_DC, size)
            self.bits.append(bits)
        if self.end:
            self.ac(zigzag)

    def ac(self, zigzag: list[int]) -> None:
        run = 0
        for value in zigzag[max(self.start, 1) : self.end + 1]:
            value = (abs(value) >> self.low) * (1 if value > 0 else -1)
            if not value:
                run += 1
                continue
            self.flush_eob_run()
            for _ in range(run >> 4):
                self.symbol(_AC, 0xF0)
            size, bits = _value(value)
            self.symbol(_AC, (run & 15) << 4 | size)
            self.bits.append(bits)
            run = 0
        if run:
            self.eob_run += 1
            if not self.progressive or self.eob_run == 0x7FFF:
                self.flush_eob_run()

    def flush_eob_run(self) -> None:
        if self.eob_run:
            size = self.eob_run.bit_length() - 1
            self.symbol(_AC, size << 4)
            self.bits += [f"{self.eob_run:b}"[1:], self.pending]
            self.eob_run, self.pending = 0, ""

    def refine_dc(self, zigzag: list[int]) -> None:
        self.bits.append(str(zigzag[0] >> self.low & 1))

    def refine_ac(self, zigzag: list[int]) -> None:  # G.1.2.3
        magnitudes = [abs(value) >> self.low for value in zigzag]
        last = max((k for k in range(self.start, self.end + 1) if magnitudes[k] == 1), default=0)
        run, corrections = 0, ""
        for k in range(self.start, self.end + 1):
            if not magnitudes[k]:
                run += 1
                continue
            while run > 15 and k <= last:
                self.flush_eob_run()
                self.symbol(_AC, 0xF0)
                self.bits.append(corrections)
                run, corrections = run - 16, ""
            if magnitudes[k] > 1:
                corrections += str(magnitudes[k] & 1)
                continue
            self.flush_eob_run()
            self.symbol(_AC, run << 4 | 1)
            self.bits += ["1" if zigzag[k] > 0 else "0", corrections]
            run, corrections = 0, ""
        if run or corrections:
            self.eob_run += 1
            self.pending += corrections

    def entropy_coded(self) -> bytes:
        parts = []
        for i, bits in enumerate(self.intervals):
            data = int("1" + bits, 2).to_bytes(len(bits) // 8 + 1)[1:] if bits else b""
            parts += [data.replace(b"\xff", b"\xff\0"), bytes([0xFF, 0xD0 + i % 8])]
        return b"".join(parts[:-1])


def _mcus(c: Picture, scan: Sequence[int]) -> Iterator[list[tuple[int, np.ndarray]]]:
    """Yield the blocks of each MCU of a scan, with their components (A.2)."""
    if len(scan) == 1:
        for block in c.blocks[scan[0]].reshape(-1, 8, 8):
            yield [(scan[0], block)]
        return
    h_max, v_max = (max(f[i] for f in c.sampling) for i in range(2))
    for mcu_y in range(-(-c.height // (8 * v_max))):
        for mcu_x in range(-(-c.width // (8 * h_max))):
            yield [
                (
                    i,
                    c.blocks[i][
                        min(mcu_y * c.sampling[i][1] + v, c.blocks[i].shape[0] - 1),
                        min(mcu_x * c.sampling[i][0] + h, c.blocks[i].shape[1] - 1),
                    ],
                )
                for i in scan
                for v in range(c.sampling[i][1])
                for h in range(c.sampling[i][0])
            ]


def recode(
    data: bytes,
    picture: Picture,
    *,
    script: Script | None = None,
    restart_interval: int = 0,
    code_length: int = 8,
    wide_tables: bool = False,
    frame: int | None = None,
    ids: Sequence[int] = (1, 2, 3),
) -> bytes:
    """Return another JPEG with these coefficients and the APPn and COM segments of `data`."""
    c = picture
    n = len(c.blocks)
    full: Script = ((range(n), *FULL_BAND),)
    scans = [
        (tuple(i for i in scan if i < n), (start, end, high, low))
        for scan, start, end, high, low in script or full
        if any(i < n for i in scan)
    ]
    progressive = any(band != FULL_BAND for _, band in scans)
    out = [b"\xff\xd8"]
    for s in segments(data):
        if 0xE0 <= s.marker <= 0xEF or s.marker == 0xFE:
            out.append(data[s.offset : s.end])
    for i, table in enumerate(c.steps):
        width = 2 if wide_tables else 1
        steps = b"".join(int(table.reshape(8, 8)[vu]).to_bytes(width) for vu in ZIGZAG)
        out.append(_segment(0xDB, bytes([(width - 1) << 4 | i]) + steps))
    sof = b"\x08" + c.height.to_bytes(2) + c.width.to_bytes(2) + bytes([n])
    for i, (h, v) in enumerate(c.sampling):
        sof += bytes([ids[i], h << 4 | v, i])
    out.append(_segment(frame or (0xC2 if progressive else 0xC1), sof))
    out += [_huffman(0x00, _DC, code_length), _huffman(0x10, _AC, code_length)]
    if restart_interval:
        out.append(_segment(0xDD, restart_interval.to_bytes(2)))
    for scan, band in scans:
        coder = _Scan(band, code_length)
        for i, mcu in enumerate(_mcus(c, scan)):
            if restart_interval and i and i % restart_interval == 0:
                coder.finish()
            for component, block in mcu:
                coder.block(component, [int(block[vu]) for vu in ZIGZAG])
        coder.finish()
        sos = bytes([len(scan)]) + b"".join(bytes([ids[i], 0]) for i in scan)
        out.append(_segment(0xDA, sos + bytes([*band[:2], band[2] << 4 | band[3]])))
        out.append(coder.entropy_coded())
    out.append(b"\xff\xd9")
    return b"".join(out)
