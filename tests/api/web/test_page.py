"""The page in a browser: each screen answers, by mouse and by keys, in both themes, narrow and wide."""

import json
import re

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from .conftest import BIDI, HOSTILE_COLUMN, HOSTILE_TABLE, HOSTILE_VALUE, serving

ORDERS, CUSTOMERS, COUNTRIES, CAPITALS = (
    *("shop/orders.csv", "shop/customers.csv"),
    *("world/countries.csv", "world/capitals.csv"),
)


def test_search_column_rows_and_verdict(page):
    page.goto("/")
    expect(page.get_by_role("row")).to_have_count(7)  # a head, five tables and the hostile one
    field = page.get_by_role("combobox", name="Search tables and columns")
    field.fill("customer")
    page.get_by_role("option", name=re.compile("customer_id in 3 tables")).click()
    named = page.get_by_role("region", name="Columns").get_by_role("listitem")
    expect(named).to_have_count(3)
    named.filter(has_text="orders.csv").get_by_role("link", name="customer_id").click()
    expect(page.get_by_role("heading", name="customer_id", level=1)).to_be_visible()
    hits = page.locator(".hit")
    hit = hits.first
    expect(hit).to_be_visible()
    expect(hit.locator(".hit-sure b")).to_have_text(re.compile(r"^[<>]?\d+ %$"))
    expect(hit.locator(".share-number")).to_have_count(2)
    hit.get_by_role("button", name="Why").click()
    expect(hit.get_by_text("Values that match")).to_be_visible()
    expect(hit.get_by_label("SQL")).to_contain_text("JOIN")
    hit.get_by_role("button", name="Compare cell by cell").click()
    expect(hit.get_by_text(re.compile(r"Cell by cell \d+ % of the values match|Nothing to add"))).to_be_visible()
    hit.get_by_role("button", name="Run the join").click()
    expect(hit.get_by_role("region", name=re.compile("Rows of the join")).get_by_role("row")).not_to_have_count(0)
    expect(page).to_have_url(re.compile(r"hit=.*rows=1"))
    with page.expect_download() as saved:
        hit.get_by_role("button", name="Save as CSV").click()
    assert "customer_id" in saved.value.path().read_text("utf-8").splitlines()[0]

    page.reload()  # the URL holds what was open
    expect(page.get_by_role("region", name=re.compile("Rows of the join"))).to_be_visible()
    hit = page.locator(".hit").first
    hit.get_by_role("button", name="Yes, they join").click()
    expect(hit.get_by_text("You said: they join")).to_be_visible()
    page.reload()
    expect(page.locator(".hit").first.get_by_text("confirmed by a person")).to_be_visible()
    page.locator(".hit").first.get_by_role("button", name="Take it back").click()
    expect(page.locator(".hit").first.get_by_role("button", name="Take it back")).to_have_count(0)
    page.go_back()
    expect(named).to_have_count(3)
    page.go_back()
    expect(page.get_by_role("heading", name="Tables", level=1)).to_be_visible()


def test_filters_lie_in_the_url_and_back_undoes_them(page, ids):
    page.goto(f"/#/column/{ids(ORDERS, 'customer_id')}")
    expect(page.locator(".hit").first).to_be_visible()
    page.get_by_role("combobox", name="Joins", exact=True).select_option("equi")
    page.wait_for_url("**mode=equi*")
    page.get_by_role("combobox", name="Kind").select_option("date")
    expect(page.get_by_text("None found.")).to_be_visible()
    page.go_back()
    expect(page.locator(".hit").first).to_be_visible()
    expect(page.get_by_role("combobox", name="Joins", exact=True)).to_have_value("equi")


