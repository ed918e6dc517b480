"""What was answered before is answered again, until it is too old or no longer true."""

from fishplate.resilience.cache import AnswerCache, Hit

SECOND = 1_000_000_000


def put(cache: AnswerCache, key: str, *, tenant: str = "t", scope: str = "orders") -> None:
    """Remember an answer of time zero."""
    cache.put(tenant, scope, key, {"n": 1}, now_ns=0, epoch=cache.epoch(tenant, scope))


def test_an_answer_holds_for_its_time() -> None:
    """Its age is told with it."""
    cache = AnswerCache()
    put(cache, "a")

    assert cache.get("t", "orders", "a", now_ns=2 * SECOND, ttl=3) == Hit({"n": 1}, 2)
    assert cache.get("t", "orders", "a", now_ns=3 * SECOND, ttl=3) is None


def test_an_answer_belongs_to_its_tenant_and_scope() -> None:
    """Nobody gets what another one was told."""
    cache = AnswerCache()
    put(cache, "a")

    assert cache.get("other", "orders", "a", now_ns=0, ttl=3) is None
    assert cache.get("t", "parcels", "a", now_ns=0, ttl=3) is None


def test_a_write_to_the_scope_forgets_its_answers() -> None:
    """Those of the tenant and the scope, and no others."""
    cache = AnswerCache()
    put(cache, "a")
    put(cache, "b", scope="parcels")
    put(cache, "c", tenant="other")

    cache.forget("t", "orders")

    assert cache.get("t", "orders", "a", now_ns=0, ttl=3) is None
    assert cache.get("t", "parcels", "b", now_ns=0, ttl=3) is not None
    assert cache.get("other", "orders", "c", now_ns=0, ttl=3) is not None


def test_an_answer_from_before_a_write_is_not_kept() -> None:
    """The call may have read what the write has changed."""
    cache = AnswerCache()
    epoch = cache.epoch("t", "orders")
    cache.forget("t", "orders")
    cache.put("t", "orders", "a", 1, now_ns=0, epoch=epoch)

    assert cache.get("t", "orders", "a", now_ns=0, ttl=3) is None


def test_the_least_recently_used_answer_makes_room() -> None:
    """Memory is bounded."""
    cache = AnswerCache(capacity=2)
    put(cache, "a")
    put(cache, "b")
    cache.get("t", "orders", "a", now_ns=0, ttl=3)
    put(cache, "c")

    found = [cache.get("t", "orders", key, now_ns=0, ttl=3) is not None for key in "abc"]
    assert found == [True, False, True]
