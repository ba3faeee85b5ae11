"""LangChain for Python over OpenAI's client: a function a scenario, which returns [input, output] tokens of each request."""

import asyncio
from functools import reduce

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from with_openai import Place, raises

question = "What is the weather in Ulm?"


@tool
def get_weather(city: str, days: int) -> str:
    """The weather of a city."""
    return f"18 degrees in {city}"


def chat_of(base_url, api_key, model, **more):
    return ChatOpenAI(base_url=base_url, api_key=api_key, model=model, stream_usage=True, **more)


def usage_of(message):
    usage = message.usage_metadata
    return [usage["input_tokens"], usage["output_tokens"]]


def joined(chunks):
    return reduce(lambda left, right: left + right, chunks)


def speaking(model):
    whole = model.invoke([("system", "Be brief."), ("human", question)])
    chunks = list(model.stream([("system", "Be brief."), ("human", question)]))
    assert len(chunks) > 3
    streamed = joined(chunks)
    assert streamed.text == whole.text != ""
    return [whole, streamed, *model.batch(["One?", "Two?"])]


def calling(model):
    bound = model.bind_tools([get_weather])
    asked = HumanMessage("Use get_weather for Ulm.")
    called = joined(bound.stream([asked]))
    [call] = called.tool_calls
    assert set(call["args"]) == {"city", "days"}
    told = get_weather.invoke(call)
    assert isinstance(told, ToolMessage)
    answer = bound.invoke([asked, called, told])
    assert answer.text and not answer.tool_calls
    return [called, answer]


def structured(model):
    found = model.with_structured_output(Place, include_raw=True).invoke(question)
    assert isinstance(found["parsed"], Place), found
    return [found["raw"]]


def langchain_chat(base_url, api_key, model, embedding):
    chat = chat_of(base_url, api_key, model)
    messages = [*speaking(chat), *calling(chat), *structured(chat)]
    by_tool = chat.with_structured_output(Place, include_raw=True, method="function_calling")
    messages.append(by_tool.invoke(question)["raw"])
    return [usage_of(message) for message in messages]


def langchain_responses(base_url, api_key, model, embedding):
    chat = chat_of(base_url, api_key, model, use_responses_api=True)
    return [usage_of(each) for each in [*speaking(chat), *calling(chat), *structured(chat)]]


def langchain_asynchronous(base_url, api_key, model, embedding):
    async def run():
        chat = chat_of(base_url, api_key, model)
        whole = await chat.ainvoke(question)
        streamed = joined([chunk async for chunk in chat.astream(question)])
        assert streamed.text == whole.text
        prompt = ChatPromptTemplate.from_template("What is the weather in {city}?")
        parts = [part async for part in (prompt | chat | StrOutputParser()).astream({"city": "Ulm"})]
        assert "".join(parts) == whole.text
        return [usage_of(whole), usage_of(streamed), usage_of(streamed)]

    return asyncio.run(run())


def langchain_embeddings(base_url, api_key, model, embedding):
    """The usage of embeddings is not told: two requests of one text are four tokens each."""
    embeddings = OpenAIEmbeddings(
        base_url=base_url,
        api_key=api_key,
        model=embedding,
        dimensions=32,
        # Else it cuts texts into tokens of OpenAI's models, which no other model knows.
        check_embedding_ctx_length=False,
    )
    documents = embeddings.embed_documents(["0123456789abcdef"])
    assert [len(vector) for vector in documents] == [32]
    assert embeddings.embed_query("0123456789abcdef") == documents[0]
    return [[4, 0], [4, 0]]


def langchain_refused(base_url, api_key, model, embedding):
    """The tenant has no money."""
    raises(
        openai.APIStatusError,
        lambda: chat_of(base_url, api_key, model).invoke(question),
        status_code=402,
    )
    raises(
        openai.AuthenticationError, lambda: chat_of(base_url, "sk-none", model).invoke(question)
    )
    raises(openai.NotFoundError, lambda: chat_of(base_url, api_key, "nope").invoke(question))
    return []


scenarios = {
    each.__name__: each
    for each in (
        langchain_chat,
        langchain_responses,
        langchain_asynchronous,
        langchain_embeddings,
        langchain_refused,
    )
}
