"""What a mail address is, for whoever takes one down and whoever writes to it. Display names,
comments and quotes are none, so that nothing in an address can be taken for a header.
"""

from __future__ import annotations

import re

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,254}}\Z){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}")


def is_mail_address(text: str) -> bool:
    """Whether a text is one address (RFC 5321's dot-atom), such as name@example.org."""
    return _ADDRESS.fullmatch(text) is not None
