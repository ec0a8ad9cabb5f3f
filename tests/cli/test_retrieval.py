"""The command on the server's side, and the owner's page of what was found."""

import base64
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed; the retrieval extra brings it")

import torch
from PIL import Image

import jpegcrypt as library
from jpegcrypt import Key
from jpegcrypt.retrieval import checkpoint
from jpegcrypt.retrieval import embed as embedding
from jpegcrypt.retrieval.folders import mark
from jpegcrypt.retrieval.index import Index
from jpegcrypt.retrieval.models import create
from jpegcrypt.schemes import feng2021
from transcripts import check_transcript, jpegcrypt


@pytest.fixture(autouse=True)
def data() -> None:
    """Put a data set of two classes and a model into the current folder."""
    rng = np.random.default_rng(0)
    key = Key.load("album.key")
    for name, color in (("red", (220, 30, 30)), ("blue", (30, 30, 220))):
        Path("set", name).mkdir(parents=True)
        for i in range(10):
            noise = rng.integers(-20, 20, (3, 2, 3)).repeat(16, 0).repeat(16, 1)
            picture = (noise + color).astype(np.uint8)
            Path("set", name, f"{i}.jpg").write_bytes(library.encrypt(picture, key))
    torch.manual_seed(0)
    network = create("gmlp", classes=2, height=48, width=32, dimension=16, hidden=32, depth=1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    checkpoint.save("tiny.safetensors", network, ["a", "b"], {"learned": []})


def test_embed_search_evaluate() -> None:
    check_transcript("""
        $ jpegcrypt embed set index.npz --model tiny.safetensors
        jpegcrypt: 20 embedded
        $ jpegcrypt embed set index.npz --model tiny.safetensors
        jpegcrypt: index.npz: the file exists
        hint: --overwrite replaces it
        [1]
        $ jpegcrypt search index.npz set/red/3.jpg --model tiny.safetensors -k 1
        1.0000  set/red/3.jpg
    """)
    listed = json.loads(
        jpegcrypt("search index.npz set/red/3.jpg --model tiny.safetensors --json").stdout
    )
    assert listed[0]["query"] == listed[0]["results"][0]["path"] == "set/red/3.jpg"
    assert len(listed[0]["results"]) == 10
    check_transcript("""
        $ jpegcrypt evaluate missing.npz --rankings index.npz
        jpegcrypt: index.npz: the file exists
        hint: --overwrite replaces it
        [1]
    """)
    told = json.loads(jpegcrypt("evaluate index.npz --json").stdout)
    assert (told["learned"], told["queries"]) == (0, 20)
    assert "learned from none of these pictures" in jpegcrypt("evaluate index.npz").stderr
    shown = jpegcrypt("evaluate index.npz").stdout
    assert "gallery: 20 pictures\n" in shown
    for scores in told["gallery"].values():
        for measure, one in scores.items():
            assert re.search(rf"^{measure} +{one['mean']:.4f} +{one['chance']:.4f}", shown, re.M)


def test_equally_similar_pictures_are_ranked_as_they_are_scored() -> None:
    labels = np.arange(10).repeat(10)
    features = np.eye(4, dtype=np.float32)[:1].repeat(100, axis=0)
    paths = [f"{label}/{i}.jpg" for i, label in enumerate(labels)]
    Index(features, paths, labels, list("abcdefghij"), np.zeros(100, bool), "m").save("same.npz")
    jpegcrypt("evaluate same.npz --rankings list.json")
    listed = json.loads(Path("list.json").read_text())
    for query in listed:
        classes = {result["path"].partition("/")[0] for result in query["results"]}
        assert len(query["results"]) == 10
        assert len(classes) > 3  # in the order of the index they are of one, or two


def test_memory_that_is_not_enough_is_said(monkeypatch) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 TB")

    monkeypatch.setattr(embedding, "make_index", none_left)
    check_transcript("""
        $ jpegcrypt embed set index.npz --model tiny.safetensors
        jpegcrypt: not enough memory for this model and pictures of this size
        [1]
    """)


def test_pictures_that_the_model_learned_from_are_no_queries() -> None:
    learned = [mark(f"{name}/{i}") for name in ("red", "blue") for i in range(7)]
    network = checkpoint.load_model("tiny.safetensors")
    checkpoint.save("learned.safetensors", network, ["a", "b"], {"learned": learned})
    Path("set/red/2.jpg").unlink()  # nothing shifts
    jpegcrypt("embed set index.npz --model learned.safetensors")
    told = json.loads(jpegcrypt("evaluate index.npz --json --rankings list.json").stdout)
    assert (told["learned"], told["queries"]) == (13, 6)
    assert list(told["gallery"]) == ["test", "train"]
    shown = jpegcrypt("evaluate index.npz").stdout
    assert "gallery: 6 pictures that it did not learn from\n" in shown
    assert "gallery: 13 pictures that the model learned from\n" in shown
    listed = json.loads(Path("list.json").read_text())
    paths = {one["query"] for one in listed} | {r["path"] for one in listed for r in one["results"]}
    assert paths == {f"set/{name}/{i}.jpg" for name in ("red", "blue") for i in (7, 8, 9)}
    every = json.loads(jpegcrypt("evaluate index.npz --json --all").stdout)
    assert (every["learned"], every["queries"]) == (13, 19)


def test_a_folder_whose_classes_nothing_tells() -> None:
    for i, path in enumerate(sorted(Path("set").rglob("*.jpg"))):
        path.rename(f"set/holiday{chr(97 + i)}.jpg")
    Path("set/.hidden.jpg").touch()
    check_transcript("""
        $ jpegcrypt embed set index.npz --model tiny.safetensors
        jpegcrypt: warning: set/<...>: its name tells no class, <...>; embedded without classes
        jpegcrypt: 20 embedded
        $ jpegcrypt search index.npz set/holidayc.jpg --model tiny.safetensors -k 1
        1.0000  set/holidayc.jpg
    """)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_names_that_are_no_text() -> None:
    name = os.fsdecode(b"set/caf\xe9\x1b[2J.jpg")
    Path("set/red/3.jpg").rename(name)
    quoted, model = shlex.quote(name), "--model tiny.safetensors"
    assert jpegcrypt(f"embed {quoted} index.npz {model}").exit_code == 0
    found = jpegcrypt(f"search index.npz {quoted} {model}")
    assert found.stdout == "1.0000  set/caf\\udce9\\x1b[2J.jpg\n"
    found = jpegcrypt(f"search index.npz {quoted} {model} --json")
    Path("list.json").write_text(found.stdout)
    assert jpegcrypt("page list.json found.html").exit_code == 0
    assert b"caf\\udce9" in Path("found.html").read_bytes()


def test_the_page_is_small_and_of_every_scheme() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (20, 30, 3), np.uint8).repeat(32, 0).repeat(32, 1)
    key = Key.load("album.key")
    Path("ours.jpg").write_bytes(library.encrypt(picture, key))
    for quality in (None, 75):
        data = feng2021.encrypt(picture, key, quality=quality, key_mode="nonce")
        Path("feng." + ("png" if quality is None else "jpg")).write_bytes(data)
    results = [{"path": "feng.png", "similarity": 1.0}, {"path": "feng.jpg", "similarity": 0.5}]
    Path("list.json").write_text(json.dumps([{"query": "ours.jpg", "results": results}]))
    assert jpegcrypt("page list.json found.html --key album.key").exit_code == 0
    cells = re.findall(r"base64,([^\"]*)", Path("found.html").read_text())
    views = [Image.open(io.BytesIO(base64.b64decode(cell))) for cell in cells]
    assert [view.size for view in views] == [(330, 220)] * 6
    small = Image.fromarray(picture).resize((330, 220), Image.Resampling.BICUBIC)
    for view in views[3:]:
        assert np.abs(np.asarray(view, int) - np.asarray(small, int)).mean() < 12


