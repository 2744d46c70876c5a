"""Media categories: a tree of three levels with at most 100 children each (AddCategory page)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from vod_migrate.sandbox.errors import BadRequest, VodError
from vod_migrate.sandbox.settings import CategoryConfig
from vod_migrate.sandbox.vod.parameters import Parameters, check_bytes, invalid, required, whole_number

ROOT: Final = -1
MAX_LEVELS: Final = 3
MAX_CHILDREN: Final = 100
MAX_NAME_BYTES: Final = 64
_FIRST_ID: Final = 1_000_000_001
_MAX_LONG: Final = 2**63 - 1
_TYPES: Final = frozenset({"", "default", "material"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One category. At the top level, the parent is -1 and the level 0."""

    id: int
    name: str
    level: int
    parent: int
    type: str = "default"

    def as_reply(self) -> dict[str, Any]:
        """The category as the API returns it."""
        return {
            "CateId": self.id,
            "CateName": self.name,
            "Level": self.level,
            "ParentId": self.parent,
            "Type": self.type,
        }


class CategoryTree:
    """The categories of an account."""

    def __init__(self, configs: Iterable[CategoryConfig] = ()) -> None:
        self._by_id: dict[int, Category] = {}
        for config in configs:
            self.configure(config)

    def __contains__(self, category_id: object) -> bool:
        return category_id in self._by_id

    def name_of(self, category_id: int | None) -> str | None:
        """The name of a category."""
        found = self._by_id.get(category_id) if category_id is not None else None
        return found.name if found else None

    def configure(self, config: CategoryConfig) -> Category:
        """Add a category from a file or the control API."""
        if config.id is not None and config.id in self._by_id:
            raise BadRequest(f"Category {config.id} already exists.", status=409)
        try:
            return self._add(config.name, ROOT if config.parent is None else config.parent, config.id, "default")
        except VodError as error:
            raise BadRequest(error.message) from None

    def add(self, parameters: Parameters) -> dict[str, Any]:
        """AddCategory."""
        name = required(parameters, "CateName")
        parent = whole_number(parameters, "ParentId", ROOT, least=ROOT, most=_MAX_LONG)
        category = self._add(name, parent, None, _type(parameters) or "default")
        return {"Category": category.as_reply()}

    def show(self, parameters: Parameters) -> dict[str, Any]:
        """GetCategories: a category (the root by default) and one page of its children."""
        category_id = whole_number(parameters, "CateId", ROOT, least=ROOT, most=_MAX_LONG)
        number = whole_number(parameters, "PageNo", 1, least=1, most=_MAX_LONG)
        size = whole_number(parameters, "PageSize", 10, least=1, most=100)
        order = parameters.get("SortBy", "") or "CreationTime:Desc"
        if order not in {"CreationTime:Desc", "CreationTime:Asc"}:
            raise invalid("SortBy", "it must be CreationTime:Desc or CreationTime:Asc")
        wanted = _type(parameters)
        if category_id not in {ROOT, *self._by_id}:
            raise _unknown(category_id)
        children = [child for child in self._children(category_id) if wanted in {"", child.type}]
        if order.endswith("Desc"):
            children.reverse()
        page = children[(number - 1) * size : number * size]
        reply: dict[str, Any] = {
            "SubTotal": len(children),
            "SubCategories": {
                "Category": [{**child.as_reply(), "SubTotal": len(self._children(child.id))} for child in page]
            },
        }
        if category_id != ROOT:
            reply["Category"] = self._by_id[category_id].as_reply()
        return reply

    def _add(self, name: str, parent: int, category_id: int | None, kind: str) -> Category:
        check_bytes("CateName", name, MAX_NAME_BYTES)
        if parent != ROOT and parent not in self._by_id:
            raise _unknown(parent)
        level = 0 if parent == ROOT else self._by_id[parent].level + 1
        if level >= MAX_LEVELS:
            raise invalid("ParentId", f"there are at most {MAX_LEVELS} levels of categories")
        if len(self._children(parent)) >= MAX_CHILDREN:
            raise invalid("ParentId", f"a category has at most {MAX_CHILDREN} subcategories")
        chosen = category_id if category_id is not None else max([_FIRST_ID - 1, *self._by_id]) + 1
        category = Category(id=chosen, name=name, level=level, parent=parent, type=kind)
        self._by_id[chosen] = category
        return category

    def _children(self, parent: int) -> list[Category]:
        return [category for category in self._by_id.values() if category.parent == parent]


def _type(parameters: Parameters) -> str:
    kind = parameters.get("Type", "")
    if kind not in _TYPES:
        raise invalid("Type", "it must be default or material")
    return kind


def _unknown(category_id: int) -> VodError:
    return VodError("InvalidCateId.NotFound", 404, f"The category {category_id} does not exist.")
