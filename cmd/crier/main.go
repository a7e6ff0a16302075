// Command crier is crier for people: make up, import and export participants,
// preview, start and end actions, and see the whole story in a demo.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a machine without time zones must not misjudge windows

	"github.com/alecthomas/kong"

	"github.com/crierd/crier/internal/daemon"
)

// cli is the command line.
type cli struct {
	Demo     demoCommand     `cmd:"" help:"The whole story on made-up people, from empty directory to closing message."`
	Generate generateCommand `cmd:"" help:"Make up people around Dutch towns, as NDJSON."`
	Import   importCommand   `cmd:"" help:"Import participants from NDJSON files, plain, .gz or .zst."`
	Export   exportCommand   `cmd:"" help:"Export all participants as NDJSON."`
	Preview  previewCommand  `cmd:"" help:"Show who would be told of an action."`
	Start    startCommand    `cmd:"" help:"Start an action."`
	Status   statusCommand   `cmd:"" help:"Show how an action stands."`
	Close    closeCommand    `cmd:"" help:"End an action: everyone reached gets the closing."`
	Missed   missedCommand   `cmd:"" help:"List who never got an action's alert."`
	Token    tokenCommand    `cmd:"" help:"Make a bearer token for a caller of the daemon."`
	Audit    auditCommands   `cmd:"" help:"The audit chain of a store."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// terminal is where a command writes.
type terminal struct {
	out, log io.Writer
	bars     bool // log is a terminal: progress bars are of use
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	status := run(ctx, os.Args[1:], &terminal{os.Stdout, os.Stderr, isTerminal(os.Stderr)})
	stop()
	os.Exit(status)
}

// run is one command; it returns the exit status: 0 done, 1 failed, 2 usage.
func run(ctx context.Context, args []string, term *terminal) int {
	exited := -1
	parser, err := kong.New(&cli{}, kong.Name("crier"), kong.Description("Tells those near a place, and lets nobody hear twice."),
		kong.UsageOnError(), kong.Writers(term.out, term.log), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(term),
		kong.Exit(func(status int) { exited = status }))
	if err != nil {
		_, _ = fmt.Fprintln(term.log, "crier:", err)
		return 1
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		_, _ = fmt.Fprintln(term.log, "crier:", err)
		return 2
	}
	if err := command.Run(); err != nil {
		_, _ = fmt.Fprintln(term.log, "crier:", err)
		return 1
	}
	return 0
}

func isTerminal(f *os.File) bool {
	stat, err := f.Stat()
	return err == nil && stat.Mode()&os.ModeCharDevice != 0
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(term *terminal) error {
	_, err := fmt.Fprintln(term.out, "crier", daemon.Version())
	return err
}
