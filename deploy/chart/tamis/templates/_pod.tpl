{{- /* The container, as an item of a list. With `native` it is a sidecar that begins before the application and ends after it. */}}
{{- define "tamis.container" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
- name: tamis
  image: {{ include "tamis.image" $root | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  {{- if .native }}
  restartPolicy: Always
  {{- end }}
  {{- /* An application's last lines go with its pod. */}}
  {{- $from := $values.configurationFrom }}
  args:
    - run
    {{- if $from.reference }}
    {{- /* First, for the lock that counts is the one beside it. */}}
    - --config={{ $from.reference }}
    - --config-store=/data/configurations
    {{- if $from.key }}
    - --config-key={{ $from.key }}
    {{- end }}
    {{- end }}
    - --config=/etc/tamis
    {{- if eq $values.reload "watch" }}
    - --watch
    {{- if $from.reference }}
    - --watch-interval={{ $from.interval }}
    {{- end }}
    {{- end }}
    {{- if eq $values.mode "sidecar" }}
    - --drain-files
    {{- end }}
  {{- if or $values.env $values.plugins.registrySecret }}
  env:
    {{- with $values.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $values.plugins.registrySecret }}
    - { name: DOCKER_CONFIG, value: /run/secrets/tamis-registry }
    {{- end }}
  {{- end }}
  {{- with $values.envFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or $values.ports $values.admin.tokens }}
  ports:
    {{- range $values.ports }}
    - { name: {{ .name }}, containerPort: {{ .port }}, protocol: {{ .protocol | default "TCP" }} }
    {{- end }}
    {{- if $values.admin.tokens }}
    - { name: admin, containerPort: {{ $values.admin.port }}, protocol: TCP }
    {{- end }}
  {{- end }}
  {{- range $probe := list "startup" "liveness" "readiness" }}
  {{ $probe }}Probe:
    {{- if $values.admin.tokens }}
    httpGet: { path: {{ eq $probe "readiness" | ternary "/readyz" "/livez" }}, port: admin }
    {{- else }}
    exec: { command: [/tamis, status, --admin, "127.0.0.1:{{ $values.admin.port }}"] }
    {{- end }}
    {{- toYaml (index $values.probes $probe) | nindent 4 }}
  {{- end }}
  {{- with $values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "tamis.securityContext" $root | fromYaml }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - { name: tamis-configuration, mountPath: /etc/tamis, readOnly: true }
    - { name: tamis-data, mountPath: /data }
    - { name: tamis-tmp, mountPath: /tmp }
    {{- if include "tamis.pluginVolume" $root }}
    - { name: tamis-plugins, mountPath: /plugins, readOnly: true }
    {{- end }}
    {{- if $values.admin.tokens }}
    - { name: tamis-admin, mountPath: /run/secrets/tamis-admin, readOnly: true }
    {{- end }}
    {{- if $values.plugins.registrySecret }}
    - { name: tamis-registry, mountPath: /run/secrets/tamis-registry, readOnly: true }
    {{- end }}
    {{- range $values.secrets }}
    - { name: tamis-secret-{{ . }}, mountPath: /run/secrets/{{ . }}, readOnly: true }
    {{- end }}
    {{- if eq $values.mode "sidecar" }}
    - { name: {{ $values.sidecar.logs.volume }}, mountPath: {{ $values.sidecar.logs.mountPath }}, readOnly: true }
    {{- end }}
    {{- if eq $values.mode "daemonset" }}
    {{- range $values.daemonset.logs }}
    - { name: logs-{{ .name }}, mountPath: {{ .mountPath | default .hostPath }}, readOnly: true }
    {{- end }}
    {{- end }}
    {{- with $values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "tamis.securityContext" -}}
{{- $context := deepCopy (.Values.securityContext | default dict) }}
{{- if .Values.openshift.enabled }}
{{- $context = omit $context "runAsUser" "runAsGroup" }}
{{- end }}
{{- if and (eq .Values.mode "daemonset") .Values.daemonset.runAsRoot }}
{{- $_ := set $context "runAsNonRoot" false }}
{{- $_ := set $context "runAsUser" 0 }}
{{- $_ := set $context "runAsGroup" 0 }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{- define "tamis.podSecurityContext" -}}
{{- $context := deepCopy (.Values.podSecurityContext | default dict) }}
{{- if .Values.openshift.enabled }}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" "fsGroupChangePolicy" }}
{{- end }}
{{- if and (eq .Values.mode "daemonset") .Values.daemonset.supplementalGroups }}
{{- $_ := set $context "supplementalGroups" .Values.daemonset.supplementalGroups }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{- /* The source of the volume of plugins, or nothing. */}}
{{- define "tamis.pluginVolume" -}}
{{- $plugins := .Values.plugins }}
{{- $ways := compact (list $plugins.image.reference $plugins.configMap $plugins.persistentVolumeClaim) }}
{{- if gt (len $ways) 1 }}
{{- fail "plugins: one of image, configMap and persistentVolumeClaim" }}
{{- end }}
{{- if $plugins.image.reference }}
image: { reference: {{ $plugins.image.reference | quote }}, pullPolicy: {{ $plugins.image.pullPolicy }} }
{{- else if $plugins.configMap }}
configMap: { name: {{ $plugins.configMap }} }
{{- else if $plugins.persistentVolumeClaim }}
persistentVolumeClaim: { claimName: {{ $plugins.persistentVolumeClaim }}, readOnly: true }
{{- end }}
{{- end }}

{{- define "tamis.volumes" -}}
- name: tamis-configuration
  projected:
    sources:
      - configMap: { name: {{ include "tamis.fullname" . }} }
      {{- with .Values.existingConfigMap }}
      - configMap: { name: {{ . }} }
      {{- end }}
- name: tamis-tmp
  emptyDir: { sizeLimit: 64Mi }
{{- $type := include "tamis.dataType" . }}
{{- if eq $type "emptyDir" }}
- name: tamis-data
  emptyDir: { sizeLimit: {{ .Values.data.size }} }
{{- else if eq $type "hostPath" }}
- name: tamis-data
  hostPath: { path: {{ .Values.data.hostPath }}, type: DirectoryOrCreate }
{{- end }}
{{- with include "tamis.pluginVolume" . | trim }}
- name: tamis-plugins
  {{- . | nindent 2 }}
{{- end }}
{{- if .Values.admin.tokens }}
- name: tamis-admin
  projected:
    sources:
      {{- range $name, $token := .Values.admin.tokens }}
      - secret: { name: {{ $token.secret }}, items: [{ key: {{ $token.key | default "sha256" | quote }}, path: {{ $name }} }] }
      {{- end }}
{{- end }}
{{- with .Values.plugins.registrySecret }}
- name: tamis-registry
  secret: { secretName: {{ . }}, items: [{ key: .dockerconfigjson, path: config.json }] }
{{- end }}
{{- range .Values.secrets }}
- name: tamis-secret-{{ . }}
  secret: { secretName: {{ . }} }
{{- end }}
{{- if eq .Values.mode "daemonset" }}
{{- range .Values.daemonset.logs }}
- name: logs-{{ .name }}
  hostPath: { path: {{ .hostPath }}, type: Directory }
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* What rolls the pods: settings always, for no reload takes them up; the rest where it is wanted. */}}
{{- define "tamis.checksums" -}}
checksum/settings: {{ include "tamis.settings" . | sha256sum }}
{{- if eq .Values.reload "restart" }}
checksum/configuration: {{ toYaml .Values.configuration | sha256sum }}
{{- end }}
{{- end }}

{{- /* A stop must be able to take as long as it may. */}}
{{- define "tamis.gracePeriod" -}}
{{- $timeout := .Values.settings.shutdown_timeout | default "30s" | toString }}
{{- $seconds := 0 }}
{{- if hasSuffix "ms" $timeout }}
{{- $seconds = div (int (trimSuffix "ms" $timeout)) 1000 }}
{{- else if hasSuffix "s" $timeout }}
{{- $seconds = int (trimSuffix "s" $timeout) }}
{{- else if hasSuffix "m" $timeout }}
{{- $seconds = mul 60 (int (trimSuffix "m" $timeout)) }}
{{- else if hasSuffix "h" $timeout }}
{{- $seconds = mul 3600 (int (trimSuffix "h" $timeout)) }}
{{- end }}
{{- /* Reading files to their end may take half of it on top. */}}
{{- $needed := eq .Values.mode "sidecar" | ternary (div (mul 3 $seconds) 2) $seconds }}
{{- if le (int .Values.terminationGracePeriodSeconds) (int $needed) }}
{{- fail (printf "terminationGracePeriodSeconds (%d) must be longer than settings.shutdown_timeout (%s)%s" (int .Values.terminationGracePeriodSeconds) $timeout (eq .Values.mode "sidecar" | ternary " and half of it" "")) }}
{{- end }}
{{- .Values.terminationGracePeriodSeconds }}
{{- end }}

{{- define "tamis.podTemplate" -}}
metadata:
  labels:
    {{- include "tamis.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- include "tamis.checksums" . | nindent 4 }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "tamis.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "tamis.gracePeriod" . }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "tamis.podSecurityContext" . | fromYaml }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    {{- include "tamis.container" (dict "root" .) | nindent 4 }}
  volumes:
    {{- include "tamis.volumes" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end }}
