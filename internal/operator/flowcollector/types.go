package flowcollector

import (
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// GroupVersion is that of the resource.
var GroupVersion = schema.GroupVersion{Group: "flows.netobserv.io", Version: "v1beta2"}

// AddToScheme makes the types known to a client.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &FlowCollector{}, &FlowCollectorList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// FlowCollector asks for flow collection in the cluster. There is one, named "cluster".
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'cluster'",message="there is one FlowCollector, and its name is cluster"
type FlowCollector struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   Spec   `json:"spec,omitempty"`
	Status Status `json:"status,omitempty"`
}

// FlowCollectorList is a list of them.
//
// +kubebuilder:object:root=true
type FlowCollectorList struct { //nolint:revive // The API server knows it by this name.
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []FlowCollector `json:"items"`
}

// Spec says what is wanted.
type Spec struct {
	// Namespace of agents and server; netobserv if not given.
	//
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the namespace cannot be changed: delete the FlowCollector and make another"
	Namespace string `json:"namespace,omitempty"`
	// DeploymentModel is how records travel. Seine's agents speak to its server, which is what Service means.
	//
	// +kubebuilder:validation:Enum=Direct;Service;Kafka
	DeploymentModel string     `json:"deploymentModel,omitempty"`
	Agent           *Agent     `json:"agent,omitempty"`
	Processor       *Processor `json:"processor,omitempty"`
	// ConsolePlugin is about the plug-in of the OpenShift console; Seine's own console is part of its server.
	ConsolePlugin map[string]Foreign `json:"consolePlugin,omitempty"`
	// Loki is where another program would keep records; Seine keeps them itself.
	Loki map[string]Foreign `json:"loki,omitempty"`
	// Prometheus is where another program would ask for metrics; Seine answers from its own store.
	Prometheus map[string]Foreign `json:"prometheus,omitempty"`
	// Kafka would stand between agents and server.
	Kafka map[string]Foreign `json:"kafka,omitempty"`
	// Exporters carry records elsewhere.
	//
	// +kubebuilder:validation:MaxItems=16
	Exporters     []Exporter     `json:"exporters,omitempty"`
	NetworkPolicy *NetworkPolicy `json:"networkPolicy,omitempty"`
	Execution     *Execution     `json:"execution,omitempty"`
}

// Foreign is a part of the resource about another program, taken as it is.
type Foreign = apiextensionsv1.JSON

// Agent is what captures on every node.
type Agent struct {
	// Type of the agent. IPFIX is one of Open vSwitch, which Seine has not.
	//
	// +kubebuilder:validation:Enum=eBPF;IPFIX
	Type string `json:"type,omitempty"`
	EBPF *EBPF  `json:"ebpf,omitempty"`
	// IPFIX configures the agent of that type.
	IPFIX map[string]Foreign `json:"ipfix,omitempty"`
}

// EBPF configures the agent.
type EBPF struct {
	// ImagePullPolicy of the agent's image.
	//
	// +kubebuilder:validation:Enum=IfNotPresent;Always;Never
	ImagePullPolicy string                       `json:"imagePullPolicy,omitempty"`
	Resources       *corev1.ResourceRequirements `json:"resources,omitempty"`
	// Sampling counts one packet in so many; 0 and 1 count all, which is what Seine does if nothing is given.
	//
	// +kubebuilder:validation:Minimum=0
	Sampling *int32 `json:"sampling,omitempty"`
	// CacheActiveTimeout is the time between reports.
	//
	// +kubebuilder:validation:Pattern=`^\d+(ns|ms|s|m)?$`
	CacheActiveTimeout string `json:"cacheActiveTimeout,omitempty"`
	// CacheMaxFlows is the room in the kernel, in flows.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16777216
	CacheMaxFlows int32 `json:"cacheMaxFlows,omitempty"`
	// Interfaces to watch, names or /regular expressions/; all if none is given.
	Interfaces []string `json:"interfaces,omitempty"`
	// ExcludeInterfaces are not watched.
	ExcludeInterfaces []string `json:"excludeInterfaces,omitempty"`
	// LogLevel is the least that is logged.
	//
	// +kubebuilder:validation:Enum=trace;debug;info;warn;error;fatal;panic
	LogLevel string `json:"logLevel,omitempty"`
	// Privileged gives the agent's container all privileges.
	Privileged *bool `json:"privileged,omitempty"`
	// KafkaBatchSize is about the deployment model Kafka.
	KafkaBatchSize *int32         `json:"kafkaBatchSize,omitempty"`
	Advanced       *AgentAdvanced `json:"advanced,omitempty"`
	// Features that are wanted beyond plain flows. Those that Seine has are always on.
	//
	// +kubebuilder:validation:items:Enum=PacketDrop;DNSTracking;FlowRTT;NetworkEvents;PacketTranslation;EbpfManager;UDNMapping;IPSec;TLSTracking
	// +listType=set
	Features []string `json:"features,omitempty"`
	// Metrics are those of the agent itself.
	Metrics    map[string]Foreign `json:"metrics,omitempty"`
	FlowFilter *FlowFilter        `json:"flowFilter,omitempty"`
}

