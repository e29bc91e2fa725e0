"""Makes forms: by stencil where that can be done, by openpyxl where not, with the same bytes.

Cutting a stencil, and proving it, costs about as much as four forms by openpyxl, so it is kept for
as long as the program runs; it belongs to the bytes of a template, wherever that lies.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache

from bioduty_xl.forms.content import Content, Frame
from bioduty_xl.forms.growth import Refused
from bioduty_xl.forms.marks import Shape
from bioduty_xl.forms.stencil import Stencil
from bioduty_xl.forms.template import Template
from bioduty_xl.forms.writer import write_form

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """A form.

    Attributes:
        file: its content.
        refusal: why no stencil could make it, so that openpyxl did; empty: a stencil has made it.
    """

    file: bytes
    refusal: str = ""


class Press:
    """Makes the forms of one template.

    Args:
        template: what they are made from.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self._stencils: dict[Shape, Stencil | str] = {}

    @property
    def frame(self) -> Frame:
        """What their texts must fit into.

        Raises:
            TemplateError: the template lacks something.
        """
        return self._template.frame

    def make(self, content: Content) -> Made:
        """Make one form; the same content gives the same bytes.

        Raises:
            TemplateError: the template lacks something.
        """
        stencil = self._stencil(Shape.of(content))
        if isinstance(stencil, str):
            return Made(write_form(self._template, content), stencil)
        try:
            return Made(stencil.form(content))
        except Refused as refused:
            _log.info("一份表格改为逐项填写：%s", refused)
            return Made(write_form(self._template, content), str(refused))

    def _stencil(self, shape: Shape) -> Stencil | str:
        if shape not in self._stencils:
            self._stencils[shape] = _cut(self._template, shape)
        return self._stencils[shape]


@lru_cache(maxsize=8)
def _cut(template: Template, shape: Shape) -> Stencil | str:
    """The stencil of a template, or why it has none, which is said once."""
    try:
        return Stencil(template, shape)
    except Refused as refused:
        if shape.reviewed:  # the forms themselves may still be made by stencil
            _log.info("模板 %s 的退回修改表改为逐份填写：%s", template.path, refused)
        else:
            _log.warning(
                "模板 %s 不能快速生成（%s），改为逐份填写：结果相同，只是慢一些",
                template.path,
                refused,
            )
        return str(refused)
