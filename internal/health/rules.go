package health

// rules is the table of what can be wrong, as built in. docs/reference/health.md and GET /api/v1/health/rules are made
// from it.
var rules = []Rule{
	{
		Name: "traffic-stopped", Dataset: "flows", By: ByEdge, Form: Fall, Of: "sum(total.bytes)", Unit: bytesUnit,
		Doc: "A client that called all through the baseline does not any more. Either it was meant to end, or it fails before " +
			"it gets to the network: at DNS, or by itself.",
		Says:       "traffic fell to {value}",
		Thresholds: Thresholds{Warning: new(0.02), MinVolume: 16 << 10},
	},
	{
		Name: "traffic-surge", Dataset: "flows", By: ByEdge, Form: Rise, Of: "sum(total.bytes)", Unit: bytesUnit,
		Doc: "A client sends and receives many times what it did before: a retry storm, a new release, a batch job. It is " +
			"news rather than a fault, and may explain others.",
		Says:       "traffic rose to {value}",
		Thresholds: Thresholds{Info: new(10.0), MinVolume: 16 << 20},
	},
	{
		Name: "node-silent", Dataset: "flows", By: ByNode, Form: Fall, Of: "count()", Unit: "records/s",
		Doc: "A node whose agent reported all through the baseline reports nothing any more: the node, its agent, or the way " +
			"from the agent to the server is down. What else is said of its pods is from what other nodes saw.",
		Says:       "its agent fell silent",
		Thresholds: Thresholds{Critical: new(0.01), MinVolume: 20},
	},
}
