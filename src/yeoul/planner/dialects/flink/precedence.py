"""How tightly operators bind: the higher the number, the tighter.

Source: the precedence is Calcite's, https://calcite.apache.org/docs/reference.html#operator-precedence
"""

from __future__ import annotations

from sqlglot import exp

from yeoul.planner.dialects.flink.lexer import TokenType

__all__ = ["AND", "BINARY_OPERATORS", "COMPARE", "IS", "NOT", "OR", "RANGE", "UNARY"]

OR, AND, NOT, IS, COMPARE, RANGE, ADD, MULTIPLY, UNARY = 22, 24, 26, 28, 30, 32, 40, 60, 80

BINARY_OPERATORS: dict[TokenType, tuple[int, type[exp.Binary]]] = {
    TokenType.EQ: (COMPARE, exp.EQ),
    TokenType.NEQ: (COMPARE, exp.NEQ),
    TokenType.LT: (COMPARE, exp.LT),
    TokenType.LTE: (COMPARE, exp.LTE),
    TokenType.GT: (COMPARE, exp.GT),
    TokenType.GTE: (COMPARE, exp.GTE),
    TokenType.PLUS: (ADD, exp.Add),
    TokenType.DASH: (ADD, exp.Sub),
    TokenType.STAR: (MULTIPLY, exp.Mul),
    TokenType.SLASH: (MULTIPLY, exp.Div),
    TokenType.MOD: (MULTIPLY, exp.Mod),
    TokenType.DPIPE: (MULTIPLY, exp.DPipe),
}
