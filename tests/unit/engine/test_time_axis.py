"""Local time against Python's zoneinfo, through changes of the clocks."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from window_oracle import is_closed, local_ms

from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME
from yeoul.engine.operators.time_axis import TimeAxis

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "UTC"]
AXES = {zone: TimeAxis(zone) for zone in ZONES}
# Two years on both sides of 2024, in minutes; and the hours about two changes of Berlin's clocks.
INSTANTS = st.one_of(
    st.integers(27_880_000, 29_980_000),
    st.integers(28_530_700, 28_530_900),
    st.integers(28_833_000, 28_833_240),
).map(lambda minutes: minutes * 60_000)


@settings(max_examples=200, deadline=None)
@given(zone=st.sampled_from(ZONES), instants=st.lists(INSTANTS, min_size=1, max_size=6), rest=st.integers(0, 59_999))
def test_readings_are_what_the_wall_clock_shows(zone: str, instants: list[int], rest: int) -> None:
    moments = [instant + rest for instant in instants]
    times = pl.Series(moments, dtype=pl.Int64).cast(pl.Datetime("ms", "UTC"))
    assert AXES[zone].readings(times).to_list() == [local_ms(moment, zone) for moment in moments]


@settings(max_examples=200, deadline=None)
@given(
    zone=st.sampled_from(ZONES), instants=st.lists(INSTANTS, min_size=1, max_size=4), rest=st.sampled_from([0, 59_999])
)
def test_what_is_passed_is_the_last_reading_that_cannot_come_again(zone: str, instants: list[int], rest: int) -> None:
    axis, moments = AXES[zone], [instant + rest for instant in instants]
    passed = [axis.passed(moment) for moment in moments]
    assert axis.passed_each(pl.Series(moments, dtype=pl.Int64)).to_list() == passed
    for moment, last in zip(moments, passed, strict=True):
        assert is_closed(last + 1, moment, zone)
        assert not is_closed(last + 2, moment, zone)
        assert axis.instant(last) <= moment
        assert axis.passed(axis.instant(last)) >= last


def test_a_repeated_hour_is_passed_only_after_its_second_time() -> None:
    axis = AXES["Europe/Berlin"]
    first_02_59 = 1_729_990_740_000  # 2024-10-27 00:59 UTC, 02:59 summer time; at 01:00 UTC it is 02:00 again
    two = local_ms(first_02_59, "Europe/Berlin") - 59 * 60_000
    assert axis.passed(first_02_59) == two - 1
    assert axis.passed(first_02_59 + 60_000) == two
    assert axis.passed(first_02_59 + 31 * 60_000) == two + 30 * 60_000


def test_a_skipped_hour_is_passed_when_it_is_skipped() -> None:
    axis = AXES["Europe/Berlin"]
    last_before = 1_711_846_799_999  # 2024-03-31 01:59:59.999 local; the next reading is 03:00
    assert axis.passed(last_before) == local_ms(last_before + 1, "Europe/Berlin") - 1


@pytest.mark.parametrize("zone", [None, *ZONES])
def test_the_ends_of_time_stay_where_they_are(zone: str | None) -> None:
    axis = TimeAxis(zone)
    assert axis.passed(END_OF_TIME) == END_OF_TIME
    assert axis.passed(START_OF_TIME) == START_OF_TIME
    column = pl.Series([START_OF_TIME, 1_700_000_000_000, END_OF_TIME])
    assert axis.passed_each(column).to_list()[::2] == [START_OF_TIME, END_OF_TIME]
    assert axis.passed_each(pl.Series([START_OF_TIME])).to_list() == [START_OF_TIME]
    assert axis.readings(pl.Series([], dtype=pl.Datetime("ms"))).to_list() == []


def test_row_times_keep_their_type() -> None:
    readings = pl.Series([1_700_000_000_000])
    assert TimeAxis(None).row_times(readings).dtype == pl.Datetime("ms")
    assert TimeAxis("UTC").row_times(readings).dtype == pl.Datetime("ms", "UTC")
    assert TimeAxis("Asia/Kolkata").row_times(readings).dtype == pl.Datetime("ms", "UTC")
