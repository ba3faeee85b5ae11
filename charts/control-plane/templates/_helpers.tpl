{{/* Labels that say which release an object belongs to. */}}
{{- define "sluice.labels" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/part-of: sluice
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
sluice.dev/environment: {{ .Values.environment | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The image of every container. A repository whose first part is a host is taken as it is. */}}
{{- define "sluice.image" -}}
{{- $host := first (splitList "/" .Values.image.repository) -}}
{{- $whole := and (contains "/" .Values.image.repository) (or (contains "." $host) (contains ":" $host)) -}}
{{- if and .Values.global.imageRegistry (not $whole) }}{{ .Values.global.imageRegistry }}/{{ end -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}

{{/* What the values say of one function, over what they say of all. In: root, name. Out: JSON. */}}
{{- define "sluice.functionValues" -}}
{{- $own := index .root.Values.functions .name | default dict -}}
{{- mergeOverwrite (deepCopy .root.Values.functionDefaults) (deepCopy $own) | toJson -}}
{{- end }}

{{/* "on" unless the values turn the function off. In: root, name. */}}
{{- define "sluice.functionOn" -}}
{{- $own := index .root.Values.functions .name | default dict -}}
{{- if ne (get $own "enabled" | toString) "false" }}on{{ end -}}
{{- end }}

{{/* "on" unless the values turn the source off. In: root, name. */}}
{{- define "sluice.sourceOn" -}}
{{- $own := index .root.Values.sources .name | default dict -}}
{{- if ne (get $own "enabled" | toString) "false" }}on{{ end -}}
{{- end }}

{{/*
All objects of the copied manifests that the values leave in, as they are, each with its file's name: JSON {"items": [{file, object}]}.
A file that is named after a function, or begins with its name, goes with the function. Kafka's Brokers come instead of the others.
*/}}
{{- define "sluice.documents" -}}
{{- $items := list -}}
{{- $off := list -}}
{{- range $name, $values := .Values.functions -}}
{{- if not (include "sluice.functionOn" (dict "root" $ "name" $name)) -}}{{- $off = append $off $name -}}{{- end -}}
{{- end -}}
{{- $kafka := eq .Values.broker.class "Kafka" -}}
{{- $folders := list "files/knative" -}}
{{- if $kafka -}}{{- $folders = append $folders "files/knative/broker-kafka" -}}{{- end -}}
{{- if .Values.kserve.enabled -}}{{- $folders = append $folders "files/knative/kserve" -}}{{- end -}}
{{- range $path, $_ := .Files.Glob (printf "{%s}/*.yaml" (join "," $folders)) -}}
{{- $file := trimSuffix ".yaml" (base $path) -}}
{{- $on := not (and $kafka (eq $path "files/knative/10-broker.yaml")) -}}
{{- range $off -}}
{{- if hasPrefix (printf "%s-" .) (printf "%s-" $file) -}}{{- $on = false -}}{{- end -}}
{{- end -}}
{{- range ternary (list) (list $path) (not $on) -}}
{{- range $text := regexSplit "(?m)^---\\s*$" ($.Files.Get $path) -1 -}}
{{- $object := fromYaml $text -}}
{{- if $object -}}
{{- if $object.Error }}{{ fail (printf "%s: %s" $path $object.Error) }}{{ end -}}
{{- $items = append $items (dict "file" $file "object" $object) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end }}

{{/* Adds labels and the annotations of everybody to an object that is made here. In: root, object. */}}
{{- define "sluice.mark" -}}
{{- $labels := merge (dict) (.object.metadata.labels | default dict) (include "sluice.labels" .root | fromYaml) -}}
{{- $_ := set .object.metadata "labels" $labels -}}
{{- with .root.Values.commonAnnotations -}}
{{- $_ := set $.object.metadata "annotations" (merge (dict) ($.object.metadata.annotations | default dict) .) -}}
{{- end -}}
{{- end }}

{{/* Names of the functions that are on, as a JSON array. */}}
{{- define "sluice.functionNames" -}}
{{- $names := list -}}
{{- range (include "sluice.documents" . | fromJson).items -}}
{{- if and (hasPrefix "serving.knative.dev/" .object.apiVersion) (eq .object.kind "Service") -}}
{{- $names = append $names .object.metadata.name -}}
{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end }}
