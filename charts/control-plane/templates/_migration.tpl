{{/*
Migration: the Job as a hook of Helm and of Argo CD: it runs before anything of the release is changed, and its failure leaves all as
it was. In: root, object. Changes the object.
*/}}
{{- define "sluice.migration" -}}
{{- $values := .root.Values.migration -}}
{{- $hooks := include "sluice.hook" (dict "events" "pre-install,pre-upgrade" "weight" "0" "succeeded" true) | fromYaml -}}
{{- $_ := set .object.metadata "annotations" (merge $hooks (.object.metadata.annotations | default dict)) -}}
{{- range $name := list "backoffLimit" "activeDeadlineSeconds" "ttlSecondsAfterFinished" -}}
{{- if hasKey $values $name -}}{{- $_ := set $.object.spec $name (index $values $name) -}}{{- end -}}
{{- end -}}
{{- include "sluice.pod" (dict "root" .root "spec" .object.spec.template.spec "values" $values) -}}
{{- end }}

{{/*
The annotations of a hook, for both. In: events (Helm's), weight, succeeded (whether it goes when it succeeded).
Argo CD looks at its own and then passes Helm's by.
*/}}
{{- define "sluice.hook" -}}
helm.sh/hook: {{ .events }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation{{ if .succeeded }},hook-succeeded{{ end }}
argocd.argoproj.io/hook: PreSync
argocd.argoproj.io/hook-delete-policy: BeforeHookCreation{{ if .succeeded }},HookSucceeded{{ end }}
argocd.argoproj.io/sync-wave: {{ .weight | quote }}
{{- end }}