// AgentAdvanced is for what seldom needs a word.
type AgentAdvanced struct {
	// Env are further variables of the agent's environment.
	Env        map[string]string `json:"env,omitempty"`
	Scheduling *Scheduling       `json:"scheduling,omitempty"`
	// CapOverride takes the place of the capabilities that the agent has.
	CapOverride []string `json:"capOverride,omitempty"`
}

// Scheduling says where pods run.
type Scheduling struct {
	Tolerations       []corev1.Toleration `json:"tolerations,omitempty"`
	NodeSelector      map[string]string   `json:"nodeSelector,omitempty"`
	Affinity          *corev1.Affinity    `json:"affinity,omitempty"`
	PriorityClassName string              `json:"priorityClassName,omitempty"`
}

// FlowFilter chooses what is counted: rules, or the single one beside them.
type FlowFilter struct {
	// Enable is whether any of it counts.
	Enable *bool `json:"enable,omitempty"`
	Rule   `json:",inline"`
	// Rules are tried as their CIDRs are: the longest prefix first.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Rules []Rule `json:"rules,omitempty"`
}

// Rule is one rule of a filter.
type Rule struct {
	// CIDR is what either end's address is within; 0.0.0.0/0 if not given.
	CIDR string `json:"cidr,omitempty"`
	// Action is what happens to the packets; Accept if not given.
	//
	// +kubebuilder:validation:Enum=Accept;Reject
	Action string `json:"action,omitempty"`
	// Protocol of the packets.
	//
	// +kubebuilder:validation:Enum=TCP;UDP;ICMP;ICMPv6;SCTP
	Protocol string `json:"protocol,omitempty"`
	// Direction of the packets, as the interface sees it.
	//
	// +kubebuilder:validation:Enum=Ingress;Egress
	Direction string `json:"direction,omitempty"`
	// TCPFlags of the packets.
	//
	// +kubebuilder:validation:Enum=SYN;SYN-ACK;ACK;FIN;RST;URG;ECE;CWR;FIN-ACK;RST-ACK
	TCPFlags string `json:"tcpFlags,omitempty"`
	// SourcePorts is a port, a range as "80-90", or two as "80,443".
	SourcePorts *intstr.IntOrString `json:"sourcePorts,omitempty"`
	// DestPorts likewise.
	DestPorts *intstr.IntOrString `json:"destPorts,omitempty"`
	// Ports of either end.
	Ports *intstr.IntOrString `json:"ports,omitempty"`
	// PeerIP is the other end's address.
	PeerIP string `json:"peerIP,omitempty"`
	// PeerCIDR is what the other end's address is within.
	PeerCIDR string `json:"peerCIDR,omitempty"`
	ICMPCode *int32 `json:"icmpCode,omitempty"`
	ICMPType *int32 `json:"icmpType,omitempty"`
	// PktDrops chooses packets that were dropped.
	PktDrops *bool `json:"pktDrops,omitempty"`
	// Sampling of the packets that match.
	Sampling *int64 `json:"sampling,omitempty"`
}

// Processor is what names, keeps and answers: the server.
type Processor struct {
	// ImagePullPolicy of the server's image.
	//
	// +kubebuilder:validation:Enum=IfNotPresent;Always;Never
	ImagePullPolicy string `json:"imagePullPolicy,omitempty"`
	// LogLevel is the least that is logged.
	//
	// +kubebuilder:validation:Enum=trace;debug;info;warn;error;fatal;panic
	LogLevel  string                       `json:"logLevel,omitempty"`
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// ConsumerReplicas is how many servers there are. Seine's has a store of its own: there is one.
	//
	// +kubebuilder:validation:Minimum=0
	ConsumerReplicas *int32 `json:"consumerReplicas,omitempty"`
	// LogTypes is what records are. Seine's are connections in intervals.
	//
	// +kubebuilder:validation:Enum=Flows;Conversations;EndedConversations;All
	LogTypes string `json:"logTypes,omitempty"`
	// ClusterName is the cluster's name in records.
	ClusterName string `json:"clusterName,omitempty"`
	// AddZone puts zones into records, which Seine always does.
	AddZone      *bool         `json:"addZone,omitempty"`
	SubnetLabels *SubnetLabels `json:"subnetLabels,omitempty"`
	// Advanced is for what seldom needs a word.
	Advanced *ProcessorAdvanced `json:"advanced,omitempty"`

	Unheeded `json:",inline"`
}

