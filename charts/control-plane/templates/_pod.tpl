{{/*
Pod: what the values say of every pod: image, environment, resources, where it may run. In: root, spec (of the pod), and values of
the function or source (env, resources). Changes the spec.
*/}}
{{- define "sluice.pod" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $env := $values.env | default dict -}}
{{- with $root.Values.global.region -}}
{{- $where := printf "cloud.provider=%s,cloud.region=%s,deployment.environment.name=%s" $root.Values.global.cloud . $root.Values.environment -}}
{{- $env = merge (dict) $env (dict "OTEL_RESOURCE_ATTRIBUTES" $where) -}}
{{- end -}}
{{- range concat (.spec.initContainers | default list) .spec.containers -}}
{{- $_ := set . "image" (include "sluice.image" $root) -}}
{{- $_ := set . "imagePullPolicy" $root.Values.image.pullPolicy -}}
{{- if $values.resources -}}{{- $_ := set . "resources" $values.resources -}}{{- end -}}
{{- include "sluice.environment" (dict "root" $root "container" . "env" $env) -}}
{{- end -}}
{{- with $root.Values.image.pullSecrets -}}{{- $_ := set $.spec "imagePullSecrets" . -}}{{- end -}}
{{- if and $root.Values.serviceAccount.name (not .spec.serviceAccountName) -}}
{{- $_ := set .spec "serviceAccountName" $root.Values.serviceAccount.name -}}
{{- end -}}
{{- range $key, $value := $root.Values.scheduling -}}
{{- if $value -}}{{- $_ := set $.spec $key $value -}}{{- end -}}
{{- end -}}
{{- end }}

{{/* In: root, container, env (name to text, or to a key of the Secret). Changes the container. */}}
{{- define "sluice.environment" -}}
{{- $wanted := deepCopy .env -}}
{{- $list := list -}}
{{- range .container.env | default list -}}
{{- if and (eq .name "ENVIRONMENT") (not (hasKey $wanted .name)) -}}
{{- $list = append $list (dict "name" .name "value" $.root.Values.environment) -}}
{{- else if not (hasKey $wanted .name) -}}
{{- $list = append $list . -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $wanted -}}
{{- if kindIs "map" $value -}}
{{- $reference := dict "name" $.root.Values.secretName "key" $value.secretKey -}}
{{- if $value.optional -}}{{- $_ := set $reference "optional" true -}}{{- end -}}
{{- $list = append $list (dict "name" $name "valueFrom" (dict "secretKeyRef" $reference)) -}}
{{- else -}}
{{- $list = append $list (dict "name" $name "value" $value) -}}
{{- end -}}
{{- end -}}
{{- if $list -}}{{- $_ := set .container "env" $list -}}{{- end -}}
{{- end }}
