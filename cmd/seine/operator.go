package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/seine-net/seine/internal/operator"
)

func newOperatorCommand() *cobra.Command {
	var kubeconfig, values, level string
	cfg := operator.Config{}
	c := &cobra.Command{
		Use:   "operator",
		Short: "Turn the FlowCollector of a Kubernetes cluster into agents and a server",
		Long: "Reconcile the FlowCollector (flows.netobserv.io/v1beta2) of a Kubernetes cluster: agents on every node and a server.\n" +
			"It installs the custom resource definition, unless another operator has.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Log, err = newLogger(os.Stderr, level); err != nil {
				return err
			}
			if cfg.Values, err = readValues(values); err != nil {
				return err
			}
			if cfg.REST, err = restConfig(kubeconfig); err != nil {
				return err
			}
			return operator.Run(cmd.Context(), cfg)
		},
	}
	s := c.Flags()
	s.StringVar(&kubeconfig, "kubeconfig", "", "`FILE` that says where the API server is (default that of the pod, else $KUBECONFIG or ~/.kube/config)")
	s.StringVar(&values, "values", "", "YAML `FILE` with values of the Helm chart that FlowCollectors start from")
	s.StringVar(&cfg.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "`NAME` of the operator's own namespace, for its lease (default $POD_NAMESPACE)")
	s.StringVar(&cfg.HealthListen, "health-listen", ":8081", "`HOST:PORT` where /healthz and /readyz are served; they tell nothing else")
	s.StringVar(&level, "log-level", "info", "least `LEVEL` that is logged: debug, info, warn or error")
	return c
}

// readValues reads values of the chart; no file is none.
func readValues(path string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("--values: %w", err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("--values %q: %w", path, err)
	}
	return values, nil
}
