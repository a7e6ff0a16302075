package daemon

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/crierd/crier/channels"
	"github.com/crierd/crier/channels/record"
	"github.com/crierd/crier/channels/webhook"
	"github.com/crierd/crier/fanout"
	"github.com/crierd/crier/store"
)

// Config is the daemon's configuration. The zero value listens on loopback, keeps
// its data in ./crier-data and records what it would send in ./crier-out.
type Config struct {
	Listen   string          `yaml:"listen"`   // default: 127.0.0.1:7700
	Data     string          `yaml:"data"`     // default: ./crier-data
	Out      string          `yaml:"out"`      // of recording sinks that name no directory, and of drills. default: ./crier-out
	Timezone string          `yaml:"timezone"` // default: Europe/Amsterdam
	Language string          `yaml:"language"` // default: nl
	Batch    int             `yaml:"batch"`    // recipients a batch at most. default: 500
	Deadline string          `yaml:"deadline"` // of alerts that name none. default: 60m
	Sinks    map[string]Sink `yaml:"sinks"`    // by channel. default: record, on all channels

	Logger *slog.Logger       `yaml:"-"` // default: discards
	Now    func() time.Time   `yaml:"-"` // default: time.Now
	Ready  func(token string) `yaml:"-"` // told once the daemon answers, with the token if one was made; may be nil
}

// Sink says what serves a channel.
type Sink struct {
	Type       string `yaml:"type"` // record or webhook
	Dir        string `yaml:"dir"`  // of record
	Contacts   bool   `yaml:"contacts"`
	URL        string `yaml:"url"` // of webhook
	SecretFile string `yaml:"secret_file"`
	Workers    int    `yaml:"workers"` // default: 1
	Batch      int    `yaml:"batch"`   // default: the configuration's
	Rate       Rate   `yaml:"rate"`

	// Custom takes the place of Type: for programs that run a daemon of their own.
	Custom channels.Sink `yaml:"-"`
}

// Rate limits a sink. The zero Rate is no limit.
type Rate struct {
	PerSecond float64 `yaml:"per_second"`
	Burst     int     `yaml:"burst"`
}

// ReadConfig reads a YAML configuration; "" gives the zero one. Unknown keys are
// refused with their line. Then the environment's CRIER_LISTEN, CRIER_DATA,
// CRIER_OUT, CRIER_TIMEZONE, CRIER_LANGUAGE, CRIER_BATCH and CRIER_DEADLINE
// override what was read.
func ReadConfig(path string) (Config, error) {
	var c Config
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("configuration: %w", err)
		}
		if c, err = parseConfig(path, text); err != nil {
			return c, err
		}
	}
	return c, c.override()
}

func parseConfig(path string, text []byte) (Config, error) {
	var c Config
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("configuration %s:\n%s", path, yaml.FormatError(err, false, false))
	}
	return c, nil
}

func (c *Config) override() error {
	for name, field := range map[string]*string{
		"LISTEN": &c.Listen, "DATA": &c.Data, "OUT": &c.Out, "TIMEZONE": &c.Timezone,
		"LANGUAGE": &c.Language, "DEADLINE": &c.Deadline,
	} {
		*field = cmp.Or(os.Getenv("CRIER_"+name), *field)
	}
	if text := os.Getenv("CRIER_BATCH"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("CRIER_BATCH is not a number")
		}
		c.Batch = n
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:7700")
	c.Data = cmp.Or(c.Data, "crier-data")
	c.Out = cmp.Or(c.Out, "crier-out")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Sinks) == 0 {
		c.Sinks = map[string]Sink{}
		for _, name := range []string{channels.App, channels.SMS, channels.Voice, channels.Email, channels.X, channels.Messenger, channels.Board} {
			c.Sinks[name] = Sink{Type: "record"}
		}
	}
	return c
}

// storeConfig takes the outer key from CRIER_KEY, 64 hexadecimal digits, if it
// is set.
func (c Config) storeConfig() (*store.Config, error) {
	s := &store.Config{Logger: c.Logger}
	if text := os.Getenv("CRIER_KEY"); text != "" {
		key, err := hex.DecodeString(text)
		if err != nil || len(key) != store.KeyBytes {
			return nil, fmt.Errorf("CRIER_KEY is not a key of %d bytes in hexadecimal digits", store.KeyBytes)
		}
		s.Key = key
	}
	return s, nil
}

// engineConfig makes the sinks.
func (c Config) engineConfig() (fanout.Config, error) {
	e := fanout.Config{
		Channels: map[string]fanout.Channel{}, Language: c.Language, Timezone: c.Timezone,
		Batch: c.Batch, Logger: c.Logger, Now: c.Now,
	}
	if c.Deadline != "" {
		d, err := time.ParseDuration(c.Deadline)
		if err != nil || d <= 0 {
			return e, errors.New("configuration: deadline is not a duration such as 30m")
		}
		e.Deadline = d
	}
	var err error
	if e.Drill, err = record.Open(filepath.Join(c.Out, "drill"), record.Config{Contacts: true}); err != nil {
		return e, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sinks)) {
		s := c.Sinks[name]
		sink, err := s.open(c)
		if err != nil {
			return e, fmt.Errorf("configuration: sinks.%s: %w", name, err)
		}
		e.Channels[name] = fanout.Channel{
			Sink: sink, Rate: s.Rate.PerSecond, Burst: s.Rate.Burst, Workers: s.Workers, Batch: s.Batch,
		}
	}
	return e, nil
}

func (s Sink) open(c Config) (channels.Sink, error) {
	if s.Custom != nil {
		return s.Custom, nil
	}
	switch s.Type {
	case "record":
		return record.Open(cmp.Or(s.Dir, c.Out), record.Config{Contacts: s.Contacts})
	case "webhook":
		secret, err := os.ReadFile(s.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("secret_file: %w", err)
		}
		return webhook.New(webhook.Config{URL: s.URL, Secret: strings.TrimSpace(string(secret)), Logger: c.Logger, Now: c.Now})
	}
	return nil, fmt.Errorf("type: %q is not record or webhook, which are what is built", s.Type)
}
