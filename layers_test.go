// Package crier_test keeps the project's rooms apart.
package crier_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/crierd/crier/"

// arrows says what of ours each room may import. A room is a folder with all
// that is below it.
func arrows() map[string][]string {
	return map[string][]string{
		"internal/fault":  nil,
		"internal/wire":   nil,
		"geoindex":        nil,
		"store":           {"internal/wire"},
		"channels":        {"channels"}, // a sink imports the contract
		"fanout":          {"geoindex", "store", "channels", "internal/fault", "internal/wire"},
		"bench":           {"geoindex", "store", "channels", "fanout"},
		"internal/daemon": {"geoindex", "store", "channels", "fanout"},
		"cmd/crierd":      {"internal/daemon"},
		"cmd/crier":       {"geoindex", "store", "channels", "fanout", "bench", "internal/daemon"},
	}
}

// TestArrows compares the imports of every package with what is drawn.
func TestArrows(t *testing.T) {
	t.Parallel()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	out, err := list.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, list.Start())
	seen := map[string]bool{}
	for dec := json.NewDecoder(out); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		from, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue // the project's folder itself
		}
		room := roomOf(from)
		require.NotEmpty(t, room, "%s is in no room: draw it", from)
		seen[room] = true
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, module); ours {
				require.True(t, slices.Contains(arrows()[room], roomOf(to)), "%s may not import %s", from, to)
			}
		}
	}
	require.NoError(t, list.Wait())
	require.Len(t, seen, len(arrows()))
}

func roomOf(folder string) string {
	for room := range arrows() {
		if folder == room || strings.HasPrefix(folder, room+"/") {
			return room
		}
	}
	return ""
}