def test_the_page_shows_what_each_side_may_see() -> None:
    jpegcrypt("embed set index.npz --model tiny.safetensors")
    jpegcrypt("evaluate index.npz --json --rankings list.json")
    check_transcript("""
        $ jpegcrypt page list.json server.html
        $ jpegcrypt page list.json owner.html --key album.key
        $ jpegcrypt page list.json owner.html --key album.key
        jpegcrypt: owner.html: the file exists
        hint: --overwrite replaces it
        [1]
        $ jpegcrypt page set/red/1.jpg no.html
        jpegcrypt: set/red/1.jpg: no list that search --json or evaluate --rankings wrote
        [1]
    """)
    for other in (
        '[{"query": "a.jpg", "results": [{"path": "a.jpg", "similarity": "high"}]}]',
        '[{"query": 5, "results": []}]',
        '[{"query": "a.jpg", "results": [7]}]',
        "[" * 100_000,
    ):
        Path("other.json").write_text(other)
        failed = jpegcrypt("page other.json no.html")
        assert (failed.exit_code, Path("no.html").exists()) == (1, False)
        assert "other.json: no list that search --json" in failed.stderr
    server, owner = (Path(f"{name}.html").read_text() for name in ("server", "owner"))
    queries = json.loads(Path("list.json").read_text())
    assert [query["class"] for query in queries] == ["blue", "red"]
    pictures = sum(1 + len(query["results"]) for query in queries)
    assert server.count("<img") == pictures
    assert owner.count("<img") == 2 * pictures
    hits = sum(result["hit"] for query in queries for result in query["results"])
    assert server.count('class="hit"') == hits


