package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

type device struct {
	Kind  string `toml:"kind"`
	Path  string `toml:"path"`
	Token string `toml:"token" secret:"true"`
}

type runOptions struct {
	HTTPAddr string        `name:"http-addr" default:"127.0.0.1:8090" help:"Pages."`
	Data     string        `default:"/var/lib/holdfast" help:"Data."`
	Hold     time.Duration `default:"15m" help:"Cart hold."`
	Limit    int           `default:"3" help:"Limit."`
	Langs    []string      `default:"en" help:"Languages."`
	Demo     bool          `help:"Demo."`
	Key      string        `secret:"true" help:"Key."`
	Log      LogOptions    `embed:"" prefix:"log-"`
	Devices  []device      `kong:"-" toml:"device"`
}

type cli struct {
	Run  runOptions `cmd:"" default:"withargs" help:"Run."`
	Join struct {
		Text  string `arg:"" help:"Join string."`
		Force bool   `help:"Even if joined."`
	} `cmd:"" help:"Join."`
}

func load(t *testing.T, toml string, args ...string) (cli, Loaded, error) {
	t.Helper()
	opts := cli{}
	if toml != "" {
		path := filepath.Join(t.TempDir(), "node.toml")
		if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config="+path)
	}
	loaded, err := Load("holdfast-test", args, &opts)
	return opts, loaded, err
}

func TestLaterSourcesOfOptionsWin(t *testing.T) {
	t.Setenv("HOLDFAST_TEST_LIMIT", "5")
	t.Setenv("HOLDFAST_TEST_DATA", "/env")
	t.Setenv("HOLDFAST_TEST_HOLD", "30m")
	got, loaded, err := load(t, `
		data = "/file"
		hold = "20m"
		http_addr = "127.0.0.1:1"
		langs = ["nl", "da"]
		demo = true
		[log]
		level = "debug"
		[[device]]
		kind = "scanner"
		path = "/dev/ttyACM0"
		[[device]]
		kind = "printer"
		path = "10.0.0.9:9100"
		token = "abc"
	`, "run", "--data=/flag")
	if err != nil {
		t.Fatal(err)
	}
	want := runOptions{
		HTTPAddr: "127.0.0.1:1", Data: "/flag", Hold: 30 * time.Minute, Limit: 5,
		Langs: []string{"nl", "da"}, Demo: true, Log: LogOptions{Level: -4, Format: "text"},
		Devices: []device{
			{Kind: "scanner", Path: "/dev/ttyACM0"},
			{Kind: "printer", Path: "10.0.0.9:9100", Token: "abc"},
		},
	}
	if diff := cmp.Diff(want, got.Run); diff != "" {
		t.Error(diff)
	}
	if loaded.Command != "run" || !strings.HasSuffix(loaded.File, "node.toml") {
		t.Errorf("command %q, file %q", loaded.Command, loaded.File)
	}
}

func TestOptionsWithoutAnySourceAreTheDefaults(t *testing.T) {
	got, loaded, err := load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	want := runOptions{
		HTTPAddr: "127.0.0.1:8090", Data: "/var/lib/holdfast", Hold: 15 * time.Minute, Limit: 3,
		Langs: []string{"en"}, Log: LogOptions{Format: "text"},
	}
	if diff := cmp.Diff(want, got.Run); diff != "" {
		t.Error(diff)
	}
	if loaded.Command != "run" || loaded.File != "" {
		t.Errorf("command %q, file %q", loaded.Command, loaded.File)
	}
}

func TestOneFileServesAllCommands(t *testing.T) {
	got, loaded, err := load(t, "data = \"/file\"\nforce = true\n[[device]]\nkind = \"x\"", "join", "hf1.x")
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Command != "join" || got.Join.Text != "hf1.x" || !got.Join.Force {
		t.Errorf("command %q, %+v", loaded.Command, got.Join)
	}
}

func TestWrongConfigurationIsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct{ toml, want string }{
		"unknown key":         {"colour = 1", `unknown key "colour"`},
		"misspelt key":        {"http-adr = \"x\"", `unknown key "http-adr"; did you mean "http-addr"?`},
		"in a table":          {"[log]\nlevl = \"info\"", `unknown key "log-levl"; did you mean "log-level"?`},
		"unknown table":       {"[colour]\nred = 1", `unknown key "colour-red"`},
		"in a list":           {"[[device]]\nkind = \"x\"\nbaud = 9600", `unknown key "device.baud"`},
		"list of wrong type":  {"device = 3", "[[device]]"},
		"value of wrong type": {"limit = \"many\"", "--limit"},
		"not in the choices":  {"[log]\nformat = \"xml\"", "--log-format"},
		"not TOML":            {"data = ", "configuration file"},
		"given twice":         {"http-addr = \"a:1\"\nhttp_addr = \"b:1\"", `"http-addr" is given twice`},
		"the file itself":     {"config = \"x\"", `unknown key "config"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, c.toml, "run")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestMissingFileIsAFaultOnlyWhenNamed(t *testing.T) {
	_, err := Load("holdfast-test", []string{"run", "--config=/nowhere.toml"}, &cli{})
	if err == nil || !strings.Contains(err.Error(), "/nowhere.toml") {
		t.Errorf("got %v, want a fault that names the file", err)
	}
}

func TestSettingsMaskSecrets(t *testing.T) {
	_, loaded, err := load(t, "key = \"hush\"\n[[device]]\nkind = \"printer\"\ntoken = \"hush\"", "run")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range loaded.Settings {
		got[s.Name] = s.Value
	}
	want := map[string]string{
		"http-addr": "127.0.0.1:8090", "data": "/var/lib/holdfast", "hold": "15m0s", "limit": "3",
		"langs": "[en]", "demo": "false", "key": "(secret)", "log-level": "INFO", "log-format": "text",
		"device": "[{kind=printer path= token=(secret)}]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := fmt.Sprint(loaded.LogAttrs()...); strings.Contains(text, "hush") {
		t.Errorf("the log line shows a secret: %s", text)
	}
}

func TestHelpNamesFileAndEnvironment(t *testing.T) {
	var out bytes.Buffer
	type exit struct{}
	defer func() {
		if _, ok := recover().(exit); !ok {
			t.Error("help does not end the program")
		}
		for _, want := range []string{"/etc/holdfast/holdfast-test.toml", "$HOLDFAST_TEST_LIMIT"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		}
	}()
	Load("holdfast-test", []string{"run", "--help"}, &cli{},
		kong.Writers(&out, &out), kong.Exit(func(int) { panic(exit{}) }))
}

func TestLogFormats(t *testing.T) {
	for format, want := range map[string]string{"text": `msg=hi store=7`, "json": `"msg":"hi","store":7}`} {
		var out bytes.Buffer
		log := LogOptions{Format: format}.Logger(&out)
		log.Debug("unseen")
		log.Info("hi", "store", 7)
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "unseen") {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}
