{{- define "hasura-kc-auth.notes" -}}
{{- $name := include "hasura-kc-auth.fullname" . -}}
{{- $namespace := include "hasura-kc-auth.namespace" . -}}
{{- if include "hasura-kc-auth.isSidecar" . -}}
Hasura answers at http://{{ $name }}.{{ $namespace }}.svc:{{ int (default .Values.hasura.port .Values.service.portNumber) }}, and asks hasura-kc-auth in its own pod.

It needs the Secret {{ include "hasura-kc-auth.hasuraSecret" . }}:

    kubectl --namespace {{ $namespace }} create secret generic {{ include "hasura-kc-auth.hasuraSecret" . }} \
      --from-literal={{ .Values.hasura.secretKeys.adminSecret }}=… \
      --from-literal={{ .Values.hasura.secretKeys.metadataDatabaseUrl }}=postgres://…

At the ingress, strip the header x-hasura-admin-secret: who has that secret is not asked about.

If Hasura runs from its own chart (graphql-engine), give that these values instead of installing this one:

{{ include "hasura-kc-auth.hasuraChartValues" (dict "root" . "native" true) }}

Before Kubernetes 1.29, which has no native sidecars:

{{ include "hasura-kc-auth.hasuraChartValues" (dict "root" . "native" false) }}
{{- else -}}
{{- $host := printf "%s.%s.svc" $name $namespace -}}
{{- $port := default (include "hasura-kc-auth.webhookPort" .) .Values.service.portNumber -}}
Set in Hasura's environment:

    HASURA_GRAPHQL_AUTH_HOOK={{ include "hasura-kc-auth.hook" (dict "root" . "scheme" (include "hasura-kc-auth.scheme" .) "host" $host "port" $port) }}
    HASURA_GRAPHQL_AUTH_HOOK_MODE=GET
{{ with include "hasura-kc-auth.tlsSecret" . }}
The pods wait for the Secret {{ . }} (tls.crt, tls.key). Its certificate must name {{ $host }}, and
Hasura must trust who signed it. After a renewal restart this Deployment.
{{ end -}}
{{- if eq (include "hasura-kc-auth.scheme" .) "http" }}
WARNING: the webhook is plain HTTP. Nothing but the NetworkPolicy keeps others from asking and from answering.
{{ end -}}
{{- if .Values.networkPolicy.enabled }}
Only these may call the webhook (networkPolicy.hasura):

{{ toYaml .Values.networkPolicy.hasura | indent 4 }}
{{ else }}
WARNING: networkPolicy.enabled is off: everybody who reaches the webhook can ask it.
{{ end }}
For the service as a sidecar in Hasura's own chart: hasura-kc-auth helm-values, or mode: sidecar here.
{{- end }}

Why a user is refused: kubectl --namespace {{ $namespace }} logs deployment/{{ $name }} -c hasura-kc-auth | grep denied
{{- end -}}
