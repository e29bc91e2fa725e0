"""What can go wrong, by who has to act.

A `BiodutyError` is for the operator and stops the run with one sentence. A `ReturnError` stops one
returned file and becomes that file's verdict. What a unit can mend in its own answers is neither:
it is a `Finding` (domain.returns), which is data.
"""

import errno
import os

from bioduty_xl.language import Said, listed, say


class BiodutyError(Exception):
    """One sentence for the operator, with lines of detail below it.

    Args:
        message: what is wrong and what to do, without a trailing line break; made by `say` where
            the command line is to say it in English too.
        details: further lines, one fact each (a place in a document, a key in a settings file).
    """

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    @property
    def said(self) -> Said:
        """Message and details, a line each, in either language."""
        return listed((self.message, *self.details), "\n  ")

    def __str__(self) -> str:
        return str(self.said)


_DENIED = say("文件正被其他程序打开，或者没有读写的权限")
_USUAL = {
    errno.ENOENT: say("没有这个文件或者文件夹"),
    errno.ENOTDIR: say("路径中有一段不是文件夹"),
    errno.EISDIR: say("这是文件夹，不是文件"),
    errno.EEXIST: say("已经有同名的文件或者文件夹"),
    errno.ENOTEMPTY: say("文件夹不是空的"),
    errno.EACCES: _DENIED,
    errno.ENOSPC: say("磁盘已满"),
    errno.EDQUOT: say("所用的空间已超过限额"),
    errno.EROFS: say("磁盘是只读的"),
    errno.EFBIG: say("文件太大"),
    errno.ENAMETOOLONG: say("文件名或者路径太长"),
    errno.EXDEV: say("不能移到另一个磁盘"),
    errno.ELOOP: say("符号链接互相指来指去，没有尽头"),
    errno.EBUSY: say("正被占用"),
    errno.EMFILE: say("打开的文件太多"),
    errno.ENOMEM: say("内存不足"),
    errno.EIO: say("读写时出错，磁盘或者网络可能有故障"),
    errno.ETIMEDOUT: say("等候太久，没有回应"),
    errno.ECONNREFUSED: say("对方拒绝连接"),
    errno.ENETUNREACH: say("网络不通"),
    errno.EHOSTUNREACH: say("网络不通"),
}
"""What systems say in English alone, by its number."""


def refusal(error: OSError) -> str:
    """What a system's refusal of a file means; the file, if it is known, on a line below."""
    said = system_words(error)
    if isinstance(error, PermissionError) and said is not _DENIED:
        said = say("文件正被其他程序打开，或者没有读写的权限（{said}）", said=said)
    place = error.filename2 or error.filename
    return listed((said, str(place)), "\n  ") if place else said


def system_words(error: OSError) -> str:
    """What a system says of an error; the usual of it in Chinese, unless somebody, or Windows in
    its own language, has said something else.
    """
    if error.errno in _USUAL and error.strerror == os.strerror(error.errno):
        return _USUAL[error.errno]
    return error.strerror or str(error) or type(error).__name__


class ConfigError(BiodutyError):
    """bioduty.toml, an option or an argument cannot be used as it stands."""


class PlanError(BiodutyError):
    """The official document or the plan workbook cannot be read without losing something."""


class LedgerError(BiodutyError):
    """The record of what was received cannot be opened or trusted."""


class TemplateError(BiodutyError):
    """A template lacks something that the forms cannot do without."""


class Altered(BiodutyError):
    """A published book is not what was published any more, by a person's hand."""


class Busy(BiodutyError):
    """Another run holds the workspace's lock."""


class ReturnError(BiodutyError):
    """One returned file cannot be taken as it is; the message is what the coordinator reads.

    Attributes:
        verdict: what becomes of the file, `held` (a person can settle it) or `rejected`.
    """

    verdict = "held"


class NotAReturn(ReturnError):
    """The file is something else: another document, or a workbook that is none of our forms."""


class Unreadable(ReturnError):
    """The file is damaged, dangerous to open, or not finished."""

    verdict = "rejected"


class LayoutMismatch(ReturnError):
    """It is one of our forms, but too much of it is gone to say which answer belongs where."""


class WrongUnit(ReturnError):
    """The marks in the file disagree about whose return it is, or one of them is forged."""
