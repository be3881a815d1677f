"""Expressions: names to columns of the input, calls to functions of the table, implicit casts put in.

`ExpressionBinder` sends each form of the syntax tree to its reader: names, literals, operators, calls, CASE and CAST.
"""

from yeoul.planner.binding.expressions.binder import ExpressionBinder, SubqueryBinding
from yeoul.planner.binding.expressions.calls import call

__all__ = ["ExpressionBinder", "SubqueryBinding", "call"]
