"""Is a folder on a disk of this machine? SQLite's locks and fsync cannot be trusted elsewhere."""

from __future__ import annotations

from pathlib import Path

from bioduty_xl.errors import ConfigError
from bioduty_xl.language import say

_REMOTE = frozenset(
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav"),
        *("davfs", "fuse.davfs2", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gvfsd-fuse"),
        *("fuse.glusterfs", "glusterfs", "ceph", "fuse.ceph", "lustre", "afs", "ncpfs", "vboxsf"),
    )
)
"""File systems that live on another machine, as Linux and macOS name them."""

_UNC = ("\\\\", "//")


def require_local(folder: Path) -> None:
    """Refuse a folder on a network disk.

    Raises:
        ConfigError: it is on one.
    """
    if is_remote(folder):
        raise ConfigError(
            say(
                "状态文件夹 {folder} 在网络盘上，台账可能因此损坏，"
                "请在 bioduty.toml 的 paths.state_dir 中改为本机磁盘上的文件夹",
                folder=folder,
            )
        )


def is_remote(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that is there, is on a network disk."""
    import psutil  # takes long, and only runs that write need it

    here = folder.resolve()  # a mapped drive of Windows resolves to its share
    if str(folder).startswith(_UNC) or str(here).startswith(_UNC):
        return True
    holding = [
        disk for disk in psutil.disk_partitions(all=True) if here.is_relative_to(disk.mountpoint)
    ]
    if not holding:
        return False
    # Of two file systems mounted over one another, the later one is seen.
    nearest = max(reversed(holding), key=lambda disk: len(Path(disk.mountpoint).parts))
    return nearest.fstype.lower() in _REMOTE or "remote" in nearest.opts.split(",")
