{{/*
Values for Hasura's own chart (graphql-engine): its engine with this service beside it. The command
`hasura-kc-auth helm-values` prints the same. Takes a dict: root, and native, which is false for
Kubernetes before 1.29.
*/}}
{{- define "hasura-kc-auth.hasuraChartValues" -}}
{{- $files := include "hasura-kc-auth.files" .root | fromJson -}}
{{- $container := dict
  "root" .root
  "env" (include "hasura-kc-auth.settingsEnv" .)
  "mounts" $files.mounts
  "sidecar" .native -}}
config:
  authHook: {{ include "hasura-kc-auth.sidecarHook" .root }}
  authHookMode: GET
{{ ternary "initContainers" "extraContainers" .native }}:
  - {{ include "hasura-kc-auth.container" $container | nindent 4 | trim }}
{{- with $files.volumes }}
extraVolumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The configuration as variables, so that another chart needs no ConfigMap for it. */}}
{{- define "hasura-kc-auth.settingsEnv" -}}
{{- range $name, $value := .root.Values.config }}
{{- if not (kindIs "invalid" $value) }}
- name: HASURA_KC_AUTH__{{ upper $name }}
  {{- /* Kubernetes would take `$(…)` for another variable. */}}
  value: {{ ternary (toRawJson $value) (toString $value) (or (kindIs "map" $value) (kindIs "slice" $value)) | replace "$" "$$" | quote }}
{{- end }}
{{- end }}
{{- if not (hasKey (default dict .root.Values.config.webhook) "drain") }}
- name: HASURA_KC_AUTH__WEBHOOK__DRAIN
  value: {{ ternary "0s" "20s" .native }}
{{- end }}
{{ include "hasura-kc-auth.hostEnv" .root }}
{{- end -}}
