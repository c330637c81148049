"""Pictures drawn by rule, with masks and with phrases that name what is in them.

They are free data: a model for segmentation by a prompt can be trained on them before it sees any
photograph. The ones that look like ultrasound or endoscopy are drawn as well; they are no medical
data, and a model that finds their "tumors" has learned nothing about patients.
"""

from data_prep.masks.scenes.prompts import Prompt, ask
from data_prep.masks.scenes.scene import Scene, Thing, render_scene

__all__ = ["Prompt", "Scene", "Thing", "ask", "render_scene"]
