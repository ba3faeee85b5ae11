"""OpenAI's client for Python, in its two kinds: a function a scenario, which returns [input, output] tokens of each request."""

import asyncio
import json

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

question = [{"role": "user", "content": "What is the weather in Ulm?"}]
errand = [{"role": "user", "content": "Use get_weather for Ulm."}]
weather = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    "strict": True,
}
tools = [{"type": "function", "function": weather}]


class Place(BaseModel):
    name: str
    inhabitants: int
    rivers: list[str]


def of_chat(usage):
    return [usage.prompt_tokens, getattr(usage, "completion_tokens", 0)]


def of_response(usage):
    return [usage.input_tokens, usage.output_tokens]


def raises(kind, call, **wanted):
    try:
        call()
    except kind as error:
        for name, value in wanted.items():
            assert getattr(error, name) == value, (name, getattr(error, name))
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def chat(base_url, api_key, model, embedding):
    client = OpenAI(base_url=base_url, api_key=api_key)
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=question, max_tokens=12
    )
    assert raw.status_code == 200
    assert len(raw.headers["x-request-id"]) == 36
    assert float(raw.headers["x-sluice-budget-remaining-usd"]) > 0
    whole = raw.parse()
    assert whole._request_id == raw.headers["x-request-id"]
    assert len(whole.choices[0].message.content) == 48
    ask = dict(model=model, messages=question, max_tokens=12, stream=True)
    chunks = list(client.chat.completions.create(**ask, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    untold = list(client.chat.completions.create(**ask))
    assert all(chunk.usage is None and chunk.choices for chunk in untold)
    with client.chat.completions.with_streaming_response.create(**ask) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    told = of_chat(chunks[-1].usage)
    return [of_chat(whole.usage), told, told, told]


def tool(base_url, api_key, model, embedding):
    client = OpenAI(base_url=base_url, api_key=api_key)
    whole = client.chat.completions.create(model=model, messages=errand, tools=tools)
    [call] = whole.choices[0].message.tool_calls
    assert whole.choices[0].finish_reason == "tool_calls"
    with client.chat.completions.stream(
        model=model, messages=errand, tools=tools, stream_options={"include_usage": True}
    ) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_completion()
    assert kinds.count("tool_calls.function.arguments.delta") > 1
    [again] = streamed.choices[0].message.tool_calls
    assert again.function.arguments == call.function.arguments
    assert set(again.function.parsed_arguments) == {"city", "days"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}
    messages = [*errand, whole.choices[0].message, result]
    last = client.chat.completions.create(model=model, messages=messages, tools=tools)
    assert last.choices[0].finish_reason == "stop" and last.choices[0].message.content
    return [of_chat(each.usage) for each in (whole, streamed, last)]


def schema(base_url, api_key, model, embedding):
    client = OpenAI(base_url=base_url, api_key=api_key)
    parsed = client.chat.completions.parse(model=model, messages=question, response_format=Place)
    assert isinstance(parsed.choices[0].message.parsed, Place)
    response = client.responses.parse(model=model, input=question, text_format=Place)
    assert isinstance(response.output_parsed, Place)
    return [of_chat(parsed.usage), of_response(response.usage)]


def older(base_url, api_key, model, embedding):
    client = OpenAI(base_url=base_url, api_key=api_key)
    completion = client.completions.create(model=model, prompt=["Once", "Twice"], n=2, max_tokens=5)
    assert [len(choice.text) for choice in completion.choices] == [20] * 4
    one = client.embeddings.create(model=embedding, input="the sun")
    assert len(one.data[0].embedding) == 256
    more = client.embeddings.create(model=embedding, input=["the sun", "the sea"], dimensions=16)
    assert [len(each.embedding) for each in more.data] == [16, 16]
    return [of_chat(each.usage) for each in (completion, one, more)]


def responses(base_url, api_key, model, embedding):
    client = OpenAI(base_url=base_url, api_key=api_key)
    ask = dict(model=model, input=question, max_output_tokens=16)
    whole = client.responses.create(**ask)
    events = list(client.responses.create(**ask, stream=True))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text and len(whole.output_text) == 64
    functions = [{"type": "function", **weather}]
    with client.responses.stream(model=model, input=errand, tools=functions) as stream:
        for _ in stream:
            pass
        called = stream.get_final_response()
    assert set(json.loads(called.output[0].arguments)) == {"city", "days"}
    return [of_response(each.usage) for each in (whole, events[-1].response, called)]


def asynchronous(base_url, api_key, model, embedding):
    async def run():
        async with AsyncOpenAI(base_url=base_url, api_key=api_key) as client:
            ask = dict(model=model, messages=question, max_tokens=6)
            asks = [client.chat.completions.create(**ask) for _ in range(8)]
            usages = [of_chat(each.usage) for each in await asyncio.gather(*asks)]
            options = {"include_usage": True}
            stream = await client.chat.completions.create(**ask, stream=True, stream_options=options)
            chunks = [chunk async for chunk in stream]
            called = await client.chat.completions.create(model=model, messages=errand, tools=tools)
            assert called.choices[0].message.tool_calls
            vectors = await client.embeddings.create(model=embedding, input=["a", "b"])
            return usages + [of_chat(each.usage) for each in (chunks[-1], called, vectors)]

    return asyncio.run(run())


def models(base_url, api_key, model, embedding):
    client = OpenAI(base_url=base_url, api_key=api_key)
    assert {model, embedding} <= {each.id for each in client.models.list()}
    assert client.models.retrieve(model).id == model
    raises(openai.NotFoundError, lambda: client.models.retrieve("nope"))
    return []


def refused(base_url, api_key, model, embedding):
    """The tenant has no money."""
    client = OpenAI(base_url=base_url, api_key=api_key)

    def ask(**more):
        return lambda: client.chat.completions.create(**{"model": model, "messages": question, **more})

    stranger = OpenAI(base_url=base_url, api_key="sk-none")
    raises(openai.AuthenticationError, stranger.models.list, status_code=401)
    raises(openai.NotFoundError, ask(model="nope"), code="model_not_found")
    raises(openai.BadRequestError, ask(messages="x"), param="messages")
    raises(openai.BadRequestError, ask(max_tokens=0), param="max_tokens")
    poor = raises(openai.APIStatusError, ask(), status_code=402, code="insufficient_quota")
    assert len(poor.request_id) == 36
    return []


def limited(base_url, api_key, model, embedding):
    """The key has 30 requests a minute."""
    ask = dict(model=model, messages=question, max_tokens=1)

    async def hasten():
        async with AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0) as client:
            asks = [client.chat.completions.create(**ask) for _ in range(60)]
            return await asyncio.gather(*asks, return_exceptions=True)

    outcomes = asyncio.run(hasten())
    errors = [each for each in outcomes if isinstance(each, Exception)]
    assert errors and all(isinstance(error, openai.RateLimitError) for error in errors), errors
    assert errors[0].response.headers["x-ratelimit-limit-requests"] == "30"
    assert 0 < int(errors[0].response.headers["retry-after-ms"]) <= 2_000
    patient = OpenAI(base_url=base_url, api_key=api_key)
    served = [each for each in outcomes if not isinstance(each, Exception)]
    return [of_chat(each.usage) for each in [*served, patient.chat.completions.create(**ask)]]


def left(base_url, api_key, model, embedding):
    """The model is slow: what it sent is known to it alone."""
    client = OpenAI(base_url=base_url, api_key=api_key)
    stream = client.chat.completions.create(
        model=model, messages=question, max_tokens=1_000, stream=True
    )
    for count, _ in enumerate(stream):
        if count == 3:
            break
    stream.close()
    return []


def impatient(base_url, api_key, model, embedding):
    """The model is slow."""
    client = OpenAI(base_url=base_url, api_key=api_key, timeout=0.5, max_retries=0)
    raises(
        openai.APITimeoutError,
        lambda: client.chat.completions.create(model=model, messages=question, max_tokens=1_000),
    )
    return []


scenarios = {
    each.__name__: each
    for each in (
        chat,
        tool,
        schema,
        older,
        responses,
        asynchronous,
        models,
        refused,
        limited,
        left,
        impatient,
    )
}
