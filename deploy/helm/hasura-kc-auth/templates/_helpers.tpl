{{- define "hasura-kc-auth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "hasura-kc-auth.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "hasura-kc-auth.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "hasura-kc-auth.selectorLabels" -}}
app.kubernetes.io/name: {{ include "hasura-kc-auth.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hasura-kc-auth.labels" -}}
{{ include "hasura-kc-auth.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.customLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What every object begins with. Takes a dict: root, and optionally suffix, namespace, labels, annotations. */}}
{{- define "hasura-kc-auth.metadata" -}}
name: {{ include "hasura-kc-auth.fullname" .root }}{{ .suffix }}
namespace: {{ default (include "hasura-kc-auth.namespace" .root) .namespace }}
labels:
  {{- include "hasura-kc-auth.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "hasura-kc-auth.serviceAccountName" -}}
{{- default (ternary (include "hasura-kc-auth.fullname" .) "default" .Values.serviceAccount.enabled) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "hasura-kc-auth.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.isSidecar" -}}
{{- if eq .Values.mode "sidecar" }}true{{ end -}}
{{- end -}}

{{- define "hasura-kc-auth.hasuraSecret" -}}
{{- default (printf "%s-hasura" (include "hasura-kc-auth.fullname" .)) .Values.hasura.existingSecret -}}
{{- end -}}

{{/* The Secret of the webhook's certificate; empty where there is none to be mounted. */}}
{{- define "hasura-kc-auth.tlsSecret" -}}
{{- if and .Values.tls.enabled (not (include "hasura-kc-auth.isSidecar" .)) (not (.Values.config.webhook).tls) -}}
{{- default (printf "%s-tls" (include "hasura-kc-auth.fullname" .)) .Values.tls.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.filesFolder" -}}
/run/secrets/hasura-kc-auth
{{- end -}}

{{/* The service's configuration, as JSON: that of the values, and what follows from the mode. */}}
{{- define "hasura-kc-auth.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $webhook := default dict $config.webhook -}}
{{- $management := default dict $config.management -}}
{{- $sidecar := include "hasura-kc-auth.isSidecar" . -}}
{{- if not (hasKey $webhook "host") -}}
{{- $_ := set $webhook "host" (ternary "127.0.0.1" "0.0.0.0" (eq $sidecar "true")) -}}
{{- end -}}
{{- if not (hasKey $management "host") -}}
{{- $_ := set $management "host" "0.0.0.0" -}}
{{- end -}}
{{- if and $sidecar (not (hasKey $webhook "drain")) -}}
{{- /* A native sidecar is told to stop when Hasura has gone: nobody asks any more. */ -}}
{{- $_ := set $webhook "drain" "0s" -}}
{{- end -}}
{{- with include "hasura-kc-auth.tlsSecret" . -}}
{{- $folder := printf "%s/%s" (include "hasura-kc-auth.filesFolder" $) . -}}
{{- $_ := set $webhook "tls" (dict "cert_file" (printf "%s/tls.crt" $folder) "key_file" (printf "%s/tls.key" $folder)) -}}
{{- end -}}
{{- $_ := set $config "webhook" $webhook -}}
{{- $_ := set $config "management" $management -}}
{{- toRawJson $config -}}
{{- end -}}

{{- define "hasura-kc-auth.webhookPort" -}}
{{- int (default 8090 (.Values.config.webhook).port) -}}
{{- end -}}

{{- define "hasura-kc-auth.managementPort" -}}
{{- int (default 8091 (.Values.config.management).port) -}}
{{- end -}}

{{/* A duration such as 5s, in whole seconds, rounded up. */}}
{{- define "hasura-kc-auth.seconds" -}}
{{- $number := int (regexFind "^[0-9]+" .) -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "ms" -}}{{- div (add $number 999) 1000 -}}
{{- else -}}{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600) $unit) -}}
{{- end -}}
{{- end -}}

{{/* The least grace time: the service needs its drain and five seconds; in a sidecar Hasura comes first. */}}
{{- define "hasura-kc-auth.leastGrace" -}}
{{- $config := include "hasura-kc-auth.config" . | fromJson -}}
{{- $own := add 5 (include "hasura-kc-auth.seconds" (default "5s" $config.webhook.drain) | int) -}}
{{- if include "hasura-kc-auth.isSidecar" . -}}
{{- add $own (int .Values.hasura.preStopSleepSeconds) (int .Values.hasura.gracefulShutdownSeconds) -}}
{{- else -}}
{{- $own -}}
{{- end -}}
{{- end -}}

{{- define "hasura-kc-auth.grace" -}}
{{- $least := include "hasura-kc-auth.leastGrace" . | int -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- max 30 $least -}}
{{- else -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/* Where Hasura calls the webhook. Takes a dict: root, scheme, host, port. */}}
{{- define "hasura-kc-auth.hook" -}}
{{- printf "%s://%s:%d%s" .scheme .host (int .port) (default "/" (.root.Values.config.webhook).path) -}}
{{- end -}}

{{- define "hasura-kc-auth.scheme" -}}
{{- $config := include "hasura-kc-auth.config" . | fromJson -}}
{{- ternary "https" "http" (not (empty $config.webhook.tls)) -}}
{{- end -}}

{{- define "hasura-kc-auth.sidecarHook" -}}
{{- $host := default "127.0.0.1" (.Values.config.webhook).host -}}
{{- $written := ternary (printf "[%s]" $host) $host (contains ":" $host) -}}
{{- include "hasura-kc-auth.hook" (dict "root" . "scheme" "http" "host" $written "port" (include "hasura-kc-auth.webhookPort" .)) -}}
{{- end -}}
