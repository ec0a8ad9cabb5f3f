"""The exception tree: parents, texts, hints, and survival of pickle."""

import pickle
import traceback

import pytest

from jpegcrypt import errors
from jpegcrypt.errors import JpegcryptError, JpegError, MalformedJpeg

PARENTS = {
    "JpegcryptError": Exception,
    "WrongKey": JpegcryptError,
    "NotEncrypted": JpegcryptError,
    "TamperedFile": JpegcryptError,
    "KeyFileError": JpegcryptError,
    "UnreadableImage": JpegcryptError,
    "JpegError": JpegcryptError,
    "MalformedJpeg": JpegError,
    "UnsupportedJpeg": JpegError,
    "ImageTooLarge": JpegError,
    "FixedKeyWarning": UserWarning,
    "FormerJpegWarning": UserWarning,
    "MetadataWarning": UserWarning,
}
ERRORS = [name for name in PARENTS if not name.endswith("Warning")]


def test_the_tree_is_exactly_this():
    classes = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name: value.__base__ for name, value in classes.items()} == PARENTS


@pytest.mark.parametrize("name", ERRORS)
def test_the_drawing_at_the_top_names_it(name):
    assert name in errors.__doc__


@pytest.mark.parametrize("name", ERRORS)
def test_str_is_the_message_and_the_hint_is_apart(name):
    error = getattr(errors, name)("found x, expected y", hint="do z")
    assert str(error) == "found x, expected y"
    assert error.hint == "do z"
    assert traceback.format_exception_only(error)[-1] == "hint: do z\n"


@pytest.mark.parametrize("name", ERRORS)
def test_no_hint_leaves_no_trace(name):
    error = getattr(errors, name)("found x")
    assert error.hint is None
    assert "hint" not in "".join(traceback.format_exception_only(error))


def test_offset_ends_the_text():
    error = MalformedJpeg("found 0x00, expected a marker", offset=0, hint="re-download")
    assert str(error) == "found 0x00, expected a marker at byte 0"
    assert (error.offset, error.hint) == (0, "re-download")
    assert str(MalformedJpeg("cut", offset=None)) == "cut"
    assert MalformedJpeg("cut", offset=None).offset is None


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("hint", [None, "do z"])
def test_errors_come_back_from_worker_processes(name, hint):
    error = getattr(errors, name)("found x", hint=hint)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.hint, vars(again)) == (str(error), error.hint, vars(error))


def test_a_pickled_offset_is_not_written_twice():
    again = pickle.loads(pickle.dumps(MalformedJpeg("cut", offset=7)))
    assert (str(again), again.offset) == ("cut at byte 7", 7)


def test_hint_and_offset_are_keyword_only():
    with pytest.raises(TypeError):
        JpegcryptError("x", "hint")
    with pytest.raises(TypeError):
        MalformedJpeg("x", 3)
