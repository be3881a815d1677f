"""`python -m yeoul.kernels`: compiles the kernels ahead of their first use, for images and installations."""

from __future__ import annotations

from yeoul.kernels import warm_up

if __name__ == "__main__":
    warm_up()