// Unheeded are fields of the processor about programs that Seine does without.
type Unheeded struct {
	UnmanagedReplicas          *bool              `json:"unmanagedReplicas,omitempty"`
	KafkaConsumerReplicas      *int32             `json:"kafkaConsumerReplicas,omitempty"`
	KafkaConsumerQueueCapacity *int32             `json:"kafkaConsumerQueueCapacity,omitempty"`
	KafkaConsumerBatchSize     *int32             `json:"kafkaConsumerBatchSize,omitempty"`
	MultiClusterDeployment     *bool              `json:"multiClusterDeployment,omitempty"`
	KafkaConsumerAutoscaler    map[string]Foreign `json:"kafkaConsumerAutoscaler,omitempty"`
	Metrics                    map[string]Foreign `json:"metrics,omitempty"`
	Deduper                    map[string]Foreign `json:"deduper,omitempty"`
	Filters                    []Foreign          `json:"filters,omitempty"`
	SlicesConfig               map[string]Foreign `json:"slicesConfig,omitempty"`
	Service                    map[string]Foreign `json:"service,omitempty"`
}

// ProcessorAdvanced is for what seldom needs a word.
type ProcessorAdvanced struct {
	// Env are further variables of the server's environment.
	Env        map[string]string `json:"env,omitempty"`
	Scheduling *Scheduling       `json:"scheduling,omitempty"`

	Port             *int32 `json:"port,omitempty"`
	HealthPort       *int32 `json:"healthPort,omitempty"`
	ProfilePort      *int32 `json:"profilePort,omitempty"`
	EnableKubeProbes *bool  `json:"enableKubeProbes,omitempty"`
	DropUnusedFields *bool  `json:"dropUnusedFields,omitempty"`

	ConversationHeartbeatInterval  string `json:"conversationHeartbeatInterval,omitempty"`
	ConversationEndTimeout         string `json:"conversationEndTimeout,omitempty"`
	ConversationTerminatingTimeout string `json:"conversationTerminatingTimeout,omitempty"`

	SecondaryNetworks []Foreign `json:"secondaryNetworks,omitempty"`
}

// SubnetLabels name address ranges.
type SubnetLabels struct {
	// OpenShiftAutoDetect reads ranges of an OpenShift cluster.
	OpenShiftAutoDetect *bool `json:"openShiftAutoDetect,omitempty"`
	// +kubebuilder:validation:MaxItems=1000
	CustomLabels []SubnetLabel `json:"customLabels,omitempty"`
}

// SubnetLabel names the addresses within its CIDRs.
type SubnetLabel struct {
	// +kubebuilder:validation:MinItems=1
	CIDRs []string `json:"cidrs"`
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
}

// Exporter carries records elsewhere.
type Exporter struct {
	// Type says which of the others counts.
	//
	// +kubebuilder:validation:Enum=Kafka;IPFIX;OpenTelemetry
	Type          string                 `json:"type"`
	Kafka         *KafkaExporter         `json:"kafka,omitempty"`
	IPFIX         *IPFIXExporter         `json:"ipfix,omitempty"`
	OpenTelemetry *OpenTelemetryExporter `json:"openTelemetry,omitempty"`
}

// KafkaExporter is a topic that flow logs go to, in NetObserv's form.
type KafkaExporter struct {
	// Address of a broker as host:port, or of several with commas between.
	Address string `json:"address,omitempty"`
	// Topic that takes the messages; it has to be there.
	Topic string `json:"topic,omitempty"`
	// Compression of batches, lz4 if not given.
	//
	// +kubebuilder:validation:Enum=none;gzip;snappy;lz4;zstd
	Compression string     `json:"compression,omitempty"`
	TLS         *ClientTLS `json:"tls,omitempty"`
	SASL        *SASL      `json:"sasl,omitempty"`
}

