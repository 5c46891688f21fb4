"""Prints what a program can see of how it was started."""
import os
import signal
import sys

here = os.path.dirname(__file__)
module = sys.modules["__main__"]
names = {name: value for name, value in vars(module).items() if name.startswith("__") and name != "__warningregistry__"}
for name in sorted(names):
    value = names[name]
    if name in ("__builtins__", "__spec__", "__doc__"):
        value = type(value).__name__
    elif name == "__loader__" and not isinstance(value, type):
        value = (type(value).__name__, getattr(value, "name", None), getattr(value, "path", None))
    print(name, value)
print(module.__name__, vars(module) is globals(), sorted(n for n in vars(module) if not n.startswith("__")))
print("argv", sys.argv, getattr(sys, "orig_argv", None))
print("path", sys.path)
print("flags", sys.flags)
print("code", sys._getframe().f_code.co_filename)
print("hooks", sys.getprofile(), sys.gettrace(), sys.excepthook is sys.__excepthook__)
if hasattr(signal, "SIGTERM"):
    print("signal", signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGTERM, signal.SIG_DFL))
if hasattr(sys, "monitoring"):
    print("tools", [sys.monitoring.get_tool(i) for i in range(6)])
os.chdir("/")
print("after a change of folder", os.path.exists(os.path.join(here, "app.py")), os.path.isabs(__file__))
