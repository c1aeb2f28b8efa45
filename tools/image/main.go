// Image packs folders as a container image, one folder for each architecture, without a container engine: an OCI layout
// (https://github.com/opencontainers/image-spec/blob/main/image-layout.md) in a tar file, which docker load, podman load
// and ctr images import read. The same folders give the same bytes; SOURCE_DATE_EPOCH is the time of all that is in it.
// With -push it goes to the registry that its name tells, too, with the credentials of ~/.docker/config.json.
//
//	go run -C tools ./image -name localhost/seine:1 -o "$PWD/image.tar" -entrypoint /usr/bin/seine amd64="$PWD/root"
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// image is what the flags say.
type image struct {
	name, out string
	config    v1.Config
	push      bool
	// roots leads from an architecture to its folder.
	roots map[string]string
	made  time.Time
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run() error {
	i, err := parse()
	if err != nil {
		return err
	}
	index, err := i.index()
	if err != nil {
		return err
	}
	if err := i.write(index); err != nil {
		return err
	}
	if !i.push {
		return nil
	}
	ref, err := name.ParseReference(i.name)
	if err != nil {
		return fmt.Errorf("-name %q: %w", i.name, err)
	}
	return remote.WriteIndex(ref, index, remote.WithAuthFromKeychain(authn.DefaultKeychain))
}

func parse() (*image, error) {
	i := &image{roots: make(map[string]string)}
	flag.StringVar(&i.name, "name", "", "`NAME:TAG` of the image")
	flag.StringVar(&i.out, "o", "", "`FILE` to write")
	flag.StringVar(&i.config.User, "user", "", "`UID:GID` that it runs as unless told otherwise; root if not given")
	flag.BoolVar(&i.push, "push", false, "push it to the registry in its name")
	words := func(to *[]string) func(string) error {
		return func(s string) error { *to = strings.Fields(s); return nil }
	}
	flag.Func("entrypoint", "`WORDS` of the command", words(&i.config.Entrypoint))
	flag.Func("cmd", "`WORDS` that follow unless others are given", words(&i.config.Cmd))
	flag.Func("env", "`K=V ...` of the environment", words(&i.config.Env))
	flag.Parse()
	if i.name == "" || i.out == "" || flag.NArg() == 0 {
		return nil, errors.New("want -name, -o and, for each architecture, ARCH=FOLDER")
	}
	for _, arg := range flag.Args() {
		arch, folder, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("argument %q: want ARCH=FOLDER, such as amd64=root", arg)
		}
		i.roots[arch] = folder
	}
	seconds, err := strconv.ParseInt("0"+os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	i.made = time.Unix(seconds, 0).UTC()
	return i, err
}

// index makes the list of the images of all architectures.
func (i *image) index() (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	architectures := make([]string, 0, len(i.roots))
	for arch := range i.roots {
		architectures = append(architectures, arch)
	}
	slices.Sort(architectures)
	for _, arch := range architectures {
		one, err := i.one(arch)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", arch, err)
		}
		platform := v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one, Descriptor: platform})
	}
	return index, nil
}

// one makes the image of an architecture.
func (i *image) one(arch string) (v1.Image, error) {
	layer, err := layerOf(i.roots[arch], i.made)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err = mutate.ConfigFile(base, &v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: v1.Time{Time: i.made}, Config: i.config, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(base, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: i.made}, CreatedBy: "tools/image"}})
}

// write writes the image as an OCI layout in a tar file, with the annotations by which containerd and others name it.
func (i *image) write(index v1.ImageIndex) error {
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_, tag, _ := strings.Cut(i.name[strings.LastIndex(i.name, "/")+1:], ":")
	named := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: index, Descriptor: v1.Descriptor{Annotations: map[string]string{
			"io.containerd.image.name":          i.name,
			"org.opencontainers.image.ref.name": tag,
		}},
	})
	if _, err := layout.Write(dir, named); err != nil {
		return err
	}
	file, err := os.Create(i.out)
	if err != nil {
		return err
	}
	return errors.Join(pack(file, dir, i.made), file.Close())
}
