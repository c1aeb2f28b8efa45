// Protogen compiles a protocol buffer file to Go, beside it: messages by protoc-gen-go, services by protoc-gen-go-grpc.
// The compiler and both plug-ins are Go modules that tools/go.mod pins, so that anyone who has Go gets the same bytes.
//
//	go run -C tools ./protogen ../internal/wire/wirepb/stream.proto
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// plugins are the tools that turn a compiled file into Go; see plugin.proto of protocol buffers for how they are asked.
var plugins = []string{"protoc-gen-go", "protoc-gen-go-grpc"}

func main() {
	if err := generate(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func generate(args []string) error {
	if len(args) != 1 {
		return errors.New("want one argument, the .proto file")
	}
	folder, name := filepath.Split(args[0])
	compiled, err := compile(folder, name)
	if err != nil {
		return err
	}
	for _, plugin := range plugins {
		if err := write(folder, plugin, compiled); err != nil {
			return fmt.Errorf("%s: %w", plugin, err)
		}
	}
	return nil
}

// compile returns what a plug-in is asked.
func compile(folder, name string) ([]byte, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{folder}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), name)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name, err)
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: []string{name}, Parameter: proto.String("paths=source_relative")}
	for _, f := range inOrder(files[0], map[string]bool{}) {
		request.ProtoFile = append(request.ProtoFile, protoutil.ProtoFromFileDescriptor(f))
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(request)
}

// inOrder lists a file after those that it imports, as plug-ins want them.
func inOrder(f linker.File, seen map[string]bool) []linker.File {
	if seen[f.Path()] {
		return nil
	}
	seen[f.Path()] = true
	var all []linker.File
	for i := range f.Imports().Len() {
		all = append(all, inOrder(f.FindImportByPath(f.Imports().Get(i).Path()), seen)...)
	}
	return append(all, f)
}

// write runs a plug-in and keeps the files that it answers with.
func write(folder, plugin string, request []byte) error {
	c := exec.Command("go", "tool", plugin)
	c.Stdin, c.Stderr = bytes.NewReader(request), os.Stderr
	out, err := c.Output()
	if err != nil {
		return err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &response); err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	if response.Error != nil {
		return errors.New(response.GetError())
	}
	for _, f := range response.File {
		if err := os.WriteFile(filepath.Join(folder, f.GetName()), []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
