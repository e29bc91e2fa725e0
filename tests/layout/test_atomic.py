"""Files are whole, on disk and under their names, or as they were before."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bioduty_xl
from bioduty_xl.layout import atomic
from bioduty_xl.layout.atomic import (
    SCRATCH,
    clear_scratch,
    write_batch,
    write_whole,
    writing_whole,
)


@pytest.fixture
def files(tmp_path):
    """Paths and contents of 150 files in two folders that are not there yet."""
    return {tmp_path / f"{'甲乙'[n % 2]}" / f"{n}.xlsx": bytes([n]) * (n * 100) for n in range(150)}


def there(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_batch_puts_every_file_where_it_belongs_and_nothing_else(tmp_path, files):
    write_batch(files.items())
    assert there(tmp_path) == files
    write_batch([])
    assert there(tmp_path) == files


def test_files_that_hold_the_same_already_are_left_alone(tmp_path, files):
    write_batch(files.items())
    before = {path: path.stat() for path in files}
    changed, *_ = files
    write_batch({**files, changed: b"new"}.items())
    after = {path: path.stat() for path in files}
    assert [path for path in files if after[path].st_ino != before[path].st_ino] == [changed]
    assert changed.read_bytes() == b"new"


@pytest.mark.parametrize("failing", [0, 70, 149])
def test_what_fails_in_the_making_leaves_all_as_it_was(tmp_path, files, failing):
    old = dict.fromkeys(list(files)[:100], b"old")
    write_batch(old.items())

    def made():
        for number, file in enumerate(files.items()):
            if number == failing:
                raise RuntimeError("no such template")
            yield file

    with pytest.raises(RuntimeError, match="no such template"):
        write_batch(made())
    assert there(tmp_path) == old


@pytest.mark.parametrize("failing", [1, 80, 150])
def test_what_fails_in_the_writing_leaves_all_as_it_was(tmp_path, files, monkeypatch, failing):
    old = dict.fromkeys(list(files)[:100], b"old")
    write_batch(old.items())
    calls, sync = [], os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_batch(files.items())
    assert there(tmp_path) == old


def test_every_file_is_on_disk_before_the_first_gets_its_name(tmp_path, files, monkeypatch):
    events = []
    sync, replace = os.fsync, os.replace

    def noting(name, real):
        def call(*arguments):
            events.append(name)
            return real(*arguments)

        return call

    monkeypatch.setattr(atomic.os, "fsync", noting("sync", sync))
    monkeypatch.setattr(atomic.os, "replace", noting("name", replace))
    write_batch(files.items())
    folders = 0 if sys.platform == "win32" else 2
    assert events == ["sync"] * 150 + ["name"] * 150 + ["sync"] * folders


def test_no_more_files_are_asked_for_than_the_disk_takes(tmp_path, files, monkeypatch):
    taken, written, sync = [], [], os.fsync

    def slow(handle):
        time.sleep(0.001)
        sync(handle)
        written.append(handle)

    def made():
        for file in files.items():
            taken.append(file)
            assert len(taken) - len(written) <= atomic._WINDOW + 2
            yield file

    monkeypatch.setattr(atomic.os, "fsync", slow)
    write_batch(made())
    assert there(tmp_path) == files


_KILLED = """
import sys
from pathlib import Path
from bioduty_xl.layout.atomic import write_batch
print("ready", flush=True)
folder = Path(sys.argv[1])
write_batch((folder / f"{n}.xlsx", b"new" * 5000) for n in range(400))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_killed_anywhere_a_batch_leaves_no_half_file(tmp_path):
    old, new = b"old" * 4000, b"new" * 5000
    paths = [tmp_path / f"{n}.xlsx" for n in range(400)]
    seen = set()
    for delay in (0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.4):
        write_batch((path, old) for path in paths)
        running = subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(bioduty_xl.__file__).parents[1])},
        )
        with running:
            running.stdout.readline()
            time.sleep(delay)
            running.kill()
        contents = [path.read_bytes() for path in paths]
        assert set(contents) <= {old, new}
        seen |= set(contents)
        clear_scratch(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert old in seen


@pytest.mark.skipif(sys.platform == "win32", reason="rights are others there")
def test_files_have_the_rights_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a", b"a")
        write_whole(tmp_path / "key", b"k", mode=0o600)
        write_batch([(tmp_path / "b", b"b")])
    finally:
        os.umask(before)
    rights = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert rights == {"a": 0o640, "b": 0o640, "key": 0o600}


def test_a_file_that_cannot_be_written_leaves_no_scratch(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a", b"a")
    assert not list(tmp_path.glob(f"{SCRATCH}*"))


def test_a_long_file_replaces_another_whole_or_not_at_all(tmp_path):
    path = tmp_path / "b.zip"
    with writing_whole(path, mode=0o600) as file:
        file.write(b"old")

    def stop_half_way():
        with writing_whole(path) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        stop_half_way()
    assert [one.name for one in tmp_path.iterdir()] == ["b.zip"]
    assert path.read_bytes() == b"old"
    with writing_whole(path, mode=0o600) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
