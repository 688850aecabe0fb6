"""Charts as SVG: pure, from numbers."""

from xml.etree import ElementTree

import pytest

from django_etelecom.admin.charts import Bar, Chart, Part, _round_number, swatch

PARTS = [Part("delivered", "delivered"), Part("unknown", "unknown")]
SVG = "{http://www.w3.org/2000/svg}"


def chart(*bars: Bar, title: str = "By day", description: str = "All of it.") -> Chart:
    return Chart("day", title, description, PARTS, bars)


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))  # noqa: S314  # our own


def rects(svg: str) -> list[dict[str, str]]:
    return [rect.attrib for rect in drawn(svg).iter(f"{SVG}rect")]


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in drawn(svg).iter(f"{SVG}text")]


def test_lying__bars_are_as_long_as_their_numbers():
    svg = chart(Bar("ZNS", [30, 10]), Bar("SMS", [20, 0])).lying()

    assert [(one["class"], one["x"], one["width"]) for one in rects(svg)] == [
        ("etelecom-part-delivered", "0.000%", "75.000%"),
        ("etelecom-part-unknown", "75.000%", "25.000%"),
        ("etelecom-part-delivered", "0.000%", "50.000%"),
    ]
    assert texts(svg) == ["ZNS", "40", "SMS", "20"]


def test_standing__bars_are_as_high_as_their_numbers():
    svg = chart(Bar("1 Nov", [60, 20]), Bar("2 Nov", [0, 0])).standing()

    lower, upper = rects(svg)
    # To the ground, of 200 pixels for 80.
    assert float(lower["y"]) + float(lower["height"]) == 218
    assert float(lower["height"]) == 150
    assert float(upper["y"]) + float(upper["height"]) == float(lower["y"])
    assert float(upper["height"]) == 50
    assert texts(svg) == ["80", "1 Nov", "2 Nov"]


def test_standing__tells_each_bar():
    svg = chart(Bar("1 Nov", [1200, 20]), Bar("2 Nov", [0, 0])).standing()

    titles = [title.text for title in drawn(svg).iter(f"{SVG}title")]
    assert titles == ["By day", "1 Nov – delivered: 1,200, unknown: 20", "2 Nov – 0"]


def test_standing__names_some_of_many_bars_and_the_last():
    svg = chart(*(Bar(str(day), [day, 0]) for day in range(1, 31))).standing()

    assert texts(svg) == ["40", "6", "14", "22", "30"]
    last = list(drawn(svg).iter(f"{SVG}text"))[-1]
    assert (last.get("text-anchor"), last.get("x")) == ("end", "100.000%")


@pytest.mark.parametrize("way", [Chart.lying, Chart.standing])
@pytest.mark.parametrize("number", [0, 1, 10**9, 10**18])
def test_chart__of_any_number_stays_inside(way, number):
    svg = way(chart(Bar("a", [number, 0]), Bar("b", [0, number]), Bar("c", [1, 1])))

    for rect in rects(svg):
        assert float(rect["x"].removesuffix("%")) >= 0
        assert float(rect["x"].removesuffix("%")) + float(rect["width"].removesuffix("%")) <= 100
        assert float(rect["y"]) >= 0
        assert float(rect["height"]) >= 0


@pytest.mark.parametrize("way", [Chart.lying, Chart.standing])
def test_chart__of_nothing(way):
    assert rects(way(chart())) == []


@pytest.mark.parametrize("way", [Chart.lying, Chart.standing])
def test_chart__shows_hostile_words_inert(way):
    hostile = '<script>alert(1)</script>"onload="x'
    svg = way(chart(Bar(hostile, [1, 0]), title=hostile, description=hostile))

    assert "<script" not in svg
    assert hostile in texts(svg)


def test_lying__cuts_long_names():
    assert texts(chart(Bar("W" * 100, [1, 0])).lying())[0] == "W" * 39 + "…"


@pytest.mark.parametrize("way", [Chart.lying, Chart.standing])
def test_chart__is_told_to_whoever_does_not_see_it(way):
    svg = drawn(way(chart(Bar("a", [1, 0]))))

    ids = {one.get("id"): one.text for one in svg if one.get("id")}
    assert svg.get("role") == "img"
    assert [ids[one] for one in svg.get("aria-labelledby", "").split()] == ["By day", "All of it."]


@pytest.mark.parametrize("way", [Chart.lying, Chart.standing])
def test_chart__has_no_style_of_its_own(way):
    svg = way(chart(Bar("a", [1, 0])))

    assert "style" not in svg
    assert "fill" not in svg


def test_swatch__has_the_colour_of_its_part():
    assert rects(swatch(PARTS[1]))[0]["class"] == "etelecom-part-unknown"


@pytest.mark.parametrize(
    ("largest", "top"), [(0, 1), (1, 1), (3, 4), (5, 6), (9, 10), (10, 10), (11, 20), (850, 1000)]
)
def test_scale__ends_at_a_round_number(largest, top):
    assert _round_number(largest) == top
