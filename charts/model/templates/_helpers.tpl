{{/* What every object of the model is called. */}}
{{- define "model.name" -}}
{{- printf "%s-%s" .Values.model.name .Values.environment -}}
{{- end }}

{{/* What is chosen by: the Deployment's pods. Never changes. */}}
{{- define "model.selector" -}}
app.kubernetes.io/name: model
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Labels of pods, and of what hands its own on to pods. None that another version of the chart changes: a new pod loads weights. */}}
{{- define "model.podLabels" -}}
{{ include "model.selector" . }}
app.kubernetes.io/component: {{ .Values.model.name | quote }}
app.kubernetes.io/part-of: sluice
sluice.dev/environment: {{ .Values.environment | quote }}
{{- end }}

{{/* Labels that say whose an object is. */}}
{{- define "model.labels" -}}
{{ include "model.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{/* What a part of a price is called in an annotation. Out: JSON. */}}
{{- define "model.priceNames" -}}
{{- dict
  "input" "price-input"
  "output" "price-output"
  "cachedInput" "price-cached-input"
  "inputGpuMs" "price-input-gpu-ms"
  "outputGpuMs" "price-output-gpu-ms" | toJson -}}
{{- end }}

{{/* What the registry reads of a Service or an InferenceService. Out: YAML, texts only. */}}
{{- define "model.annotations" -}}
{{- with .Values }}
{{- $said := dict
  "environment" .environment
  "model-name" .model.servedName
  "price" (.registry.free | ternary "free" "")
  "context-length" (.registry.contextLength | default .model.contextLength)
  "max-concurrency" .registry.maxConcurrency
  "max-output-tokens" .registry.maxOutputTokens
  "default-max-tokens" .registry.defaultMaxTokens
  "start-seconds" (eq (int .minReplicas) 0 | ternary .server.startSeconds 0)
  "fallbacks" (join "," .registry.fallbacks) }}
{{- $names := include "model.priceNames" $ | fromJson }}
{{- range $part, $amount := .registry.price }}{{ $_ := set $said (get $names $part) $amount }}{{ end }}
{{- range $name, $value := $said }}
{{- if $value }}
sluice.dev/{{ $name }}: {{ kindIs "string" $value | ternary $value (int64 $value | toString) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the ConfigMap says. Out: YAML, texts only. */}}
{{- define "model.configuration" -}}
{{- with .Values.model -}}
MODEL: {{ .source | quote }}
SERVED_MODEL_NAME: {{ .servedName | default .name | quote }}
{{- with .contextLength }}
MAX_MODEL_LEN: {{ int64 . | quote }}
{{- end }}
{{- with .revision }}
MODEL_REVISION: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
