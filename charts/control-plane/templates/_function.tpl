{{/* Function: what the values say of one Knative Service. In: root, object. Changes the object. */}}
{{- define "sluice.function" -}}
{{- $values := include "sluice.functionValues" (dict "root" .root "name" .object.metadata.name) | fromJson -}}
{{- $template := .object.spec.template -}}
{{- $annotations := $template.metadata.annotations | default dict -}}
{{- $autoscaling := dict
  "min-scale" $values.minScale
  "max-scale" $values.maxScale
  "target" $values.target
  "scale-to-zero-pod-retention-period" $values.retention
  "scale-down-delay" $values.scaleDownDelay -}}
{{- range $name, $value := $autoscaling -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set $annotations (printf "autoscaling.knative.dev/%s" $name) (toString $value) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $template.metadata "annotations" (mergeOverwrite $annotations ($values.annotations | default dict)) -}}
{{- if hasKey $values "timeoutSeconds" -}}{{- $_ := set $template.spec "timeoutSeconds" $values.timeoutSeconds -}}{{- end -}}
{{- if hasKey $values "containerConcurrency" -}}{{- $_ := set $template.spec "containerConcurrency" $values.containerConcurrency -}}{{- end -}}
{{- if hasKey $values "public" -}}
{{- $labels := .object.metadata.labels | default dict -}}
{{- if $values.public -}}
{{- $_ := unset $labels "networking.knative.dev/visibility" -}}
{{- else -}}
{{- $_ := set $labels "networking.knative.dev/visibility" "cluster-local" -}}
{{- end -}}
{{- $_ := set .object.metadata "labels" $labels -}}
{{- end -}}
{{- include "sluice.pod" (dict "root" .root "spec" $template.spec "values" $values) -}}
{{- end }}
