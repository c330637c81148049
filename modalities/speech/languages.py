"""Languages as people name them: codes, English and own names, with or without a region."""

import difflib
import re
import unicodedata
from collections.abc import Collection
from functools import cache

AUTOMATIC = "auto"
ENGLISH = "en"
# Whisper's code: ISO 639-2 and 639-3 codes and older ones; names in English; own names.
# Whisper's names and aliases are among them (openai/whisper, tokenizer.py).
NAMES: dict[str, str] = {
    "en": "eng, english, american english, british english, us english, uk english",
    "zh": "zho, chi, cmn, chinese, mandarin, mandarin chinese, simplified chinese, "
    "traditional chinese, putonghua, 中文, 汉语, 漢語, 普通话, 国语, 國語, 简体中文, 繁體中文",
    "de": "deu, ger, german, deutsch",
    "es": "spa, spanish, castilian, español, castellano, latin american spanish, mexican spanish",
    "ru": "rus, russian, русский",
    "ko": "kor, korean, 한국어",
    "fr": "fra, fre, french, français, canadian french",
    "ja": "jpn, japanese, 日本語",
    "pt": "por, portuguese, português, brazilian portuguese, european portuguese",
    "tr": "tur, turkish, türkçe",
    "pl": "pol, polish, polski",
    "ca": "cat, catalan, valencian, català, valencià",
    "nl": "nld, dut, dutch, flemish, nederlands, vlaams",
    "ar": "ara, arb, arabic, العربية, عربي",
    "sv": "swe, swedish, svenska",
    "it": "ita, italian, italiano",
    "id": "ind, in, indonesian, bahasa indonesia",
    "hi": "hin, hindi, हिन्दी, हिंदी",
    "fi": "fin, finnish, suomi",
    "vi": "vie, vietnamese, tiếng việt",
    "he": "heb, iw, hebrew, עברית",
    "uk": "ukr, ukrainian, українська",
    "el": "ell, gre, greek, modern greek, ελληνικά",
    "ms": "msa, may, zsm, malay, bahasa melayu",
    "cs": "ces, cze, czech, čeština",
    "ro": "ron, rum, mo, mol, romanian, moldavian, moldovan, română",
    "da": "dan, danish, dansk",
    "hu": "hun, hungarian, magyar",
    "ta": "tam, tamil, தமிழ்",
    "no": "nor, nob, nb, norwegian, bokmål, norwegian bokmål, norsk, norsk bokmål",
    "th": "tha, thai, ไทย, ภาษาไทย",
    "ur": "urd, urdu, اردو",
    "hr": "hrv, croatian, hrvatski",
    "bg": "bul, bulgarian, български",
    "lt": "lit, lithuanian, lietuvių",
    "la": "lat, latin, latina",
    "mi": "mri, mao, maori, te reo māori",
    "ml": "mal, malayalam, മലയാളം",
    "cy": "cym, wel, welsh, cymraeg",
    "sk": "slk, slo, slovak, slovenčina",
    "te": "tel, telugu, తెలుగు",
    "fa": "fas, per, pes, prs, persian, farsi, dari, فارسی",
    "lv": "lav, lvs, latvian, latviešu",
    "bn": "ben, bengali, bangla, বাংলা",
    "sr": "srp, serbian, српски, srpski",
    "az": "aze, azj, azerbaijani, azeri, azərbaycan",
    "sl": "slv, slovenian, slovene, slovenščina",
    "kn": "kan, kannada, ಕನ್ನಡ",
    "et": "est, ekk, estonian, eesti",
    "mk": "mkd, mac, macedonian, македонски",
    "br": "bre, breton, brezhoneg",
    "eu": "eus, baq, basque, euskara",
    "is": "isl, ice, icelandic, íslenska",
    "hy": "hye, arm, armenian, հայերեն",
    "ne": "nep, npi, nepali, नेपाली",
    "mn": "mon, khk, mongolian, монгол",
    "bs": "bos, bosnian, bosanski",
    "kk": "kaz, kazakh, қазақ",
    "sq": "sqi, alb, als, albanian, shqip",
    "sw": "swa, swh, swahili, kiswahili",
    "gl": "glg, galician, galego",
    "mr": "mar, marathi, मराठी",
    "pa": "pan, punjabi, panjabi, ਪੰਜਾਬੀ",
    "si": "sin, sinhala, sinhalese, සිංහල",
    "km": "khm, khmer, cambodian, ខ្មែរ",
    "sn": "sna, shona, chishona",
    "yo": "yor, yoruba, yorùbá",
    "so": "som, somali, soomaali",
    "af": "afr, afrikaans",
    "oc": "oci, occitan",
    "ka": "kat, geo, georgian, ქართული",
    "be": "bel, belarusian, беларуская",
    "tg": "tgk, tajik, тоҷикӣ",
    "sd": "snd, sindhi, سنڌي",
    "gu": "guj, gujarati, ગુજરાતી",
    "am": "amh, amharic, አማርኛ",
    "yi": "yid, ydd, ji, yiddish, ייִדיש, יידיש",
    "lo": "lao, laotian, ລາວ",
    "uz": "uzb, uzn, uzbek, oʻzbek, o'zbek",
    "fo": "fao, faroese, føroyskt",
    "ht": "hat, haitian creole, haitian, kreyòl ayisyen",
    "ps": "pus, pbt, pashto, pushto, پښتو",
    "tk": "tuk, turkmen, türkmen",
    "nn": "nno, nynorsk, norwegian nynorsk, norsk nynorsk",
    "mt": "mlt, maltese, malti",
    "sa": "san, sanskrit, संस्कृतम्",
    "lb": "ltz, luxembourgish, letzeburgesch, lëtzebuergesch",
    "my": "mya, bur, myanmar, burmese, မြန်မာ, မြန်မာဘာသာ",
    "bo": "bod, tib, tibetan, བོད་ཡིག",
    "tl": "tgl, fil, tagalog, filipino, wikang tagalog",
    "mg": "mlg, plt, malagasy",
    "as": "asm, assamese, অসমীয়া",
    "tt": "tat, tatar, татар",
    "haw": "hawaiian, ʻōlelo hawaiʻi",
    "ln": "lin, lingala, lingála",
    "ha": "hau, hausa",
    "ba": "bak, bashkir, башҡорт",
    "jw": "jv, jav, javanese, basa jawa",
    "su": "sun, sundanese, basa sunda",
    "yue": "cantonese, zh yue, 粤语, 粵語, 廣東話, 广东话",
}
WHATEVER_FOLLOWS = re.compile(r"\(.*|[.@].*")  # "(Brazil)", ".UTF-8", "@euro"
SUBTAG = re.compile(r"[a-z0-9]{1,8}")


