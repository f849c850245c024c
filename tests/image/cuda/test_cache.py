"""Compiled kernels on disk are complete or absent, whatever happens to the process or the disk."""

import os
import signal
import subprocess
import sys
import time

import pytest

from shared.image.ops.cuda.driver import compiled
from shared.image.ops.cuda.kernel_cache import KernelCache, key_of
from shared.image.ops.cuda.nvrtc import KernelError, nvrtc
from tests.image.cuda.test_compiler import launches

pytestmark = pytest.mark.slow


def builder(content=b"code", calls=None):
    def build():
        if calls is not None:
            calls.append(content)
        return content

    return build


def test_a_kernel_is_built_once(tmp_path):
    calls = []
    for _ in range(3):
        assert KernelCache(tmp_path / "new").get("key", builder(calls=calls)) == b"code"
    assert len(calls) == 1
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".kernel"]


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_file_means_building_again(tmp_path, damage):
    cache, calls = KernelCache(tmp_path), []
    cache.get("key", builder(b"right" * 100, calls))
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    file.write_bytes(data[:200] + b"\xff" + data[201:] if damage is None else damage)
    for _ in range(2):
        assert cache.get("key", builder(b"right" * 100, calls)) == b"right" * 100
    assert len(calls) == 2
    assert file.read_bytes() == data


def test_a_folder_that_cannot_be_written_is_reported_once(tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    cache, calls = KernelCache(tmp_path / "file" / "kernels"), []
    for _ in range(2):
        assert cache.get("key", builder(calls=calls)) == b"code"
    assert len(calls) == 2
    assert caplog.text.count("cannot keep compiled kernels") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_means_building_at_every_start(tmp_path, monkeypatch, caplog):
    """The kernel writes through a file that is always full."""
    import pathlib

    write = pathlib.Path.write_bytes
    monkeypatch.setattr(pathlib.Path, "write_bytes", lambda self, data: write(pathlib.Path("/dev/full"), data))
    cache = KernelCache(tmp_path)
    assert cache.get("key", builder()) == b"code"
    assert "the disk is full" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_process_killed_while_it_writes_leaves_whole_files(tmp_path):
    program = (
        "import sys; from pathlib import Path; from shared.image.ops.cuda.kernel_cache import KernelCache\n"
        "cache = KernelCache(Path(sys.argv[1])); print('ready', flush=True)\n"
        "for i in range(10**6): cache.get(f'{i % 7}', lambda: bytes([i % 7]) * 3_000_000); "
        "[path.unlink() for path in Path(sys.argv[1]).glob('*.kernel') if i % 3 == 0]"
    )
    for n in range(6):
        process = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.03 + 0.02 * n)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for i in range(7):
            file, calls = tmp_path / f"{i}.kernel", []
            was_there = file.exists()
            content = KernelCache(tmp_path).get(str(i), builder(bytes([i]) * 3_000_000, calls))
            assert content == bytes([i]) * 3_000_000
            assert len(calls) == (not was_there)


def test_the_key_covers_every_part():
    keys = {key_of(*parts) for parts in [("a", "b"), ("ab", ""), ("", "ab"), ("a", "c"), (b"a", "b", "")]}
    assert len(keys) == 5
    assert key_of("a", "b") == key_of(b"a", b"b")


def test_a_kernel_for_a_card_and_for_one_newer_than_the_compiler(tmp_path):
    try:
        compiler = nvrtc()
    except KernelError as error:
        pytest.skip(str(error))
    macros = launches()["T same"].macros
    cache = KernelCache(tmp_path)
    code = compiled(macros, (9, 0), cache)
    assert code.startswith(b"\x7fELF")
    ptx = compiled(macros, (99, 9), cache)
    assert b".entry filtered_lrelu" in ptx
    assert f"sm_{compiler.architectures[-1]}".encode() in ptx
    assert ptx.endswith(b"\0")  # cuModuleLoadData reads text up to the zero
    files = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert len(files) == 2
    assert compiled(macros, (9, 0), cache) == code
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == files
    with pytest.raises(KernelError, match=r"compiles for capability 7.5 and later, this card has 5.2"):
        compiled(macros, (5, 2), cache)
    with pytest.raises(KernelError, match="error: "):
        compiler.compile(b"this is not CUDA", (), "sm_90")
