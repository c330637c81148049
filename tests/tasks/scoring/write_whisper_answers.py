"""Write anew what openai-whisper's normalisers answer to the sentences in whisper_answers.json.

Run by hand, where the [bench] extra is installed (openai-whisper 20250625 comes with it).
"""

import json
from pathlib import Path

from whisper.normalizers import BasicTextNormalizer, EnglishTextNormalizer

ANSWERS = Path(__file__).with_name("whisper_answers.json")
COMMAND = "python tests/tasks/scoring/write_whisper_answers.py, with openai-whisper==20250625"


def main() -> None:
    english, basic = EnglishTextNormalizer(), BasicTextNormalizer()
    texts = [answer["text"] for answer in json.loads(ANSWERS.read_text("utf-8"))["answers"]]
    answers = [{"text": t, "english": english(t), "basic": basic(t)} for t in texts]
    found = {"made_by": COMMAND, "answers": answers}
    ANSWERS.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
