// Command gen compiles proto/**/*.proto and runs the pinned plugins, with Go
// alone: no protoc, no network. Imports such as google/api/annotations.proto
// are taken from the descriptors that the Go packages below link in.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	_ "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2/options" // descriptors
	_ "google.golang.org/genproto/googleapis/api/annotations"                  // descriptors
)

const root = "proto"

// plugin is one generator and the files that it is asked for.
type plugin struct {
	name, opt string
	only      string // prefix of the files to generate; empty: all
}

var plugins = []plugin{
	{name: "protoc-gen-go", opt: "paths=source_relative"},
	{name: "protoc-gen-go-grpc", opt: "paths=source_relative"},
	{name: "protoc-gen-grpc-gateway", opt: "paths=source_relative"},
	{name: "protoc-gen-openapiv2", only: "shop/",
		opt: "allow_merge=true,merge_file_name=shop/v1/shop,json_names_for_fields=true"},
	{name: "protoc-gen-openapiv2", only: "store/",
		opt: "allow_merge=true,merge_file_name=store/v1/store,json_names_for_fields=true"},
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	files, err := sources()
	if err != nil {
		return err
	}
	all, err := compile(ctx, files)
	if err != nil {
		return err
	}
	for _, p := range plugins {
		req := &pluginpb.CodeGeneratorRequest{ProtoFile: all, CompilerVersion: &pluginpb.Version{
			Major: proto.Int32(6), Minor: proto.Int32(30), Patch: proto.Int32(0)}}
		for _, f := range files {
			if strings.HasPrefix(f, p.only) {
				req.FileToGenerate = append(req.FileToGenerate, f)
			}
		}
		req.Parameter = proto.String(p.opt)
		if err := runPlugin(ctx, p.name, req); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func sources() ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".proto") {
			rel, _ := filepath.Rel(root, p)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	sort.Strings(files)
	return files, err
}

// compile returns the descriptors of files and of all that they import,
// imports first.
func compile(ctx context.Context, files []string) ([]*descriptorpb.FileDescriptorProto, error) {
	linkedIn := protocompile.ResolverFunc(func(p string) (protocompile.SearchResult, error) {
		fd, err := protoregistry.GlobalFiles.FindFileByPath(p)
		return protocompile.SearchResult{Desc: fd}, err
	})
	c := protocompile.Compiler{
		SourceInfoMode: protocompile.SourceInfoStandard,
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{ImportPaths: []string{root}}, linkedIn},
	}
	linked, err := c.Compile(ctx, files...)
	if err != nil {
		return nil, err
	}
	var all []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	var add func(fd protoreflect.FileDescriptor)
	add = func(fd protoreflect.FileDescriptor) {
		if seen[fd.Path()] {
			return
		}
		seen[fd.Path()] = true
		for i := range fd.Imports().Len() {
			dep := fd.Imports().Get(i).FileDescriptor
			if f := linked.FindFileByPath(dep.Path()); f != nil {
				dep = f
			}
			add(dep)
		}
		all = append(all, protodesc.ToFileDescriptorProto(fd))
	}
	for _, f := range linked {
		add(f)
	}
	return all, nil
}

func runPlugin(ctx context.Context, name string, req *pluginpb.CodeGeneratorRequest) error {
	in, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", name)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	resp := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out, resp); err != nil {
		return err
	}
	if resp.Error != nil {
		return fmt.Errorf("%s", resp.GetError())
	}
	for _, f := range resp.File {
		dst := filepath.Join(root, filepath.FromSlash(f.GetName()))
		if err := os.WriteFile(dst, []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
