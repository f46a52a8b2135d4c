"""The page of a run in a real Chromium: it opens from a file, without errors, and answers to the keyboard."""

import msgspec
import pytest
from build import (
    CONTROLS,
    make_case,
    make_expectation,
    make_failing_trial,
    make_inside,
    make_request_span,
    make_span,
    make_trial,
    store_run,
)
from test_bench_page import make_bench, measured

from harness.report.bench_page import render as render_bench
from harness.report.html import write_html
from harness.store.regrade import regrade

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
LONG_PATH = "/" + "a-very-long-path-without-a-break/" * 9


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A run with everything in it: a race, a hazard, a case that is as it should be, and text that does not break."""
    lazy = make_trial(
        number=3,
        inside=(
            make_inside(
                make_request_span(0, name="3.0"), make_request_span(1, name="3.1"), make_span("urlconf", name="u" * 300)
            ),
        ),
    )
    expectation = make_expectation("race", {"ok": "expected", "error": "acceptable"})
    directory = store_run(
        tmp_path_factory.mktemp("results"),
        (make_case(id=f"books::daemon::{'x' * 90}::natural", script="x" * 90), *CONTROLS, make_failing_trial(7)),
        (make_case(id="books::daemon::expected::natural", expectation=expectation), *CONTROLS, make_failing_trial()),
        (make_case(id="books::daemon::lazy::natural"), *CONTROLS, lazy),
        environment={"long": LONG_PATH, "cores": 2},
    )
    return write_html(directory, regrade(directory)).as_uri()


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture
def opened(chromium, address):
    """Opens the page on a screen of this width, in this scheme; with scripts or without."""

    def opened(width=1280, scheme="light", scripts=True):
        chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        chromium.get_log("browser")  # what another page said is none of this one's
        chromium.get(address)
        return chromium

    yield opened
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def find(driver, selector):
    return driver.find_element("css selector", selector)


def press(driver, *keys):
    """Real key presses, to whatever has the focus."""
    webdriver.ActionChains(driver).send_keys(*keys).perform()


def tab_to(driver, selector, most=40):
    """Press Tab until an element that the selector means has the focus."""
    for _ in range(most):
        press(driver, webdriver.Keys.TAB)
        if driver.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return driver.switch_to.active_element
    raise AssertionError(f"Tab does not lead to {selector}")


def panel(driver):
    return find(driver, ".timeline .panel").text


def test_no_errors(opened, scheme):
    """It loads from a file and the browser has nothing to complain about, in light and in dark."""
    driver = opened(scheme=scheme)
    assert driver.title.startswith("A race in 1 of 3 cases")
    assert [] == driver.get_log("browser")


def test_the_failing_request_is_told(opened):
    """The timeline of a race is open, and tells of its failing request before anybody asks."""
    text = panel(opened())
    for part in ("request GET / 500".replace(" 500", ""), "got status 500 instead of 200", "ValueError: no"):
        assert part in text
    marked = find(opened(), ".track a.m-bad")
    assert marked.is_displayed()
    assert marked.text.startswith("✗")  # not by colour alone


def test_by_keyboard(opened):
    """Tab goes to the failing request, arrows to its neighbours, and what they are is told."""
    driver = opened()
    bar = tab_to(driver, ".timeline a")
    assert "m-bad" in bar.get_attribute("class")
    press(driver, webdriver.Keys.ARROW_UP)
    assert "thread 1" in panel(driver)
    press(driver, webdriver.Keys.HOME, webdriver.Keys.ARROW_RIGHT, webdriver.Keys.ARROW_RIGHT)
    assert "import shop.orders" in panel(driver)
    assert "1 other request in the process meanwhile" in panel(driver)
    press(driver, webdriver.Keys.ENTER)
    assert find(driver, "tr:target").is_displayed()
    assert "shop.orders" in find(driver, "tr:target").text


def test_zoom_by_keyboard(opened):
    """Plus makes the chosen bar wider, minus narrower again."""
    driver = opened()
    bar = tab_to(driver, ".timeline a")
    before = bar.size["width"]
    press(driver, "+")
    wider = bar.size["width"]
    press(driver, "-")
    assert before < wider
    assert abs(bar.size["width"] - before) <= 2


def test_hover(opened):
    """A pointer on a bar tells of it; when it leaves, the chosen one is told of again."""
    driver = opened()
    chosen = panel(driver)
    webdriver.ActionChains(driver).move_to_element(find(driver, ".track a.k-settings")).perform()
    assert "settings shop.settings" in panel(driver)
    webdriver.ActionChains(driver).move_to_element(find(driver, "figcaption")).perform()
    assert chosen == panel(driver)


def test_focus_is_visible(opened, scheme):
    """What has the focus has an outline, in light and in dark."""
    bar = tab_to(opened(scheme=scheme), ".timeline a")
    assert "solid" in bar.value_of_css_property("outline-style")


@pytest.mark.parametrize("width", [320, 390, 800])
def test_no_sideways_scroll(opened, width, scheme):
    """On a phone the page is as wide as the screen, whatever long words are in it, with every part opened."""
    driver = opened(width, scheme)
    driver.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert [] == driver.get_log("browser")


def contrast(one, other):
    """WCAG 2.1's contrast ratio of two colours, `rgb(…)` as Chromium computes them."""

    def luminance(colour):
        parts = [float(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast(opened, scheme):
    """Text is readable (WCAG AA, 4.5 : 1) on the page's paper, in light and in dark, and they differ."""
    driver = opened(scheme=scheme)
    paper = find(driver, "body").value_of_css_property("background-color")
    assert (scheme == "dark") == (contrast(paper, "rgb(0,0,0)") < contrast(paper, "rgb(255,255,255)"))
    for selector in (
        "body",
        "h1",
        ".run",
        ".v-race",
        ".v-hazard",
        ".yes",
        ".no",
        "td a",
        "th",
        "small",
        "figcaption",
        "summary",
    ):
        assert contrast(find(driver, selector).value_of_css_property("color"), paper) >= 4.5, selector


def test_without_scripts(opened):
    """Without JavaScript the timeline is drawn, nothing that needs it is shown, and bars lead to their rows."""
    driver = opened(scripts=False)
    bar = find(driver, ".track a.m-bad")
    assert bar.size["width"] > 20
    assert not find(driver, ".controls").is_displayed()
    assert find(driver, bar.get_attribute("href").partition("#")[2].join(("#", ""))) is not None


def test_hostile_text_does_not_run(chromium, tmp_path):
    """Markup in an error is shown as text in the panel too, where a script puts it."""
    error = "ValueError: <img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    directory = store_run(tmp_path, (make_case(), *CONTROLS, make_failing_trial(error=error)))
    result = msgspec.structs.replace(regrade(directory), environment={"x": error})
    chromium.get(write_html(directory, result).as_uri())
    assert "<img src=x" in panel(chromium)
    assert "owned" != chromium.title
    assert [] == chromium.get_log("browser")


def test_a_bench_run(chromium, opened, tmp_path, scheme):
    """Charts are drawn from a file without errors, fit a phone, and tell a value to the keyboard."""
    path = tmp_path / "report.html"
    path.write_text(render_bench(make_bench(measured(), measured(name="x" * 90, gap=900.0))))
    opened(390, scheme).get(path.as_uri())
    assert [] == chromium.get_log("browser")
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 390
    charts = chromium.find_elements("css selector", ".chart canvas")
    assert 4 == len(charts)  # two cells over time, and percentiles before and during: nothing came after
    assert all(chart.size["height"] > 100 for chart in charts)
    tab_to(chromium, ".latency")
    press(chromium, *[webdriver.Keys.ARROW_RIGHT] * 4)
    assert "250 ms" in find(chromium, ".u-legend").text
