"""The one door through which a graph changes: every change is told to listeners and can be rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from y10c.errors import InternalError
from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import TensorType, Type, more_precise
from y10c.ir.value import Op, Value
from y10c.rewrite.builder import OpBuilder, as_tensor

if TYPE_CHECKING:
    from y10c.rewrite.rule import Rule


class Listener:
    """Hears of every change; subclasses override what they care about."""

    def inserted(self, op: Op) -> None:
        """`op` was put into the graph."""

    def erased(self, op: Op) -> None:
        """`op` was taken out; its operands are still readable."""

    def modified(self, op: Op) -> None:
        """An operand or attribute of `op` changed."""

    def replaced(self, old: Value, new: Value) -> None:
        """Every use of `old` now reads `new`."""

    def fired(self, rule: Rule, root: Op) -> None:
        """A rule fired at `root`, which is out of the graph now, as is whatever died with it."""

    def raised(self, rule: Rule, root: Op) -> None:
        """A rule raised at `root`; what it had done is rolled back."""


class RewriteError(InternalError):
    """A change that would break the graph; the transaction around it is rolled back."""


class Rewriter:
    """Changes a graph and its nested graphs.

    Args:
        graph: The graph to change.
        listeners: Who hears of the changes.
        by: The rule or pass that new ops are said to be made by.
    """

    def __init__(self, graph: Graph, listeners: Iterable[Listener] = (), by: str = "") -> None:
        self.graph = graph
        self.listeners = list(listeners)
        self.by = by
        self.op = OpBuilder(self)
        self._anchor: Op = graph.terminator
        self._undo: list[Callable[[], None]] | None = None

    # --- where new ops go ---

    @contextmanager
    def before(self, op: Op) -> Iterator[None]:
        """New ops go in front of `op`."""
        saved, self._anchor = self._anchor, op
        try:
            yield
        finally:
            self._anchor = saved

    @contextmanager
    def after(self, value: Value, graph: Graph | None = None) -> Iterator[None]:
        """New ops go right behind the op that makes `value`, or to the front where it is an input."""
        home = graph or self.graph
        producer = value.producer
        anchor = producer._next if producer is not None else home._first
        assert anchor is not None
        with self.before(anchor):
            yield

    # --- changes ---

    def const(self, data: Any) -> Value:
        """A constant; equal data gives the same value. Python floats become float32, integers int64."""
        return self.graph.root.constant(as_tensor(data))

    def insert(self, op: Op) -> None:
        """Put a new op at the place of insertion."""
        graph = self._anchor.graph
        assert graph is not None
        graph._insert_before(op, self._anchor)
        self._remember(lambda: graph._remove(op))
        for listener in self.listeners:
            listener.inserted(op)

    def erase(self, op: Op) -> None:
        """Take out an op that nobody reads.

        Raises:
            RewriteError: A result is still read.
        """
        if any(r._uses for r in op.results):
            raise RewriteError(f"{op.name} {op.location!r} cannot be erased: its result is still read")
        graph, following = op.graph, op._next
        assert graph is not None
        assert following is not None
        inner = [i for g in op.graphs for i in (*g.walk(), g.terminator)]
        for nested in inner:
            nested._unlink_uses()
        graph._remove(op)

        def restore() -> None:
            graph._insert_before(op, following)
            for nested in inner:
                nested._link_uses()

        self._remember(restore)
        for listener in self.listeners:
            listener.erased(op)

    def replace(self, op: Op, values: Value | Sequence[Value | None]) -> None:
        """Let every reader of `op`'s results read `values` instead, and erase `op`.

        Raises:
            RewriteError: The number of values, or a type, does not fit.
        """
        new = [values] if isinstance(values, Value) else list(values)
        if len(new) != len(op.results):
            raise RewriteError(f"{op.name} has {len(op.results)} results, the replacement {len(new)}")
        for old, value in zip(op.results, new, strict=True):
            if value is not None:
                self.replace_uses(old, value)
        self.erase(op)

    def replace_uses(self, old: Value, new: Value, only: Callable[[Op], bool] | None = None) -> None:
        """Let the readers of `old` (those for which `only` holds) read `new`.

        Where all readers move, `new` also takes over the lineage, and the name if it has none.

        Raises:
            RewriteError: The types cannot be the same value's.
        """
        if old is new:
            return
        _check_same_kind(old, new)
        for use in old.uses:
            if only is None or only(use.op):
                self.set_operand(use.op, use.index, new)
        if only is None:
            self._take_over(old, new)
            for listener in self.listeners:
                listener.replaced(old, new)

    def set_operand(self, op: Op, index: int, value: Value | None) -> None:
        """Change what an op reads at one place."""
        self.set_operands(op, (*op.operands[:index], value, *op.operands[index + 1 :]))

    def set_operands(self, op: Op, operands: Sequence[Value | None]) -> None:
        """Change everything that an op reads."""
        before = op.operands
        op._set_operands(tuple(operands))
        self._remember(lambda: op._set_operands(before))
        for listener in self.listeners:
            listener.modified(op)

    def set_attrs(self, op: Op, **changes: Any) -> None:
        """Change attributes in place; None removes one. The caller keeps the result types true."""
        before = op.attrs
        op.attrs = before.updated(**changes)
        self._remember(lambda: setattr(op, "attrs", before))
        for listener in self.listeners:
            listener.modified(op)

    def set_type(self, value: Value, type: Type | None) -> None:
        """Say more precisely what a value is."""
        before = value.type
        value.type = type
        self._remember(lambda: setattr(value, "type", before))

    def set_outputs(self, values: Sequence[Value], names: Sequence[str]) -> None:
        """Change the outputs of the graph."""
        graph, before = self.graph, (self.graph.outputs, list(self.graph.output_names))
        graph.set_outputs(values, names)
        self._remember(lambda: graph.set_outputs(*before))
        for listener in self.listeners:
            listener.modified(graph.terminator)

    def set_inputs(self, values: Sequence[Value]) -> None:
        """Change the inputs of the graph; inputs that go may not be read any more.

        Raises:
            RewriteError: A dropped input is still read.
        """
        graph, before, defaults = self.graph, list(self.graph.inputs), dict(self.graph.defaults)
        for dropped in set(before) - set(values):
            if dropped._uses:
                raise RewriteError(f"input {dropped.name!r} is still read")
        self._place_inputs(graph, values, {v: t for v, t in defaults.items() if v in values})
        self._remember(lambda: self._place_inputs(graph, before, defaults))

    @staticmethod
    def _place_inputs(graph: Graph, values: Sequence[Value], defaults: dict[Value, Tensor]) -> None:
        graph.inputs, graph.defaults = list(values), defaults
        for index, value in enumerate(values):
            value.index = index

    def erase_dead(self, candidates: Iterable[Op] | None = None) -> int:
        """Erase ops whose results nobody reads, and whatever only they read; gives their number."""
        todo = list(self.graph.walk() if candidates is None else candidates)
        erased = 0
        while todo:
            op = todo.pop()
            if op.graph is None or op.is_terminator or any(r._uses for r in op.results):
                continue
            read = [v.producer for v in reads(op) if v.producer is not None]
            self.erase(op)
            erased += 1
            todo.extend(read)
        return erased

    # --- transactions ---

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens, or, where an exception leaves the block, nothing of it."""
        outer, self._undo = self._undo, []
        try:
            yield
        except BaseException:
            for undo in reversed(self._undo):
                undo()
            self._undo = outer
            raise
        if outer is not None:
            outer.extend(self._undo)
        self._undo = outer

    def _remember(self, undo: Callable[[], None]) -> None:
        if self._undo is not None:
            self._undo.append(undo)

    def _take_over(self, old: Value, new: Value) -> None:
        if new.tensor is not None:
            return  # it is shared by content: names of all the places that hold these numbers say nothing
        before = (new.lineage, new.name, new.type, new.notes)

        def restore() -> None:
            new.lineage, new.name, new.type, new.notes = before

        self._remember(restore)
        new.lineage = tuple(dict.fromkeys((*new.lineage, *old.lineage)))
        if new.producer is not None:
            new.name = new.name or old.name
            new.type = more_precise(new.type, old.type)
            new.notes = new.notes or old.notes


def reads(op: Op) -> Iterator[Value]:
    """Every value that an op or its nested graphs read."""
    yield from (v for v in op.operands if v is not None)
    for graph in op.graphs:
        for inner in (*graph.walk(), graph.terminator):
            yield from (v for v in inner.operands if v is not None)


def _check_same_kind(old: Value, new: Value) -> None:
    a, b = old.type, new.type
    if not (isinstance(a, TensorType) and isinstance(b, TensorType)):
        return
    same = a.dtype is b.dtype and (a.shape is None or b.shape is None or _compatible(a.shape, b.shape))
    if not same:
        raise RewriteError(f"a value of type {a} cannot be replaced by one of type {b}")


def _compatible(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    pairs = zip(a, b, strict=False)
    return len(a) == len(b) and all(
        x == y or not (isinstance(x, int) and isinstance(y, int)) for x, y in pairs
    )
