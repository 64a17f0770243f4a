"""What makes a native class behave as a model: fields by keyword, dumping, validating and copying.

A class says in `model_fields` which fields it has. A subclass adds its own by annotations, as with a model of pydantic's, whose
`Field` and `PrivateAttr` are understood; values of such fields are taken as they are given.
"""

from __future__ import annotations

import copy
import copyreg
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, get_origin

if TYPE_CHECKING:
    from inspect import Parameter, Signature


class _Missing:
    """What stands for no value; it is shown as pydantic shows a default that is made anew each time."""

    def __repr__(self) -> str:
        return "<factory>"


FACTORY = _Missing()
REQUIRED = _Missing()


class ModelField(NamedTuple):
    """A field: what it is when it is not given, and what it is said to hold."""

    default: Any
    annotation: Any = Any
    is_private: bool = False

    def fresh(self) -> Any:
        """The default, as an object that no other instance has."""
        if type(self.default) in _UNCHANGING or isinstance(self.default, Enum):
            return self.default
        # What pydantic's functions for fields give has the default, or what makes it, in it.
        factory = getattr(self.default, "default_factory", None)
        if factory is not None:
            return factory()
        return copy.deepcopy(getattr(self.default, "default", self.default))

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        asked = getattr(self.default, "is_required", None)
        return self.default is REQUIRED or (asked is not None and asked() is True)


class _SignatureOfModel:
    """The signature of a model, by its fields: made when somebody asks, since what makes one takes long to import."""

    def __get__(self, _instance: object, cls: type[Model]) -> Signature | None:
        # One's own `__init__` says for itself what it takes.
        return None if "__init__" in cls.__dict__ else _signature(cls.model_fields)


class Model:
    """The part of pydantic's `BaseModel` that programs use, without pydantic."""

    __slots__ = ()

    model_fields: ClassVar[dict[str, ModelField]] = {}
    __signature__ = _SignatureOfModel()
    _native_fields: ClassVar[tuple[str, ...]] = ()
    # What subclasses have declared, also their private fields; none where there is nothing to set.
    _own_fields: ClassVar[dict[str, ModelField] | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "model_fields" in cls.__dict__:
            cls._native_fields = tuple(cls.model_fields)
        elif declared := _declared(cls):
            cls._own_fields = (cls._own_fields or {}) | declared
            public = {name: it for name, it in declared.items() if not it.is_private}
            cls.model_fields = cls.model_fields | public

    def _fill(self, data: Mapping[str, Any]) -> None:
        """Set the fields from `data`, and those of a subclass that are not there from their defaults.

        What is no field is passed over, as pydantic does.
        """
        values = dict(data)
        for name, field in (self._own_fields or {}).items():
            if field.is_private or name not in data:
                if field.is_required:
                    raise ValueError(f"{type(self).__name__} needs {name!r}: give it by keyword")
                values[name] = field.fresh()
            if name not in self._native_fields:
                setattr(self, name, values.pop(name))
        self._put(values)

    def _put(self, data: Mapping[str, Any]) -> None:
        """Set those of the native fields that are in `data`."""
        raise NotImplementedError

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Any = None,
        exclude: Any = None,
        exclude_none: bool = False,
        exclude_defaults: bool = False,
        exclude_unset: bool = False,
        **_: Any,
    ) -> dict[str, Any]:
        """Give the fields as a dictionary, with `mode="json"` of what JSON has.

        A field that has its default counts as unset. Options that only pydantic has are passed over.
        """
        dumped = {}
        for name, field in self.model_fields.items():
            value = getattr(self, name)
            is_left_out = (
                (include is not None and name not in include)
                or (exclude is not None and name in exclude)
                or (exclude_none and value is None)
            )
            if is_left_out or ((exclude_defaults or exclude_unset) and value == field.default):
                continue
            dumped[name] = _plain(value, is_json=mode == "json")
        return dumped

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Give the fields as JSON; options as `model_dump` has them."""
        options["mode"] = "json"
        import json  # noqa: PLC0415, since few programs need it

        separators = (",", ":") if indent is None else None
        dumped = self.model_dump(**options)
        return json.dumps(dumped, indent=indent, separators=separators, ensure_ascii=False)

    @classmethod
    def model_validate(cls, obj: Any, *, from_attributes: bool | None = None, **_: Any) -> Self:
        """Make one from a mapping of its fields; one that is given is given back.

        Raises:
            ValueError: something in it is not what the field holds.
        """
        if isinstance(obj, cls):
            return obj
        if isinstance(obj, Mapping):
            return cls(**obj)
        if from_attributes:
            return cls(
                **{name: getattr(obj, name) for name in cls.model_fields if hasattr(obj, name)}
            )
        raise ValueError(
            f"a {cls.__name__} is made from a mapping of its fields, got {type(obj).__name__}"
        )

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Make one from what `model_dump_json` gave."""
        import json  # noqa: PLC0415, as above

        return cls.model_validate(json.loads(json_data), **options)

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Make one from its fields."""
        return cls(**values)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Give another with the same fields, or those in `update`; it is apart from this one from then on."""
        copied = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            setattr(copied, name, value)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        native = {name: getattr(self, name) for name in self._native_fields}
        return copyreg.__newobj__, (type(self),), (native, getattr(self, "__dict__", None))  # type: ignore[attr-defined]

    def __setstate__(self, state: tuple[dict[str, Any], dict[str, Any] | None]) -> None:
        native, own = state
        self._put(native)
        for name, value in (own or {}).items():
            setattr(self, name, value)

    def __replace__(self, /, **changes: Any) -> Self:
        return self.model_copy(update=changes)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((name, getattr(self, name)) for name in self.model_fields)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: Any) -> Any:
        # Only pydantic calls this, so it is there.
        from . import _pydantic  # noqa: PLC0415

        return _pydantic.schema(cls, handler)


