{{- define "harbour.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}
{{- define "harbour.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- /* How a simulated node runs what ends by itself. */ -}}
{{- define "harbour.short" -}}
sim.skeg.dev/run-ms: "50"
sim.skeg.dev/exit-code: {{ .Values.exitCode | quote }}
{{- end -}}
