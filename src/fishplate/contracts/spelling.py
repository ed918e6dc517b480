"""How a Python type is spelled in messages: as a reader would write it."""

from types import NoneType
from typing import Annotated, NewType, get_args, get_origin

from fishplate.contracts.anatomy import bare, is_union


def spelled(annotation: object) -> str:
    """The type without the modules of its parts and without its constraints."""
    if is_union(annotation):
        return " | ".join(spelled(arm) for arm in get_args(bare(annotation)))
    if get_origin(annotation) is Annotated:
        return spelled(bare(annotation))
    if annotation is NoneType:
        return "None"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(origin, type) and arguments:
        return f"{origin.__name__}[{', '.join(spelled(found) for found in arguments)}]"
    if isinstance(annotation, (type, NewType)):
        return annotation.__name__
    return "..." if annotation is Ellipsis else str(annotation).replace("typing.", "")
