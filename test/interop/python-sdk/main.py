"""Events as the official Python SDK reads and writes them.

In: a JSON object a line. {"do": "read", "binding", "headers", "body"} is a message, {"do": "write", "binding", "mode",
"events"} are events to be written; bodies and data are base64, or null where there is none. Out: a line for each:
{"events"}, {"headers", "body", "key"}, or {"error"}. Attributes are texts; of data the bytes are told that the SDK has.
"""

import base64
import json
import sys
from datetime import datetime

from cloudevents.core.bindings import http, kafka
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse


def to_base64(data):
    return None if data is None else base64.b64encode(data).decode("ascii")


def from_base64(text):
    return None if text is None else base64.b64decode(text)


def is_json(content_type):
    return content_type is None or "json" in content_type


def read(asked):
    body = from_base64(asked["body"])
    if asked["binding"] == "http":
        event = http.from_http_event(http.HTTPMessage(headers=asked["headers"], body=body or b""))
    else:
        headers = {name: text.encode("utf-8") for name, text in asked["headers"].items()}
        event = kafka.from_kafka_event(kafka.KafkaMessage(headers=headers, key=None, value=body))
    attributes = {name: text_of(value) for name, value in event.get_attributes().items()}
    return {"events": [{"attributes": attributes, "data": data_of(event)}]}


def text_of(value):
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return json.dumps(value) if isinstance(value, (bool, int)) else value


def data_of(event):
    data = event.get_data()
    if data is None or isinstance(data, (bytes, bytearray)):
        return to_base64(data)
    if is_json(event.get_datacontenttype()):
        return to_base64(json.dumps(data).encode("utf-8"))
    return to_base64(data.encode("utf-8"))


def write(asked):
    event = made(asked["events"][0])
    if asked["binding"] == "http":
        to = {"binary": http.to_binary_event, "structured": http.to_structured_event}[asked["mode"]]
        message = to(event)
        return {"headers": message.headers, "body": to_base64(message.body)}
    to = {"binary": kafka.to_binary_event, "structured": kafka.to_structured_event}[asked["mode"]]
    record = to(event)
    headers = {name: value.decode("utf-8") for name, value in record.headers.items()}
    return {"headers": headers, "body": to_base64(record.value), "key": record.key}


def made(wanted):
    attributes = dict(wanted["attributes"])
    if "time" in attributes:
        attributes["time"] = isoparse(attributes["time"])
    data = from_base64(wanted["data"])
    content_type = attributes.get("datacontenttype")
    if data is not None and is_json(content_type):
        data = json.loads(data)
    elif data is not None and content_type.startswith("text/"):
        data = data.decode("utf-8")
    return CloudEvent(attributes, data)


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            said = {"read": read, "write": write}[asked["do"]](asked)
        except Exception as error:  # Whatever the SDK makes of an event is what is asked for.
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
