"""One fault of a plan, as written in YAML or JSON, validated."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import AliasChoices, ConfigDict, Field, field_validator, model_validator

from vod_migrate.sandbox.faults.kinds import APIS, CODES, KINDS, Kind
from vod_migrate.sandbox.model import Share, Strict, did_you_mean

_OWN_FIELDS: Final = ("code", "status", "retry_after_ms", "seconds", "shape", "sigma", "at_byte", "sticky")


class FaultConfig(Strict):
    """A fault: what goes wrong (kind, form), where (api, account, keys), and when."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    kind: str = Field(description="what goes wrong")
    form: str | None = Field(default=None, description="the variant of the kind; default: its first")
    api: str = Field(
        default="any", description='the API it hits, such as "RegisterMedia" or "ListObjects"; any: all of them'
    )
    account: str | None = Field(default=None, description="only calls of this account")
    keys: str | None = Field(
        default=None,
        validation_alias=AliasChoices("keys", "key"),
        description="only calls or files with a key that matches this glob; for a listing: its prefix",
    )
    rate: Share = Field(default=1.0, description="share of calls (of files, for kinds of file) that it hits")
    start: float = Field(
        default=0,
        ge=0,
        validation_alias=AliasChoices("from", "start"),
        serialization_alias="from",
        description="seconds since the fault was armed; before that it hits nothing",
    )
    until: float | None = Field(
        default=None, gt=0, description="seconds since the fault was armed; after that it hits nothing"
    )
    times: int | None = Field(
        default=None,
        ge=1,
        validation_alias=AliasChoices("times", "count"),
        description="how often it hits before it ends; default: no limit",
    )
    skip: int = Field(default=0, ge=0, description="how many matching calls (files) it spares first")
    when: Literal["before", "after"] = Field(default="before", description="before the effect of the call, or after it")
    seed: int = Field(
        default=0, description="another seed hits other calls; the same seed and order of calls, the same ones"
    )
    code: str | None = Field(default=None, min_length=1, description="error, throttle: the code of the refusal")
    status: int | None = Field(default=None, ge=400, le=599, description="error, throttle: its HTTP status")
    retry_after_ms: int | None = Field(default=None, ge=0, description="error, throttle: sent as x-acs-retry-after")
    seconds: float = Field(
        default=30, ge=0, le=600, description="timeout: how long the connection is held; latency: its mean, or median"
    )
    shape: Literal["constant", "uniform", "exponential", "lognormal"] = Field(
        default="constant",
        description="latency: uniform from 0 to twice the mean; exponential around it; lognormal around the median",
    )
    sigma: float = Field(
        default=1.0, ge=0, le=4, description="latency: sigma of the lognormal; from 1 on, its tail is long"
    )
    at_byte: int | Literal["any"] | None = Field(
        default=None, description="reset: how many bytes of the reply are sent first; any: a seeded number"
    )
    sticky: bool = Field(default=True, description="kinds of file: the same key is always hit, or never")

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"there is no such kind of fault: {did_you_mean(kind, tuple(KINDS))}")
        return kind

    @field_validator("api")
    @classmethod
    def _known_api(cls, api: str) -> str:
        if api not in APIS:
            raise ValueError(f"the sandbox has no such API: {did_you_mean(api, APIS)}")
        return api

    @field_validator("at_byte")
    @classmethod
    def _possible_byte(cls, at_byte: Any) -> Any:
        if isinstance(at_byte, int) and at_byte < 0:
            raise ValueError("give a number of bytes from 0 on, or any")
        return at_byte

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        kind = KINDS[self.kind]
        self._check_fields(kind)
        self._check_form(kind)
        if kind.apis and self.api not in ("any", *kind.apis):
            raise ValueError(f"api is {self.api!r}, but {self.kind} applies only to {' and '.join(kind.apis)}")
        if self.until is not None and self.until <= self.start:
            raise ValueError(f"until is {self.until:g}, which is not after from ({self.start:g}): make it larger")
        if self.kind == "error" and self.code is None:
            raise ValueError("code is missing: an error needs one, such as code: InternalError")
        if self.code is not None and self.code not in CODES and self.status is None:
            raise ValueError(
                f"status is missing: code {self.code!r} has no default status, so give one from 400 to 599 "
                f"({did_you_mean(self.code, tuple(CODES))})"
            )
        return self

    def _check_fields(self, kind: Kind) -> None:
        given = self.model_fields_set
        for name in _OWN_FIELDS:
            if name in given and name not in kind.fields:
                takers = [other for other, found in KINDS.items() if name in found.fields]
                raise ValueError(
                    f"{name} does not apply to {self.kind}: leave it out (it applies to {', '.join(takers)})"
                )
        if "when" in given and not kind.timed:
            fixed = "never has an effect" if self.kind == "throttle" else "always hits after the effect"
            raise ValueError(f"when does not apply: {self.kind} {fixed}; leave it out")
        if self.at_byte is not None and "when" in given and self.when == "before":
            raise ValueError(
                "when is 'before', but a reset within the reply (at_byte) comes after the effect: leave it out"
            )

    def _check_form(self, kind: Kind) -> None:
        if self.form is None or self.form in kind.forms:
            return
        if not kind.forms:
            raise ValueError(f"form is {self.form!r}, but {self.kind} has no forms: leave it out")
        raise ValueError(f"form is {self.form!r}: {did_you_mean(self.form, kind.forms)}")

    @property
    def variant(self) -> str:
        """The form, or the default of its kind; empty if the kind has no forms."""
        return self.form or next(iter(KINDS[self.kind].forms), "")

    @property
    def has_effect(self) -> bool:
        """Whether a call that it hits is carried out anyway."""
        if self.kind == "throttle":
            return False
        return KINDS[self.kind].level in ("reply", "file") or self.when == "after" or self.at_byte is not None


class FaultPlanFile(Strict):
    """A fault plan, as in `serve --faults FILE.yaml` and `PUT faults`; a bare list of faults means the same."""

    faults: list[FaultConfig]
