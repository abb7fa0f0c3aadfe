{{/*
What values.schema.json cannot say. Each check prints a sentence a line, which begins with the value's
name; all of them are told at once.
*/}}
{{- define "hasura-kc-auth.check" -}}
{{- $problems := list
  (include "hasura-kc-auth.checkTransport" .)
  (include "hasura-kc-auth.checkPeers" .)
  (include "hasura-kc-auth.checkHosts" .)
  (include "hasura-kc-auth.checkPorts" .)
  (include "hasura-kc-auth.checkRoles" .)
  (include "hasura-kc-auth.checkIssuers" .)
  (include "hasura-kc-auth.checkShared" .)
  (include "hasura-kc-auth.checkEnvironment" .)
  (include "hasura-kc-auth.checkGrace" .)
  (include "hasura-kc-auth.checkMonitors" .)
  | join "" | trim -}}
{{- with $problems }}{{ fail (printf "\n\n%s\n" .) }}{{ end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkTransport" -}}
{{- $plain := eq (include "hasura-kc-auth.scheme" .) "http" -}}
{{- if include "hasura-kc-auth.isSidecar" . -}}
{{- if not $plain }}
config.webhook.tls: a sidecar's webhook is on loopback and needs none: leave it out
{{- end -}}
{{- else if $plain -}}
{{- if not .Values.config.insecure_transport }}
tls.enabled: is off, so the answer that says who is who would cross the network in the clear: turn it on, or say so by config.insecure_transport: true
{{- end -}}
{{- if not (.Values.networkPolicy).enabled }}
networkPolicy.enabled: must be on where tls.enabled is off: nothing else keeps others from the webhook
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkPeers" -}}
{{- $policy := default dict .Values.networkPolicy -}}
{{- if and $policy.enabled (not $policy.hasura) (not (include "hasura-kc-auth.isSidecar" .)) }}
networkPolicy.hasura: names nobody, which in a NetworkPolicy means everybody: name Hasura's pods
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.isLoopback" -}}
{{- if or (has . (list "localhost" "::1" "[::1]")) (hasPrefix "127." .) }}true{{ end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkHosts" -}}
{{- $config := include "hasura-kc-auth.config" . | fromJson -}}
{{- $loopback := include "hasura-kc-auth.isLoopback" $config.webhook.host -}}
{{- if and (include "hasura-kc-auth.isSidecar" .) (not $loopback) }}
config.webhook.host: must be loopback in a sidecar, where nobody but Hasura in the same pod may ask: leave it out
{{- end -}}
{{- if and (not (include "hasura-kc-auth.isSidecar" .)) $loopback }}
config.webhook.host: is loopback, where Hasura in another pod cannot reach it: leave it out, or set mode: sidecar
{{- end -}}
{{- if include "hasura-kc-auth.isLoopback" $config.management.host }}
config.management.host: is loopback, where neither probes nor Prometheus reach it: leave it out
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkPorts" -}}
{{- $webhook := include "hasura-kc-auth.webhookPort" . -}}
{{- $management := include "hasura-kc-auth.managementPort" . -}}
{{- if eq $webhook $management }}
config.management.port: is config.webhook.port as well
{{- end -}}
{{- if and (include "hasura-kc-auth.isSidecar" .) (has (int .Values.hasura.port) (list (int $webhook) (int $management))) }}
hasura.port: is a port of the service beside it as well
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkRoles" -}}
{{- if or (has "admin" .Values.config.roles.allowed) (has "admin" (values (default dict .Values.config.roles.map))) }}
config.roles: must not hold `admin`, Hasura's superuser who sees every org: map it to another role
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkIssuers" -}}
{{- range $index, $issuer := .Values.config.issuers -}}
{{- $name := printf "config.issuers.%d" $index -}}
{{- $introspection := default dict $issuer.introspection -}}
{{- $urls := dict "issuer" $issuer.issuer "jwks_uri" $issuer.jwks_uri "introspection.url" $introspection.url -}}
{{- range $setting, $url := $urls -}}
{{- $host := regexReplaceAll "^http://(\\[[^]]*\\]|[^:/]*).*$" (default "" $url) "${1}" -}}
{{- if and (hasPrefix "http://" (default "" $url)) (not $.Values.config.insecure_transport) (not (include "hasura-kc-auth.isLoopback" $host)) }}
{{ $name }}.{{ $setting }}: must be https, unless config.insecure_transport is true
{{- end -}}
{{- end -}}
{{- include "hasura-kc-auth.checkFile" (dict "root" $ "setting" (printf "%s.ca_file" $name) "file" $issuer.ca_file) -}}
{{- include "hasura-kc-auth.checkFile" (dict "root" $ "setting" (printf "%s.introspection.client_secret_file" $name) "file" $introspection.client_secret_file) -}}
{{- if $introspection.client_secret }}
{{ $name }}.introspection.client_secret: does not belong into values, which everybody can read: put it into a Secret, name that in existingSecrets, and its file in client_secret_file
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkShared" -}}
{{- $shared := default dict .Values.config.shared -}}
{{- include "hasura-kc-auth.checkFile" (dict "root" . "setting" "config.shared.url_file" "file" $shared.url_file) -}}
{{- if $shared.url }}
config.shared.url: may hold a password, and does not belong into values, which everybody can read: put it into a Secret, name that in existingSecrets, and its file in url_file
{{- end -}}
{{- end -}}

{{/* A file that nothing mounts would stop the service's start. Takes a dict: root, setting, file. */}}
{{- define "hasura-kc-auth.checkFile" -}}
{{- with .file -}}
{{- $folders := list "/etc/ssl/" -}}
{{- range concat $.root.Values.existingSecrets $.root.Values.existingConfigMaps -}}
{{- $folders = append $folders (printf "%s/%s/" (include "hasura-kc-auth.filesFolder" $.root) .) -}}
{{- end -}}
{{- range $.root.Values.extraVolumeMounts -}}
{{- $folders = append $folders .mountPath -}}
{{- end -}}
{{- $mounted := false -}}
{{- range $folders -}}
{{- if hasPrefix . $.file -}}{{- $mounted = true -}}{{- end -}}
{{- end -}}
{{- if not $mounted }}
{{ $.setting }}: {{ . }} lies in nothing that is mounted: name its Secret in existingSecrets, or its ConfigMap in existingConfigMaps, and write {{ include "hasura-kc-auth.filesFolder" $.root }}/NAME/KEY
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkEnvironment" -}}
{{- range .Values.extraEnv -}}
{{- if hasPrefix "HASURA_KC_AUTH__" .name }}
extraEnv: {{ .name }} would win over the configuration that was checked: write it into config
{{- end -}}
{{- end -}}
{{- $ours := list "HASURA_GRAPHQL_AUTH_HOOK" "HASURA_GRAPHQL_AUTH_HOOK_MODE" "HASURA_GRAPHQL_JWT_SECRET" "HASURA_GRAPHQL_JWT_SECRETS" "HASURA_GRAPHQL_UNAUTHORIZED_ROLE" -}}
{{- range .Values.hasura.extraEnv -}}
{{- if has .name $ours }}
hasura.extraEnv: {{ .name }} would put another authentication in the place of this one: leave it out
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkGrace" -}}
{{- $least := include "hasura-kc-auth.leastGrace" . | int -}}
{{- if lt (include "hasura-kc-auth.grace" . | int) $least }}
terminationGracePeriodSeconds: must be at least {{ $least }}, or requests fail when a pod stops
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.checkMonitors" -}}
{{- if and .Values.metrics.serviceMonitor.enabled (include "hasura-kc-auth.isSidecar" .) }}
metrics.serviceMonitor.enabled: a sidecar's metrics are on each pod and behind no Service: set metrics.podMonitor.enabled instead
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
metrics.podMonitor.enabled: with metrics.serviceMonitor.enabled as well each pod would be counted twice
{{- end -}}
{{- end -}}
