{{/* What no schema can see: values that go together and cannot be meant. */}}
{{- define "model.refused" -}}
{{- with .Values }}
{{- $name := include "model.name" $ }}
{{- if eq (empty .registry.price) (not .registry.free) }}
{{- fail "registry: a price or free: true, one of both; a model without a price is not registered" }}
{{- end }}
{{- $most := eq .kind "deployment" | ternary 63 53 }}
{{- if gt (len $name) $most }}
{{- fail (printf "model.name: %s is longer than the %d characters that a name of a host has here" $name $most) }}
{{- end }}
{{- if and (eq .kind "deployment") (lt (int .minReplicas) 1) }}
{{- fail "minReplicas: a Deployment has no front that wakes it; 0 is for kind: inferenceService" }}
{{- end }}
{{- if and (eq .kind "inferenceService") (eq .inferenceService.deploymentMode "Standard") (lt (int .minReplicas) 1) }}
{{- fail "minReplicas: only Knative wakes a server from zero; inferenceService.deploymentMode is Standard" }}
{{- end }}
{{- if lt (int .maxReplicas) (int .minReplicas) }}
{{- fail (printf "maxReplicas: %d is less than minReplicas, %d" (int .maxReplicas) (int .minReplicas)) }}
{{- end }}
{{- if and (eq (int .rollout.maxSurge) 0) (eq (int .rollout.maxUnavailable) 0) }}
{{- fail "rollout: with both at 0 no pod could ever be replaced" }}
{{- end }}
{{- if and .cache.size .cache.existingClaim }}
{{- fail "cache: existingClaim is there already, so no size is made" }}
{{- end }}
{{- if and .cache.size (gt (int .maxReplicas) 1) (not (has "ReadWriteMany" .cache.accessModes)) }}
{{- fail "cache.accessModes: several pods share the claim, on several nodes: ReadWriteMany, or no claim" }}
{{- end }}
{{- if and .networkPolicies.enabled (not .networkPolicies.weights) (not (hasPrefix "/" .model.source)) }}
{{- fail (printf "networkPolicies.weights: say where %s is fetched from, or make model.source a path of the cache" .model.source) }}
{{- end }}
{{- range $name, $_ := .server.env }}
{{- if and (include "model.isBehindKnative" $) (has $name (list "PORT" "K_SERVICE" "K_CONFIGURATION" "K_REVISION")) }}
{{- fail (printf "server.env: behind Knative %s is Knative's own" $name) }}
{{- end }}
{{- end }}
{{- range concat .server.args .server.extraArgs }}
{{- if regexMatch "^--api[-_]key" . }}
{{- fail "server: the gateway sends no key, so a server that asks for one is called by nobody; networkPolicies say who may call" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
