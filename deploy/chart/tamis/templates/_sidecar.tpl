{{- /*
For the pods of a chart that has this one as a dependency. They take the context of the dependency:

    metadata:
      annotations: {{- include "tamis.sidecar.annotations" .Subcharts.tamis | nindent 8 }}
    spec:
      initContainers: {{- include "tamis.sidecar.initContainers" .Subcharts.tamis | nindent 8 }}
      volumes: {{- include "tamis.sidecar.volumes" .Subcharts.tamis | nindent 8 }}
      terminationGracePeriodSeconds: {{ include "tamis.sidecar.gracePeriod" .Subcharts.tamis }}

`sidecar.logs.volume` names the volume of the pod that the application logs to.
*/}}
{{- define "tamis.sidecar.initContainers" -}}
{{- include "tamis.container" (dict "root" . "native" true) }}
{{- end }}

{{- define "tamis.sidecar.volumes" -}}
{{- include "tamis.volumes" . }}
{{- end }}

{{- define "tamis.sidecar.annotations" -}}
{{- include "tamis.checksums" . }}
{{- end }}

{{- /* The application's own time to stop comes on top: sidecars are stopped when it has ended, within the same period. */}}
{{- define "tamis.sidecar.gracePeriod" -}}
{{- include "tamis.gracePeriod" . }}
{{- end }}