def test_what_cannot_be_embedded() -> None:
    Path("set/red/0.jpg").write_bytes(library.encode(np.zeros((48, 32, 3), np.uint8)))
    check_transcript("""
        $ jpegcrypt embed set index.npz --model tiny.safetensors
        jpegcrypt: set/red/0.jpg: a picture without a jpegcrypt header, expected an encrypted one
        jpegcrypt: 19 embedded, 1 left out
        [1]
        $ jpegcrypt embed set index.npz --model tiny.safetensors --plain --overwrite
        jpegcrypt: 20 embedded
        $ jpegcrypt embed set other.npz --model album.key
        jpegcrypt: album.key: not a model that jpegcrypt trained (<...>)
        [1]
        $ jpegcrypt search album.key set/red/1.jpg --model tiny.safetensors
        jpegcrypt: album.key: not an index that `jpegcrypt embed` wrote (<...>)
        [1]
        $ jpegcrypt embed set other.npz --model tiny.safetensors --device nowhere
        jpegcrypt: device nowhere: <...>
        hint: cpu, or cuda where PyTorch has it
        [1]
        $ jpegcrypt embed set/red/1.jpg set/red/2.jpg some.npz --model tiny.safetensors
        jpegcrypt: 2 embedded
        $ jpegcrypt evaluate some.npz
        jpegcrypt: some.npz: the classes of these pictures are not known: embed a labelled folder
        [1]
    """)
    network = checkpoint.load_model("tiny.safetensors")
    torch.nn.init.zeros_(next(network.parameters()))
    checkpoint.save("other.safetensors", network, ["a", "b"], {})
    check_transcript("""
        $ jpegcrypt search index.npz set/red/1.jpg --model other.safetensors
        jpegcrypt: index.npz: made with another model than other.safetensors
        hint: embed anew with it
        [1]
    """)


def test_without_the_extra() -> None:
    code = """
import sys
sys.modules["torch"] = None
from jpegcrypt.cli import main
main(["embed", "set", "index.npz", "--model", "tiny.safetensors"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "jpegcrypt: this needs torch, which is not installed",
        "hint: pip install 'jpegcrypt[retrieval]'",
    ]


def test_the_command_loads_torch_only_where_it_is_used() -> None:
    jpegcrypt("embed set index.npz --model tiny.safetensors")
    for command in ("--help", "evaluate index.npz", "inspect set/red/1.jpg"):
        code = f"""
import sys
from jpegcrypt.cli import main
try:
    main({command.split()})
except SystemExit as stop:
    assert not stop.code, stop.code
assert "torch" not in sys.modules
"""
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
