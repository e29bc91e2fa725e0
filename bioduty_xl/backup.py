"""A backup: one zip of all that a workspace needs to go on elsewhere, taken at any time.

The ledger is copied first, as it is at one moment; originals and published books are only ever
added, so whatever that copy names is there when they are read. What a pass does meanwhile is in the
backup or not, as if the machine had been switched off at that moment. It takes no lock, and writes
nothing in the workspace; SQLite alone undoes there what a killed run has left half done, as the
next one would.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bioduty_xl.belongings import Belongings, everything_in, own_things_in, shown
from bioduty_xl.config import SETTINGS_FILE, Settings
from bioduty_xl.desktop import SHELL_STARTER, WINDOWS_STARTER
from bioduty_xl.domain.calendar import CHINA
from bioduty_xl.domain.filename import folded, is_portable
from bioduty_xl.errors import BiodutyError, ConfigError, system_words
from bioduty_xl.intake import filing
from bioduty_xl.language import say
from bioduty_xl.layout.atomic import SCRATCH, writing_whole
from bioduty_xl.layout.package import ZIP_TIME
from bioduty_xl.ledger import Ledger, copy_ledger

_log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT, FORMAT_VERSION = "bioduty-backup", 1

WORKSPACE, STATE, OUTSIDE = "workspace", "state", "outside"
"""Folders in a backup: what lies in the workspace's folder, the state folder wherever it lies, and
what the settings name outside of both.
"""

LEDGER, ORIGINALS, PUBLISHED = "ledger.sqlite", "originals", "published"
"""In the state folder."""

KEY = "signing.key"

_USUAL_NAME = "备份.zip"
"""What people call a backup."""

_HASH = re.compile("[0-9a-f]{64}")

_NOT_KEPT = re.compile(rf"{re.escape(SCRATCH)}.*|{LEDGER}.*|.*\.?lock|.*\.log(\.\d+)?|heartbeat")
"""Files of the state folder that are copied otherwise, or are of this machine alone."""

_STORED = frozenset({".xlsx", ".xlsm", ".docx", ".zip", ".parquet", ""})
"""Of files that are compressed already; an original has no ending, and most of them are."""

_CHUNK = 1 << 20

MANIFEST_MOST = 64 << 20
"""Bytes beyond which a manifest is none of ours."""


class Kept(BaseModel):
    """What the manifest says of a member.

    Attributes:
        sha256, size: of its bytes.
        mode: its rights.
        changed_ns: when it was last changed.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    mode: int = Field(ge=0, le=0o777)
    changed_ns: int = Field(ge=0, lt=1 << 63)


