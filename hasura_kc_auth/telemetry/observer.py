"""Takes note of each decision: one call, and the metric, the log and `/denials` agree."""

from __future__ import annotations

import structlog

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.telemetry.denials import RecentDenials
from hasura_kc_auth.telemetry.logs import DenialLog
from hasura_kc_auth.telemetry.metrics import DecisionCounts


class DecisionObserver:
    """Counts and logs decisions. Allowed ones are counted only: theirs is the fast path."""

    def __init__(
        self,
        counts: DecisionCounts,
        recent: RecentDenials,
        denials: DenialLog,
        log: structlog.BoundLogger,
    ) -> None:
        self._counts = counts
        self._recent = recent
        self._denials = denials
        self._log = log

    def begun(self) -> None:
        self._counts.in_flight += 1

    def ended(self) -> None:
        self._counts.in_flight -= 1

    def allowed(self, session: Session, seconds: float) -> None:
        """Note a session answered after so many seconds."""
        self._counts.allow(session.issuer, seconds)

    def refused(self, denied: Denied, request_id: str | None, seconds: float) -> None:
        """Note a request that got no session, after so many seconds."""
        self._counts.refuse(denied.code, denied.issuer, seconds)
        self._recent.note(denied, request_id)
        self._denials.denied(
            denied.code.value,
            issuer=denied.issuer,
            detail=denied.detail or None,
            request_id=request_id,
        )

    def failed(self, error: Exception) -> Denied:
        """Note a mistake of this service, and return what its caller is told.

        Only the kind of the error and where it arose: its text could hold anything.
        """
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_qualname}:{where.tb_lineno}" if where else None
        self._log.error("internal_error", error=type(error).__name__, where=place)
        return Denied(Code.INTERNAL_ERROR, "a mistake of this service, please report it")
