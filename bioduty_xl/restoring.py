"""Restoring a backup: all of it is checked before anything is put in place, and nothing is written
outside the new folder but the state folder where a person names one.

A backup comes from a disk that anybody may have had. Names, sizes and hashes are those of its
manifest or it is refused; it says nothing about where else to write. Nothing of it can be run by
accident where it is put: what could gets another name, and starters are written anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from bioduty_xl import config
from bioduty_xl.backup import (
    BROKEN,
    LEDGER,
    MANIFEST,
    ORIGINALS,
    OUTSIDE,
    PUBLISHED,
    STATE,
    WORKSPACE,
    Kept,
    Manifest,
    is_safe,
    is_within,
    read_manifest,
)
from bioduty_xl.desktop import (
    SHELL_STARTER,
    WINDOWS_STARTER,
    own_command,
    write_starters,
)
from bioduty_xl.domain.filename import folded, is_runnable
from bioduty_xl.errors import BiodutyError, ConfigError
from bioduty_xl.intake import filing
from bioduty_xl.language import Said, say
from bioduty_xl.layout.atomic import SCRATCH, sync_folder
from bioduty_xl.layout.disk import require_local
from bioduty_xl.ledger import MIGRATIONS, Ledger

OUTSIDE_FOLDER = "备份中的外部文件"
"""Where in the restored folder lies what the settings had named on other disks."""

_MOST_UNPACKED = 200
"""So many times its own size a backup may unpack to; answers compress to a tenth."""

_ALWAYS = 64 << 20
"""Bytes that any backup may unpack to."""

_ROOM_TO_SPARE = 64 << 20
"""Bytes of disk that are left free."""

_RIGHTS, _LEAST, _SECRET, _OWN = 0o644, 0o400, 0o600, 0o700
"""The most and the least that a file may be given, and the rights of a file and a folder of the
state, which are their owner's alone whatever the system was that the backup was made on.
"""

_STARTERS = frozenset(map(folded, (WINDOWS_STARTER, SHELL_STARTER)))

_CHUNK = 1 << 20
_PATHS_LINE = re.compile(r"^\s*\[paths\][^\n]*\n", re.MULTILINE)
_STATE_LINE = re.compile(r"^(\s*state_dir\s*=\s*)(?:'[^'\n]*'|\"[^\"\n]*\")", re.MULTILINE)


@dataclass(frozen=True)
class Restored:
    """A workspace that was restored.

    Attributes:
        root: its folder.
        state_dir: where ledger, originals and key are.
        manifest: what the backup says of itself.
        outside: where what the settings had named on other disks lies now; None if there is
            nothing.
        renamed: members that could be run by accident, with what they are called now, below the
            folder; those of the state, below the state folder.
    """

    root: Path
    state_dir: Path
    manifest: Manifest
    outside: Path | None
    renamed: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """As `restore --json` prints it."""
        said = self.manifest.model_dump(mode="json", exclude={"members"})
        return {
            "workspace": str(self.root),
            "state_dir": str(self.state_dir),
            "renamed": dict(self.renamed),
            "backup": said,
        }


def restore(path: Path, folder: Path, state_dir: str | Path | None = None) -> Restored:
    """Put a backup in place, in a new or empty folder.

    Args:
        path: the backup.
        folder: where the workspace is to be.
        state_dir: where ledger, originals and key are to be, relative to the folder, or from `~`;
            the settings are changed accordingly. None: where the settings say, if that is in the
            folder.

    Raises:
        ConfigError: a folder is not empty or on a network disk, or the settings name a state
            folder elsewhere and none is given, or it would lie where other files do.
        BiodutyError: the file is no backup, is damaged, or unpacks to more than it may.
    """
    root = folder.resolve()
    _require_empty(root, say("要恢复到的文件夹"))
    with _opened(path) as package, _scratch_for(root) as scratch, _told_of(path, scratch):
        with _sound(path):
            manifest = read_manifest(package, path)
        infos = _checked(package, manifest, path)
        _require_room(path, manifest, scratch)
        places = _harmless(manifest.members)
        (scratch / WORKSPACE).mkdir()
        with _fitting(path, scratch):
            for name, kept in manifest.members.items():
                _unpack(package, infos[name], kept, scratch / places[name], path)
        state = _state_place(path, scratch / WORKSPACE, root, state_dir)
        with _sound(path):
            _require_complete(scratch / STATE, manifest, path)
        with _fitting(path, scratch):
            outside = _dress(scratch, {places[n]: kept for n, kept in manifest.members.items()})
        _put_in_place(scratch, root, state)
    renamed = {_below(name): _below(place) for name, place in places.items() if place != name}
    return Restored(root, state, manifest, root / outside if outside else None, renamed)


def expanded(path: str | Path) -> Path:
    """A path with the home folder in the place of its `~`, which a shell leaves alone in quotes.

    Raises:
        ConfigError: nobody is called so.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(say("{path} 中的 ~ 不是本机用户的文件夹", path=path)) from None


