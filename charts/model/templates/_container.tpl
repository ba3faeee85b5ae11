{{/* The server's arguments. Out: a list in JSON. */}}
{{- define "model.args" -}}
{{- with .Values }}
{{- $args := list
  "$(MODEL)"
  "--served-model-name=$(SERVED_MODEL_NAME)"
  (printf "--port=%d" (int .server.port))
  (printf "--shutdown-timeout=%d" (int .server.drainSeconds)) }}
{{- if .model.contextLength }}{{ $args = append $args "--max-model-len=$(MAX_MODEL_LEN)" }}{{ end }}
{{- if .model.revision }}{{ $args = append $args "--revision=$(MODEL_REVISION)" }}{{ end }}
{{- if gt (int .gpu.count) 1 }}{{ $args = append $args (printf "--tensor-parallel-size=%d" (int .gpu.count)) }}{{ end }}
{{- .server.args | default (concat $args .server.extraArgs) | toJson }}
{{- end }}
{{- end }}

{{/* What the server has in its environment. The ConfigMap's first: what follows may name them. Out: a YAML list. */}}
{{- define "model.environment" -}}
{{- range $name := include "model.configuration" . | fromYaml | keys | sortAlpha }}
- name: {{ $name }}
  valueFrom:
    configMapKeyRef: {name: {{ include "model.name" $ | quote }}, key: {{ $name }}}
{{- end }}
- {name: HOME, value: /cache}
{{- with .Values.huggingFace }}
{{- if .secretName }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ .secretName | quote }}, key: {{ .secretKey | quote }}}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.server.env }}
- name: {{ $name | quote }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* The server's resources with its GPUs, which are asked for and bounded by the same number. Out: YAML. */}}
{{- define "model.resources" -}}
{{- $resources := deepCopy .Values.resources }}
{{- if .Values.gpu.count }}
{{- $limits := merge (dict .Values.gpu.resource (int .Values.gpu.count)) ($resources.limits | default dict) }}
{{- $_ := set $resources "limits" $limits }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/* The server, as a Deployment and KServe have it alike. Out: YAML. */}}
{{- define "model.container" -}}
{{- with .Values }}
image: {{ printf "%s%s" .image.repository (empty .image.digest | ternary (print ":" .image.tag) (print "@" .image.digest)) | quote }}
imagePullPolicy: {{ .image.pullPolicy | quote }}
{{- with .server.command }}
command: {{ toJson . }}
{{- end }}
args: {{ include "model.args" $ | trim }}
env:
  {{- include "model.environment" $ | trim | nindent 2 }}
resources:
  {{- include "model.resources" $ | trim | nindent 2 }}
securityContext:
  {{- toYaml .securityContext | nindent 2 }}
volumeMounts:
  - {name: cache, mountPath: /cache}
  - {name: tmp, mountPath: /tmp}
  {{- if .sharedMemory }}
  - {name: shared-memory, mountPath: /dev/shm}
  {{- end }}
{{- end }}
{{- end }}

{{/* What a pod has beside its container, in a Deployment and in KServe alike. Out: YAML. */}}
{{- define "model.pod" -}}
{{- with .Values -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .serviceAccountName }}
serviceAccountName: {{ . | quote }}
{{- end }}
{{- with .image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- range $name, $value := .scheduling }}
{{- if $value }}
{{ $name | quote }}: {{ toJson $value }}
{{- end }}
{{- end }}
volumes:
  - name: cache
    {{- $claim := .cache.existingClaim | default (empty .cache.size | ternary "" (printf "%s-cache" (include "model.name" $))) }}
    {{- if $claim }}
    persistentVolumeClaim: {claimName: {{ $claim | quote }}}
    {{- else }}
    emptyDir: {sizeLimit: {{ .cache.sizeLimit | quote }}}
    {{- end }}
  - {name: tmp, emptyDir: {}}
  {{- with .sharedMemory }}
  - {name: shared-memory, emptyDir: {medium: Memory, sizeLimit: {{ . | quote }}}}
  {{- end }}
{{- end }}
{{- end }}
