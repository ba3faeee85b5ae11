{{/* Peers as NetworkPolicies write them. In: a list of {namespace, podLabels} or {cidr, except}. Out: a YAML list. */}}
{{- define "sluice.network.peers" -}}
{{- if not . }}{{ fail "networkPolicies: a list of peers is empty, and a rule without peers admits everybody" }}{{ end }}
{{- range . }}
{{- if .cidr }}
- ipBlock:
    cidr: {{ .cidr | quote }}
    {{- with .except }}
    except: {{ toJson . }}
    {{- end }}
{{- else }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ required "a peer of networkPolicies has a namespace or a cidr" .namespace | quote }}
  {{- with .podLabels }}
  podSelector:
    matchLabels: {{ toJson . }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* TCP ports as NetworkPolicies write them. In: a list of numbers. Out: a YAML list. */}}
{{- define "sluice.network.ports" -}}
{{- if not . }}{{ fail "networkPolicies: a list of ports is empty, and a rule without ports opens all" }}{{ end }}
{{- range . }}
- protocol: TCP
  port: {{ . }}
{{- end }}
{{- end }}

{{/* Which label says the name of each kind of workload: what Knative and Kubernetes put on its pods. Out: JSON. */}}
{{- define "sluice.network.labels" -}}
{{- dict
  "functions" "serving.knative.dev/service"
  "sources" "sources.knative.dev/containerSource"
  "watches" "eventing.knative.dev/sourceName"
  "jobs" "batch.kubernetes.io/job-name" | toJson -}}
{{- end }}

{{/* The pods of this release that may reach a destination, as peers of a policy elsewhere. In: root, destination. Out: a YAML list. */}}
{{- define "sluice.network.ours" -}}
{{- $labels := include "sluice.network.labels" .root | fromJson -}}
{{- range $kind, $label := $labels }}
{{- with index $.destination $kind }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ $.root.Release.Namespace | quote }}
  podSelector:
    matchExpressions:
      - {key: {{ $label }}, operator: In, values: {{ toJson . }}}
{{- end }}
{{- end }}
{{- end }}

{{/* What a pod of Knative admits: callers at the queue-proxy, the autoscaler at its count. In: root. Out: a YAML list of rules. */}}
{{- define "sluice.network.knative" -}}
{{- with .Values.networkPolicies -}}
- from:
    {{- include "sluice.network.peers" .callers | trim | nindent 4 }}
  ports:
    {{- include "sluice.network.ports" .callerPorts | trim | nindent 4 }}
- from:
    {{- include "sluice.network.peers" .autoscaler | trim | nindent 4 }}
  ports:
    {{- include "sluice.network.ports" (list 9090) | trim | nindent 4 }}
{{- end -}}
{{- end }}
