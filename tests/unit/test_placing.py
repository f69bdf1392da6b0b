"""Attempts go where their image is, and nobody idles or waits for ever over it."""

from __future__ import annotations

from collections import deque

from harness.executors.placing import Berth, Placing
from harness.types import Attempt, TaskId


def attempt(image: str, repeat: int = 0) -> Attempt:
    return Attempt(TaskId(image), "c", repeat)


def image_of(one: Attempt) -> str:
    return "" if one.task == "none" else one.task


def test_an_attempt_goes_to_the_node_that_has_its_image() -> None:
    berths = [Berth("a", 4), Berth("b", 4, busy=3, images={"x"})]
    assert Placing(image_of).next([attempt("x")], berths) == (attempt("x"), berths[1])


def test_an_image_that_nobody_has_goes_where_most_is_free() -> None:
    berths = [Berth("a", 4, busy=1), Berth("b", 8, busy=1)]
    assert Placing(image_of).next([attempt("x")], berths) == (attempt("x"), berths[1])


def test_a_free_node_takes_the_next_attempt_that_suits_it_out_of_turn() -> None:
    queue = [attempt("x"), attempt("y")]
    full, free = Berth("a", 1, busy=1, images={"x"}), Berth("b", 1, images={"y"})
    assert Placing(image_of).next(queue, [full, free]) == (attempt("y"), free)


def test_a_free_node_does_not_wait_for_a_busy_one_that_has_the_image() -> None:
    full, free = Berth("a", 1, busy=1, images={"x"}), Berth("b", 1)
    assert Placing(image_of).next([attempt("x")], [full, free]) == (attempt("x"), free)


def test_nobody_is_passed_over_for_ever() -> None:
    placing, berth = Placing(image_of), Berth("b", 2, images={"y"})
    queue = deque([attempt("x"), *(attempt("y", n) for n in range(50))])
    begun = []
    while attempt("x") not in begun:
        chosen = placing.next(queue, [berth, Berth("a", 2, busy=2, images={"x"})])
        assert chosen
        begun.append(chosen[0])
        queue.remove(chosen[0])
    assert len(begun) == 5, "once for each box of the cluster, and then it is its turn"


def test_nothing_begins_where_there_is_no_room_or_no_health() -> None:
    berths = [Berth("a", 1, busy=1), Berth("b", 1, aside=True)]
    assert Placing(image_of).next([attempt("x")], berths) is None
    assert Placing(image_of).next([], [Berth("c", 1)]) is None


def test_attempts_without_an_image_spread() -> None:
    berths = [Berth("a", 2), Berth("b", 2)]
    placing, queue = Placing(image_of), [Attempt(TaskId("none"), "c", n) for n in range(4)]
    for _ in range(4):
        chosen = placing.next(queue, berths)
        assert chosen
        queue.remove(chosen[0])
        chosen[1].busy += 1
    assert [berth.busy for berth in berths] == [2, 2]


def test_a_node_makes_ready_for_the_next_that_suit_it() -> None:
    queue = [attempt("y"), attempt("x"), attempt("x", 1), attempt("new")]
    berth, other = Berth("a", 8, images={"x"}), Berth("b", 8, images={"y"})
    assert Placing(image_of).soon(queue, berth, [berth, other]) == [attempt("x"), attempt("x", 1)]


def test_an_image_that_nobody_has_is_fetched_ahead_on_one_node_alone() -> None:
    placing, queue = Placing(image_of), [attempt("x"), attempt("y")]
    first, second = Berth("a", 1), Berth("b", 1)
    assert placing.soon(queue, first, [first, second]) == [attempt("x")]
    assert placing.soon(queue, second, [first, second]) == [attempt("y")]
    assert placing.next(queue, [second]) == (attempt("y"), second)
