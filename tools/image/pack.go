package main

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// layerOf packs a folder as a layer.
func layerOf(dir string, made time.Time) (v1.Layer, error) {
	var packed bytes.Buffer
	if err := pack(&packed, dir, made); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// pack writes what a folder holds as a tar archive: in the order of names, all owned by root and of one time, so that
// where and when it was made leaves no trace.
func pack(to io.Writer, dir string, made time.Time) error {
	out := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		return add(out, dir, path, entry, made)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func add(out *tar.Writer, dir, path string, entry fs.DirEntry, made time.Time) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	*header = tar.Header{
		Typeflag: header.Typeflag, Name: filepath.ToSlash(name), Linkname: target, Size: header.Size, Mode: 0o644, ModTime: made,
	}
	if info.IsDir() {
		header.Name += "/"
	}
	if info.Mode()&0o111 != 0 { // The builder's umask is no part of the image.
		header.Mode = 0o755
	}
	if err := out.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(out, file)
	return err
}
