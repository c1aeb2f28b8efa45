package operator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/seine-net/seine/deploy"
)

// release is the name under which the chart is rendered, and that of all objects.
const release = "seine"

// managedBy is the value of the label app.kubernetes.io/managed-by of all objects, and the owner of what is applied.
const managedBy = "seine-operator"

// renderer renders the chart.
type renderer struct {
	chart *chart.Chart
	// cluster is the version of Kubernetes, and what it knows beyond its own objects, such as security.openshift.io/v1.
	cluster *common.Capabilities
}

// newRenderer loads the chart that is part of the program.
func newRenderer(cluster *common.Capabilities) (*renderer, error) {
	var files []*archive.BufferedFile
	err := fs.WalkDir(deploy.Chart, deploy.ChartDir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := deploy.Chart.ReadFile(name)
		files = append(files, &archive.BufferedFile{Name: strings.TrimPrefix(name, deploy.ChartDir+"/"), Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the chart: %w", err)
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load the chart: %w", err)
	}
	return &renderer{loaded, cluster}, nil
}

// render returns the objects for a namespace. Values that the chart's schema does not take are an error.
func (r *renderer) render(namespace string, v values) ([]*unstructured.Unstructured, error) {
	all, err := util.ToRenderValues(r.chart, v, common.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true}, r.cluster)
	if err != nil {
		return nil, fmt.Errorf("values of the chart: %w", err)
	}
	all["Release"].(map[string]any)["Service"] = managedBy
	files, err := engine.Render(r.chart, all)
	if err != nil {
		return nil, fmt.Errorf("render the chart: %w", err)
	}
	var objects []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) != ".yaml" {
			continue
		}
		if objects, err = appendObjects(objects, files[name]); err != nil {
			return nil, fmt.Errorf("read %s as rendered: %w", name, err)
		}
	}
	return objects, nil
}

// appendObjects reads a file of YAML documents.
func appendObjects(objects []*unstructured.Unstructured, text string) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(text), len(text)+1)
	for {
		var o unstructured.Unstructured
		switch err := decoder.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(o.Object) > 0:
			objects = append(objects, &o)
		}
	}
}
