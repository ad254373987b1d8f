package check

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines = 500
	maxFuncLines = 70
)

func TestFilesAndFunctionsStayReadable(t *testing.T) {
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		if n := lines(s.text); n > maxFileLines {
			t.Errorf("%s has %d lines, limit %d", s.path, n, maxFileLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			if n > maxFuncLines {
				t.Errorf("%s: %s has %d lines, limit %d", s.at(f), f.Name.Name, n, maxFuncLines)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	docs := map[string]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		name := s.file.Name.Name
		if name == "main" {
			name = "" // a program's doc begins with its own name
		} else {
			name = "Package " + name + " "
		}
		doc := s.file.Doc.Text()
		if doc != "" && !strings.HasPrefix(doc, name) {
			t.Errorf("%s: the package doc begins with %.20q, want %q", s.path, doc, name)
		}
		docs[s.dir] += doc
	}
	for dir, doc := range docs {
		if doc == "" {
			t.Errorf("package %s has no doc", dir)
		}
	}
}

func TestExportedNamesHaveDocs(t *testing.T) {
	for _, s := range sources(t) {
		if !s.own() || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s has no doc", s.at(d), name)
			}
		}
	}
}

func undocumented(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && receiverExported(d) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil {
			return nil
		}
		names := []string{}
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Doc == nil && spec.Name.IsExported() {
					names = append(names, spec.Name.Name)
				}
			case *ast.ValueSpec:
				if spec.Doc == nil && spec.Comment == nil && spec.Names[0].IsExported() {
					names = append(names, spec.Names[0].Name)
				}
			}
		}
		return names
	}
	return nil
}

// receiverExported is also true for a function without a receiver.
func receiverExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	exported := true
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			exported = id.IsExported()
			return false
		}
		return exported
	})
	return exported
}

// unfinished finds what people leave behind for later. The words are in two
// halves because this file is searched as well.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|HA` + `CK)\b`)

// laterInComments finds the same said in a sentence.
var laterInComments = regexp.MustCompile(`(?i)\b(for n` + `ow|not yet impl` + `emented|temporary st` + `ub)\b`)

func TestNothingIsLeftForLater(t *testing.T) {
	searched := []string{
		".go", ".md", ".sh", ".toml", ".html", ".css", ".js", ".sql", ".proto", ".yaml", ".yml", ".service",
		".rules", ".conf",
	}
	for _, p := range files(t) {
		if !slices.Contains(searched, path.Ext(p)) && path.Base(p) != "Makefile" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		if found := unfinished.Find(text); found != nil {
			t.Errorf("%s: %s", p, found)
		}
	}
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		for _, c := range s.file.Comments {
			if found := laterInComments.FindString(c.Text()); found != "" {
				t.Errorf("%s: %q", s.at(c), found)
			}
		}
	}
}

func TestNoInitFunctionsAndNoBlankImports(t *testing.T) {
	// The journal brings its database driver; the generator its extensions.
	mayBlank := []string{"stock/journal", "proto/gen"}
	for _, s := range sources(t) {
		if !s.own() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init hides what a program does", s.at(f))
			}
		}
		for _, i := range s.file.Imports {
			blank := i.Name != nil && i.Name.Name == "_"
			if blank && i.Path.Value != `"embed"` && !slices.Contains(mayBlank, s.dir) {
				t.Errorf("%s: blank import of %s", s.at(i), i.Path.Value)
			}
		}
	}
}
