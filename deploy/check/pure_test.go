package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pure are the folders of rules: what they do may depend only on the record and
// the books, so that a kiosk, the cloud and the simulator agree.
var pure = []string{
	"stock/ledger", "stock/escrow", "stock/reservation", "stock/books", "stock/gtin",
	"node/shopfloor", "cloud/headoffice",
}

// floatsAllowed is where a figure is an estimate and never a booked amount.
var floatsAllowed = []string{"stock/escrow"}

var impureImports = []string{"math/rand", "crypto/rand", "os", "net"}

var clocks = []string{
	"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep",
}

func TestRulesHaveNoClockChanceFilesOrGoroutines(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !inside(s.dir, pure) || isTestHelper(s.dir) {
			continue
		}
		for _, fault := range impurities(s) {
			t.Error(fault)
		}
	}
}

// impurities lists what a file of rules must not contain.
func impurities(s source) []string {
	faults := []string{}
	for _, imp := range s.imports() {
		if inside(imp, impureImports) {
			faults = append(faults, s.path+": imports "+imp)
		}
	}
	clock := importName(s.file, "time")
	ast.Inspect(s.file, func(n ast.Node) bool {
		what := ""
		switch n := n.(type) {
		case *ast.GoStmt:
			what = "starts a goroutine"
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && x.Name == clock && slices.Contains(clocks, n.Sel.Name) {
				what = "reads the clock by time." + n.Sel.Name
			}
		case *ast.Ident:
			if strings.HasPrefix(n.Name, "float") && !inside(s.dir, floatsAllowed) {
				if _, err := strconv.Atoi(n.Name[len("float"):]); err == nil {
					what = "uses " + n.Name
				}
			}
		case *ast.BasicLit:
			if n.Kind == token.FLOAT && !inside(s.dir, floatsAllowed) {
				what = "uses the float " + n.Value
			}
		}
		if what != "" {
			faults = append(faults, s.at(n)+": "+what)
		}
		return true
	})
	return faults
}

// importName is the name under which a file knows a package; "" if it does not.
func importName(f *ast.File, imported string) string {
	for _, i := range f.Imports {
		if i.Path.Value != strconv.Quote(imported) {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}

func TestImpuritiesAreFound(t *testing.T) {
	const text = `package ledger
import (
	clock "time"
	"math/rand/v2"
	"net/url"
	"osmosis"
)
var start = clock.Now()
func f(d clock.Duration) float64 {
	go f(d)
	clock.Sleep(1)
	return 1.5
}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "l.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string][]string{
		"stock/ledger": {
			"l.go: imports math/rand/v2", "l.go: imports net/url", "l.go:8: reads the clock by time.Now",
			"l.go:9: uses float64", "l.go:10: starts a goroutine",
			"l.go:11: reads the clock by time.Sleep", "l.go:12: uses the float 1.5",
		},
		"stock/escrow": {
			"l.go: imports math/rand/v2", "l.go: imports net/url", "l.go:8: reads the clock by time.Now",
			"l.go:10: starts a goroutine", "l.go:11: reads the clock by time.Sleep",
		},
	} {
		got := impurities(source{path: "l.go", dir: dir, fset: fset, file: file})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", dir, diff)
		}
	}
}
