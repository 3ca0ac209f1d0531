{{- define "tamis.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "tamis.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tamis.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tamis.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tamis.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "tamis.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ .Values.mode }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Which pods are meant: the chart's own, or yours that hold the sidecar. */}}
{{- define "tamis.podSelector" -}}
{{- if eq .Values.mode "sidecar" }}
{{- if not .Values.sidecar.selector }}
{{- fail "sidecar.selector: the labels of your pods are needed for a Service or a NetworkPolicy" }}
{{- end }}
{{- toYaml .Values.sidecar.selector }}
{{- else }}
{{- include "tamis.selectorLabels" . }}
{{- end }}
{{- end }}

{{- define "tamis.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "tamis.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "tamis.image" -}}
{{- $repository := required "image.repository: where your image is" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "tamis.dataType" -}}
{{- $type := .Values.data.type | default (eq .Values.mode "aggregator" | ternary "claim" "emptyDir") }}
{{- if and (eq $type "claim") (ne .Values.mode "aggregator") }}
{{- fail "data.type: claim is for mode aggregator" }}
{{- end }}
{{- if and (eq $type "hostPath") (ne .Values.mode "daemonset") }}
{{- fail "data.type: hostPath is for mode daemonset" }}
{{- end }}
{{- $type }}
{{- end }}

{{- /* Settings as the host reads them. A user's win, but for where the chart mounts things. */}}
{{- define "tamis.settings" -}}
{{- range $key := list "admin" "admin_tokens" "data_dir" }}
{{- if hasKey $.Values.settings $key }}
{{- fail (printf "settings.%s is the chart's: see `admin` and `data` in its values" $key) }}
{{- end }}
{{- end }}
{{- $settings := deepCopy .Values.settings }}
{{- $_ := set $settings "data_dir" "/data" }}
{{- if .Values.admin.tokens }}
{{- $tokens := dict }}
{{- range $name, $token := .Values.admin.tokens }}
{{- $_ := set $tokens $name (dict "role" $token.role "sha256" (printf "${file:/run/secrets/tamis-admin/%s}" $name)) }}
{{- end }}
{{- $_ := set $settings "admin" (printf "0.0.0.0:%d" (int .Values.admin.port)) }}
{{- $_ := set $settings "admin_tokens" $tokens }}
{{- else }}
{{- $_ := set $settings "admin" (printf "127.0.0.1:%d" (int .Values.admin.port)) }}
{{- end }}
{{- dict "version" 1 "settings" $settings | toYaml }}
{{- end }}
