{{/*
Named: an object of knative/ with the names of this release: its namespace, its Secret. In: root, object. Out: JSON.
The text of a JSON value escapes its quotes, so what is replaced here is a key with its value and nothing within a text, but for
the names that the cluster's DNS gives a Service. Objects that belong to no namespace carry the namespace in their name.
*/}}
{{- define "sluice.named" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $secret := .root.Values.secretName -}}
{{- $text := toJson .object -}}
{{- $text = $text | replace `"namespace":"sluice"` (printf `"namespace":%q` $namespace) -}}
{{- $text = $text | replace `.sluice.svc` (printf `.%s.svc` $namespace) -}}
{{- $text = regexReplaceAll `"secretKeyRef":\{"key":"([^"]+)","name":"sluice"` $text (printf `"secretKeyRef":{"key":"${1}","name":%q` $secret) -}}
{{- $text = $text | replace `"secretRef":{"name":"sluice"` (printf `"secretRef":{"name":%q` $secret) -}}
{{- $text = $text | replace `"secretName":"sluice"` (printf `"secretName":%q` $secret) -}}
{{- if hasPrefix "Cluster" .object.kind -}}
{{- $text = $text | replace `"name":"sluice-` (printf `"name":"%s-` $namespace) -}}
{{- end -}}
{{- $text -}}
{{- end }}
