{{- define "seine.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "seine.fullname" -}}
{{- $name := include "seine.name" . }}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels by which a part's pods are chosen; give (list . "agent"). */}}
{{- define "seine.selector" -}}
{{- $root := index . 0 }}
app.kubernetes.io/name: {{ include "seine.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels and annotations of an object; give (list . "agent"), and further annotations and labels if there are. */}}
{{- define "seine.metadata" -}}
{{- $root := index . 0 }}
labels:
  {{- include "seine.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: seine
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | quote }}
  {{- with $root.Values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if gt (len .) 3 }}{{ with index . 3 }}
  {{- toYaml . | nindent 2 }}
  {{- end }}{{ end }}
{{- $further := dict }}{{ if gt (len .) 2 }}{{ $further = index . 2 }}{{ end }}
{{- with merge (deepCopy $further) $root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels and annotations of a part's pods; give (list . "agent"), and further annotations if there are. */}}
{{- define "seine.podMetadata" -}}
{{- $root := index . 0 }}
labels:
  {{- include "seine.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: seine
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $further := dict }}{{ if gt (len .) 2 }}{{ $further = index . 2 }}{{ end }}
{{- with merge (deepCopy $further) $root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "seine.image" -}}
{{- $i := .Values.image -}}
{{- /* --set image.tag=1 and YAML make a number of it. */}}
{{- $tag := $i.tag }}
{{- if kindIs "float64" $tag }}{{ $tag = int64 $tag }}{{ end }}
image: {{ if $i.digest }}{{ printf "%s@%s" $i.repository $i.digest | quote }}{{ else }}{{ printf "%s:%s" $i.repository (default .Chart.AppVersion $tag | toString) | quote }}{{ end }}
imagePullPolicy: {{ $i.pullPolicy }}
{{- end }}

{{- define "seine.openshift" -}}
{{- if or (eq (toString .Values.openshift) "true") (and (eq (toString .Values.openshift) "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}true{{ end }}
{{- end }}

{{/* What the pods that need no privilege may do: the Pod Security Standard "restricted". */}}
{{- define "seine.restrictedPod" -}}
runAsNonRoot: true
{{- if not (include "seine.openshift" .) }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "seine.restrictedContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a part's pods run; give (list . .Values.server). */}}
{{- define "seine.placement" -}}
{{- $root := index . 0 }}{{ $part := index . 1 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $part.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Everything but the operator comes by a FlowCollector where there is an operator. */}}
{{- define "seine.hasAgent" -}}{{ if and .Values.agent.enabled (not .Values.operator.enabled) }}true{{ end }}{{- end }}
{{- define "seine.hasServer" -}}{{ if and .Values.server.enabled (not .Values.operator.enabled) }}true{{ end }}{{- end }}

{{- define "seine.tokenSecret" -}}
{{- default (printf "%s-api-tokens" (include "seine.fullname" .)) .Values.server.tokenSecret }}
{{- end }}

{{/* What each part asks of the API server, and nothing else. */}}
{{- define "seine.agentRules" }}
- {apiGroups: [""], resources: [pods, nodes], verbs: [get, list, watch]}
{{- end }}

{{- define "seine.serverRules" }}
- {apiGroups: [""], resources: [pods, nodes, services], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {apiGroups: [apps], resources: [replicasets], verbs: [get, list, watch]}
- {apiGroups: [batch], resources: [jobs], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [namespaces], verbs: [list]}
# Who presents a token, and which namespaces he may see.
- {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
- {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
{{- end }}

{{/* The operator may give no more than it has: the rules of the parts are its own, too. */}}
{{- define "seine.operatorRules" }}
{{- include "seine.agentRules" . }}
{{- include "seine.serverRules" . }}
- {apiGroups: [flows.netobserv.io], resources: [flowcollectors], verbs: [get, list, watch, update, patch]}
- {apiGroups: [flows.netobserv.io], resources: [flowcollectors/status, flowcollectors/finalizers], verbs: [get, update, patch]}
- {apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [get, list, watch, create, patch]}
- {apiGroups: [""], resources: [namespaces, services, serviceaccounts, secrets, configmaps], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [""], resources: [events], verbs: [create, patch]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}
- {apiGroups: [""], resources: [pods/portforward], verbs: [create]}
- {apiGroups: [apps], resources: [daemonsets, statefulsets], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles, clusterrolebindings, roles], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [security.openshift.io], resources: [securitycontextconstraints], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, update, patch]}
{{- $metrics := dig "metrics" dict .Values.operator.values }}
{{- if or (dig "serviceMonitor" "enabled" false $metrics) (dig "rules" "enabled" false $metrics) }}
- {apiGroups: [monitoring.coreos.com], resources: [servicemonitors, prometheusrules], verbs: [get, create, patch]}
{{- end }}
{{- end }}
