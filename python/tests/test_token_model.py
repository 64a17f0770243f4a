"""Tokens as models: by keyword, dumped, validated, copied, pickled, as a field of a pydantic model, and with fields of one's own."""

import copy
import inspect
import json
import pickle
import sys
from datetime import UTC, datetime
from typing import Any, ClassVar

import pydantic
import pytest

from hother.cancelable.core.models import CancelationReason
from hother.cancelable.core.token import CancelationToken, LinkedCancelationToken
from support.processes import run_python

WHEN = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
FIELDS = {
    "id": "mine",
    "is_cancelled": True,
    "reason": CancelationReason.SIGNAL,
    "message": "enough",
    "cancelled_at": WHEN,
}
JSON = {
    "id": "mine",
    "is_cancelled": True,
    "reason": "signal",
    "message": "enough",
    "cancelled_at": "2020-01-02T03:04:05Z",
}

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda it: it.model_copy(),
    "model_copy_deep": lambda it: it.model_copy(deep=True),
    "pickle": lambda it: pickle.loads(pickle.dumps(it)),
    "dump": lambda it: type(it).model_validate(it.model_dump()),
    "json": lambda it: type(it).model_validate_json(it.model_dump_json()),
}


class Noted(CancelationToken):
    """As a program declares one."""

    history: list[dict[str, Any]] = []  # noqa: RUF012, each instance has its own
    label: str = "plain"
    limit: ClassVar[int] = 3

    async def cancel(self, reason=CancelationReason.MANUAL, message=None):
        self.history.append({"reason": reason, "message": message})
        return await super().cancel(reason, message)


