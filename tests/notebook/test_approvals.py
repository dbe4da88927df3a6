"""Leave is given for one call, or for one function as it is now; it is asked with all that one should know."""

from __future__ import annotations

import asyncio

from msgspec import structs

from nbgemini.messages.events import ToolCall
from nbgemini.notebook.approvals import AlwaysAllowed, Approvals
from nbgemini.tools.decorator import declare

CALL = ToolCall("add", {"a": 1})


def add(a: int) -> int:
    """Add."""
    return a


def other(a: int) -> int:
    """Add, differently."""
    return a + 1


async def asked(approvals, tool, verdict):
    """Ask about a call, give the verdict if the question stands, and return the decision and whether it was asked."""
    asking = asyncio.create_task(approvals(tool, CALL, 0))
    await asyncio.sleep(0)
    stood = bool(approvals.choices(0))
    approvals.decide(0, verdict)
    return await asking, stood


async def test_once_is_for_one_call():
    approvals = Approvals(AlwaysAllowed())
    assert await asked(approvals, declare(add), "once") == (True, True)
    assert await asked(approvals, declare(add), "refuse") == (False, True)
    assert approvals.choices(0) == ()


async def test_always_is_for_one_function_as_it_is_in_all_replies():
    """Under the same name another function asks anew."""
    always = AlwaysAllowed()
    assert await asked(Approvals(always), declare(add), "always") == (True, True)
    assert await asked(Approvals(always), declare(add), "refuse") == (True, False)
    assert await asked(Approvals(always), declare(other, name="add"), "refuse") == (False, True)
    assert await asked(Approvals(AlwaysAllowed()), declare(add), "refuse") == (False, True)


async def test_always_ends_with_what_the_function_runs_also_within_one_reply():
    space = {}
    exec("def low(a):\n    return a\ndef add(a: int):\n    return low(a)", space)
    tool, always = declare(space["add"]), AlwaysAllowed()
    assert await asked(Approvals(always), tool, "always") == (True, True)
    assert await asked(Approvals(always), tool, "refuse") == (True, False)
    exec("def low(a):\n    return -a", space)
    assert await asked(Approvals(always), tool, "refuse") == (False, True)


async def test_always_for_the_method_of_one_object_is_not_for_that_of_another():
    class Disk:
        def delete(self, a: int):
            return a

    one, other, always = Disk(), Disk(), AlwaysAllowed()
    assert await asked(Approvals(always), declare(one.delete), "always") == (True, True)
    assert await asked(Approvals(always), declare(one.delete), "refuse") == (True, False)
    assert await asked(Approvals(always), declare(other.delete), "refuse") == (False, True)


async def test_a_guarded_tool_is_asked_about_each_time():
    """Also if it was always allowed in harmless company, and if a click says so that no button offers."""
    always = AlwaysAllowed()
    await asked(Approvals(always), declare(add), "always")
    guarded = structs.replace(declare(add), guarded=True)
    assert await asked(Approvals(always), guarded, "refuse") == (False, True)
    other_kernel = Approvals(AlwaysAllowed())
    asking = asyncio.create_task(other_kernel(guarded, CALL, 0))
    await asyncio.sleep(0)
    assert other_kernel.choices(0) == ("once", "refuse")
    other_kernel.decide(0, "always")
    assert await asking
    assert await asked(other_kernel, guarded, "refuse") == (False, True)


async def test_where_a_function_is_written_is_said_as_its_reader_knows_it():
    approvals = Approvals(AlwaysAllowed(), lambda file: "cell 3" if file == __file__ else file)
    asking = asyncio.create_task(approvals(declare(add), CALL, 7))
    await asyncio.sleep(0)
    assert approvals.where(7) == f"defined in cell 3, line {add.__code__.co_firstlineno}"
    assert approvals.where(0) == ""
    asking.cancel()
    await asyncio.wait([asking])
    assert approvals.where(7) == ""


async def test_a_verdict_after_the_first_changes_nothing():
    approvals = Approvals(AlwaysAllowed())
    asking = asyncio.create_task(approvals(declare(add), CALL, 0))
    await asyncio.sleep(0)
    for verdict in ("refuse", "once", "always"):
        approvals.decide(0, verdict)
    assert not await asking
    approvals.decide(0, "once")
