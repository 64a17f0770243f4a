"""What pydantic asks for when one of our models is the field of one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

if TYPE_CHECKING:
    from ._model import Model


def schema(cls: type[Model], handler: Any) -> Any:
    """One that is given is taken as it is, a mapping is validated; written, it is a dictionary."""
    fields = {
        name: core_schema.typed_dict_field(
            handler.generate_schema(field.annotation), required=field.is_required
        )
        for name, field in cls.model_fields.items()
    }
    mapping = core_schema.no_info_after_validator_function(
        cls.model_validate, core_schema.typed_dict_schema(fields, extra_behavior="ignore")
    )
    return core_schema.json_or_python_schema(
        json_schema=mapping,
        python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), mapping]),
        serialization=core_schema.plain_serializer_function_ser_schema(
            _dumped, info_arg=True, return_schema=core_schema.dict_schema()
        ),
    )


def _dumped(model: Model, info: core_schema.SerializationInfo) -> dict[str, Any]:
    return model.model_dump(
        mode=str(info.mode), exclude_none=info.exclude_none, exclude_defaults=info.exclude_defaults
    )
