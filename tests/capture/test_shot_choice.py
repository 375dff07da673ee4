"""Which format shots come in, from what they cost."""

from mediacore.capture.shot_choice import AGAIN_US, HOPELESS_US, RECENT_SHOTS, SOONEST_US, ShotChoice, ShotCost

ALL = ("gzip", "raw", "png", "jpeg")


def chosen(now_us: int = 0, **costs_ms: float) -> ShotChoice:
    choice = ShotChoice()
    for name in ALL:
        if name in costs_ms:
            choice.measured(name, [ShotCost(int(costs_ms[name] * 1000), 0)])
        else:
            choice.failed(name)
    choice.settled(now_us)
    return choice


def use(choice: ShotChoice, cost_ms: float) -> None:
    for _ in range(RECENT_SHOTS):
        choice.used(int(cost_ms * 1000))


def test_all_are_measured_at_first_and_the_cheapest_is_chosen() -> None:
    assert ShotChoice().to_measure(0, changing=False) == ALL
    choice = chosen(raw=12.1, gzip=30.2, png=48)
    assert choice.best == "raw"
    assert str(choice) == "raw (12.1 ms; gzip 30.2 ms, png 48.0 ms; no jpeg)"
    assert str(chosen(raw=40, gzip=10, png=20, jpeg=15)) == "gzip (10.0 ms; raw 40.0 ms, png 20.0 ms, jpeg 15.0 ms)"
    assert str(chosen(png=5)) == "png (5.0 ms; no gzip, raw, jpeg)"


def test_a_shot_costs_its_quickest_way_and_its_slowest_decoding() -> None:
    """The first finds everything cold; the second, if nothing changed, is not decoded at all."""
    choice = ShotChoice()
    choice.measured("png", [ShotCost(90_000, 15_000), ShotCost(40_000, 100)])
    assert str(choice) == "", "others may be better"
    choice.settled(0)
    assert str(choice) == "png (55.0 ms)"


def test_a_format_that_is_hopeless_is_not_waited_for() -> None:
    choice = ShotChoice()
    assert choice.patience_us is None
    choice.measured("raw", [ShotCost(200_000, 0)])
    assert choice.patience_us == 600_000
    choice.gave_up("png", 600_000)
    choice.settled(0)
    assert choice.best == "raw"
    assert str(choice) == "raw (200.0 ms; png > 600.0 ms)"
    choice.measured("raw", [ShotCost(10_000, 0)])
    assert choice.patience_us == HOPELESS_US


def test_nothing_works() -> None:
    choice = chosen()
    assert choice.best is None
    assert str(choice) == ""


def test_a_cost_that_doubles_has_all_measured_again_but_not_at_once() -> None:
    choice = chosen(raw=10, gzip=20, png=50)
    use(choice, 15)
    assert choice.to_measure(SOONEST_US, changing=True) == ()
    use(choice, 25)
    assert choice.to_measure(SOONEST_US - 1, changing=True) == ()
    assert choice.to_measure(SOONEST_US, changing=False) == (), "nobody gains by it"
    assert choice.to_measure(SOONEST_US, changing=True) == ("gzip", "raw", "png")
    choice.settled(SOONEST_US)
    assert choice.to_measure(2 * SOONEST_US, changing=True) == ()
    use(choice, 4)
    assert choice.to_measure(2 * SOONEST_US, changing=True) == ("gzip", "raw", "png")


def test_once_a_minute_those_that_are_not_hopeless_are_measured_again() -> None:
    choice = chosen(raw=10, gzip=20, jpeg=12)
    choice.gave_up("png", 250_000)
    choice.settled(0)
    use(choice, 10)
    assert choice.to_measure(AGAIN_US - 1, changing=True) == ()
    assert choice.to_measure(AGAIN_US, changing=True) == ("gzip", "raw", "jpeg")


def test_what_does_not_work_any_more_is_forgotten() -> None:
    choice = chosen(raw=10)
    choice.forget()
    assert choice.best is None
    assert choice.to_measure(1, changing=False) == ALL
