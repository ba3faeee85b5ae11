{{/* Labels that say whose an object is. */}}
{{- define "tenant.labels" -}}
app.kubernetes.io/name: tenant
app.kubernetes.io/part-of: sluice
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
sluice.dev/organisation: {{ .Values.organisation | quote }}
{{- end }}

{{/* Peers as NetworkPolicies write them. In: a list of {namespace, podLabels} or {cidr, except}. Out: a YAML list. */}}
{{- define "tenant.peers" -}}
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
{{- define "tenant.ports" -}}
{{- if not . }}{{ fail "networkPolicies: a list of ports is empty, and a rule without ports opens all" }}{{ end }}
{{- range . }}
- protocol: TCP
  port: {{ . }}
{{- end }}
{{- end }}
