"""What stands where on the page, in gradio's parts, and what they set going."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from tasks.serving.gate import PAGE
from tasks.serving.page.visit import Shown, Visits, Wish
from tasks.serving.served_models import ServedModel
from tasks.serving.service import Service

HERE = Path(__file__).parent
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"]
MONOSPACE = ["ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]
BARE: dict[str, Any] = {"js_on_load": None, "apply_default_css": False, "padding": False}
# Mouths are seen well enough, and any machine can encode that while it records.
CAMERA = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "frameRate": {"ideal": 25}}}
FEW = 4  # models that are shown at once
EMPTY = '<p class="mcgurk-quiet">What is said appears here.</p>'
INTRODUCTION = """# mcgurk
Speech to text that watches the mouth. Files stay on this server, and go half an hour after their
last use.
"""
# A file that a part holds, as text: gradio's server never hears of it.
CHOOSE = """(file, chosen) => {
  const before = chosen ? JSON.parse(chosen) : null;
  if (file) return JSON.stringify({place: file.path, name: file.orig_name || "", from: "SOURCE"});
  return before && before.from === "SOURCE" ? "" : chosen;
}"""


def build_blocks(service: Service, visits: Visits) -> gr.Blocks:
    """Build the page.

    Args:
        service: Its models can be chosen from.
        visits: What is done with a file.
    """
    with gr.Blocks(title="mcgurk", analytics_enabled=False) as blocks:
        gr.Markdown(INTRODUCTION)
        with gr.Row(elem_id="mcgurk-columns"):
            with gr.Column(scale=2, min_width=320):
                chosen = _add_sources()
                model = _add_models(service.served)
                with gr.Row():
                    run = gr.Button("Transcribe", variant="primary", elem_id="mcgurk-run")
                    stop = gr.Button("Cancel", interactive=False, elem_id="mcgurk-stop")
                status = gr.HTML(elem_id="mcgurk-status", **BARE)
            with gr.Column(scale=3, min_width=320):
                player = gr.HTML(elem_id="mcgurk-stage", **BARE)
                result = gr.HTML(EMPTY, elem_id="mcgurk-result", **BARE)
                downloads = gr.HTML(elem_id="mcgurk-links", **BARE)
        shown = [status, player, result, downloads, run, stop]
        _connect(visits, [chosen, model], shown)
    return blocks


def mount_blocks(app: FastAPI, blocks: gr.Blocks, upload_bytes: int) -> None:
    """Put the page on an application, with nothing in it that is fetched from elsewhere.

    Args:
        app: The application.
        blocks: The page.
        upload_bytes: What gradio's parts refuse before they send it.
    """
    script, style = ((HERE / f"page.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    gr.mount_gradio_app(
        app,
        blocks,
        PAGE,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=upload_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=gr.themes.Default(font=FONTS, font_mono=MONOSPACE),
        head=f"<style>{style}</style><script>{script}</script>",  # as it stands; `css` is rewritten
    )


def _add_sources() -> gr.Textbox:
    """Add what a file comes from; return the part that says which was chosen last."""
    with gr.Tabs():
        with gr.Tab("File"):
            file = gr.File(
                label="Video or sound file", file_types=["video", "audio"], elem_id="mcgurk-file"
            )
        with gr.Tab("Camera"):
            options = gr.WebcamOptions(mirror=False, constraints=CAMERA)
            camera = gr.Video(
                label="Recording with camera and microphone",
                sources=["webcam"],
                webcam_options=options,
                include_audio=True,
                buttons=[],
                elem_id="mcgurk-camera",
            )
        with gr.Tab("Microphone"):
            microphone = gr.Audio(
                label="Recording with the microphone",
                sources=["microphone"],
                type="filepath",
                editable=False,
                buttons=[],
            )
    chosen = gr.Textbox(visible="hidden", elem_id="mcgurk-chosen")
    for name, part in (("file", file), ("camera", camera), ("microphone", microphone)):
        part.change(
            None,
            [part, chosen],
            chosen,
            js=CHOOSE.replace("SOURCE", name),
            api_visibility="private",
        )
    return chosen


def _add_models(served: Mapping[str, ServedModel]) -> Any:
    """Offer the models; the first with sets is taken, which leaves alone what it does not know."""
    names = list(served)
    adapted = [name for name, one in served.items() if one.sets is not None]
    value = [*adapted, *names][0]
    told = "Adapter sets (+) read lips, too, where they know the noise." if adapted else None
    part = gr.Radio if len(names) <= FEW else gr.Dropdown
    return part(names, value=value, label="Model", info=told, elem_id="mcgurk-model")


def _connect(visits: Visits, given: list[Any], shown: list[Any]) -> None:
    """Set going what the buttons are for."""
    *_, run, stop = shown

    async def work(chosen: str, model: str, request: gr.Request) -> AsyncIterator[list[Any]]:
        place, name = _read_chosen(chosen)
        client = request.client.host if request.client else "-"
        wish = Wish(place, name, model or "", client, request.session_hash or "")
        async with aclosing(visits.run(wish)) as steps:
            async for step in steps:
                yield _fill(step)

    async def cancel(request: gr.Request) -> None:
        visits.cancel(request.session_hash or "")

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    run.click(work, given, shown, concurrency_limit=None, trigger_mode="once", **quiet)
    stop.click(cancel, None, None, concurrency_limit=None, **quiet)


def _read_chosen(text: str | None) -> tuple[str, str]:
    """Return where the chosen file lies and what it is called, "" where there is none."""
    try:
        told = json.loads(text or "{}")
        place, name = told.get("place", ""), told.get("name", "")
    except (ValueError, AttributeError):
        return "", ""
    return str(place), str(name)[:200]


def _fill(step: Shown) -> list[Any]:
    return [
        step.status,
        step.player,
        step.result or EMPTY,
        step.downloads,
        gr.Button(interactive=step.ended),
        gr.Button(interactive=not step.ended),
    ]