@contextmanager
def _told_of(path: Path, scratch: Path) -> Iterator[None]:
    """What is wrong with a file that was unpacked is said of the backup: the scratch folder is gone
    when it is read.
    """
    try:
        yield
    except BiodutyError as error:
        raise type(error)(_said_of(error.message, path, scratch), *error.details) from error


def _said_of(said: str, path: Path, scratch: Path) -> str:
    if not isinstance(said, Said):
        return said
    values = dict(said.values)
    for key, value in values.items():
        if isinstance(value, Path) and value.is_relative_to(scratch):
            member = _below(value.relative_to(scratch).as_posix())
            values[key] = say("{path} 中的 {member}", path=path, member=member)
    return Said(said.template, values)


def _below(member: str) -> str:
    """A member's name without the folder of the backup that it is in."""
    return member.partition("/")[2]


@contextmanager
def _fitting(path: Path, scratch: Path) -> Iterator[None]:
    """What a system refuses to put into one folder, as a sentence; a full disk is none of it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _MISFITS:
            raise
        place = Path(error.filename2 or error.filename or scratch)
        name = place.relative_to(scratch) if place.is_relative_to(scratch) else place
        why = say("“{name}”放不到位：{reason}", name=name.as_posix(), reason=error.strerror)
        raise _damaged(path, why) from error


_MISFITS = frozenset(
    (
        *(errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR),
        *(errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ, errno.ELOOP),
    )
)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """What a zip is damaged by, as a sentence."""
    try:
        yield
    except (*BROKEN, TypeError) as error:
        raise _damaged(path, str(error)) from error


def _opened(path: Path) -> zipfile.ZipFile:
    with _sound(path):
        return zipfile.ZipFile(path)


def _damaged(path: Path, why: str) -> BiodutyError:
    return BiodutyError(
        say("{path} 已损坏，或者不是 bioduty 的备份（{why}），没有恢复任何内容", path=path, why=why)
    )


@contextmanager
def _scratch_for(root: Path) -> Iterator[Path]:
    """A folder on the same disk, which only its owner may look into; gone afterwards."""
    made = [one for one in root.parents if not one.exists()]
    root.parent.mkdir(parents=True, exist_ok=True)
    scratch = (root if root.exists() else root.parent) / f"{SCRATCH}{secrets.token_hex(8)}"
    scratch.mkdir(mode=_OWN)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # it is in use, when all went well
                folder.rmdir()


def _require_empty(folder: Path, what: str) -> None:
    is_empty = not folder.exists() or (
        folder.is_dir() and all(one.name.startswith(SCRATCH) for one in folder.iterdir())
    )
    if not is_empty:
        raise ConfigError(
            say(
                "{what} {folder} 里已经有东西，请换一个新的或者空的文件夹", what=what, folder=folder
            )
        )


def _checked(
    package: zipfile.ZipFile, manifest: Manifest, path: Path
) -> Mapping[str, zipfile.ZipInfo]:
    """The members: plain files in the folders of a backup, among them all that the manifest has."""
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in package.infolist():
        name = info.orig_filename
        if name in infos or (name != MANIFEST and not _is_placed(name)) or not _is_plain(info):
            raise _damaged(path, say("其中的“{name}”不是备份里会有的", name=name))
        infos[name] = info
    del infos[MANIFEST]
    folders = {parent.as_posix() for name in infos for parent in PurePosixPath(name).parents}
    if twice := folders & infos.keys():
        raise _damaged(path, say("“{name}”既是文件又是文件夹", name=min(twice)))
    for name, kept in manifest.members.items():
        if name not in infos or infos[name].file_size != kept.size:
            raise _damaged(path, say("“{name}”与清单不符", name=name))
    return infos


def _is_placed(name: str) -> bool:
    """Whether a member has a place in a workspace; the state has two folders, and no others."""
    if not is_safe(name):
        return False
    head, *rest = PurePosixPath(name).parts
    if head != STATE:
        return True
    is_store = rest[0] in (ORIGINALS, PUBLISHED)
    return len(rest) == (2 if is_store else 1)


def _harmless(members: Iterable[str]) -> dict[str, str]:
    """Where each member goes: as it is called, but what could be run, or would be a starter, with a
    letter more. The current folder of a starter is the workspace, and Python and Windows look there
    first for what they load.
    """
    names = list(members)
    taken, places = set(map(folded, names)), dict[str, str]()
    for name in names:
        *folders, last = name.split("/")
        folders = [f"{one}_" if folded(one) in _STARTERS else one for one in folders]
        place = "/".join((*folders, f"{last}_" if is_runnable(last) else last))
        while place != name and folded(place) in taken:
            place += "_"
        taken.add(folded(place))
        places[name] = place
    return places


def _is_plain(info: zipfile.ZipInfo) -> bool:
    return not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def _require_room(path: Path, manifest: Manifest, scratch: Path) -> None:
    size = sum(kept.size for kept in manifest.members.values())
    if size > max(_ALWAYS, _MOST_UNPACKED * path.stat().st_size):
        raise _damaged(path, say("解开后大得反常"))
    if size + _ROOM_TO_SPARE > shutil.disk_usage(scratch).free:
        raise BiodutyError(say("磁盘空间不够：恢复需要 {size} MB，请清理后再试", size=size >> 20))


def _unpack(
    package: zipfile.ZipFile, info: zipfile.ZipInfo, kept: Kept, target: Path, path: Path
) -> None:
    """Write a member, and see that it is what the manifest says."""
    digest, left = hashlib.sha256(), kept.size
    target.parent.mkdir(parents=True, exist_ok=True)
    with _sound(path), package.open(info) as source, target.open("xb") as file:
        while chunk := source.read(min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if left or digest.hexdigest() != kept.sha256:
        raise _damaged(path, say("“{name}”与清单不符", name=info.filename))


def _state_place(path: Path, workspace: Path, root: Path, wanted: str | Path | None) -> Path:
    """Where the state goes, with the settings agreeing."""
    settings = workspace / config.SETTINGS_FILE
    if not settings.is_file():
        raise BiodutyError(
            say("{path} 中没有 {file}，没有恢复任何内容", path=path, file=config.SETTINGS_FILE)
        )
    paths = config.load(settings).paths
    if wanted is None and not is_within(paths.state_dir):
        raise ConfigError(
            say(
                "备份的设置把状态文件夹放在工作区以外：{named}。"
                "请用 --state-dir 指明恢复到哪里，例如 --state-dir '{named}'，或放在工作区内："
                "--state-dir '{within}'",
                named=paths.state_dir,
                within=root / ".bioduty",
            )
        )
    place = (root / (paths.state_dir if wanted is None else expanded(wanted))).resolve()
    require_local(place)
    _require_apart(place, root, paths)
    if not place.is_relative_to(root):
        _require_empty(place, say("状态文件夹"))
    elif _is_taken(workspace, place.relative_to(root)):
        raise ConfigError(
            say(
                "{path} 中在状态文件夹的位置（{place}）已有别的文件，请用 --state-dir 另外指明",
                path=path,
                place=place,
            )
        )
    if wanted is not None:
        within = place.is_relative_to(root)
        _name_state_dir(settings, place.relative_to(root) if within else place)
    return place


def _require_apart(place: Path, root: Path, paths: config.Paths) -> None:
    if place == root or root.is_relative_to(place):
        raise ConfigError(say("{place} 不能作状态文件夹，请用 --state-dir 另外指明", place=place))
    for setting in (paths.inbox, paths.outbox, paths.templates):
        other = (root / setting).resolve()
        if place.is_relative_to(other) or other.is_relative_to(place):
            raise ConfigError(
                say(
                    "状态文件夹 {place} 不能与 {other} 互相包含，请用 --state-dir 另外指明",
                    place=place,
                    other=other,
                )
            )


def _is_taken(workspace: Path, place: Path) -> bool:
    """Whether something of the backup lies where a folder is to be, or a file above it."""
    above = (workspace / one for one in place.parents)
    return (workspace / place).exists() or any(one.is_file() for one in above)


def _name_state_dir(settings: Path, wanted: Path) -> None:
    """Have the settings name another state folder, and say everything else as before."""
    text = settings.read_text(encoding="utf-8-sig")
    before = config.load(settings)
    written = json.dumps(wanted.as_posix(), ensure_ascii=False)
    changed, found = _STATE_LINE.subn(lambda line: f"{line[1]}{written}", text)
    if not found:
        added = f"state_dir = {written}\n"
        changed, found = _PATHS_LINE.subn(lambda line: f"{line[0]}{added}", text)
    if not found:
        changed = f"{text}\n[paths]\n{added}"
    settings.write_text(changed, encoding="utf-8", newline="")
    paths = replace(before.paths, state_dir=wanted)
    try:
        is_as_meant = config.load(settings) == replace(before, paths=paths)
    except ConfigError:
        is_as_meant = False
    if not is_as_meant:
        raise ConfigError(
            say("备份的 {file} 写法特殊，不能替您改写 paths.state_dir", file=config.SETTINGS_FILE)
        )


def _require_complete(state: Path, manifest: Manifest, path: Path) -> None:
    """The ledger must be one that this version opens, with all that it names."""
    if manifest.ledger is None and not (state / LEDGER).exists():
        return
    if (manifest.ledger or 0) > len(MIGRATIONS):
        raise BiodutyError(
            say("{path} 中的台账由更新版本的程序写成，请升级程序后再恢复", path=path)
        )
    if not (state / LEDGER).is_file():
        raise _damaged(path, say("没有台账"))
    with Ledger(state / LEDGER, snapshot=True) as ledger:
        named = {f"{ORIGINALS}/{sha256}" for sha256 in ledger.hashes()}
        for period in ledger.closed_periods():
            if closing := ledger.closing(period):
                named.add(f"{PUBLISHED}/{closing.sha256}.xlsx")
    gone = {name for name in named if not (state / name).is_file()}
    known = {f"{ORIGINALS}/{one}" for one in manifest.missing}
    known |= {f"{PUBLISHED}/{one}.xlsx" for one in manifest.missing}
    if lacking := gone - known:
        raise _damaged(path, say("缺少台账所列的 {name}", name=min(lacking)))


def _dress(scratch: Path, members: Mapping[str, Kept]) -> str | None:
    """Rights and times as they were, as far as they may be; folders and marks that a workspace
    needs.

    Args:
        members: by where they lie in the scratch folder.

    Returns:
        The name of the folder of what the settings had named on other disks, if there is any.
    """
    for place, kept in members.items():
        path = scratch / place
        is_state = place.startswith(f"{STATE}/")
        path.chmod(_SECRET if is_state else kept.mode & _RIGHTS | _LEAST)
        os.utime(path, ns=(kept.changed_ns, kept.changed_ns))
    state = scratch / STATE
    state.mkdir(mode=_OWN, exist_ok=True)
    for folder in (state, *(one for one in state.rglob("*") if one.is_dir())):
        folder.chmod(_OWN)
    workspace = scratch / WORKSPACE
    paths = config.load(workspace / config.SETTINGS_FILE).paths
    for setting in filter(is_within, (paths.inbox, paths.outbox, paths.templates)):
        (workspace / setting).mkdir(parents=True, exist_ok=True)
    if is_within(paths.inbox) and (state / LEDGER).exists():  # it was in use
        filing.mark_as_ours(workspace / paths.inbox)
    write_starters(workspace, own_command())
    return _bring_outside(scratch / OUTSIDE, workspace)


def _bring_outside(folder: Path, workspace: Path) -> str | None:
    """Put what had lain on other disks into a folder of its own: one that was restored before may
    have such a folder already.
    """
    if not folder.is_dir():
        return None
    name, number = OUTSIDE_FOLDER, 1
    while (workspace / name).exists():
        number += 1
        name = f"{OUTSIDE_FOLDER}_{number}"
    folder.rename(workspace / name)
    return name


def _put_in_place(scratch: Path, root: Path, state: Path) -> None:
    """Give the folders their names, the workspace's last: only then is there one."""
    workspace = scratch / WORKSPACE
    if state.is_relative_to(root):
        within = workspace / state.relative_to(root)
        within.parent.mkdir(parents=True, exist_ok=True)
        (scratch / STATE).rename(within)
    else:
        _move_beside(scratch / STATE, state)
    if not root.exists():
        workspace.rename(root)
        sync_folder(root.parent)
        return
    last = workspace / config.SETTINGS_FILE
    for one in (*(one for one in workspace.iterdir() if one != last), last):
        one.rename(root / one.name)
    sync_folder(root)


def _move_beside(folder: Path, target: Path) -> None:
    """Move a folder to where it may be another disk; what is half moved has no name of its own."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{SCRATCH}{secrets.token_hex(8)}")
    try:
        shutil.move(folder, draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if target.exists():
        target.rmdir()
    draft.rename(target)
    sync_folder(target.parent)
