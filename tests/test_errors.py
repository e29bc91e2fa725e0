"""What a system refuses, in the language of the person who reads it."""

import errno
import os

import pytest

from bioduty_xl.errors import refusal, system_words


def refused(act):
    with pytest.raises(OSError) as caught:
        act()
    return refusal(caught.value)


def test_what_the_system_says_in_english_is_said_in_chinese(tmp_path):
    file, folder = tmp_path / "甲", tmp_path / "乙"
    file.touch()
    folder.mkdir()
    (folder / "丙").touch()
    assert refused((tmp_path / "无").read_bytes) == f"没有这个文件或者文件夹\n  {tmp_path / '无'}"
    assert refused(folder.mkdir).startswith("已经有同名的文件或者文件夹\n")
    if os.name == "posix":
        assert refused((file / "x").read_bytes).startswith("路径中有一段不是文件夹\n")
        assert refused(folder.rmdir).startswith("文件夹不是空的\n")
        assert refused(folder.read_bytes).startswith("这是文件夹，不是文件\n")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "文件正被其他程序打开，或者没有读写的权限"),
        (errno.ENOSPC, "磁盘已满"),
        (errno.EROFS, "磁盘是只读的"),
        (errno.ENAMETOOLONG, "文件名或者路径太长"),
    ],
)
def test_the_usual_errors_are_told_apart_by_their_numbers(number, says):
    assert refusal(OSError(number, os.strerror(number), "x.xlsx")) == f"{says}\n  x.xlsx"


def test_what_somebody_has_said_better_is_kept():
    assert system_words(OSError(errno.ENOSPC, "磁盘配额已用完")) == "磁盘配额已用完"
    assert system_words(OSError("没有编号")) == "没有编号"
    assert system_words(OSError(errno.ECHILD, os.strerror(errno.ECHILD))) == os.strerror(
        errno.ECHILD
    )
    shared = PermissionError(errno.EACCES, "另一个程序正在使用此文件")
    assert refusal(shared) == "文件正被其他程序打开，或者没有读写的权限（另一个程序正在使用此文件）"


def test_no_usual_error_is_left_in_english():
    for name in ("ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY", "ENOSPC", "EROFS", "EIO"):
        number = getattr(errno, name)
        assert system_words(OSError(number, os.strerror(number))) != os.strerror(number), name
