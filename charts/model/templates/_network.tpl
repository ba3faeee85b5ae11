{{/* Peers as NetworkPolicies write them. In: a list of {namespace, podLabels} or {cidr, except}. Out: a YAML list. */}}
{{- define "model.peers" -}}
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
{{- define "model.ports" -}}
{{- if not . }}{{ fail "networkPolicies: a list of ports is empty, and a rule without ports opens all" }}{{ end }}
{{- range . }}
- protocol: TCP
  port: {{ int . }}
{{- end }}
{{- end }}

{{/* Whether Knative's queue-proxy is before the server: then it is never seen who called. Out: yes or nothing. */}}
{{- define "model.isBehindKnative" -}}
{{- if and (eq .Values.kind "inferenceService") (eq .Values.inferenceService.deploymentMode "Knative") }}yes{{ end -}}
{{- end }}