// IPFIXExporter is a collector of IPFIX.
type IPFIXExporter struct {
	// TargetHost is the collector's name or address.
	TargetHost string `json:"targetHost,omitempty"`
	// TargetPort is its port, 4739 if not given.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	TargetPort *int32 `json:"targetPort,omitempty"`
	// Transport is TCP if not given.
	//
	// +kubebuilder:validation:Enum=TCP;UDP
	Transport string `json:"transport,omitempty"`
	// EnterpriseID is the number of the elements that IANA has not, 2 if not given; 0 leaves these out.
	//
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	EnterpriseID *int64 `json:"enterpriseID,omitempty"`
}

// OpenTelemetryExporter is a collector of OpenTelemetry.
type OpenTelemetryExporter struct {
	// TargetHost is the collector's name or address.
	TargetHost string `json:"targetHost,omitempty"`
	// TargetPort is its port, 4317 if not given.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	TargetPort *int32 `json:"targetPort,omitempty"`
	// Protocol is grpc if not given.
	//
	// +kubebuilder:validation:Enum=http;grpc
	Protocol string `json:"protocol,omitempty"`
	// Headers of each request.
	Headers map[string]string `json:"headers,omitempty"`
	TLS     *ClientTLS        `json:"tls,omitempty"`
	// FieldsMapping would rename fields.
	FieldsMapping []FieldMapping        `json:"fieldsMapping,omitempty"`
	Logs          *OpenTelemetryLogs    `json:"logs,omitempty"`
	Metrics       *OpenTelemetryMetrics `json:"metrics,omitempty"`
}

// FieldMapping renames a field.
type FieldMapping struct {
	Input      string `json:"input,omitempty"`
	Output     string `json:"output,omitempty"`
	Multiplier *int32 `json:"multiplier,omitempty"`
}

// OpenTelemetryLogs are records as logs.
type OpenTelemetryLogs struct {
	// Enable is true if not given.
	Enable *bool `json:"enable,omitempty"`
}

// OpenTelemetryMetrics are sums of records.
type OpenTelemetryMetrics struct {
	Enable           *bool  `json:"enable,omitempty"`
	PushTimeInterval string `json:"pushTimeInterval,omitempty"`
}

// ClientTLS is TLS of the end that connects.
type ClientTLS struct {
	// Enable turns TLS on.
	Enable bool `json:"enable,omitempty"`
	// InsecureSkipVerify takes any server for the right one.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
	// CACert has the certificates that sign the server's; none is those that the system trusts.
	CACert *CertificateReference `json:"caCert,omitempty"`
	// UserCert is the client's own certificate.
	UserCert *CertificateReference `json:"userCert,omitempty"`
}

// CertificateReference names a certificate within a Secret or ConfigMap.
type CertificateReference struct {
	// +kubebuilder:validation:Enum=configmap;secret
	Type string `json:"type,omitempty"`
	Name string `json:"name,omitempty"`
	// Namespace of the Secret or ConfigMap, that of agents and server if not given. There is no other choice: pods mount
	// what is in their own.
	Namespace string `json:"namespace,omitempty"`
	// CertFile is the key of the certificate, CertKey that of its private key.
	CertFile string `json:"certFile,omitempty"`
	CertKey  string `json:"certKey,omitempty"`
}

// SASL is who a broker is told that the client is.
type SASL struct {
	// +kubebuilder:validation:Enum=Disabled;Plain;ScramSHA512
	Type string `json:"type,omitempty"`
	// ClientIDReference has the name, ClientSecretReference the password.
	ClientIDReference     *FileReference `json:"clientIDReference,omitempty"`
	ClientSecretReference *FileReference `json:"clientSecretReference,omitempty"`
}

// FileReference names a key of a Secret or ConfigMap.
type FileReference struct {
	// +kubebuilder:validation:Enum=configmap;secret
	Type string `json:"type,omitempty"`
	Name string `json:"name,omitempty"`
	// Namespace of the Secret or ConfigMap, that of agents and server if not given. There is no other choice: pods mount
	// what is in their own.
	Namespace string `json:"namespace,omitempty"`
	// File is the key.
	File string `json:"file,omitempty"`
}

// NetworkPolicy guards the server.
type NetworkPolicy struct {
	// Enable makes the policy, which Seine does unless told otherwise.
	Enable *bool `json:"enable,omitempty"`
	// AdditionalNamespaces may ask the server.
	AdditionalNamespaces []string `json:"additionalNamespaces,omitempty"`
}

// Execution stops everything for a while.
type Execution struct {
	// +kubebuilder:validation:Enum=Running;OnHold
	Mode string `json:"mode"`
}

// Status says how it stands.
type Status struct {
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Namespace of agents and server.
	Namespace string `json:"namespace,omitempty"`
}
