package check

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "holdfast.dev"
	root   = "../.."
)

// source is one Go file of the project.
type source struct {
	path      string // from the root, with slashes
	dir       string
	test      bool // a _test.go file
	generated bool
	text      []byte
	fset      *token.FileSet
	file      *ast.File
}

// own tells whether the file is written by people and linked into programs.
func (s source) own() bool { return !s.test && !s.generated }

// at gives the place of a node for a message.
func (s source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

// imports lists what the file imports.
func (s source) imports() []string {
	paths := []string{}
	for _, i := range s.file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// files lists the project's files, leaving out what Git and tools keep.
func files(t *testing.T) []string {
	t.Helper()
	all := []string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && p != root
		if d.IsDir() && (hidden || slices.Contains([]string{"node_modules", "testdata", "dist"}, d.Name())) {
			return fs.SkipDir
		}
		if d.Type().IsRegular() && !hidden {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			all = append(all, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sources parses every Go file. Reading them here also tells the test cache
// that the results depend on them.
func sources(t *testing.T) []source {
	t.Helper()
	all := []source{}
	for _, p := range files(t) {
		if path.Ext(p) != ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("parse: %v", err)
			continue
		}
		all = append(all, source{
			path: p, dir: path.Dir(p), test: strings.HasSuffix(p, "_test.go"),
			generated: ast.IsGenerated(file), text: text, fset: fset, file: file,
		})
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

func lines(text []byte) int { return bytes.Count(text, []byte("\n")) }

// inside tells whether dir is one of the folders or below one.
func inside(dir string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return dir == f || strings.HasPrefix(dir, f+"/")
	})
}