def _declared(cls: type[Model]) -> dict[str, ModelField]:
    """The fields that the body of the class declares."""
    fields = {}
    for name, annotation in _annotations(cls).items():
        is_private = name.startswith("_")
        if name.startswith("__") or _is_of_class(annotation) or hasattr(Model, name):
            continue
        default = cls.__dict__.get(name, REQUIRED)
        if is_private and default is REQUIRED:
            continue
        fields[name] = ModelField(default, annotation, is_private)
        if name in cls._native_fields and name in cls.__dict__:
            # Another default for a native field, which the attribute would hide.
            delattr(cls, name)
    return fields


def _annotations(cls: type) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib  # noqa: PLC0415

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    # What it was annotated with itself, and not what its bases were.
    return dict(cls.__dict__.get("__annotations__", {}))  # noqa: RUF063, since `inspect` takes long to import


def _is_of_class(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.split("[")[0].split(".")[-1] == "ClassVar"
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def _signature(fields: dict[str, ModelField]) -> Signature:
    from inspect import Parameter, Signature  # noqa: PLC0415, as above

    def parameter(name: str, field: ModelField) -> Parameter:
        if field.is_required:
            default: Any = Parameter.empty
        elif field.default is FACTORY or hasattr(field.default, "default_factory"):
            default = FACTORY
        else:
            default = field.default
        return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=field.annotation)

    parameters = [parameter(name, field) for name, field in fields.items()]
    # One that is required may well come after others that are not: they are given by keyword.
    return Signature(parameters, return_annotation=None)


def _plain(value: Any, *, is_json: bool) -> Any:
    """The value with all models in it as dictionaries."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json" if is_json else "python")
    if isinstance(value, Mapping):
        return {
            _plain(key, is_json=is_json): _plain(it, is_json=is_json) for key, it in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(it, is_json=is_json) for it in value]
        return items if is_json or isinstance(value, list) else type(value)(items)
    return _json(value) if is_json else value


def _json(value: Any) -> Any:
    if isinstance(value, Enum):
        return _json(value.value)
    if isinstance(value, datetime):
        text = value.isoformat()
        return text.removesuffix("+00:00") + "Z" if value.tzinfo is UTC else text
    return value


_UNCHANGING = frozenset({int, float, complex, bool, str, bytes, type(None)})
