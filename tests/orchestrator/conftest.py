"""No failure is lost: what nobody asked for shows up in a loop's exception handler."""

from tests.engines.running import no_failure_is_lost

__all__ = ["no_failure_is_lost"]
