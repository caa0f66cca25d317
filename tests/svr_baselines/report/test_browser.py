"""The page in a browser: headless Chromium, driven by Playwright."""

import shutil

import pytest

from svr_baselines.report import read_results, write_report

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

SCRIPT = "<script>alert(1)</script>"
SCREEN = {"width": 1100, "height": 900}
OWN = ("file:", "data:", "blob:")


@pytest.fixture(scope="module")
def page_file(finished, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report(read_results([finished]), out)
    return out


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def open_page(browser, file, **options):
    """A page and what it said or asked of others, which must be nothing."""
    page, faults = browser.new_context(viewport=SCREEN, **options).new_page(), []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("request", lambda request: None if request.url[:5] in OWN else faults.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("#gallery canvas")
    return page, faults


@pytest.fixture
def visit(browser, page_file):
    """Opens the page with options of its own."""
    opened = []

    def visit_page(**options):
        opened.append(open_page(browser, page_file, **options))
        return opened[-1][0]

    yield visit_page
    for page, faults in opened:
        page.context.close()
        assert faults == []


@pytest.fixture(scope="module")
def still(browser, page_file):
    page, faults = open_page(browser, page_file, reduced_motion="reduce")
    yield page, faults
    page.context.close()


@pytest.fixture
def page(still):
    """The page that stands still, as it is when it was just opened."""
    page, faults = still
    page.set_viewport_size(SCREEN)
    page.locator("#set").select_option("0")
    page.evaluate("showSet(0); document.activeElement.blur(); scrollTo({ top: 0, behavior: 'instant' })")
    yield page
    assert faults == []


def pixels(page, selector):
    """What a canvas shows, as text."""
    return page.locator(selector).first.evaluate("canvas => canvas.toDataURL()")


def settle(page):
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_names_are_text(page):
    assert page.title() == "Synthetic <b>shapes</b>"
    assert page.locator("h1").inner_text() == "Synthetic <b>shapes</b>"
    assert page.locator("h1 b").count() == 0
    cluster = page.evaluate(f"clusterOf(page.set, page.set.ids.indexOf({SCRIPT!r}))")
    page.locator(".card .open").nth(cluster).click()
    assert f"{SCRIPT} (chair)" in page.locator("#members").inner_text()


def test_hovering_the_matrix_names_two_shapes(page):
    plot = page.locator("#matrix .nsewdrag").first
    plot.scroll_into_view_if_needed()
    settle(page)  # scrolling hides the tip
    box = plot.bounding_box()
    side = min(box["width"], box["height"])
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.move(middle[0] - side * 0.4, middle[1] + side * 0.4, steps=4)
    page.wait_for_selector("#tip:not([hidden])")
    for _ in range(300):  # until it has left the middle; the page's policy lets nobody wait in it
        if page.evaluate("matrixState.cell[0] > matrixState.cell[1]"):
            break
        settle(page)
    # All at once: on a busy machine the page is told of moves late, and one may come between two questions.
    tip = "[...document.querySelectorAll('#tip p')].map(line => line.innerText)"
    pair = "document.querySelector('#pair .distance').innerText"
    (row, column, distance), cell, beside = page.evaluate(f"[{tip}, matrixState.cell, {pair}]")
    set_ = page.evaluate("page.set")
    names = [set_["ids"][at] for at in cell]
    assert row.startswith(names[0])
    assert column.startswith(names[1])
    assert cell[0] > cell[1]  # below the diagonal
    assert float(distance.removeprefix("distance ")) > 0
    assert beside == distance
    assert page.locator("#pair canvas").count() == 2
    page.mouse.move(5, 5)
    page.wait_for_selector("#tip", state="hidden")


def test_matrix_by_keys(page):
    page.locator("#matrix").focus()
    start = page.evaluate("matrixState.cell")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate("matrixState.cell") == [start[0] + 1, start[1] + 10]
    assert "distance" in page.locator("#live").inner_text()
    full = page.evaluate("document.getElementById('matrix')._fullLayout.xaxis.range")
    page.keyboard.press("+")
    page.wait_for_timeout(100)
    near = page.evaluate("document.getElementById('matrix')._fullLayout.xaxis.range")
    assert near[1] - near[0] == pytest.approx((full[1] - full[0]) / 2, rel=0.05)
    page.keyboard.press("0")
    page.wait_for_timeout(100)
    assert page.evaluate("document.getElementById('matrix')._fullLayout.xaxis.range") == pytest.approx(full)


def test_clicking_a_medoid_lists_its_members(page):
    shares = page.locator(".share-text").all_inner_texts()
    assert [int(share.split()[0]) for share in shares] == sorted((int(s.split()[0]) for s in shares), reverse=True)
    button = page.locator(".card .open").nth(1)
    button.click()
    size = page.evaluate("page.set.sizes[1]")
    assert page.locator("#members ul li").count() == size
    assert button.get_attribute("aria-expanded") == "true"
    assert "the medoid" in page.locator("#members ul li").first.inner_text()
    assert page.locator("#members canvas").count() == size
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert page.locator("#members").count() == 0
    assert button.get_attribute("aria-expanded") == "false"
    assert button.evaluate("button => document.activeElement === button")


def test_select_switches_sets(page):
    before = page.evaluate("page.set.name")
    first = pixels(page, "#gallery canvas")
    page.locator("#set").select_option("1")
    assert page.evaluate("page.set.name") != before
    assert page.locator("#live").inner_text() == f"Showing {page.evaluate('page.set.name')}"
    page.locator("#gallery").scroll_into_view_if_needed()
    settle(page)
    assert page.locator(".card").count() == page.evaluate("page.set.sizes.length")
    assert pixels(page, "#gallery canvas") != first


def test_shapes_turn_pause_and_are_turned_by_hand(visit):
    page = visit(reduced_motion="no-preference")
    canvas = "#gallery canvas"
    page.locator(canvas).first.scroll_into_view_if_needed()
    settle(page)
    first = pixels(page, canvas)
    page.wait_for_timeout(400)
    assert pixels(page, canvas) != first
    page.get_by_role("button", name="Pause turning").click()
    settle(page)
    held = pixels(page, canvas)
    page.wait_for_timeout(300)
    assert pixels(page, canvas) == held
    box = page.locator(canvas).first.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 70)
    page.mouse.up()
    settle(page)
    assert pixels(page, canvas) != held


def test_reduced_motion_stands_still(page):
    assert page.get_by_role("button", name="Start turning").is_visible()
    page.locator("#gallery").scroll_into_view_if_needed()
    settle(page)
    first = pixels(page, "#gallery canvas")
    page.wait_for_timeout(300)
    assert pixels(page, "#gallery canvas") == first
    page.locator("#gallery canvas").first.focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert pixels(page, "#gallery canvas") != first


def test_dark_and_light(visit):
    page = visit(color_scheme="dark", reduced_motion="reduce")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(21, 24, 28)"
    assert page.evaluate("document.getElementById('matrix')._fullLayout.paper_bgcolor") == "#15181c"
    button = page.get_by_role("button", name="Dark")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    assert page.evaluate("document.getElementById('matrix')._fullLayout.paper_bgcolor") == "#ffffff"
    light = visit(color_scheme="light", reduced_motion="reduce")
    assert light.evaluate(colour) == "rgb(255, 255, 255)"


def test_everything_is_reached_by_tab(visit):
    page = visit(reduced_motion="reduce")
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className.split(' ')[0]"))
        if reached[-1] == "map":
            break
    wanted = ["skip", "theme", "set", "turning", "open", "matrix", "map"]
    assert [name for name in dict.fromkeys(reached) if name in wanted] == wanted
    page.locator(".card .open").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#members").count() == 1


def test_map_by_keys(page):
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("mapState.at") == 1
    assert page.locator("#live").inner_text() == ", ".join(page.evaluate("spotLines(1)"))
    symbols = page.evaluate("document.getElementById('map').data.map(trace => trace.marker.symbol)")
    assert len(set(symbols[:-1])) == len(symbols) - 1  # clusters are told apart without colour


def test_printed_on_white_without_controls(visit):
    page = visit(color_scheme="dark", reduced_motion="no-preference")
    page.emulate_media(media="print", color_scheme="dark")
    settle(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#set").is_visible()
    assert not page.locator(".card .open").first.is_visible()
    assert page.locator("#set-name").is_visible()
    drawn = page.locator("canvas").evaluate_all("all => all.filter(c => c.clientWidth).map(c => c.width)")
    assert drawn
    assert min(drawn) > 1
    page.emulate_media(media="screen", color_scheme="dark")
    settle(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 28)"


def test_narrow_screens_scroll_in_one_direction(page):
    page.set_viewport_size({"width": 400, "height": 800})
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_no_button_sends_data(page):
    """Plotly brings one along that opens its server's page with the chart's data."""
    titles = "all => [...new Set(all.map(button => button.dataset.title))]"
    assert page.locator(".modebar-btn").evaluate_all(titles) == [
        "Download plot as a PNG",
        "Zoom",
        "Pan",
        "Zoom in",
        "Zoom out",
        "Reset axes",
    ]
