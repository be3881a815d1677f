"""The grammar of OVER: a window's specification, its frame, and the items of ORDER BY, which queries have too."""

from __future__ import annotations

from sqlglot import exp

from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.dialects.flink.nodes import FrameBound, FrameSyntax, OrderItem, OverCall, WindowSpec
from yeoul.planner.dialects.flink.types import TypeGrammar

__all__ = ["OverGrammar"]

_FRAMES = frozenset({"ROWS", "RANGE"})
_SPEC = "PARTITION BY, ORDER BY, ROWS or RANGE, or ')'"


class OverGrammar(TypeGrammar):
    """Reads what follows OVER and ORDER BY. `expression_` is filled in by the grammar of expressions above it."""

    def expression_(self, power: int = 0) -> exp.Expr:
        raise NotImplementedError

    def over(self, call: exp.Expr, token: Token) -> exp.Expr:
        """Reads OVER, if it comes next, behind a call that was read."""
        ignore_nulls = self.take_word("IGNORE", "NULLS")
        if not ignore_nulls:
            self.take_word("RESPECT", "NULLS")
        if not self.take_word("OVER"):
            if ignore_nulls:
                self.fail("OVER after IGNORE NULLS", keywords=("OVER",))
            return call
        window: exp.Expr = (
            self.window_spec() if self.sees(TokenType.L_PAREN) else self.name("'(' or a window's name after OVER")
        )
        return self.at(OverCall(this=call, expression=window, ignore_nulls=ignore_nulls), token)

    def window_spec(self) -> WindowSpec:
        """Reads `(base PARTITION BY ... ORDER BY ... ROWS BETWEEN ...)`, each part of which may be missing."""
        token = self._curr
        self.expect(TokenType.L_PAREN, "'('")
        spec = WindowSpec()
        if self._sees_base():
            spec.set("base", self.name("a window's name"))
        if self.take_word("PARTITION"):
            self.expect_word("BY")
            spec.set("expressions", self._list_of_expressions())
        if self.sees_word("ORDER"):
            spec.set("order", self.order_items())
        if self.sees_any_word(_FRAMES):
            spec.set("frame", self._frame())
        if not self.take(TokenType.R_PAREN):
            self.fail(_SPEC, keywords=("PARTITION", "ORDER", "ROWS", "RANGE"))
        return self.at(spec, token)

    def order_items(self) -> list[exp.Expr]:
        """Reads ORDER BY and its items."""
        self.expect_word("ORDER", "BY")
        items = [self._order_item()]
        while self.take(TokenType.COMMA):
            items.append(self._order_item())
        return items

    def _sees_base(self) -> bool:
        if self.sees(TokenType.IDENTIFIER):
            return True
        return self.sees(TokenType.VAR) and not self.sees_any_word(_FRAMES | {"PARTITION", "ORDER"})

    def _list_of_expressions(self) -> list[exp.Expr]:
        found = [self.expression_()]
        while self.take(TokenType.COMMA):
            found.append(self.expression_())
        return found

    def _order_item(self) -> exp.Expr:
        token = self._curr
        item = OrderItem(this=self.expression_())
        if self.take_word("DESC"):
            item.set("descending", True)
        else:
            self.take_word("ASC")
        if self.take_word("NULLS"):
            if not self.sees_any_word(frozenset({"FIRST", "LAST"})):
                self.fail("FIRST or LAST after NULLS", keywords=("FIRST", "LAST"))
            item.set("nulls_first", self.take_word("FIRST") or not self.take_word("LAST"))
        return self.at(item, token)

    def _frame(self) -> exp.Expr:
        token = self._curr
        self._advance()
        kind = token.text.upper()
        if self.take_word("BETWEEN"):
            low = self._frame_bound()
            self.expect_word("AND")
            high = self._frame_bound()
        else:
            low = self._frame_bound()
            high = self.at(FrameBound(kind="CURRENT"), token)
        return self.at(FrameSyntax(kind=kind, low=low, high=high), token)

    def _frame_bound(self) -> exp.Expr:
        token = self._curr
        if self.take_word("CURRENT"):
            self.expect_word("ROW")
            return self.at(FrameBound(kind="CURRENT"), token)
        if self.take_word("UNBOUNDED"):
            bound = FrameBound(kind="UNBOUNDED")
        else:
            bound = FrameBound(kind="OFFSET", this=self.expression_())
        if self.take_word("FOLLOWING"):
            bound.set("following", True)
        elif not self.take_word("PRECEDING"):
            self.fail("PRECEDING or FOLLOWING", keywords=("PRECEDING", "FOLLOWING"))
        return self.at(bound, token)
