package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"
)

// file answers kong's questions from one TOML file. It is read at the first
// question, because only then --config is known.
type file struct {
	fallback string

	read   bool
	err    error
	path   string
	values map[string]any            // by flag name
	lists  map[string]toml.Primitive // top-level keys, for the file-only fields
	meta   toml.MetaData
}

// Validate has nothing to add: unknown keys are found when the file is read.
func (f *file) Validate(*kong.Application) error { return nil }

// Resolve returns the file's value for a flag; the environment goes first. A
// fault of the file is kept for Load, since kong would blame the flag.
func (f *file) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !f.read {
		f.read = true
		f.err = f.load(ctx)
	}
	if anySet(flag.Envs) || flag.Name == "config" {
		return nil, nil
	}
	return f.values[flag.Name], nil
}

func (f *file) load(ctx *kong.Context) error {
	text, err := f.open(ctx)
	if err != nil || f.path == "" {
		return err
	}
	tree := map[string]any{}
	if _, err := toml.Decode(string(text), &tree); err != nil {
		return fmt.Errorf("configuration file %s: %w", f.path, err)
	}
	if f.meta, err = toml.Decode(string(text), &f.lists); err != nil {
		return fmt.Errorf("configuration file %s: %w", f.path, err)
	}
	flags, lists := knownKeys(ctx.Model)
	for _, name := range lists {
		delete(tree, name)
	}
	f.values = map[string]any{}
	return f.flatten("", tree, flags)
}

func (f *file) open(ctx *kong.Context) ([]byte, error) {
	named := ""
	for _, flag := range ctx.Model.Flags {
		if flag.Name == "config" {
			named = ctx.FlagValue(flag).(string)
		}
	}
	f.path = named
	if named == "" {
		f.path = f.fallback
	}
	text, err := os.ReadFile(f.path)
	if named == "" && errors.Is(err, fs.ErrNotExist) {
		f.path = ""
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return text, nil
}

// flatten names every leaf like the flag it sets: [log] level is log-level.
func (f *file) flatten(prefix string, tree map[string]any, flags []string) error {
	for key, value := range tree {
		name := prefix + strings.ReplaceAll(key, "_", "-")
		if sub, ok := value.(map[string]any); ok && !slices.Contains(flags, name) {
			if err := f.flatten(name+"-", sub, flags); err != nil {
				return err
			}
			continue
		}
		if !slices.Contains(flags, name) {
			return fmt.Errorf("configuration file %s: unknown key %q%s", f.path, name, nearest(name, flags))
		}
		if _, twice := f.values[name]; twice {
			return fmt.Errorf("configuration file %s: key %q is given twice", f.path, name)
		}
		f.values[name] = value
	}
	return nil
}

// nearest suggests a known key that shares most of its letters' order.
func nearest(name string, known []string) string {
	best, bestScore := "", len(name)*2/3
	for _, k := range known {
		if score := commonLetters(name, k); score > bestScore {
			best, bestScore = k, score
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// commonLetters is the length of the longest common subsequence.
func commonLetters(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// knownKeys lists the flags and the file-only fields of all commands.
func knownKeys(app *kong.Application) (flags, lists []string) {
	var visit func(n *kong.Node)
	visit = func(n *kong.Node) {
		for _, flag := range n.Flags {
			if flag.Name != "help" && flag.Name != "version" && flag.Name != "config" {
				flags = append(flags, flag.Name)
			}
		}
		for _, child := range n.Children {
			visit(child)
		}
	}
	visit(app.Node)
	for _, l := range listsOf(app.Target, true) {
		lists = append(lists, l.name)
	}
	return flags, lists
}

type list struct {
	name  string
	field reflect.StructField
	value reflect.Value
}

// listsOf finds the file-only fields of a struct and of the structs in it, on
// demand also those of its commands.
func listsOf(v reflect.Value, commands bool) []list {
	v = reflect.Indirect(v)
	if v.Kind() != reflect.Struct {
		return nil
	}
	all := []list{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		_, isCommand := field.Tag.Lookup("cmd")
		switch {
		case !field.IsExported() || isCommand && !commands:
		case field.Tag.Get("kong") != "-":
			all = append(all, listsOf(v.Field(i), commands)...)
		case field.Tag.Get("toml") != "":
			all = append(all, list{tomlName(field), field, v.Field(i)})
		}
	}
	return all
}

func tomlName(field reflect.StructField) string {
	if name, _, _ := strings.Cut(field.Tag.Get("toml"), ","); name != "" {
		return name
	}
	return field.Name
}

// fillLists decodes the file-only fields, and refuses unknown keys in them.
func (f *file) fillLists(opts reflect.Value) error {
	names := []string{}
	for _, l := range listsOf(opts, true) {
		raw, ok := f.lists[l.name]
		if !ok {
			continue
		}
		names = append(names, l.name)
		if err := f.meta.PrimitiveDecode(raw, l.value.Addr().Interface()); err != nil {
			return fmt.Errorf("configuration file %s: [[%s]]: %w", f.path, l.name, err)
		}
	}
	for _, key := range f.meta.Undecoded() {
		if slices.Contains(names, key[0]) {
			return fmt.Errorf("configuration file %s: unknown key %q", f.path, key.String())
		}
	}
	return nil
}
