// Oracle of filters: what Knative's multi-tenant broker decides, said by Knative's own code.
//
// In: a JSON object a line, {"filter": …} or {"filters": […]} as in the spec of a Trigger, and "event", a CloudEvent in JSON
// format. Out: a line for each: true, false, or "refused: " and why, when the webhook would not admit the Trigger, or "no
// event: " and why, when the broker's ingress would not take the event.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.uber.org/zap"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/eventing/pkg/broker"
	"knative.dev/eventing/pkg/eventfilter"
	"knative.dev/eventing/pkg/eventfilter/attributes"
	"knative.dev/eventing/pkg/eventfilter/subscriptionsapi"
	"knative.dev/pkg/logging"
)

type question struct {
	Filter  *eventingv1.TriggerFilter           `json:"filter"`
	Filters []eventingv1.SubscriptionsAPIFilter `json:"filters"`
	Event   json.RawMessage                     `json:"event"`
}

func main() {
	// Knative logs every comparison at debug level; nothing of it is wanted.
	ctx := logging.WithLogger(context.Background(), zap.NewNop().Sugar())
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 0, 1<<16), 1<<24)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		fmt.Fprintln(out, answer(ctx, in.Bytes()))
		out.Flush()
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer(ctx context.Context, line []byte) string {
	var asked question
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return "refused: " + err.Error()
	}
	errs := eventingv1.ValidateAttributeFilters(asked.Filter).
		Also(eventingv1.ValidateSubscriptionAPIFiltersList(ctx, asked.Filters))
	if errs != nil {
		return fmt.Sprintf("refused: %q", errs.Error())
	}
	event, err := asDelivered(ctx, asked.Event)
	if err != nil {
		return fmt.Sprintf("no event: %q", err.Error())
	}
	return fmt.Sprint(decide(ctx, asked, *event) != eventfilter.FailFilter)
}

// asDelivered turns an event into what the filter of the broker sees: between ingress and filter it travels in binary mode,
// where every attribute is a text.
func asDelivered(ctx context.Context, text []byte) (*cloudevents.Event, error) {
	var event cloudevents.Event
	if err := json.Unmarshal(text, &event); err != nil {
		return nil, err
	}
	if err := event.Validate(); err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, "http://filter.test", nil)
	if err != nil {
		return nil, err
	}
	if err := cehttp.WriteRequest(ctx, binding.ToMessage(&event), request); err != nil {
		return nil, err
	}
	delivered, err := binding.ToEvent(ctx, cehttp.NewMessageFromHttpRequest(request))
	if err != nil {
		return nil, err
	}
	// The handler takes it off before it filters; an event without one is an error there, not here.
	_ = broker.DeleteTTL(delivered.Context)
	return delivered, nil
}

// decide is what filterEvent in pkg/broker/filter of Knative does, which is not exported.
func decide(ctx context.Context, asked question, event cloudevents.Event) eventfilter.FilterResult {
	if len(asked.Filters) > 0 {
		// Cleanup is not called: it races with the goroutine that reorders all and any, and now and then closes a channel twice.
		return subscriptionsapi.CreateSubscriptionsAPIFilters(zap.NewNop(), asked.Filters).Filter(ctx, event)
	}
	if asked.Filter != nil {
		return attributes.NewAttributesFilter(asked.Filter.Attributes).Filter(ctx, event)
	}
	return eventfilter.NoFilter
}
