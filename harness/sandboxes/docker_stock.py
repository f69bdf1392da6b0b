"""The images that a run needs: pulled ahead of need, kept while in use, within a budget of disk.

What has to go when room is short is what is needed latest, and first of all what no owed attempt
needs; never what some attempt, some other run or some container uses, never what we did not pull.
Nothing goes as long as there is room: the next run finds it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf

from harness.api import Pin
from harness.errors import Fault, UsageError, blame
from harness.sandboxes.docker_foresight import Foresight, unpacked
from harness.sandboxes.docker_images import Image, Images, built_name
from harness.sandboxes.docker_pulls import Pulls
from harness.sandboxes.docker_shelf import Item, Survey, leased
from harness.sandboxes.locks import lease
from harness.sandboxes.prospects import Prospect
from harness.sandboxes.recipes import Recipe
from harness.sandboxes.references import Reference
from harness.sandboxes.sizes import spoken
from harness.sandboxes.threads import in_thread, unhurried
from harness.types import Environment

LOOK_SECONDS = 1.0
"""Between looks at the engine, while room is short and only others can make some."""
PATIENCE_SECONDS = 60.0
"""How long room is waited for that nobody of ours can make."""


@dataclass
class Needs:
    """Which images the attempts that have not begun will ask for, and in what order."""

    due: dict[str, deque[int]] = field(default_factory=dict)
    using: Counter[str] = field(default_factory=Counter)
    last: int = 0

    def expect(self, names: Sequence[str]) -> None:
        for name in names:
            self.again(name)

    def again(self, name: str) -> None:
        self.last += 1
        self.due.setdefault(name, deque()).append(self.last)

    def begin(self, name: str) -> None:
        self.using[name] += 1
        if self.due.get(name):
            self.due[name].popleft()

    def end(self, name: str) -> None:
        self.using[name] -= 1

    def next(self, name: str) -> float:
        """When it is needed: 0 now, infinity never."""
        if self.using[name]:
            return 0
        return self.due[name][0] if self.due.get(name) else inf


@dataclass(frozen=True, slots=True)
class Bounds:
    disk: int | None = None
    """Bytes that our images may take at rest. None: what there is."""
    ahead: int = 3
    """Images that may be ready, or on their way, before any attempt uses them."""


class ImageStock:
    """Implements Supply for a Docker engine."""

    def __init__(
        self, images: Images, pulls: Pulls, forget: Callable[[str], None], bounds: Bounds
    ) -> None:
        self._images = images
        self._forget = forget
        self._pulls = pulls
        self._shelf = pulls.shelf
        self._budget = bounds.disk
        self._ahead = bounds.ahead
        self._say: Callable[[str], None] = lambda line: None
        self._needs = Needs()
        self._keys: dict[str, str] = {}
        """Of environments by name: what the engine knows their image by."""
        self._reserved: dict[str, int] = {}
        self._changed = asyncio.Condition()
        self._making_room = asyncio.Lock()
        self._fetched: set[str] = set()
        self._short: set[str] = set()
        """Keys of images that wait for room."""
        self._packed: dict[str, Mapping[str, int]] = {}
        """The layers of images by name, and their downloads, where a registry has told."""

    def pin(self, known: Mapping[str, Pin], record: Callable[[str, Pin], None], /) -> None:
        self._images.pin(known, record)

    @property
    def disk(self) -> int | None:
        return self._budget

    async def foresee(self, names: Sequence[str], /, *, timed: bool = False) -> Prospect:
        look = Foresight(self._pulls, self._shelf).prospect
        found = await in_thread(look, names, self._images.pinned, timed=timed)
        self._packed = {one.name: one.packed for one in found.missing if not one.why_unknown}
        return found

    @asynccontextmanager
    async def ahead(
        self, due: Sequence[Environment], say: Callable[[str], None], /
    ) -> AsyncIterator[None]:
        self._say = say
        self._pulls.say = say
        for environment in {e.name: e for e in due}.values():
            await self._key(environment)
        self._needs.expect([self._keys[e.name] for e in due])
        fetching = asyncio.create_task(self._fetch_all(due))
        try:
            yield
        finally:
            fetching.cancel()
            with suppress(asyncio.CancelledError):
                await fetching

    @asynccontextmanager
    async def using(self, environment: Environment, /) -> AsyncIterator[None]:
        key = await self._key(environment)
        async with lease(leased(key.replace("/", "_"))):
            self._needs.begin(key)
            await self._notify()
            try:
                await self._images.look_again(environment.name)
                yield
            finally:
                self._needs.end(key)
                await unhurried(self._trim())
                await unhurried(self._notify())

    def again(self, environment: Environment, /) -> None:
        if environment.name in self._keys:
            self._needs.again(self._keys[environment.name])

    async def ready(self, environment: Environment) -> Image:
        """The image of an environment that is needed now."""
        return await self._ready(environment, inf)

    async def _key(self, environment: Environment) -> str:
        if environment.name not in self._keys:
            try:
                key = await in_thread(_key, environment)
            except (UsageError, OSError):  # a recipe that cannot be read: its attempts will say so
                key = environment.name
            self._keys[environment.name] = key
        return self._keys[environment.name]

    async def _fetch_all(self, due: Sequence[Environment]) -> None:
        """Images in the order of need, at most so many of them waiting to be used."""
        order = list({e.name: e for e in due if e.image}.values())
        async with asyncio.TaskGroup() as group:
            for environment in order:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._waiting() < self._ahead)
                if not self._needs.using[self._keys[environment.name]]:
                    self._fetched.add(environment.name)
                    group.create_task(self._fetch(environment))

    def _waiting(self) -> int:
        return sum(not self._needs.using[self._keys[name]] for name in self._fetched)

    async def _fetch(self, environment: Environment) -> None:
        with suppress(Fault):  # the attempt that opens it meets it again, and is told
            await self._ready(environment, self._needs.next(self._keys[environment.name]))

    async def _ready(self, environment: Environment, before: float) -> Image:
        """`before`: what is needed sooner than then has to stay."""

        async def room(name: str) -> None:
            await self._room(name, self._keys[environment.name], before)

        await self._key(environment)
        try:
            return await self._images.ready(environment, room)
        finally:
            self._short.discard(environment.name)
            if self._reserved.pop(environment.name, None) is not None:
                await self._trim()

    async def _room(self, name: str, key: str, sooner: float) -> None:
        """Return once the image may be pulled; Fault if there will be no room for it."""
        if self._budget is None:
            return
        waited, guess = 0.0, True
        while not await self._reserve(name, sooner, guess=guess):
            self._short.add(key)
            if {one for one, count in self._needs.using.items() if count} <= self._short:
                guess = False  # nobody of ours can make room: what is sure to be needed must do
                if waited >= PATIENCE_SECONDS:
                    raise Fault("sandbox", await self._full(name))
            waited += LOOK_SECONDS
            async with self._changed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)
            if self._needs.using[key]:
                sooner = inf
        self._short.discard(key)

    async def _reserve(self, name: str, sooner: float, *, guess: bool) -> bool:
        """Whether there is room now, other images having gone for it as far as they may.

        What an image will take is a guess; without it, no less than its download is sure.
        """
        assert self._budget is not None
        async with self._making_room:
            while True:
                survey = await self._survey()
                need = self._need(name, survey, guess=guess)
                if need > self._budget and not guess:
                    raise Fault("sandbox", _too_large(name, need, self._budget))
                others = sum(size for of, size in self._reserved.items() if of != name)
                if survey.used + others + need <= self._budget:
                    self._reserved[name] = need
                    return True
                if not await self._evict_one(survey, sooner):
                    return False

    async def _survey(self) -> Survey:
        return await in_thread(self._shelf.survey, frozenset(self._keys.values()))

    async def _trim(self) -> None:
        """Back within the budget: a size was a guess, or a view was made."""
        if self._budget is None:
            return
        async with self._making_room:
            with suppress(Fault), blame("sandbox"):
                survey = await self._survey()
                while survey.used > self._budget and await self._evict_one(survey, inf):
                    survey = await self._survey()

    def _need(self, name: str, survey: Survey, *, guess: bool) -> int:
        """Bytes that an image will add: layers that are not here; unknown, as much as others do."""
        if name in self._packed:
            wanted = self._packed[name]
            factor = unpacked(self._packed.values(), survey.sizes)[0] if guess else 1
            return round(factor * sum(wanted[k] for k in wanted.keys() - survey.sizes.keys()))
        if not guess:
            return 0
        taken = [survey.freed_by(item) for item in survey.items if item.marks]
        return sum(taken) // len(taken) if taken else 0

    async def _evict_one(self, survey: Survey, sooner: float) -> bool:
        """Whether something that may go has gone."""
        for item in sorted(survey.items, key=self._next, reverse=True):
            when = self._next(item)
            if when == 0 or (when != inf and when <= sooner and sooner != inf):
                continue
            if await unhurried(in_thread(self._shelf.remove, item)):
                for id_ in (item.id, *item.views.values()):
                    self._forget(id_)
                self._say(f"removed {item.name}: {spoken(survey.freed_by(item))}")
                return True
        return False

    def _next(self, item: Item) -> float:
        return min(map(self._needs.next, item.keys), default=inf)

    async def _full(self, name: str) -> str:
        survey = await self._survey()
        need = self._need(name, survey, guess=True)
        return (
            f"no room for {name}: it needs about {spoken(need)}, and of --disk "
            f"{spoken(self._budget or 0)} images in use take {spoken(survey.used)}"
        )

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _too_large(name: str, need: int, budget: int) -> str:
    return f"image {name} needs {spoken(need)}, more than --disk {spoken(budget)}: raise it"


def _key(environment: Environment) -> str:
    if environment.image:
        return Reference.parse(environment.image).key
    return Reference.parse(built_name(Recipe.load(environment.recipe))).key
