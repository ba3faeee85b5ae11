"""What unmodified Python clients make of a gateway.

In: a JSON object a line: {"do", "base_url", "api_key", "model", "embedding"}. Out: a line for each: {"usages": [[input, output]]},
one a request as the client told it, or {"error"}. A scenario checks by itself what is no matter of money.
"""

import json
import sys
import traceback

import with_langchain
import with_openai

scenarios = {**with_openai.scenarios, **with_langchain.scenarios}


def answer(asked):
    name = asked.pop("do")
    try:
        return {"usages": scenarios[name](**asked)}
    except Exception:  # Whatever it is, the test shows it.
        return {"error": traceback.format_exc()}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
