"""Uses profilers of its own in every way that the standard library has, and says what they saw."""
import cProfile
import sys


def work(n):
    return sum(range(n))


def before():
    return work(1000)


def inside():
    return work(30000)


def after():
    return work(1000)


def seen(profile):
    profile.create_stats()
    return sorted(key[2] for key in profile.stats)


before()
own = cProfile.Profile()
own.enable()
inside()
own.disable()
names = seen(own)
print("own profile ok", "inside" in names)
print(names)
print(seen(cProfile.Profile()))
before()
if sys.version_info >= (3, 12):
    tools = sys.monitoring
    tools.use_tool_id(tools.PROFILER_ID, "mine")
    print(tools.get_tool(tools.PROFILER_ID))
    try:
        tools.use_tool_id(tools.PROFILER_ID, "another")
    except ValueError as error:
        print(error)
    tools.free_tool_id(tools.PROFILER_ID)
    print(tools.get_tool(tools.PROFILER_ID))
    tools.free_tool_id(tools.PROFILER_ID)
    try:
        tools.use_tool_id()
    except TypeError:
        print("an error, as ever")
after()
events = []
print(sys.getprofile())
sys.setprofile(lambda _frame, event, _arg: events.append(event))
work(3)
sys.setprofile(None)
print("call" in events and "return" in events, sys.getprofile())
sys.exit(5)
