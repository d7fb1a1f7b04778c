"""What a user may still use of a batch system."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict

#: What is counted. ``billing`` is the site's own measure, ``time`` that of a job whatever it has.
Kind = Literal["gpu", "cpu", "node", "billing", "time", "jobs"]


class BudgetState(str, Enum):
    """Whether there is one: nobody counts, it counts and this is what is left, or it does not say."""

    NONE = "none"
    KNOWN = "known"
    UNKNOWN = "unknown"


class Allowance(BaseModel):
    """One limit and what is left of it: hours, or a number of what may be had at the same time.

    ``of``: who shares it, with the name of the account or QoS; empty for the user alone.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    of: Literal["user", "account", "qos"]
    name: str = ""
    limit: float
    left: float


class Budget(BaseModel):
    """``hours``: of GPUs, CPUs and so on in all, what jobs that run may still use counted as used.
    ``at_once``: at the same time. ``each``: hours that one job may ask for.

    >>> Budget(state=BudgetState.NONE).hours
    []
    """

    model_config = ConfigDict(frozen=True)

    state: BudgetState
    message: str | None = None
    hours: list[Allowance] = []
    at_once: list[Allowance] = []
    each: list[Allowance] = []
