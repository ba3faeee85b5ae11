// Events as the official Go SDK reads and writes them.
//
// In: a JSON object a line. {"do": "read", "binding", "headers", "body"} is a message, {"do": "write", "binding", "mode",
// "events"} are events to be written; bodies and data are base64, or null where there is none. Out: a line for each:
// {"events"}, {"headers", "body", "key"}, or {"error"}. Attributes are texts; of data the bytes are told that the SDK has.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/IBM/sarama"
	kafka "github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/cloudevents/sdk-go/v2/types"
)

type plainEvent struct {
	Attributes map[string]any `json:"attributes"`
	Data       []byte         `json:"data"`
}

type question struct {
	Do      string            `json:"do"`
	Binding string            `json:"binding"`
	Mode    string            `json:"mode"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
	Events  []plainEvent      `json:"events"`
}

type answer struct {
	Events  []plainEvent      `json:"events,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    []byte            `json:"body"`
	Key     string            `json:"key,omitempty"`
	Error   string            `json:"error,omitempty"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 0, 1<<16), 1<<24)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		said, err := reply(in.Bytes())
		if err != nil {
			said = answer{Error: err.Error()}
		}
		if err := out.Encode(said); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func reply(line []byte) (answer, error) {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{}, err
	}
	switch asked.Do + " " + asked.Binding {
	case "read http":
		return readHTTP(asked)
	case "read kafka":
		return readKafka(asked)
	case "write http":
		return writeHTTP(asked)
	case "write kafka":
		return writeKafka(asked)
	}
	return answer{}, errors.New("nothing is known of " + asked.Do + " " + asked.Binding)
}

func readHTTP(asked question) (answer, error) {
	header := http.Header{}
	for name, value := range asked.Headers {
		header.Set(name, value)
	}
	request := &http.Request{Header: header, Body: io.NopCloser(bytes.NewReader(asked.Body))}
	if cehttp.IsHTTPBatch(header) {
		events, err := cehttp.NewEventsFromHTTPRequest(request)
		return plain(events, err)
	}
	read, err := cehttp.NewEventFromHTTPRequest(request)
	if err != nil {
		return answer{}, err
	}
	return plain([]event.Event{*read}, nil)
}

func readKafka(asked question) (answer, error) {
	headers := map[string][]byte{}
	for name, value := range asked.Headers {
		headers[name] = []byte(value)
	}
	message := kafka.NewMessage(asked.Body, asked.Headers["content-type"], headers)
	read, err := binding.ToEvent(context.Background(), message)
	if err != nil {
		return answer{}, err
	}
	return plain([]event.Event{*read}, nil)
}

func writeHTTP(asked question) (answer, error) {
	events, err := made(asked.Events)
	if err != nil {
		return answer{}, err
	}
	ctx, err := inMode(asked.Mode)
	if err != nil {
		return answer{}, err
	}
	var request *http.Request
	if asked.Mode == "batch" {
		request, err = cehttp.NewHTTPRequestFromEvents(ctx, "http://localhost", events)
	} else {
		request, err = cehttp.NewHTTPRequestFromEvent(ctx, "http://localhost", events[0])
	}
	if err != nil {
		return answer{}, err
	}
	written := answer{Headers: map[string]string{}}
	for name := range request.Header {
		written.Headers[name] = request.Header.Get(name)
	}
	if request.Body != nil {
		written.Body, err = io.ReadAll(request.Body)
	}
	return written, err
}

func writeKafka(asked question) (answer, error) {
	events, err := made(asked.Events)
	if err != nil {
		return answer{}, err
	}
	ctx, err := inMode(asked.Mode)
	if err != nil {
		return answer{}, err
	}
	record := &sarama.ProducerMessage{}
	if err := kafka.WriteProducerMessage(ctx, (*binding.EventMessage)(&events[0]), record); err != nil {
		return answer{}, err
	}
	written := answer{Headers: map[string]string{}}
	for _, header := range record.Headers {
		written.Headers[string(header.Key)] = string(header.Value)
	}
	if record.Key != nil {
		key, err := record.Key.Encode()
		if err != nil {
			return answer{}, err
		}
		written.Key = string(key)
	}
	if record.Value != nil {
		written.Body, err = record.Value.Encode()
	}
	return written, err
}

func inMode(mode string) (context.Context, error) {
	switch mode {
	case "binary", "batch":
		return context.Background(), nil
	case "structured":
		return binding.WithForceStructured(context.Background()), nil
	}
	return nil, errors.New("there is no mode " + mode)
}

func plain(events []event.Event, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	said := answer{Events: []plainEvent{}}
	for _, read := range events {
		if err := read.Validate(); err != nil {
			return answer{}, err
		}
		attributes := map[string]any{
			"specversion": read.SpecVersion(), "id": read.ID(), "source": read.Source(), "type": read.Type(),
		}
		optional := map[string]string{
			"subject": read.Subject(), "datacontenttype": read.DataContentType(), "dataschema": read.DataSchema(),
		}
		for name, value := range optional {
			if value != "" {
				attributes[name] = value
			}
		}
		if !read.Time().IsZero() {
			attributes["time"] = types.FormatTime(read.Time())
		}
		for name, value := range read.Extensions() {
			text, err := types.Format(value)
			if err != nil {
				return answer{}, err
			}
			attributes[name] = text
		}
		said.Events = append(said.Events, plainEvent{Attributes: attributes, Data: read.Data()})
	}
	return said, nil
}

func made(wanted []plainEvent) ([]event.Event, error) {
	var events []event.Event
	for _, one := range wanted {
		next := event.New()
		var contentType string
		for name, value := range one.Attributes {
			if number, isNumber := value.(float64); isNumber {
				value = int32(number)
			}
			text, err := types.Format(value)
			if err != nil {
				return nil, err
			}
			switch name {
			case "specversion":
				next.SetSpecVersion(text)
			case "id":
				next.SetID(text)
			case "source":
				next.SetSource(text)
			case "type":
				next.SetType(text)
			case "subject":
				next.SetSubject(text)
			case "dataschema":
				next.SetDataSchema(text)
			case "datacontenttype":
				contentType = text
				next.SetDataContentType(text)
			case "time":
				instant, err := types.ParseTime(text)
				if err != nil {
					return nil, err
				}
				next.SetTime(instant)
			default:
				next.SetExtension(name, value)
			}
		}
		if one.Data != nil {
			if err := next.SetData(contentType, one.Data); err != nil {
				return nil, err
			}
			// Bytes are taken for binary data; JSON and text are none.
			next.DataBase64 = !isText(contentType)
		}
		events = append(events, next)
	}
	return events, nil
}

func isText(contentType string) bool {
	return contentType == event.ApplicationJSON || contentType == event.TextPlain
}
