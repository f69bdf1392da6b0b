"""Blocking calls, off the event loop, and seen through to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_POOL = ThreadPoolExecutor(max_workers=64, thread_name_prefix="sandbox")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_POOL, lambda: call(*args, **kwargs))


async def unhurried(
    work: Coroutine[Any, Any, T], *, on_cancel: Callable[[], None] = lambda: None
) -> T:
    """Finish `work` even if we are cancelled meanwhile, however often; then be cancelled.

    `on_cancel` may tell the work to come to its end.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        on_cancel()
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains that nobody did
        raise
