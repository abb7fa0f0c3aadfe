{{/* Each mounted Secret and ConfigMap, as JSON: {volumes: […], mounts: […]}. */}}
{{- define "hasura-kc-auth.files" -}}
{{- $volumes := list -}}
{{- $mounts := list -}}
{{- $folder := include "hasura-kc-auth.filesFolder" . -}}
{{- range $index, $name := concat .Values.existingSecrets (list (include "hasura-kc-auth.tlsSecret" .)) | compact | uniq -}}
{{- $volume := printf "hasura-kc-auth-secret-%d" $index -}}
{{- $volumes = append $volumes (dict "name" $volume "secret" (dict "secretName" $name)) -}}
{{- $mounts = append $mounts (dict "name" $volume "mountPath" (printf "%s/%s" $folder $name) "readOnly" true) -}}
{{- end -}}
{{- range $index, $name := .Values.existingConfigMaps | uniq -}}
{{- $volume := printf "hasura-kc-auth-configmap-%d" $index -}}
{{- $volumes = append $volumes (dict "name" $volume "configMap" (dict "name" $name)) -}}
{{- $mounts = append $mounts (dict "name" $volume "mountPath" (printf "%s/%s" $folder $name) "readOnly" true) -}}
{{- end -}}
{{- dict "volumes" $volumes "mounts" $mounts | toJson -}}
{{- end -}}

{{/* The image's own environment has both hosts, and variables win over the file. */}}
{{- define "hasura-kc-auth.hostEnv" -}}
{{- $config := include "hasura-kc-auth.config" . | fromJson -}}
- name: HASURA_KC_AUTH__WEBHOOK__HOST
  value: {{ $config.webhook.host | quote }}
- name: HASURA_KC_AUTH__MANAGEMENT__HOST
  value: {{ $config.management.host | quote }}
{{- end -}}

{{/*
This service's container, without its name's dash, for all places where it runs.
Takes a dict: root, env (YAML), mounts (list), sidecar (native, among the init containers).
*/}}
{{- define "hasura-kc-auth.container" -}}
{{- $values := .root.Values -}}
name: hasura-kc-auth
image: {{ include "hasura-kc-auth.image" .root | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
{{- if .sidecar }}
restartPolicy: Always
{{- end }}
env:
  {{- .env | nindent 2 }}
ports:
  - name: auth-http
    containerPort: {{ include "hasura-kc-auth.webhookPort" .root }}
  - name: auth-metrics
    containerPort: {{ include "hasura-kc-auth.managementPort" .root }}
{{- if .sidecar }}
startupProbe:
  httpGet: {path: /livez, port: auth-metrics}
  periodSeconds: 1
  failureThreshold: 60
{{- end }}
{{- if $values.livenessProbe.enabled }}
livenessProbe:
  httpGet: {path: /livez, port: auth-metrics}
  {{- toYaml (omit $values.livenessProbe "enabled") | nindent 2 }}
{{- end }}
{{- if $values.readinessProbe.enabled }}
readinessProbe:
  httpGet: {path: /readyz, port: auth-metrics}
  {{- toYaml (omit $values.readinessProbe "enabled") | nindent 2 }}
{{- end }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.securityContext.enabled }}
securityContext:
  {{- toYaml (omit $values.securityContext "enabled") | nindent 2 }}
{{- end }}
{{- with .mounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The container in this chart's own pods: with the configuration's file, and what the values add. */}}
{{- define "hasura-kc-auth.ownContainer" -}}
{{- $files := include "hasura-kc-auth.files" . | fromJson -}}
{{- $config := dict "name" "hasura-kc-auth-config" "mountPath" "/etc/hasura-kc-auth" "readOnly" true -}}
{{- $env := printf "- name: HASURA_KC_AUTH__CONFIG\n  value: /etc/hasura-kc-auth/config.yaml\n%s" (include "hasura-kc-auth.hostEnv" .) -}}
{{- with .Values.extraEnv -}}
{{- $env = printf "%s\n%s" $env (toYaml .) -}}
{{- end -}}
{{- include "hasura-kc-auth.container" (dict
  "root" .
  "env" $env
  "mounts" (concat (list $config) $files.mounts .Values.extraVolumeMounts)
  "sidecar" (include "hasura-kc-auth.isSidecar" .)
) -}}
{{- end -}}

{{- define "hasura-kc-auth.engineContainer" -}}
{{- $hasura := .Values.hasura -}}
name: graphql-engine
image: {{ printf "%s:%s" $hasura.image.repository $hasura.image.tag | quote }}
imagePullPolicy: {{ $hasura.image.pullPolicy }}
env:
  - name: HASURA_GRAPHQL_SERVER_PORT
    value: {{ int $hasura.port | quote }}
  - name: HASURA_GRAPHQL_AUTH_HOOK
    value: {{ include "hasura-kc-auth.sidecarHook" . | quote }}
  - name: HASURA_GRAPHQL_AUTH_HOOK_MODE
    value: {{ $hasura.hookMode | quote }}
  - name: HASURA_GRAPHQL_AUTH_HOOK_SEND_REQUEST_BODY
    value: "false"
  - name: HASURA_GRAPHQL_GRACEFUL_SHUTDOWN_TIMEOUT
    value: {{ int $hasura.gracefulShutdownSeconds | quote }}
  - name: HASURA_GRAPHQL_ADMIN_SECRET
    valueFrom:
      secretKeyRef:
        name: {{ include "hasura-kc-auth.hasuraSecret" . }}
        key: {{ $hasura.secretKeys.adminSecret }}
  - name: HASURA_GRAPHQL_METADATA_DATABASE_URL
    valueFrom:
      secretKeyRef:
        name: {{ include "hasura-kc-auth.hasuraSecret" . }}
        key: {{ $hasura.secretKeys.metadataDatabaseUrl }}
  {{- with $hasura.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $hasura.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: {{ int $hasura.port }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ int $hasura.preStopSleepSeconds }}
{{- if $hasura.livenessProbe.enabled }}
livenessProbe:
  httpGet: {path: /healthz, port: http}
  {{- toYaml (omit $hasura.livenessProbe "enabled") | nindent 2 }}
{{- end }}
{{- if $hasura.readinessProbe.enabled }}
readinessProbe:
  httpGet: {path: /healthz, port: http}
  {{- toYaml (omit $hasura.readinessProbe "enabled") | nindent 2 }}
{{- end }}
{{- with $hasura.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $hasura.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $hasura.extraVolumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The constraints of the values, each about this release's pods where it does not say about which. */}}
{{- define "hasura-kc-auth.topologySpread" -}}
{{- $selector := dict "matchLabels" (include "hasura-kc-auth.selectorLabels" . | fromYaml) -}}
{{- range .Values.topologySpreadConstraints }}
- {{ merge (deepCopy .) (dict "labelSelector" $selector) | toYaml | nindent 2 | trim }}
{{- end }}
{{- end -}}
