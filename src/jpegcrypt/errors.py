"""The exception tree: everything jpegcrypt raises on purpose, apart from bad arguments.

::

    JpegcryptError
    ├── WrongKey            the file was encrypted with another key
    ├── NotEncrypted        an ordinary JPEG: nothing to decrypt
    ├── TamperedFile        the file is not what was encrypted
    ├── KeyFileError        a key file that cannot be read or written
    ├── UnreadableImage     a source that is no image, is broken, or cannot become a JPEG
    └── JpegError           about the JPEG itself, no key involved
        ├── MalformedJpeg   breaks ITU-T T.81 or our own format; knows the byte offset
        ├── UnsupportedJpeg valid, but beyond what this version handles
        └── ImageTooLarge   more pixels than the caller allows

Bad arguments are `TypeError` and `ValueError`, as everywhere in Python.
"""


class JpegcryptError(Exception):
    """Base of every error that a file, a key or an image can cause.

    Parameters
    ----------
    message : str
        What was found, where, and what was expected. It is all that `str()` shows.
    hint : str, optional
        What to do about it. Tracebacks show it below the message.

    Examples
    --------
    >>> error = JpegcryptError("no key", hint="pass key=")
    >>> str(error), error.hint
    ('no key', 'pass key=')
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint is not None:
            self.add_note(f"hint: {hint}")


class WrongKey(JpegcryptError):
    """The file names another key than the one given."""


class NotEncrypted(JpegcryptError):
    """The file is a JPEG without a jpegcrypt header."""


class TamperedFile(JpegcryptError):
    """The file was changed after encryption."""


class KeyFileError(JpegcryptError):
    """A key file is missing, damaged, or would be overwritten. Never quotes its content."""


class UnreadableImage(JpegcryptError):
    """The file to encrypt is no image, a broken one, or of a kind that cannot become a JPEG.

    Parameters
    ----------
    message : str
        As for `JpegcryptError`.
    format : str, optional
        What Pillow took it for, such as "PNG"; None if it knows no such file.
    hint : str, optional
        As for `JpegcryptError`.

    Examples
    --------
    >>> UnreadableImage("image file is truncated", format="PNG").format
    'PNG'
    """

    # The default lets pickle rebuild the error, as below.
    def __init__(self, message: str, *, format: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.format = format


class JpegError(JpegcryptError):
    """Base of the errors about the JPEG itself."""


class MalformedJpeg(JpegError):
    """The bytes break the format.

    Parameters
    ----------
    message : str
        As for `JpegcryptError`; "at byte N" is added when the offset is known.
    offset : int, optional
        Where, in bytes from the start of the file.
    hint : str, optional
        As for `JpegcryptError`.

    Examples
    --------
    >>> print(MalformedJpeg("found 0x00, expected a marker", offset=2))
    found 0x00, expected a marker at byte 2
    """

    # The default lets pickle rebuild the error from its text, then restore the attributes.
    def __init__(self, message: str, *, offset: int | None = None, hint: str | None = None) -> None:
        super().__init__(message if offset is None else f"{message} at byte {offset}", hint=hint)
        self.offset = offset


class UnsupportedJpeg(JpegError):
    """A valid file of a kind that this version does not handle."""


class ImageTooLarge(JpegError):
    """The image has more pixels than the caller allows."""


class FixedKeyWarning(UserWarning):
    """One key stream serves many images: fit to reproduce a paper, not to hide a picture."""


class FormerJpegWarning(UserWarning):
    """A picture that was a JPEG of lower quality before tells more than others."""


class MetadataWarning(UserWarning):
    """Something besides the pixels is left out, which the text names: the format has no place."""
