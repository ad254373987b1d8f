package program

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// maxSaid is how much of what a command printed stands in an error.
const maxSaid = 3000

// Output is what a command printed.
type Output struct{ Said, Progress string }

// Run runs a command to its end, as an operator would. Its progress goes where
// it is told, or else into the output. It dies with this process.
func Run(ctx context.Context, progress io.Writer, command ...string) (Output, error) {
	runtime.LockOSThread() // its end would be the end of the command
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = pipePatience
	var said, kept bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &kept
	if progress != nil {
		cmd.Stderr = progress
	}
	err := cmd.Run()
	out := Output{Said: said.String(), Progress: kept.String()}
	if err != nil {
		text := strings.TrimSpace(out.Said + out.Progress)
		err = fmt.Errorf("%s: %w: %s", title(command), err, text[max(0, len(text)-maxSaid):])
	}
	return out, err
}

// title is a command without what would hide its point.
func title(command []string) string {
	words := []string{filepath.Base(command[0])}
	for _, word := range command[1:] {
		if strings.HasPrefix(word, "-") {
			break
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
