// Package process is what every Holdfast program needs around its work: options,
// logs, metrics, health, listeners, and an orderly start and stop.
package process

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// Loaded is what Load found: which command to run, and where its options come
// from.
type Loaded struct {
	Command  string // as written, without arguments: "run", "store add"
	File     string // the configuration file that was read; "" if none
	Settings []Setting
}

// Setting is one option in effect. The value of a secret is masked.
type Setting struct {
	Name  string
	Value string
}

// LogAttrs gives the settings in effect as one group, for a line at the start.
func (l Loaded) LogAttrs() []any {
	group := make([]any, 0, len(l.Settings))
	for _, s := range l.Settings {
		group = append(group, slog.String(s.Name, s.Value))
	}
	return []any{slog.String("command", l.Command), slog.String("file", l.File), slog.Group("options", group...)}
}

type common struct {
	Config  string           `help:"Configuration file (TOML); ${default_config} when it exists." placeholder:"FILE"`
	Version kong.VersionFlag `help:"Print the version and exit." env:"-"`
}

// Load fills opts, a struct with kong tags and possibly cmd fields, from its
// defaults, one TOML file, the environment and args; later ones win. For the
// program holdfast-node the option --log-level is the environment variable
// HOLDFAST_NODE_LOG_LEVEL and in the file
//
//	log-level = "debug"
//
// or level = "debug" below [log]. The file is --config, or
// /etc/holdfast/holdfast-node.toml when that exists. One file serves all
// commands; a key that no command knows is an error that names it.
//
// Lists that flags cannot express are fields tagged `kong:"-" toml:"name"`;
// they come from the file only, as [[name]]. Fields tagged `secret:"true"` are
// masked in Settings.
//
// For --help and --version Load prints and ends the program.
func Load[T any](name string, args []string, opts *T, more ...kong.Option) (Loaded, error) {
	own := &common{}
	f := &file{fallback: "/etc/holdfast/" + name + ".toml"}
	prefix := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	options := append([]kong.Option{
		kong.Name(name),
		kong.Embed(own),
		kong.Vars{"version": name + " " + Version(), "default_config": f.fallback},
		kong.DefaultEnvars(prefix),
		kong.Resolvers(f),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	}, more...)
	parser, err := kong.New(opts, options...)
	if err != nil {
		return Loaded{}, fmt.Errorf("options of %s: %w", name, err)
	}
	ctx, err := parser.Parse(args)
	if err = cmp.Or(f.err, err); err != nil {
		return Loaded{}, err
	}
	if err := f.fillLists(reflect.ValueOf(opts).Elem()); err != nil {
		return Loaded{}, err
	}
	command := []string{}
	for _, step := range ctx.Path {
		if step.Command != nil {
			command = append(command, step.Command.Name)
		}
	}
	return Loaded{
		Command:  strings.Join(command, " "),
		File:     f.path,
		Settings: append(flagSettings(ctx), listSettings(ctx)...),
	}, nil
}

// Version returns what the binary was built from: the module's version, or the
// commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

func flagSettings(ctx *kong.Context) []Setting {
	all := []Setting{}
	for _, flag := range ctx.Flags() {
		if flag.Name == "help" || flag.Name == "version" || flag.Name == "config" {
			continue
		}
		s := Setting{Name: flag.Name, Value: fmt.Sprint(ctx.FlagValue(flag))}
		if flag.Tag.Get("secret") == "true" {
			s.Value = mask(s.Value)
		}
		all = append(all, s)
	}
	return all
}

// listSettings describes the file-only fields of the chosen command.
func listSettings(ctx *kong.Context) []Setting {
	all := []Setting{}
	for _, step := range ctx.Path {
		node := step.Node()
		if node == nil || !node.Target.IsValid() || step.Flag != nil {
			continue
		}
		for _, l := range listsOf(node.Target, false) {
			value := show(l.value)
			if l.field.Tag.Get("secret") == "true" {
				value = mask(value)
			}
			all = append(all, Setting{Name: l.name, Value: value})
		}
	}
	return all
}

// show formats v like fmt, with secrets inside structs masked.
func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		part := make([]string, v.Len())
		for i := range part {
			part[i] = show(v.Index(i))
		}
		return "[" + strings.Join(part, " ") + "]"
	case reflect.Struct:
		if _, ok := v.Interface().(fmt.Stringer); ok {
			break
		}
		part := make([]string, 0, v.NumField())
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			value := show(v.Field(i))
			if field.Tag.Get("secret") == "true" {
				value = mask(value)
			}
			part = append(part, tomlName(field)+"="+value)
		}
		return "{" + strings.Join(part, " ") + "}"
	}
	return fmt.Sprint(v.Interface())
}

func mask(value string) string {
	if value == "" {
		return ""
	}
	return "(secret)"
}

func anySet(env []string) bool {
	for _, name := range env {
		if _, ok := os.LookupEnv(name); ok {
			return true
		}
	}
	return false
}
