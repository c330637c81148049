#!/usr/bin/env bash
# Versions: laion-clap 1.1.7, transformers 4.57.1, torch 2.14.1, torchvision 0.29.1, numpy 1.26.4, Python 3.11,
#   Linux x86-64; seen in November 2026.
#
# Seen: `import laion_clap` loads three tokenizers by name at module level (bert-base-uncased, roberta-base and
#   facebook/bart-base), so it looks for them on the hub. Without network the import asks again and again for a minute, and
#   then ends in a TypeError about a path that is None, even for somebody who embeds sound alone, from a checkpoint on the
#   disk. CLAP_Module reads roberta-base and no other; the three are for preparing training data.
#
# Expected: that importing a library reads nothing from the network, and that a model from a local file with nothing but
#   sound to embed works offline.
#
# Who is hurt: whoever runs it in a container, on a cluster's compute node or behind a firewall: having roberta-base in
#   the cache, as the model needs it, is not enough, and the message tells of neither network nor tokenizer.
#
# It downloads PyTorch and what the package depends on (more than a gigabyte, some minutes).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    laion-clap==1.1.7 transformers==4.57.1 torch==2.14.1 torchvision==0.29.1 numpy==1.26.4 \
    || cannot "the packages are not to be had"

cat > alone.py <<'PYTHON'
"""Import it with nobody to ask: every look-up of a host is counted and fails."""

import socket
import sys

asked = []


def refuse(host, *_, **__):
    asked.append(host)
    raise socket.gaierror(socket.EAI_NONAME, "no network here")


socket.getaddrinfo = refuse
try:
    import laion_clap
except Exception as error:
    print(f"import without network: {type(error).__name__}, {len(asked)} look-ups of {len(set(asked))} host(s)")
    print(f"  {str(error).splitlines()[0][:150]}")
    sys.exit(0 if asked else 1)
print(f"import without network: works, {len(asked)} look-ups")
sys.exit(1)
PYTHON

cat > names.py <<'PYTHON'
"""Import it with stand-ins for the tokenizers, which write down what they are asked for."""

import sys

import transformers

wanted = []


def note(cls, name, *_, **__):
    wanted.append(name)


for kind in ("BertTokenizer", "RobertaTokenizer", "BartTokenizer"):
    getattr(transformers, kind).from_pretrained = classmethod(note)
import laion_clap

print(f"wanted by the import: {', '.join(wanted)}")
sys.exit(0 if wanted == ["bert-base-uncased", "roberta-base", "facebook/bart-base"] else 1)
PYTHON

export HF_HOME="$folder/hub"
holds=yes
venv/bin/python alone.py 2> alone.txt || holds=no  # what it says of each try goes to the file
venv/bin/python names.py || holds=no
if [ "$holds" = yes ]; then echo "The finding holds."; else echo "The finding no longer holds."; exit 1; fi
