// Command crierd serves crier over HTTP. Without a configuration it listens on
// loopback, keeps its data in ./crier-data, records what it would send, and
// prints a token once.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a machine without time zones must not misjudge windows

	"github.com/alecthomas/kong"

	"github.com/crierd/crier/internal/daemon"
)

type options struct {
	Config  string           `help:"Configuration file (YAML)." type:"existingfile"`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

func main() {
	var o options
	kong.Parse(&o, kong.Name("crierd"), kong.Vars{"version": daemon.Version()},
		kong.Description("Serves crier over HTTP until it is told to stop (SIGTERM, SIGINT)."))
	if err := run(o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "crierd:", err)
		os.Exit(1)
	}
}

// run serves until the process is told to stop.
func run(o options, out, log io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	config, err := daemon.ReadConfig(o.Config)
	if err != nil {
		return err
	}
	config.Logger = slog.New(slog.NewTextHandler(log, nil))
	config.Ready = func(token string) {
		if token != "" {
			_, _ = fmt.Fprintf(out, "token with all scopes, shown once: %s\n", token)
		}
	}
	return daemon.Run(ctx, config)
}