def test_a_token_is_made_by_keyword():
    token = CancelationToken(**FIELDS)
    assert {name: getattr(token, name) for name in FIELDS} == FIELDS
    assert not CancelationToken(id="x", is_cancelled=False, reason=None).is_cancelled
    assert CancelationToken(is_cancelled=True).reason is CancelationReason.MANUAL
    assert CancelationToken(unknown=1) != CancelationToken()
    with pytest.raises(TypeError):
        CancelationToken("positional")


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("id", 5, "id must be a string, got int"),
        ("id", None, "id must be a string, got NoneType"),
        ("message", 5, "message must be a string, got int"),
        ("reason", "soon", "'soon' is not a valid CancelationReason"),
        ("is_cancelled", "perhaps", "is_cancelled must be True or False, got 'perhaps'"),
        ("cancelled_at", "noon", "cancelled_at must be a datetime, .* got 'noon'"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(field, value, text):
    with pytest.raises(ValueError, match=text):
        CancelationToken(**{field: value})
    with pytest.raises(ValueError, match=text):
        CancelationToken.model_validate({field: value})


def test_dumped_as_python_and_as_json():
    token = CancelationToken(**FIELDS)
    assert token.model_dump() == FIELDS
    assert token.model_dump(mode="json") == JSON
    assert json.loads(token.model_dump_json()) == JSON
    assert token.model_dump_json().startswith('{"id":"mine","is_cancelled":true,')
    assert "\n" in token.model_dump_json(indent=2)
    assert token.model_dump(include={"id"}) == {"id": "mine"}
    assert token.model_dump(exclude={"id", "message"}).keys() == FIELDS.keys() - {"id", "message"}
    active = CancelationToken(id="a")
    assert active.model_dump(exclude_none=True) == {"id": "a", "is_cancelled": False}
    assert active.model_dump(exclude_defaults=True) == {"id": "a"}
    assert dict(token) == FIELDS


def test_validated_from_a_mapping_or_json_and_what_is_one_is_taken_as_it_is():
    token = CancelationToken.model_validate(FIELDS)
    assert token.model_dump() == FIELDS
    assert CancelationToken.model_validate(JSON).model_dump() == FIELDS
    assert CancelationToken.model_validate_json(json.dumps(JSON)).model_dump() == FIELDS
    assert CancelationToken.model_validate(token) is token
    with pytest.raises(ValueError, match="made from a mapping of its fields, got int"):
        CancelationToken.model_validate(5)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("cls", [CancelationToken, LinkedCancelationToken, Noted])
def test_a_copy_has_the_state_and_is_apart(how, cls):
    active, cancelled = cls(), cls(**FIELDS)
    twin = COPIES[how](active)
    assert type(twin) is cls
    assert twin == active
    assert twin is not active
    active.cancel_sync()
    assert not twin.is_cancelled
    assert COPIES[how](cancelled).model_dump() == cancelled.model_dump()


def test_a_copy_with_changes():
    token = Noted(label="first")
    assert token.model_copy(update={"label": "second", "id": "b"}).label == "second"
    assert token.label == "first"
    if sys.version_info >= (3, 13):
        assert copy.replace(token, label="third").label == "third"


async def test_a_subclass_has_fields_of_its_own():
    token, other = Noted(), Noted(label="special", history=[{}])
    await token.cancel(message="m")
    assert token.history == [{"reason": CancelationReason.MANUAL, "message": "m"}]
    assert other.history == [{}]
    assert Noted().history == []
    assert (token.label, other.label) == ("plain", "special")
    assert token.model_dump()["history"] == token.history
    assert copy.deepcopy(token).history == token.history
    assert copy.deepcopy(token).history is not token.history
    assert list(inspect.signature(Noted).parameters)[-2:] == ["history", "label"]
    assert "limit" not in Noted.model_fields
    assert "history" not in CancelationToken.model_fields


def test_a_subclass_with_an_init_of_its_own():
    class Named(Noted):
        count: int = 0

        def __init__(self, name: str, **data: Any):
            super().__init__(label=name.upper(), **data)
            self.count += 1

    named = Named("mine", id="x")
    assert (named.label, named.id, named.count, named.history) == ("MINE", "x", 1, [])
    assert list(inspect.signature(Named).parameters) == ["name", "data"]


def test_a_subclass_with_pydantics_fields():
    class Fields(CancelationToken):
        made: list[int] = pydantic.Field(default_factory=list)
        needed: int = pydantic.Field()
        _private: list[int] = pydantic.PrivateAttr(default_factory=list)
        message: str | None = "unless said"

    one, two = Fields(needed=1), Fields(needed=2, made=[1])
    one.made.append(5)
    one._private.append(6)
    assert (one.made, two.made, two._private, one.needed) == ([5], [1], [], 1)
    assert (one.message, Fields(needed=1, message="m").message) == ("unless said", "m")
    assert "_private" not in one.model_dump()
    with pytest.raises(ValueError, match="Fields needs 'needed': give it by keyword"):
        Fields()


def test_a_field_of_a_pydantic_model():
    class Job(pydantic.BaseModel):
        token: CancelationToken
        noted: Noted = pydantic.Field(default_factory=Noted)

    token = CancelationToken(**FIELDS)
    job = Job(token=token)
    assert job.token is token
    assert job.model_dump()["token"] == FIELDS
    assert json.loads(job.model_dump_json())["token"] == JSON
    assert Job.model_validate({"token": JSON}).token.model_dump() == FIELDS
    assert Job.model_validate_json(job.model_dump_json()).token.model_dump() == FIELDS
    assert Job.model_validate(job.model_dump()).noted == job.noted
    twin = job.model_copy(deep=True)
    assert twin.token == token
    assert twin.token is not token
    properties = Job.model_json_schema()["properties"]["token"]["properties"]
    assert list(properties) == list(FIELDS)
    for bad in (5, {"id": 5}, {"reason": "soon"}):
        with pytest.raises(pydantic.ValidationError):
            Job(token=bad)


def test_pydantic_is_not_needed():
    code = """
import sys
from hother.cancelable.core.token import CancelationToken
CancelationToken.model_validate(CancelationToken(is_cancelled=True).model_dump())
print([name for name in sys.modules if name.startswith("pydantic")])
"""
    assert run_python(code) == "[]\n"
