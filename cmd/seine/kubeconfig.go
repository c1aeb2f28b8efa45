package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/tunnel"
)

// restConfig says where the API server is, and as whom to speak: by a file, else as the pod that this is, else as
// kubectl does, by $KUBECONFIG or ~/.kube/config.
func restConfig(path string) (*rest.Config, error) {
	if path == "" {
		if cfg, err := rest.InClusterConfig(); err == nil {
			return cfg, nil
		}
	}
	return userConfig(path, "")
}

func userConfig(path, context string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	overrides := &clientcmd.ConfigOverrides{CurrentContext: context}
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	return cfg, nil
}

// isPlugin says whether kubectl runs the program as its plug-in, which is then called kubectl-seine.
func isPlugin() bool { return strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-seine") }

// clusterFlags say in which cluster the server is; those of kubectl, where there are.
type clusterFlags struct {
	kubeconfig, context, namespace string
}

func (f *clusterFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.kubeconfig, "kubeconfig", "", "`FILE` that says where the cluster is (default $KUBECONFIG, else ~/.kube/config)")
	s.StringVar(&f.context, "context", "", "`NAME` of the kubeconfig's context (default its current one)")
	s.StringVar(&f.namespace, "server-namespace", "", "`NAMESPACE` of Seine's server (default wherever it is)")
}

// reach opens a way to the server that lasts as long as the process.
func (f *clusterFlags) reach(cfg *client.Config) error {
	to, err := userConfig(f.kubeconfig, f.context)
	if err != nil {
		return usageError{err}
	}
	to.UserAgent = cfg.UserAgent
	t, err := tunnel.Open(context.Background(), to, f.namespace)
	if apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) {
		return accessError{fmt.Errorf("the cluster at %s refuses: %w", to.Host, err)}
	}
	if err != nil {
		return &client.Unreachable{URL: to.Host, Err: err}
	}
	cfg.URL = t.URL
	if cfg.Token == "" {
		cfg.Token = t.Token
	}
	cfg.TLS = &tls.Config{InsecureSkipVerify: true} // See package tunnel for why.
	return nil
}
