"""Passphrases: from the terminal or the environment, never from the command line."""

import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jpegcrypt import Key, inspect
from jpegcrypt.cli import main
from transcripts import check_transcript, jpegcrypt


@pytest.fixture
def typed(monkeypatch):
    """What will be typed when the terminal is asked; the prompts are kept."""
    prompts, answers = [], []

    def answer(prompt):
        prompts.append(prompt)
        return answers.pop(0)

    monkeypatch.setattr(getpass, "getpass", answer)
    return prompts, answers


@pytest.fixture
def derived(monkeypatch):
    """The salts that keys are derived with; quick instead of safe."""
    salts = []

    def from_passphrase(text, *, salt):
        salts.append(salt)
        return Key((text.encode() + salt * 2)[:32], salt=salt)

    monkeypatch.setattr(Key, "from_passphrase", from_passphrase)
    return salts


def test_there_and_back(typed):
    prompts, answers = typed
    answers += ["lake", "lake", "lake", "sea"]
    check_transcript("""
        $ jpegcrypt encrypt coffee.png noise.jpg --passphrase
        $ jpegcrypt decrypt noise.jpg again.png --passphrase
        $ jpegcrypt decrypt noise.jpg x.png --passphrase
        jpegcrypt: noise.jpg: the file was encrypted with key <hex>, the key given is <hex>
        hint: the passphrase is mistyped, or that of other files
        [1]
    """)
    assert prompts == ["passphrase: ", "again: ", "passphrase: ", "passphrase: "]
    assert inspect(Path("noise.jpg").read_bytes()).salt is not None


def test_typing_errors(typed):
    prompts, answers = typed
    answers += ["lake", "leak", ""]
    check_transcript("""
        $ jpegcrypt encrypt coffee.png noise.jpg --passphrase
        jpegcrypt: the two passphrases differ
        [1]
        $ jpegcrypt encrypt coffee.png noise.jpg --passphrase
        jpegcrypt: the passphrase is empty
        [1]
        $ jpegcrypt encrypt missing.png noise.jpg --passphrase
        jpegcrypt: missing.png: no such file or directory
        [1]
    """)
    assert len(prompts) == 3  # nobody types a passphrase for nothing


def test_the_environment(typed, derived, monkeypatch):
    monkeypatch.setenv("JPEGCRYPT_PASSPHRASE", "lake")
    check_transcript("""
        $ jpegcrypt encrypt coffee.png noise.jpg --passphrase
        $ jpegcrypt decrypt noise.jpg again.png --passphrase
    """)
    assert typed[0] == []
    monkeypatch.setenv("JPEGCRYPT_PASSPHRASE", "")
    check_transcript("""
        $ jpegcrypt encrypt coffee.png x.jpg --passphrase
        jpegcrypt: the variable JPEGCRYPT_PASSPHRASE is empty
        hint: unset it to be asked
        [1]
    """)
    assert typed[0] == []


def test_a_passphrase_that_is_no_text(monkeypatch):
    monkeypatch.setenv("JPEGCRYPT_PASSPHRASE", os.fsdecode(b"l\xe4ke"))
    Path("photos").mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy("coffee.png", f"photos/{name}")
    for line in ("coffee.png noise.jpg", "photos noise"):
        check_transcript(f"""
            $ jpegcrypt encrypt {line} --passphrase
            jpegcrypt: the variable JPEGCRYPT_PASSPHRASE is not UTF-8
            hint: unset it to be asked
            [1]
        """)
    monkeypatch.delenv("JPEGCRYPT_PASSPHRASE")
    monkeypatch.setattr(getpass, "getpass", lambda _: b"l\xe4ke".decode())
    check_transcript("""
        $ jpegcrypt encrypt coffee.png noise.jpg --passphrase
        jpegcrypt: the passphrase is not UTF-8
        [1]
    """)


