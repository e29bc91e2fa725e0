"""What Windows takes as the name of a file, by its own documentation; simulated here."""

import re

DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"} | {
    f"{device}{digit}" for device in ("COM", "LPT") for digit in "0123456789¹²³"
}


def windows_takes(name):
    """Its documented rules for the name of a file."""
    stem = name.split(".")[0].rstrip().upper()
    return bool(
        name
        and stem not in DEVICES
        and not re.search(r'[\x00-\x1f\\/:*?"<>|]', name)
        and name[-1] not in ". "
        and len(name.encode("utf-16-le", "surrogatepass")) // 2 <= 255
    )