def read_language(asked: str, known: Collection[str], model: str) -> str | None:
    """Return the code that a model has for a language.

    Args:
        asked: An ISO 639 code of two or three letters, an English name or the language's own, in
            any case; a region, script or encoding may follow ("en-US", "en_GB.UTF-8",
            "zh-Hans", "Portuguese (Brazil)"). "auto" asks the model.
        known: The model's codes; none for a model that knows English only.
        model: Its name, for the message.

    Returns:
        A member of `known`, "en" for an English-only model, or None for "auto".

    Raises:
        ValueError: No language is called so, or the model does not know it.
    """
    plain = _simplify(asked)
    if plain == AUTOMATIC:
        return None if known else ENGLISH
    code = asked if asked in known else _find(plain, known)
    if code is None:
        raise ValueError(f"No language is called {asked!r}{_nearest(plain, known, model)}")
    if code in (known or (ENGLISH,)):
        return code
    if not known:
        raise ValueError(
            f"Language {asked!r} was asked of {model}, which knows English only. Leave the "
            "language out, or take a model whose name has no '.en'."
        )
    raise ValueError(
        f"{model} does not know {asked!r} ({code}); known: {', '.join(sorted(known))}."
    )


def name_language(code: str) -> str:
    """Return the English name of a language by Whisper's code, in lower case; else the code."""
    names = NAMES.get(code, code).split(", ")
    return next((name for name in names if len(name) > 3), names[0])


def _find(plain: str, known: Collection[str]) -> str | None:
    """Return Whisper's code for a name, for what stands before a region, or a code of the model."""
    first, *subtags = plain.split(" ")
    codes = _codes()
    if plain in codes:
        return codes[plain]
    if subtags[:1] == ["yue"] and "yue" in known:  # zh-yue-HK
        return "yue"
    if not all(SUBTAG.fullmatch(subtag) for subtag in subtags):
        return None
    if first in codes and (len(first) <= 3 or len(subtags) == 1 and len(subtags[0]) <= 4):
        return codes[first]
    return first if first in known else None


def _nearest(plain: str, known: Collection[str], model: str) -> str:
    """Return how a message goes on that says that no language is called so."""
    codes = {name: code for name, code in _codes().items() if not known or code in known}
    names = [name for name in codes if len(name) > 3] if len(plain) > 3 else list(codes)
    near = difflib.get_close_matches(plain, names, n=1, cutoff=0.6)
    if near:
        return f"; the nearest is {near[0]!r} ({codes[near[0]]}). Give a code or an English name."
    if not known:
        return f", and {model} knows English only. Leave the language out."
    return f". Give an English name or a code, of {', '.join(sorted(known))}."


@cache
def _codes() -> dict[str, str]:
    """Return Whisper's code by every simplified name."""
    names = {_simplify(name): code for code, row in NAMES.items() for name in row.split(", ")}
    return names | {code: code for code in NAMES}


def _simplify(name: str) -> str:
    """Lower the case, leave accents and encodings out, and write one space between parts."""
    plain = unicodedata.normalize("NFKC", name).strip().strip("<|>").casefold()
    plain = "".join(c for c in plain if unicodedata.category(c) != "Cf").strip()
    apart = unicodedata.normalize("NFKD", WHATEVER_FOLLOWS.sub("", plain))
    letters = "".join(c for c in apart if not "\u0300" <= c <= "\u036f")
    return " ".join(unicodedata.normalize("NFC", re.sub(r"[-_\s]+", " ", letters)).split())
