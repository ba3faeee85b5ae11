{{/* Broker: its class, where the class has its settings, and where dead letters go. In: root, object. Changes the object. */}}
{{- define "sluice.broker" -}}
{{- $values := .root.Values.broker -}}
{{- with $values.class -}}
{{- $annotations := $.object.metadata.annotations | default dict -}}
{{- $_ := set $.object.metadata "annotations" (merge (dict "eventing.knative.dev/broker.class" .) $annotations) -}}
{{- end -}}
{{- with $values.config -}}{{- $_ := set $.object.spec "config" . -}}{{- end -}}
{{- if $values.deadLetterUri -}}
{{- $_ := set .object.spec.delivery "deadLetterSink" (dict "uri" $values.deadLetterUri) -}}
{{- else if not (include "sluice.functionOn" (dict "root" .root "name" "deadletter")) -}}
{{- fail "functions.deadletter is the dead letter sink of every Broker: leave it on, or say where dead letters go with broker.deadLetterUri" -}}
{{- end -}}
{{- end }}

{{/* Where Kafka's class finds Kafka. In: root, object (the ConfigMap). Changes the object. */}}
{{- define "sluice.brokerConfig" -}}
{{- $values := .root.Values.broker.kafka -}}
{{- $settings := dict
  "bootstrap.servers" $values.bootstrapServers
  "default.topic.partitions" $values.partitions
  "default.topic.replication.factor" $values.replicationFactor -}}
{{- range $name, $value := $settings -}}
{{- if $value -}}{{- $_ := set $.object.data $name (toString $value) -}}{{- end -}}
{{- end -}}
{{- end }}

{{/* Source: one that runs a container (ContainerSource), or ticks (PingSource). In: root, object. Changes the object. */}}
{{- define "sluice.source" -}}
{{- $values := index .root.Values.sources .object.metadata.name | default dict -}}
{{- if $values.schedule -}}{{- $_ := set .object.spec "schedule" $values.schedule -}}{{- end -}}
{{- if .object.spec.template -}}
{{- $merged := mergeOverwrite (deepCopy .root.Values.sourceDefaults) (deepCopy $values) -}}
{{- include "sluice.pod" (dict "root" .root "spec" .object.spec.template.spec "values" $merged) -}}
{{- end -}}
{{- end }}

{{/* "on" unless what the object calls is a function that the values turn off, or the object is a source that they turn off. */}}
{{- define "sluice.eventingOn" -}}
{{- $sink := .object.spec.subscriber | default .object.spec.sink | default dict -}}
{{- $reference := $sink.ref | default dict -}}
{{- $called := and (eq ($reference.kind | toString) "Service") (hasPrefix "serving.knative.dev/" ($reference.apiVersion | toString)) -}}
{{- if and $called (not (include "sluice.functionOn" (dict "root" .root "name" $reference.name))) -}}
{{- else if and (hasSuffix "Source" .object.kind) (not (include "sluice.sourceOn" (dict "root" .root "name" .object.metadata.name))) -}}
{{- else }}on{{ end -}}
{{- end }}
