"""Runs a plan: builds operators, schedules sources, follows watermarks, keeps late and dead rows, pushes back."""