class Manifest(BaseModel):
    """What a backup says of itself.

    Attributes:
        version: of the format.
        product: version of the program that made it.
        ledger: number of the ledger's schema; None where there was no ledger yet.
        made: when; None where the caller did not say.
        periods: the quarters on record, and `received`, the first and the last arrival.
        workspace: name of the workspace's folder.
        state_dir: as the settings name it.
        key: what tells workspaces apart: a fingerprint of the signing key.
        files: how many files the ledger has on record.
        missing: originals and books on record that were gone, by hash.
        damaged: those whose bytes are not what their name says.
        elsewhere: a sentence for each thing that stays where it is: on another disk, or since it
            belongs to another program or workspace.
        left_out: a sentence for each thing that should be in it and is not, as what could not be
            read.
        waiting: files in the inbox that were not collected yet, by member, with their arrival.
        members: everything in it.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["bioduty-backup"] = "bioduty-backup"
    version: Literal[1] = 1
    product: str
    ledger: int | None
    made: datetime | None
    periods: tuple[str, ...]
    received: tuple[datetime, ...]
    workspace: str
    state_dir: str
    key: str | None
    files: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    elsewhere: tuple[str, ...]
    left_out: tuple[str, ...]
    waiting: dict[str, datetime]
    members: dict[str, Kept]


@dataclass(frozen=True)
class Backup:
    """A backup that was made.

    Attributes:
        path: the file.
        size: in bytes.
        manifest: what is in it.
    """

    path: Path
    size: int
    manifest: Manifest

    @property
    def needs_attention(self) -> bool:
        """Whether something on record was gone or damaged, or something that should be in it is
        not.
        """
        found = self.manifest
        return bool(found.missing or found.damaged or found.left_out)

    def as_json(self) -> dict[str, Any]:
        """As `backup --json` prints it."""
        said = self.manifest.model_dump(mode="json", exclude={"members"})
        count = len(self.manifest.members)
        return {"file": str(self.path), "size": self.size, "members": count, **said}


@dataclass(frozen=True)
class Place:
    """What there is to back up.

    Attributes:
        root: the workspace's folder.
        settings: its settings.
    """

    root: Path
    settings: Settings

    @property
    def state_dir(self) -> Path:
        """The state folder."""
        return self.root / self.settings.paths.state_dir

    @property
    def inbox(self) -> Path:
        """The inbox."""
        return self.root / self.settings.paths.inbox

    @property
    def named(self) -> tuple[Path, ...]:
        """Files and folders that the settings name, with the settings themselves and the starters;
        there or not.
        """
        paths = self.settings.paths
        places = (paths.plan, paths.templates, paths.inbox, paths.outbox, paths.state_dir)
        names = (SETTINGS_FILE, WINDOWS_STARTER, SHELL_STARTER, self.settings.mail.ca_file)
        others = (self.root / name for name in names if name)
        return (*(self.root / one for one in (*places, paths.register_book)), *others)

    @property
    def guarded(self) -> tuple[Path, ...]:
        """Folders in which a backup has no business: it would back up itself, or be taken in."""
        paths = self.settings.paths
        folders = (paths.state_dir, paths.inbox, paths.outbox, paths.templates)
        return tuple((self.root / folder).resolve() for folder in folders)


def back_up(place: Place, target: Path, as_of: datetime | None) -> Backup:
    """Write a backup, whole or not at all; an older one of the same workspace is replaced.

    It holds the ledger, originals, published books, signing key, mail password, settings, plan,
    register and templates; of the outbox all, since people write in it; of the inbox what was not
    collected yet; and what else people keep in the workspace's folder. What the settings put on
    other disks stays there, but for plan, register, templates and state, without which nothing goes
    on.

    Args:
        as_of: when, for the record.

    Raises:
        ConfigError: the file is none that may be written.
        LedgerError: the ledger is damaged: the last backup is worth more than one of it.
        OSError: the file cannot be written, or something without which nothing goes on not read.
    """
    target = target.resolve()
    _require_writable(place, target)
    with (
        TemporaryDirectory() as scratch,
        writing_whole(target, mode=0o600) as file,
        zipfile.ZipFile(file, "w") as package,
    ):
        manifest = _Packing(place, package, target, Path(scratch), as_of).pack()
        package.writestr(_info(MANIFEST, 0o600), manifest.model_dump_json(indent=1))
    _log.info("backup: %d members", len(manifest.members))
    return Backup(target, target.stat().st_size, manifest)


def _require_writable(place: Place, target: Path) -> None:
    if not target.parent.is_dir():
        raise ConfigError(
            say("没有文件夹 {folder}，请检查移动硬盘或者共享盘是否连接", folder=target.parent)
        )
    if target.is_dir():
        raise ConfigError(
            say(
                "{target} 是文件夹，请写明文件名，如 {example}",
                target=target,
                example=target / _USUAL_NAME,
            )
        )
    if target.exists() and not target.is_file():
        raise ConfigError(say("{target} 是设备或者管道，不是普通文件，没有写入", target=target))
    if any(target.is_relative_to(folder) for folder in place.guarded):
        raise ConfigError(
            say("{target} 在工作区自己的文件夹里，备份请放到别处，最好是另一块磁盘", target=target)
        )
    if target.exists():
        _require_own(place, target)


def _require_own(place: Place, target: Path) -> None:
    """Refuse to replace what is no older backup of the same workspace."""
    theirs, key = manifest_of(target), _key_mark(place)
    if theirs is None:
        raise ConfigError(say("{target} 已经存在，又不是 bioduty 的备份，没有覆盖", target=target))
    if theirs.key in (None, key):
        return
    if key is None:
        raise ConfigError(
            say(
                "{target} 里有签名密钥，本工作区现在没有，没有覆盖；"
                "如果它是本工作区的备份，请先从中找回密钥",
                target=target,
            )
        )
    raise ConfigError(
        say(
            "{target} 是另一个工作区（{workspace}）的备份，没有覆盖",
            target=target,
            workspace=theirs.workspace,
        )
    )


def manifest_of(path: Path) -> Manifest | None:
    """What a backup says of itself; None where a file is no backup of a version known here."""
    try:
        with zipfile.ZipFile(path) as package:
            return read_manifest(package, path)
    except (BiodutyError, *BROKEN):
        return None


BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, ValueError),
    *(NotImplementedError, RuntimeError),  # another compression; a password
)
"""What reading a zip raises that is damaged, or none of ours."""


def read_manifest(package: zipfile.ZipFile, path: Path) -> Manifest:
    """The manifest of an open backup.

    Raises:
        BiodutyError: there is none, or a newer version of the program wrote it.
    """
    no_backup = BiodutyError(
        say("{path} 不是 bioduty 的备份，或者不完整，没有恢复任何内容", path=path)
    )
    info = next((one for one in package.infolist() if one.filename == MANIFEST), None)
    if info is None or info.file_size > MANIFEST_MOST:
        raise no_backup
    text = package.read(info)
    try:
        head = _Head.model_validate_json(text)
        if head.version > FORMAT_VERSION:
            raise BiodutyError(
                say(
                    "{path} 由更新版本的程序（{product}）写成，请升级程序后再恢复",
                    path=path,
                    product=head.product,
                )
            )
        return Manifest.model_validate_json(text)
    except ValidationError:
        raise no_backup from None


class _Head(BaseModel):
    """What every version of the format says."""

    format: Literal["bioduty-backup"]
    version: int
    product: str


@dataclass
class _Packing:
    """One backup on its way.

    Attributes:
        package: where members are put.
        target: the file that it becomes.
        scratch: a folder for the ledger's copy.
        members, missing, damaged, elsewhere, left_out, waiting: as in the manifest.
    """

    place: Place
    package: zipfile.ZipFile
    target: Path
    scratch: Path
    as_of: datetime | None
    members: dict[str, Kept] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    waiting: dict[str, datetime] = field(default_factory=dict)
    _spelt: dict[str, str] = field(default_factory=dict)

    def pack(self) -> Manifest:
        """Everything, the ledger before what it names."""
        schema = self._copy_ledger()
        copy = self.scratch / LEDGER
        with Ledger(copy, read_only=schema is None, snapshot=schema is not None) as ledger:
            known = ledger.hashes()
            closings = [ledger.closing(period) for period in ledger.closed_periods()]
            files, received = ledger.count(), ledger.received()
            periods = tuple(str(period) for period in ledger.periods())
            is_key_needed = not ledger.is_blank
        self._pack_inbox(known)
        self._pack_originals(known)
        self._pack_published({f"{closing.sha256}.xlsx" for closing in closings if closing})
        self._pack_state()
        if is_key_needed:
            self._require_key()
        self._pack_settings()
        self._pack_outbox()
        self._pack_own_things()
        return Manifest(
            product=_product(),
            ledger=schema,
            made=self.as_of,
            periods=periods,
            received=received,
            workspace=self.place.root.name,
            state_dir=str(self.place.settings.paths.state_dir),
            key=_key_mark(self.place),
            files=files,
            missing=tuple(self.missing),
            damaged=tuple(self.damaged),
            elsewhere=tuple(self.elsewhere),
            left_out=tuple(self.left_out),
            waiting=self.waiting,
            members=self.members,
        )

    def _copy_ledger(self) -> int | None:
        path = self.place.state_dir / LEDGER
        if not path.is_file():
            return None
        schema = copy_ledger(path, self.scratch / LEDGER)
        self._add(f"{STATE}/{LEDGER}", self.scratch / LEDGER, mode=_rights(path.stat()))
        return schema

    def _pack_inbox(self, known: frozenset[str]) -> None:
        """What the ledger's copy does not know yet. An inbox elsewhere stays where it is."""
        inbox = self.place.settings.paths.inbox
        if not is_within(inbox):
            self.elsewhere.append(
                say("收件夹 {folder} 不在工作区内，没有备份", folder=self.place.inbox)
            )
            return
        try:
            found = filing.scan(self.place.inbox)
        except BiodutyError as error:
            self.left_out.append(error.message)
            return
        for arrival in (*found.arrivals, *found.open, *found.filed):
            self._tried(arrival.path, partial(self._pack_arrival, arrival, known))
        looked = everything_in(self.place.inbox)
        self._name(Belongings(links=looked.links, closed=looked.closed))

    def _pack_arrival(self, arrival: filing.Arrival, known: frozenset[str]) -> None:
        sha256 = filing.hash_of(arrival.path)
        if sha256 in known:
            return
        inbox = PurePath(self.place.settings.paths.inbox)
        name = f"{WORKSPACE}/{(inbox / arrival.path.relative_to(self.place.inbox)).as_posix()}"
        if not is_safe(name) or self._has_twin(name):  # saved as GBK, say
            ending = _ascii(arrival.path.suffix)
            plain = f"{sha256[:12]}{ending if is_portable(f'x{ending}') else ''}"
            name = f"{WORKSPACE}/{(inbox / plain).as_posix()}"
        if name not in self.members:
            self._add(name, arrival.path)
            came = datetime.fromtimestamp(arrival.changed_ns // 1_000_000_000, CHINA)
            self.waiting[name] = came

    def _pack_originals(self, known: frozenset[str]) -> None:
        """Those on record, and those that a pass has stored and not recorded yet."""
        folder = self.place.state_dir / ORIGINALS
        there = {path.name for path in filing.originals_in(folder)}
        waiting = {self.members[name].sha256 for name in self.waiting}
        for name in sorted(there - waiting):
            self._add_hashed(f"{STATE}/{ORIGINALS}/{name}", folder / name, name)
        self.missing += sorted(
            name for name in known if f"{STATE}/{ORIGINALS}/{name}" not in self.members
        )

    def _pack_published(self, known: set[str]) -> None:
        """Those that have a name of theirs; what is still being written has none."""
        folder = self.place.state_dir / PUBLISHED
        for path in _plain_files(folder):
            if _HASH.fullmatch(path.stem) and path.suffix == ".xlsx":
                self._add_hashed(f"{STATE}/{PUBLISHED}/{path.name}", path, path.stem)
        self.missing += sorted(
            name.removesuffix(".xlsx")
            for name in known
            if f"{STATE}/{PUBLISHED}/{name}" not in self.members
        )

    def _add_hashed(self, member: str, path: Path, sha256: str) -> None:
        self._tried(path, partial(self._add, member, path))
        kept = self.members.get(member)
        if kept is not None and kept.sha256 != sha256:
            self.damaged.append(sha256)

    def _pack_state(self) -> None:
        """Key, mail password, the register's copy, the log of passes: everything but what is of
        this machine and this moment. Without the key there is no backup if it cannot be read.
        """
        for path in _plain_files(self.place.state_dir):
            if path.name == KEY:
                self._add(f"{STATE}/{KEY}", path)
            elif not _NOT_KEPT.fullmatch(path.name):
                self._tried(path, partial(self._add, f"{STATE}/{path.name}", path))

    def _require_key(self) -> None:
        if f"{STATE}/{KEY}" not in self.members:
            self.left_out.append(
                say(
                    "没有签名密钥 {file}，已经发出的表将无法识别，请从更早的备份中找回",
                    file=shown(self.place.state_dir / KEY),
                )
            )

    def _pack_settings(self) -> None:
        """Settings, plan, register, templates, and the certificate of the mail server."""
        paths, mail = self.place.settings.paths, self.place.settings.mail
        self._add(f"{WORKSPACE}/{SETTINGS_FILE}", self.place.root / SETTINGS_FILE)
        for setting in (paths.plan, paths.register_book, paths.templates):
            self._pack_setting(setting)
        if mail.ca_file:
            self._pack_setting(Path(mail.ca_file))

    def _pack_setting(self, setting: Path) -> None:
        path = self.place.root / setting
        prefix = f"{WORKSPACE}/{setting.as_posix()}" if is_within(setting) else OUTSIDE
        if path.is_file():
            name = prefix if is_within(setting) else f"{OUTSIDE}/{path.name}"
            self._try_to_add(name, path)
            return
        found = everything_in(path)
        self._name(found)
        for one in found.files:
            self._try_to_add(f"{prefix}/{one.relative_to(path).as_posix()}", one)

    def _pack_outbox(self) -> None:
        setting = self.place.settings.paths.outbox
        if is_within(setting):
            self._pack_setting(setting)
        else:
            self.elsewhere.append(
                say("发件夹 {folder} 不在工作区内，没有备份", folder=self.place.root / setting)
            )

    def _pack_own_things(self) -> None:
        """What else people keep in the workspace's folder, but for older backups."""
        found = own_things_in(self.place.root, (*self.place.named, self.target))
        self._name(found)
        for path in found.files:
            name = f"{WORKSPACE}/{path.relative_to(self.place.root).as_posix()}"
            self._tried(path, partial(self._pack_unless_backup, name, path))

    def _pack_unless_backup(self, name: str, path: Path) -> None:
        if manifest_of(path) is None:
            self._try_to_add(name, path)
        else:
            self.elsewhere.append(say("{file} 是备份，没有再放进去", file=shown(path)))

    def _name(self, found: Belongings) -> None:
        """Say what is not in the backup."""
        self.elsewhere += found.apart
        self.left_out += found.too_much
        self.left_out += [
            say("{file}：是指向别处的链接，没有备份", file=shown(path)) for path in found.links
        ]
        self.left_out += [_unread(path, reason) for path, reason in found.closed]

    def _try_to_add(self, name: str, path: Path) -> None:
        """Something that is of use, but without which a workspace goes on."""
        if path.name.startswith(SCRATCH) or filing.has_leftover_name(path.name):
            return
        if not is_safe(name):
            self.left_out.append(say("{file}：文件名不能写入备份，请改名", file=shown(path)))
        elif self._has_twin(name):
            self.left_out.append(
                say("{file}：与另一个文件的名称只有大小写不同，请改名", file=shown(path))
            )
        elif name not in self.members:
            self._tried(path, partial(self._add, name, path))

    def _has_twin(self, name: str) -> bool:
        """Whether another member has a name that some systems take for the same."""
        return self._spelt.get(folded(name), name) != name

    def _tried(self, path: Path, work: Callable[[], object]) -> None:
        """Do what fails where a file is gone by now, or open in another program. Half a member that
        it leaves in the package is not in the manifest, and counts for nothing.
        """
        try:
            work()
        except FileNotFoundError:
            _log.info("a file went away while it was to be backed up")
        except OSError as error:
            self.left_out.append(_unread(path, system_words(error)))

    def _add(self, name: str, path: Path, mode: int | None = None) -> Kept:
        with path.open("rb") as source:
            status = os.fstat(source.fileno())
            rights = _rights(status) if mode is None else mode
            info = _info(name, rights)
            if path.suffix in _STORED and name != f"{STATE}/{LEDGER}":
                info.compress_type = zipfile.ZIP_STORED
            with self.package.open(info, "w", force_zip64=True) as target:
                sha256, size = _copy(source, target)
        kept = Kept(sha256=sha256, size=size, mode=rights, changed_ns=max(0, status.st_mtime_ns))
        self.members[name] = kept
        self._spelt[folded(name)] = name
        return kept


def is_within(setting: Path) -> bool:
    """Whether a path of the settings lies in the workspace's folder, on whatever system."""
    windows = PureWindowsPath(setting)
    is_absolute = setting.is_absolute() or windows.drive or windows.root
    return not is_absolute and ".." not in (*setting.parts, *windows.parts)


def is_safe(name: str) -> bool:
    """Whether a member's name is one of ours, and any system can put it in its place and nowhere
    else. Two such names may still be one file where case does not count.
    """
    path = PurePosixPath(name)
    return (
        path.parts[:1] in ((WORKSPACE,), (STATE,), (OUTSIDE,))
        and len(path.parts) > 1
        and path.as_posix() == name
        and all(map(is_portable, path.parts))
    )


def _plain_files(folder: Path) -> list[Path]:
    """The plain files of a folder, without those below it; none where there is no folder."""
    with suppress(FileNotFoundError):
        with os.scandir(folder) as entries:
            found = [Path(one) for one in entries if one.is_file(follow_symlinks=False)]
        return sorted(found)
    return []


def _copy(source: IO[bytes], target: IO[bytes]) -> tuple[str, int]:
    """Copy a file; returns its SHA-256 and size."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        size += target.write(chunk)
    return digest.hexdigest(), size


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, ZIP_TIME)
    info.external_attr = (stat.S_IFREG | mode) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _rights(status: os.stat_result) -> int:
    return stat.S_IMODE(status.st_mode) & 0o777


def _key_mark(place: Place) -> str | None:
    path = place.state_dir / KEY
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None


def _product() -> str:
    try:
        return version("bioduty-xl")
    except PackageNotFoundError:  # a checkout that is not installed
        return ""


def _ascii(text: str) -> str:
    return text.encode("ascii", "ignore").decode("ascii")


def _unread(path: Path, reason: str) -> str:
    return say("{file}：读不出来（{reason}）", file=shown(path), reason=reason)
