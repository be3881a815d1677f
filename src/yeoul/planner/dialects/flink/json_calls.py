"""The grammar of the JSON functions, whose arguments have words of their own: RETURNING, ON EMPTY, ABSENT ON NULL.

Every clause becomes an argument, in a fixed place, with its default where it was left out: `yeoul.plan.functions.json`
says which. Source: the SQL standard's JSON chapter as Calcite has it, https://calcite.apache.org/docs/reference.html
"""

from __future__ import annotations

from sqlglot import exp

from yeoul.plan import types
from yeoul.plan.types import Kind
from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.dialects.flink.nodes import FunctionCall
from yeoul.planner.dialects.flink.types import TypeGrammar

__all__ = ["JsonGrammar"]

_RETURNED = {Kind.STRING: "STRING", Kind.BOOLEAN: "BOOLEAN", Kind.INT: "INT", Kind.DOUBLE: "DOUBLE"}
_SHAPES = ("VALUE", "SCALAR", "ARRAY", "OBJECT")


def _word(text: str) -> exp.Expr:
    return exp.Literal.string(text)


class JsonGrammar(TypeGrammar):
    """Reads the arguments of JSON functions, past their opening parenthesis."""

    def expression_(self, power: int = 0) -> exp.Expr:
        """Reads an expression; filled in by the grammar of expressions above this one."""
        raise NotImplementedError

    def is_json(self, left: exp.Expr, token: Token) -> exp.Expr:
        """Reads what follows `x IS [NOT] JSON`."""
        shape = next((word for word in _SHAPES if self.take_word(word)), "VALUE")
        return self.at(FunctionCall(this="IS_JSON", expressions=[left, _word(shape)]), token)

    def json_value(self) -> exp.Expr:
        """`json, path [RETURNING type] [behaviour ON EMPTY] [behaviour ON ERROR]`."""
        arguments = self._json_and_path()
        returned = "STRING"
        if self.take_word("RETURNING"):
            at = self._curr
            type = self.type()
            if type.kind not in _RETURNED:
                self._advance(self._tokens.index(at) - self._index)
                self.fail("STRING, BOOLEAN, INTEGER or DOUBLE after RETURNING")
            returned = _RETURNED[type.kind]
        given: dict[str, tuple[exp.Expr, exp.Expr]] = {
            event: (_word("NULL"), exp.Null()) for event in ("EMPTY", "ERROR")
        }
        while self.sees_any_word(frozenset({"NULL", "ERROR", "DEFAULT"})):
            behaviour = self._curr.text.upper()
            self._advance()
            default: exp.Expr = self.expression_() if behaviour == "DEFAULT" else exp.Null()
            given[self._on("EMPTY", "ERROR")] = (_word(behaviour), default)
        if returned == "STRING" and all(
            isinstance(one[1], exp.Null) and one[0].this == "NULL" for one in given.values()
        ):
            return FunctionCall(this="JSON_VALUE", expressions=arguments)
        clauses = [_word(returned), *given["EMPTY"], *given["ERROR"]]
        return FunctionCall(this="JSON_VALUE", expressions=[*arguments, *clauses])

    def json_query(self) -> exp.Expr:
        """`json, path [RETURNING type] [wrapper] [behaviour ON EMPTY] [behaviour ON ERROR]`."""
        arguments = self._json_and_path()
        returned = "STRING"
        if self.take_word("RETURNING"):
            type = self.type()
            if type.same_as(types.array_of(types.STRING)):
                returned = "ARRAY"
            elif type.kind is not Kind.STRING:
                self.fail("RETURNING STRING or ARRAY<STRING>")
        wrapper = self._wrapper()
        given = {"EMPTY": _word("NULL"), "ERROR": _word("NULL")}
        while self.sees_any_word(frozenset({"NULL", "ERROR", "EMPTY"})):
            behaviour = self._curr.text.upper()
            self._advance()
            if behaviour == "EMPTY":
                behaviour = "EMPTY OBJECT" if self.take_word("OBJECT") else "EMPTY ARRAY"
                self.take_word("ARRAY")
            given[self._on("EMPTY", "ERROR")] = _word(behaviour)
        if (returned, wrapper, given["EMPTY"].this, given["ERROR"].this) == ("STRING", "WITHOUT", "NULL", "NULL"):
            return FunctionCall(this="JSON_QUERY", expressions=arguments)
        clauses = [_word(returned), _word(wrapper), given["EMPTY"], given["ERROR"]]
        return FunctionCall(this="JSON_QUERY", expressions=[*arguments, *clauses])

    def json_exists(self) -> exp.Expr:
        """`json, path [TRUE | FALSE | UNKNOWN | ERROR ON ERROR]`."""
        arguments = self._json_and_path()
        for word in ("TRUE", "FALSE", "UNKNOWN", "ERROR"):
            if self.take_word(word):
                self._on("ERROR")
                arguments.append(_word(word))
                break
        return FunctionCall(this="JSON_EXISTS", expressions=arguments)

    def json_object(self) -> exp.Expr:
        """`[[KEY] key VALUE value | key : value] [, ...] [NULL | ABSENT ON NULL]`."""
        pairs = [] if self._at_clause_or_end() else self._pairs()
        return FunctionCall(this="JSON_OBJECT", expressions=[_word(self._on_null("NULL")), *pairs])

    def json_objectagg(self) -> exp.Expr:
        """`[KEY] key VALUE value [NULL | ABSENT ON NULL]`."""
        pair = self._pair()
        return FunctionCall(this=f"JSON_OBJECTAGG_{self._on_null('NULL')}_ON_NULL", expressions=pair)

    def json_array(self) -> exp.Expr:
        """`[value, ...] [NULL | ABSENT ON NULL]`."""
        items = [] if self._at_clause_or_end() else [self.expression_()]
        while items and self.take(TokenType.COMMA):
            items.append(self.expression_())
        return FunctionCall(this="JSON_ARRAY", expressions=[_word(self._on_null("ABSENT")), *items])

    def json_arrayagg(self) -> exp.Expr:
        """`value [NULL | ABSENT ON NULL]`."""
        item = self.expression_()
        return FunctionCall(this=f"JSON_ARRAYAGG_{self._on_null('ABSENT')}_ON_NULL", expressions=[item])

    def _json_and_path(self) -> list[exp.Expr]:
        document = self.expression_()
        self.expect(TokenType.COMMA, "',' and a path")
        return [document, self.expression_()]

    def _at_clause_or_end(self) -> bool:
        clause = self.sees_word("NULL", "ON", "NULL") or self.sees_word("ABSENT", "ON", "NULL")
        return clause or self.sees(TokenType.R_PAREN)

    def _pairs(self) -> list[exp.Expr]:
        pairs = self._pair()
        while self.take(TokenType.COMMA):
            pairs.extend(self._pair())
        return pairs

    def _pair(self) -> list[exp.Expr]:
        if self.sees_word("KEY") and not self.sees(TokenType.COMMA, ahead=1):
            self._advance()
        key = self.expression_()
        if not (self.take_word("VALUE") or self.take(TokenType.COLON)):
            self.fail("VALUE after a key", hint="JSON_OBJECT(KEY 'name' VALUE x)")
        return [key, self.expression_()]

    def _on_null(self, default: str) -> str:
        for word in ("NULL", "ABSENT"):
            if self.take_word(word):
                self._on("NULL")
                return word
        return default

    def _on(self, *events: str) -> str:
        self.expect_word("ON")
        for event in events:
            if self.take_word(event):
                return event
        self.fail(" or ".join(events))

    def _wrapper(self) -> str:
        kind = "WITHOUT"
        if self.take_word("WITHOUT"):
            self.take_word("ARRAY")
            self.expect_word("WRAPPER")
        elif self.take_word("WITH"):
            kind = "CONDITIONAL" if self.take_word("CONDITIONAL") else "UNCONDITIONAL"
            self.take_word("UNCONDITIONAL")
            self.take_word("ARRAY")
            self.expect_word("WRAPPER")
        return kind