def test_table_profile_preview_and_similar_tables(page, ids):
    page.goto(f"/#/table/{ids(ORDERS)}")
    expect(page.get_by_role("heading", name="orders.csv")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Histogram of amount"))).to_be_visible()
    expect(page.locator(".fact", has_text="keys")).to_contain_text("order_id")
    page.get_by_role("tab", name="First rows").click()
    expect(page.get_by_role("region", name=re.compile("First rows")).get_by_role("row")).to_have_count(21)
    page.get_by_role("button", name="100").click()
    expect(page.get_by_text("60 rows, which are all")).to_be_visible()
    page.get_by_role("tab", name="First rows").press("ArrowRight")
    expect(page.get_by_role("tab", name="Similar tables")).to_be_focused()


def test_path_between_two_tables_in_the_graph(page, ids):
    page.goto("/#/graph")
    expect(page.get_by_text(re.compile(r"6 tables, \d+ joins?"))).to_be_visible()
    for field, typed in (("From a table", "orders"), ("To a table", "capitals")):
        page.get_by_role("combobox", name=field).fill(typed)
        page.get_by_role("option", name=re.compile(typed)).click()
        expect(page.get_by_role("button", name="No path")).to_be_visible()  # the fields are drawn anew
    expect(page.locator(".path-list > li").first).to_contain_text("customers.csv")
    page.locator(".path-list summary").first.click()
    assert page.locator(".path-list pre").first.inner_text().count("JOIN") == 3
    graph = page.get_by_role("application")
    graph.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Its joins")).to_be_visible()
    before = page.url
    page.keyboard.press("+")
    page.keyboard.press("Enter")
    expect(page.locator(".screen[data-screen=table]")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(before)


def test_map_by_keys_and_by_kind(page, ids):
    page.goto(f"/#/map?column={ids(COUNTRIES, 'country')}")
    expect(page.get_by_role("heading", name="country", exact=True)).to_be_visible()
    page.get_by_label("Mark names like").fill("customer")
    expect(page.get_by_text(re.compile("named like “customer”"))).to_be_visible()
    chart = page.get_by_role("application")
    chart.focus()
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "-", "Home"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/column/*")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_upload_a_file_and_paste_values(page):
    page.goto("/#/upload")
    lines = "\n".join(f"C{i:03},{i}" for i in range(20))
    file = {"name": "mine.csv", "mimeType": "text/csv", "buffer": f"who,n\n{lines}\n".encode()}
    page.get_by_label("Choose a file").set_input_files(file)
    page.get_by_role("row", name=re.compile("who")).get_by_role("button", name="Find joins").click()
    expect(page.get_by_role("heading", name="Columns that join with who")).to_be_focused()
    expect(page.locator(".hit", has_text="customers.csv").first).to_contain_text("customer_id")
    page.locator(".hit").first.get_by_role("button", name="Why").click()
    expect(page.locator(".hit pre").first).to_contain_text("JOIN")
    page.get_by_label("Or paste values").fill("Austria\nBelgium\nChile\nDenmark\nEstonia")
    page.locator(".paste").get_by_role("button", name="Find joins").click()
    expect(page.locator(".hit").first).to_contain_text("country")
    page.get_by_label("Choose a file").set_input_files(file | {"name": "mine.exe"})
    expect(page.get_by_role("alert")).to_contain_text("Known endings")
    page.wrong[:] = [said for said in page.wrong if "415" not in said]  # the browser notes each failed request


def test_from_search_to_rows_by_keys_alone(page):
    page.goto("/")
    expect(page.get_by_role("row")).to_have_count(7)
    press = page.keyboard.press
    press("/")
    with page.expect_response("**/v1/suggestions?q=iso&*"):  # what was offered for "i" is replaced
        page.keyboard.type("iso")
    expect(page.get_by_role("option").first).to_contain_text("iso")
    press("ArrowDown")
    press("Enter")
    expect(page.locator(".hit").first).to_be_visible()
    press("j")
    expect(page.locator(".hit a").first).to_be_focused()
    for _ in range(10):  # the link, that of its table, then "Why"
        press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Why":
            break
    press("Enter")
    expect(page.get_by_role("button", name="Run the join")).to_be_visible()
    for _ in range(10):
        press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Run the join":
            break
    press("Enter")
    expect(page.get_by_role("region", name=re.compile("Rows of the join"))).to_be_visible()
    press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_hostile_names_and_values_are_text(page, ids):
    table = ids(HOSTILE_TABLE)
    page.goto("/")
    expect(page.get_by_role("link", name=re.compile(re.escape(HOSTILE_TABLE)))).to_be_visible()
    page.goto(f"/#/table/{table}")
    expect(page.get_by_role("heading", name=HOSTILE_TABLE)).to_be_visible()
    expect(page.get_by_role("link", name=HOSTILE_COLUMN).first).to_be_visible()
    page.goto(f"/#/table/{table}?tab=rows")
    expect(page.get_by_role("cell", name=HOSTILE_VALUE)).to_be_visible()
    expect(page.get_by_role("cell", name=BIDI)).to_be_visible()
    page.goto(f"/#/column/{ids(HOSTILE_TABLE, HOSTILE_COLUMN)}")
    expect(page.get_by_role("heading", name=HOSTILE_COLUMN, level=1)).to_be_visible()
    hit = page.locator(".hit").first
    hit.get_by_role("button", name="Why").click()
    expect(hit.get_by_text(HOSTILE_VALUE)).to_be_visible()
    hit.get_by_role("button", name="Run the join").click()
    expect(page.get_by_role("region", name=re.compile("Rows of the join"))).to_be_visible()
    page.goto(f"/#/search?q={HOSTILE_COLUMN}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("script")
    page.goto(f"/#/graph?table={table}")
    expect(page.get_by_role("heading", name=re.compile(re.escape(HOSTILE_TABLE)))).to_be_visible()
    page.goto("/#/probes?model=deepjoin-static&property=row_order&level=column")
    expect(page.get_by_text("<b>orders</b>")).to_be_visible()
    page.goto("/#/<img src=x onerror=alert(1)>")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert page.locator("main img, main svg[onload], main script, main b b").count() == 0


def test_probe_results(page):
    page.goto("/#/probes")
    page.get_by_role("row", name=re.compile("Sample fidelity")).get_by_role("button").first.click()
    expect(page.get_by_role("heading", name="Sample fidelity, column, deepjoin-static")).to_be_visible()
    expect(page.get_by_role("heading", name="By strength of the change")).to_be_visible()


SCREENS = (
    *("", "search?q=customer", "table", "table?tab=rows", "column", "graph", "map", "upload", "crawls", "column/none"),
    "probes?model=deepjoin-static&property=row_order&level=column",
)


def address_of(screen, ids):
    name, _, query = screen.partition("?")
    id_ = {"table": ids(ORDERS), "column": ids(ORDERS, "customer_id")}.get(name)
    return "/#/" + "/".join(filter(None, (name, id_))) + (f"?{query}" if query else "")


@pytest.mark.parametrize(("theme", "width"), [("light", 1600), ("dark", 400)])
def test_nothing_serious_for_axe_and_no_overflow(page, ids, theme, width):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/")
    page.evaluate(AXE_SCRIPT)
    found = []
    for screen in SCREENS:
        page.evaluate("hash => { location.hash = hash }", address_of(screen, ids)[1:])
        place = page.locator(f".screen[data-screen={screen.partition('?')[0].partition('/')[0] or 'home'}]")
        expect(place.get_by_role("heading").or_(place.get_by_role("alert")).first).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        if screen == "column":
            page.get_by_role("button", name="Why").first.click()
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{screen} is {over} px too wide"
        result = page.evaluate("axe.run({ resultTypes: ['violations'] })")
        found += [
            (screen, each["impact"], each["id"], [node["target"] for node in each["nodes"]][:3])
            for each in result["violations"]
            if each["impact"] in ("serious", "critical")
        ]
    assert found == []
    page.wrong[:] = [said for said in page.wrong if "404" not in said]


def test_a_problem_is_told_in_the_api_s_words(page):
    page.goto("/#/table/nothing")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("No table has the id 'nothing'")
    expect(alert).to_contain_text("GET /v1/tables lists them")
    expect(alert).to_contain_text(re.compile(r"404 · \w+ · request \w{16}"))
    page.wrong[:] = [said for said in page.wrong if "404" not in said]


def test_a_key_is_asked_for_and_sent(page):
    def without(route):
        if route.request.headers.get("authorization") == "Bearer tl_good":
            return route.fallback()
        problem = {"status": 401, "code": "unauthenticated", "detail": "a valid key is needed", "title": "Unauthorized"}
        return route.fulfill(status=401, content_type="application/problem+json", body=json.dumps(problem))

    page.route("**/v1/**", without)
    page.goto("/")
    page.get_by_role("dialog", name="Key").get_by_label("Key", exact=True).fill("tl_good")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(7)
    page.wrong[:] = [said for said in page.wrong if "401" not in said]


def test_theme_is_kept(page):
    page.goto("/")
    shade = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(shade)
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    dark = page.evaluate(shade)
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(shade) == dark


def test_an_empty_home_is_crawled_from_the_page(page, tmp_path, tiny_lake):
    with serving(tmp_path / "home") as address:
        page.goto(address)
        expect(page.get_by_text("Nothing has been crawled yet.")).to_be_visible()
        page.get_by_role("link", name="Crawl a folder").click()
        page.get_by_label("Folder on the server").fill(str(tiny_lake))
        page.get_by_label("Name of the lake").fill("<i>mine</i>")
        page.get_by_role("button", name="Crawl", exact=True).click()
        expect(page.locator(".state")).to_have_text("done", timeout=60_000)
        expect(page.locator(".card", has_text="files read")).to_contain_text("5")
        page.get_by_role("link", name="<i>mine</i>").click()
        expect(page.get_by_role("row")).to_have_count(6)
    page.wrong[:] = [said for said in page.wrong if not said.startswith(f"asked {address}")]


def until(page, expression):
    """Wait; ``wait_for_function`` would evaluate a string in the page, which the policy forbids."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(expression)


def test_back_returns_to_the_place_that_one_left(page, ids):
    page.set_viewport_size({"width": 400, "height": 500})
    page.goto(f"/#/column/{ids(ORDERS, 'customer_id')}")
    expect(page.locator("[aria-busy]")).to_have_count(0)
    last = page.locator(".hit").last.get_by_role("link").first
    last.scroll_into_view_if_needed()
    until(page, "history.state?.scroll > 50")
    before = page.evaluate("scrollY")
    left = page.url
    last.click()
    expect(page).not_to_have_url(left)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    until(page, "scrollY === 0")
    page.go_back()
    until(page, f"Math.abs(scrollY - {before}) < 5")