def test_the_other_kind_of_key(derived, monkeypatch):
    monkeypatch.setenv("JPEGCRYPT_PASSPHRASE", "lake")
    jpegcrypt("encrypt coffee.png file.jpg --key album.key")
    jpegcrypt("encrypt coffee.png phrase.jpg --passphrase")
    check_transcript("""
        $ jpegcrypt decrypt file.jpg x.png --passphrase
        jpegcrypt: file.jpg: the file was encrypted with a key file, not with a passphrase
        hint: give that file: --key KEYFILE
        [1]
        $ jpegcrypt decrypt phrase.jpg x.png --key album.key
        jpegcrypt: phrase.jpg: the file was encrypted with key <hex>, the key given is <hex>
        hint: the file wants a passphrase: --passphrase
        [1]
    """)


def test_the_limit_of_pixels_is_that_of_the_command(derived, monkeypatch):
    monkeypatch.setenv("JPEGCRYPT_PASSPHRASE", "lake")
    jpegcrypt("encrypt coffee.png noise.jpg --passphrase")
    monkeypatch.setitem(inspect.__kwdefaults__, "max_pixels", 600 * 400 - 1)
    check_transcript("""
        $ jpegcrypt decrypt noise.jpg again.png --passphrase --max-pixels 240000
        $ jpegcrypt decrypt noise.jpg x.png --key album.key --max-pixels 240000
        jpegcrypt: noise.jpg: the file was encrypted with key <hex>, the key given is <hex>
        hint: the file wants a passphrase: --passphrase
        [1]
        $ jpegcrypt decrypt noise.jpg x.png --passphrase --max-pixels 1000
        jpegcrypt: noise.jpg: a frame of 600x400 pixels, more than the limit of 1000<...>
        hint: if you trust the file, raise --max-pixels
        [1]
    """)


def test_one_salt_a_run_derived_once(derived, monkeypatch):
    monkeypatch.setenv("JPEGCRYPT_PASSPHRASE", "lake")
    Path("photos").mkdir()
    for i in range(4):
        Path(f"photos/{i}.png").write_bytes(Path("coffee.png").read_bytes())
    jpegcrypt("encrypt photos noise --passphrase --jobs 4")
    assert len(derived) == 1
    Path("photos/4.png").write_bytes(Path("coffee.png").read_bytes())
    jpegcrypt("encrypt photos noise --passphrase --jobs 4")
    assert len(set(derived)) == 2
    monkeypatch.setenv("JPEGCRYPT_PASSPHRASE", "another")
    again = jpegcrypt("encrypt photos noise --passphrase --jobs 4")
    assert again.stderr.endswith("0 encrypted, 5 failed\n")
    assert "is there, but encrypted with the key" in again.stderr
    monkeypatch.setenv("JPEGCRYPT_PASSPHRASE", "lake")
    derived.clear()
    assert jpegcrypt("decrypt noise again --passphrase --jobs 4").exit_code == 0
    assert len(derived) == len(set(derived)) == 2


def test_no_terminal():
    command = [sys.executable, "-m", "jpegcrypt", "encrypt", "coffee.png", "x.jpg", "--passphrase"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True
    )
    assert done.stderr == (
        "jpegcrypt: no terminal to ask for the passphrase\n"
        "hint: set the variable JPEGCRYPT_PASSPHRASE\n"
    )
    assert done.returncode == 1


def test_a_pipe_is_not_taken_for_a_passphrase():
    command = [sys.executable, "-m", "jpegcrypt", "encrypt", "-", "x.jpg", "--passphrase"]
    data = b"lake\nlake\n" + Path("coffee.png").read_bytes()
    done = subprocess.run(command, input=data, capture_output=True, start_new_session=True)
    assert done.stderr.startswith(b"jpegcrypt: no terminal to ask")


def test_no_option_takes_a_secret():
    for command in main.commands.values():
        for option in command.params:
            assert "passphrase" not in option.name or option.is_flag
    for words in ("lake", "lake side"):
        result = jpegcrypt(f"encrypt coffee.png x.jpg --passphrase {words}")
        assert "lake" not in result.output
        assert result.stderr.startswith("jpegcrypt: got unexpected extra argument")
