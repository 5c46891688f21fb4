"""Exact calls of the program's own coroutines before Python 3.12: their source gets a stamp at each end.

Modules outside of the standard library and of installed packages that hold `async def` are compiled from a changed tree, where
the body of each coroutine function stands in try/finally between two calls. Lines, signatures and tracebacks stay what they are.
Generators are left alone: what yields has no two ends.
"""
import builtins
import os
import sys

agent = globals()["agent"]
INTO, OUT = "__inferscope_in__", "__inferscope_out__"
LIBRARIES = ("site-packages", "dist-packages")
STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


class Finder:
    """In front of the finder of files."""

    def __init__(self):
        # By number: file, qualified name, first line; and the word of a START once that is known.
        self.symbols, self.words = [], []
        # By file, first line and name.
        self.known = {}

    def begin(self):
        from importlib.machinery import PathFinder

        setattr(builtins, INTO, ignore)
        setattr(builtins, OUT, ignore)
        # Built-in modules stay in front of files of their names.
        sys.meta_path.insert(sys.meta_path.index(PathFinder), self)

    def find_spec(self, name, path=None, target=None):
        from importlib.machinery import PathFinder, SourceFileLoader

        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or not is_own(spec.origin):
            return spec
        loader = spec.loader
        plain = loader.get_code

        def get_code(fullname):
            try:
                code = self.compile(loader.get_data(spec.origin), spec.origin)
            except Exception:
                # Whatever is wrong with the source, the interpreter says it better.
                code = None
            return plain(fullname) if code is None else code

        loader.get_code = agent.unseen(get_code)
        return spec

    def compile(self, source, path):
        """The changed code of a file; None where there is nothing to change."""
        if b"async def" not in source or not is_own(path):
            return None
        import ast

        tree = ast.parse(source, path)
        Change(ast, self, path).visit(tree)
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)

    def number(self, path, name, line, short):
        self.symbols.append((path, name, str(line)))
        self.words.append(None)
        self.known[path, line, short] = len(self.symbols) - 1
        return len(self.symbols) - 1

    def bind(self, r, books):
        """From now on calls are recorded."""
        local, now, words, START = books.local, r.now, self.words, r.START
        frame, exc_info = sys._getframe, sys.exc_info
        books.known = self.symbol_of

        def word_of(number):
            word = words[number] = START | books.symbol(self.symbols[number]) << 8
            return word

        def into(number):
            try:
                s = getattr(local, "s", None)
                if s is None or s.cur is None:
                    return
                word = words[number] or word_of(number)
                i = s.i
                try:
                    s.mv[i + 1] = word
                except IndexError:
                    s.put(word)
                    return
                s.mv[i] = now()
                s.i = i + 2
            except Exception as error:
                books.guard(error)

        def out(number):
            try:
                s = getattr(local, "s", None)
                if s is None or s.cur is None:
                    return
                word = (words[number] or word_of(number)) + 1
                error = exc_info()[1]
                if error is not None:
                    trace = error.__traceback__
                    # Not one that somebody further out handles.
                    if trace is not None and trace.tb_frame is frame(1):
                        if isinstance(error, GeneratorExit):
                            # Thrown away, in whoever's step that is.
                            return
                        name = books.symbol((type(error).__name__,)) & 0xFFFFFF
                        word = r.UNWIND | (word >> 8 & 0xFFFFFF) << 8 | name << 40
                i = s.i
                try:
                    s.mv[i + 1] = word
                except IndexError:
                    s.put(word)
                    return
                s.mv[i] = now()
                s.i = i + 2
            except Exception as error:
                books.guard(error)

        def take_back():
            setattr(builtins, INTO, ignore)
            setattr(builtins, OUT, ignore)
            if self in sys.meta_path:
                sys.meta_path.remove(self)

        setattr(builtins, INTO, into)
        setattr(builtins, OUT, out)
        books.at_stop.append(take_back)

    def symbol_of(self, code):
        """What a code object of a changed file is called."""
        number = self.known.get((code.co_filename, code.co_firstlineno, code.co_name))
        return None if number is None else self.symbols[number]


def ignore(number):
    """Before asyncio is there, and after something went wrong."""


def is_own(path):
    path = os.path.abspath(path)
    return not path.startswith(STANDARD) and not any(part in path for part in LIBRARIES)


def Change(ast, finder, path):
    """A visitor that changes a tree. `ast` is imported only when there is one."""

    class Visitor(ast.NodeTransformer):
        names = []

        def within(self, node, *names):
            self.names = self.names + list(names)
            self.generic_visit(node)
            self.names = self.names[: len(self.names) - len(names)]
            return node

        def visit_ClassDef(self, node):
            return self.within(node, node.name)

        def visit_FunctionDef(self, node):
            return self.within(node, node.name, "<locals>")

        def visit_Lambda(self, node):
            return self.within(node, "<lambda>", "<locals>")

        def visit_AsyncFunctionDef(self, node):
            name = ".".join(self.names + [node.name])
            self.within(node, node.name, "<locals>")
            if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in own_nodes(node)):
                return node
            line = min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])
            number = finder.number(path, name, line, node.name)
            first = node.body[0]
            text = isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str)
            head, rest = (node.body[:1], node.body[1:]) if text else ([], node.body)
            rest = rest or [ast.copy_location(ast.Pass(), first)]

            def stamp(function, at):
                made = ast.Call(ast.Name(function, ast.Load()), [ast.Constant(number, kind=None)], [])
                # Code may be sent to a process that knows nothing of us.
                unknown = ast.ExceptHandler(ast.Name("NameError", ast.Load()), None, [ast.Pass()])
                stamped = ast.Try([ast.copy_location(ast.Expr(made), at)], [unknown], [], [])
                # Whoever follows lines is where the program is: at its first and its last statement.
                return ast.fix_missing_locations(ast.copy_location(stamped, at))

            around = ast.copy_location(ast.Try(rest, [], [], [stamp(OUT, last_of(rest))]), rest[0])
            node.body = head + [stamp(INTO, rest[0]), around]
            return node

    def last_of(body):
        """The statement that stands last, in whatever block."""
        while True:
            last = body[-1]
            if isinstance(last, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                return last
            blocks = [getattr(last, part, None) for part in ("finalbody", "orelse", "handlers", "cases", "body")]
            body = next((block for block in blocks if isinstance(block, list) and block), None)
            if body is None:
                return last

    def own_nodes(function):
        """The nodes of a function without those of functions in it."""
        todo = list(function.body)
        while todo:
            node = todo.pop()
            yield node
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
                todo.extend(ast.iter_child_nodes(node))

    return Visitor()
