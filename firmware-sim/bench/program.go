package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"holdfast.dev/firmware-sim/program"
)

// memory is a line of the kernel's about a program's memory, in MiB: VmRSS is
// what it has now, VmHWM the most that it ever had.
func memory(p *program.Program, line string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.State().PID))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(text, line+":"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 64)
			return n / 1024, err
		}
	}
	return 0, fmt.Errorf("the kernel does not tell %s", line)
}

// cpu is how long a program has computed so far.
func cpu(p *program.Program) (time.Duration, error) {
	const ticks = 100 // a second, on every Linux
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.State().PID))
	if err != nil {
		return 0, err
	}
	after := string(raw[bytes.LastIndexByte(raw, ')')+1:])
	var sum int64
	for i, field := range strings.Fields(after) {
		if i == 11 || i == 12 { // user and system time, counted after the name
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return time.Duration(sum) * time.Second / ticks, nil
}

// ended is why a program is over, with the end of what it said.
func ended(p *program.Program) error { return fmt.Errorf("%w: %s", p.Alive(), p.Log()) }

func call(r *http.Request) ([]byte, error) { return callBy(http.DefaultClient, r) }

func callBy(client *http.Client, r *http.Request) ([]byte, error) {
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", r.Method, r.URL, resp.Status, body)
	}
	return body, err
}

// poll tries until it works; the error is the last one.
func poll(ctx context.Context, every time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return program.Poll(ctx, every, func() error { return try(ctx) })
}
