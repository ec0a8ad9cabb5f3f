"""One attack a module; each says what the attacker has, what is measured, and what chance gives."""

from collections.abc import Iterator, Sequence

from jpegcrypt.audit.attacks import (
    altered_copy,
    chosen_plaintext,
    file_level,
    former_jpeg,
    jigsaw,
    known_plaintext,
    many_pictures,
    outline,
    randomness,
    re_encryption,
    replacement,
    smoothness,
)
from jpegcrypt.audit.outcome import Attack, Outcome
from jpegcrypt.audit.target import Lu2022, Pixels, Target

ANY: dict[str, Attack] = {  # they need no more than a `Target`
    "outline": outline.run,
    "jigsaw": jigsaw.run,
    "replacement": replacement.run,
    "file_level": file_level.run,
    "randomness": randomness.run,
}
STRUCTURAL = {  # they know the transforms of lu2022
    "known_plaintext": known_plaintext.run,
    "chosen_plaintext": chosen_plaintext.run,
    "many_pictures": many_pictures.run,
    "altered_copy": altered_copy.run,
    "former_jpeg": former_jpeg.run,
    "re_encryption": re_encryption.run,
    "smoothness": smoothness.run,
}


def names(target: Target) -> list[str]:
    """Return the attacks that a scheme can be put to."""
    return [*(STRUCTURAL if isinstance(target, Lu2022) else ()), *ANY]


def run(target: Target, pictures: Sequence[Pixels]) -> Iterator[list[Outcome]]:
    """Run every attack that applies, one at a time.

    Parameters
    ----------
    target : Target
    pictures : sequence of uint8 array
        At least two, all of one size.
    """
    if isinstance(target, Lu2022):
        for attack in STRUCTURAL.values():
            yield attack(target, pictures)
    for general in ANY.values():
        yield list(general(target, pictures))
