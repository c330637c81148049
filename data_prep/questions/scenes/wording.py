"""How the two worlds talk: each has its own words, and its own ways to ask and to tell.

In templates stand {ref} "the small red star", {a} "a red star", {many} "red stars", {name} "red
star", {rel} "left of", {number} "three", {side} "left",
{one} and {other} two answers. No template is in both worlds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
Templates = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Wording:
    """The words of a world.

    Attributes:
        noun: What a thing is called whose shape is not told.
        said: Words for values that are said otherwise than they are called, as "tiny".
        relations: Words for "left", "right", "above" and "below".
        templates: By task and form.
    """

    noun: str
    said: Mapping[str, str]
    relations: Mapping[str, str]
    templates: Mapping[str, Templates]


SEEN: dict[str, Templates] = {
    "vqa": {
        "colour": (
            "what colour is {ref}?",
            "what is the colour of {ref}?",
            "which colour does {ref} have?",
            "{ref} has which colour?",
            "what colour would you see on {ref}?",
        ),
        "shape": (
            "what shape is {ref}?",
            "what shape does {ref} have?",
            "what is the shape of {ref}?",
            "{ref} has which shape?",
            "which shape is seen in {ref}?",
        ),
        "exists": (
            "is there {a}?",
            "do you see {a}?",
            "does the picture show {a}?",
            "there is {a}, yes or no?",
            "is {a} in the picture?",
        ),
        "count": (
            "how many {many} are there?",
            "how many {many} do you see?",
            "what is the number of {many}?",
            "the picture shows how many {many}?",
            "how many of the things are {many}?",
        ),
        "near": (
            "what is {rel} {ref}?",
            "what do you see {rel} {ref}?",
            "which thing is {rel} {ref}?",
            "which of the things is {rel} {ref}?",
            "{rel} {ref} you see what?",
        ),
        "size": (
            "is {ref} {one} or {other}?",
            "which is right, is {ref} {one} or {other}?",
            "how large is {ref}, {one} or {other}?",
            "would you call {ref} {one} or {other}?",
        ),
        "side": (
            "is {ref} on the {one} or on the {other}?",
            "which side is {ref} on, {one} or {other}?",
            "do you see {ref} {one} or {other}?",
            "{ref} is on the {one} side or on the {other}?",
        ),
    },
    "gqa": {
        "near-colour": (
            "what colour is the {noun} {rel} {ref}?",
            "which colour does the {noun} {rel} {ref} have?",
            "what is the colour of the {noun} {rel} {ref}?",
        ),
        "near-shape": (
            "what shape is the {noun} {rel} {ref}?",
            "which shape does the {noun} {rel} {ref} have?",
            "what is the shape of the {noun} {rel} {ref}?",
        ),
        "order": (
            "is {ref} {rel} or {rel2} {ref2}?",
            "which is true, is {ref} {rel} or {rel2} {ref2}?",
            "do you see {ref} {rel} or {rel2} {ref2}?",
        ),
        "related": (
            "is {ref} {rel} {ref2}?",
            "{ref} is {rel} {ref2}, yes or no?",
            "do you see {ref} {rel} {ref2}?",
        ),
        "and": (
            "is there {a} and {a2}?",
            "are there both {a} and {a2}?",
            "do you see {a} and {a2} in the picture?",
            "are {a} and {a2} both in the picture?",
        ),
        "or": (
            "is there {a} or {a2}?",
            "are there {a} or {a2}?",
            "do you see {a} or {a2} in the picture?",
            "is there either {a} or {a2}?",
        ),
        "more": (
            "are there more {many} than {many2}?",
            "do you see more {many} than {many2}?",
            "is the number of {many} larger than the number of {many2}?",
        ),
        "all": (
            "are all {many} {word}?",
            "is every {name} {word}?",
            "is each {name} {word}?",
            "would you call all of the {many} {word}?",
        ),
        "larger": (
            "is {ref} larger than {ref2}?",
            "which is true, {ref} is larger than {ref2}, yes or no?",
            "do you see that {ref} is larger than {ref2}?",
        ),
        "same-colour": (
            "do {ref} and {ref2} have the same colour?",
            "is the colour of {ref} the same as of {ref2}?",
            "are {ref} and {ref2} of one colour?",
        ),
        "same-shape": (
            "do {ref} and {ref2} have the same shape?",
            "is the shape of {ref} the same as of {ref2}?",
            "are {ref} and {ref2} of one shape?",
        ),
    },
    "nlvr2": {
        "both": (
            "both pictures show {a}",
            "there is {a} in each picture",
            "you see {a} in the left and in the right picture",
            "both of the pictures have {a}",
        ),
        "one": (
            "exactly one picture shows {a}",
            "{a} is in only one of the pictures",
            "just one of the pictures has {a}",
        ),
        "only": (
            "only the {side} picture shows {a}",
            "you see {a} only in the {side} picture",
            "just the {side} picture has {a}",
        ),
        "total": (
            "there are {number} {many} in all",
            "the pictures show {number} {many} in all",
            "both pictures have {number} {many} in all",
            "the number of {many} in both pictures is {number}",
        ),
        "more": (
            "the {side} picture has more {many} than the other",
            "there are more {many} in the {side} picture",
            "you see more {many} in the {side} picture than in the other",
        ),
        "equal": (
            "both pictures have the same number of {many}",
            "there are as many {many} in one picture as in the other",
            "the number of {many} is the same in both pictures",
        ),
        "place": (
            "in the {side} picture {ref} is {rel} {ref2}",
            "the {side} picture shows {ref} {rel} {ref2}",
            "{ref} is {rel} {ref2} in the {side} picture",
        ),
    },
    "caption": {
        "single": (
            "{a}",
            "there is {a}",
            "a picture of {a}",
            "{a} on its own",
            "{a} and nothing else",
        ),
        "pair": (
            "{a} {rel} {a2}",
            "{a2} {rel2} {a}",
            "a picture of {a} {rel} {a2}",
            "there is {a} {rel} {a2}",
            "{a} and {a2}",
        ),
        "list": (
            "{list}",
            "there are {list}",
            "a picture of {list}",
            "{number} things, {list}",
            "{list} in a picture",
        ),
    },
}
UNSEEN: dict[str, Templates] = {
    "vqa": {
        "colour": ("tell me the colour of {ref}", "name the colour that {ref} has"),
        "shape": ("tell me the shape of {ref}", "name the form of {ref}"),
        "exists": ("can you find {a}?", "does the image contain {a}?"),
        "count": ("count the {many}", "give the number of {many}"),
        "near": ("name the object {rel} {ref}", "tell me which object is {rel} {ref}"),
        "size": ("tell me whether {ref} is {one} or {other}",),
        "side": ("on which side of the image is {ref}, {one} or {other}?",),
        "pattern": ("which pattern does {ref} have?", "tell me the pattern of {ref}"),
    },
    "gqa": {
        "near-colour": ("give the colour of the {noun} {rel} {ref}",),
        "near-shape": ("give the shape of the {noun} {rel} {ref}",),
        "near-pattern": ("give the pattern of the {noun} {rel} {ref}",),
        "order": ("seen from {ref2}, is {ref} {one} or {other}?",),
        "related": ("does {ref} lie {rel} {ref2}?",),
        "and": ("can you find {a} as well as {a2}?",),
        "or": ("does the image contain either {a} or {a2}?",),
        "more": ("do the {many} outnumber the {many2}?",),
        "all": ("would you call each {name} {word}?",),
        "larger": ("does {ref} take more room than {ref2}?",),
        "same-colour": ("does the colour of {ref} match {ref2}?",),
        "same-shape": ("does the shape of {ref} match {ref2}?",),
        "same-pattern": ("does the pattern of {ref} match {ref2}?",),
    },
    "nlvr2": {
        "both": ("{a} appears in both images", "each image contains {a}"),
        "one": ("just one image contains {a}",),
        "only": ("{a} appears just in the {side} image",),
        "total": ("together the images contain {number} {many}",),
        "more": ("the {side} image contains the most {many}",),
        "equal": ("the images contain equally many {many}",),
        "place": ("{ref} lies {rel} {ref2} in the {side} image",),
    },
    "caption": {
        "single": (
            "an image that contains {a}",
            "just {a}",
            "{a} alone",
            "somebody drew {a}",
            "the image contains {a}",
        ),
        "pair": (
            "{a} that lies {rel} {a2}",
            "{a2} that lies {rel2} {a}",
            "an image that contains {a} {rel} {a2}",
            "{a} together with {a2}",
            "somebody drew {a} {rel} {a2}",
        ),
        "list": (
            "an image that contains {list}",
            "somebody drew {list}",
            "{number} objects: {list}",
            "the image contains {list}",
            "you can find {list}",
        ),
    },
}
WORDINGS = {
    "seen": Wording(
        "thing",
        {},
        {"left": "left of", "right": "right of", "above": "above", "below": "below"},
        SEEN,
    ),
    "unseen": Wording(
        "object",
        {"small": "tiny", "large": "big"},
        {
            "left": "further left than",
            "right": "further right than",
            "above": "higher than",
            "below": "lower than",
        },
        UNSEEN,
    ),
}
